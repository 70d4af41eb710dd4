"""Indicators of threat intelligence: feeds in many formats, kept compactly, and what of an event they list."""

from reconwatch.intel.feeds import LoadedFeed, load_feed
from reconwatch.intel.intelligence import Intelligence

__all__ = ["Intelligence", "LoadedFeed", "load_feed"]
