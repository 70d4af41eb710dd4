"""Inputs that never end: what is there now, where it came from, and where a later run goes on."""

from reconwatch.sources.live.feed import Chunk, Feed

__all__ = ["Chunk", "Feed"]
