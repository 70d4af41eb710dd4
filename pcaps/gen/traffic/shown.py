"""What a generated capture should show."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from traffic.wire import Reel


class Shown(NamedTuple):
    """One notice."""

    note: str
    actor: str
    amount: int
    """Addresses of ours, or ports of one, names, requests: what the notice counts."""
    members: int = 0
    """Sources that are told with it."""


class Kind(NamedTuple):
    """A kind of traffic: what makes it, and the notices that it deserves."""

    story: str
    make: Callable[[Reel, Random], tuple[Shown, ...]]
