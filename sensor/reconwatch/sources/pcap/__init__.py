"""Packet captures to events: containers, frames, packets, streams, then the protocols that name a server."""

from reconwatch.sources.pcap.capture import CaptureSource
from reconwatch.sources.pcap.container import is_capture

__all__ = ["CaptureSource", "is_capture"]
