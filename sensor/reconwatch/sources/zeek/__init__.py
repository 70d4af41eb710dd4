"""Zeek's dns, ssl, http, conn and quic logs, as TSV and as JSON."""

from reconwatch.sources.zeek.log import ZeekSource

__all__ = ["ZeekSource"]
