"""Zeek's own logs and those of the package inside Zeek, as TSV and as JSON."""

from reconwatch.sources.zeek.log import ZeekSource

__all__ = ["ZeekSource"]
