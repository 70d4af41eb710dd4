"""Inputs that never end: what is there now, where it came from, and where a later run goes on."""

from reconwatch.sources.live.feed import Chunk, Feed
from reconwatch.sources.live.open import open_feed

__all__ = ["Chunk", "Feed", "open_feed"]
