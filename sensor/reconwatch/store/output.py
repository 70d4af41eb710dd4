"""What a sink of the service is, and in which two ways it may fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconwatch.notices import Notice


class Unreachable(Exception):
    """The sink cannot be written to now, whatever the notice: it is tried again, and nothing is passed over.

    `taken` notices from the front of what was sent are there all the same.
    """

    def __init__(self, reason: str, taken: int = 0) -> None:
        super().__init__(reason)
        self.taken = taken


class Refused(Exception):
    """The sink answered, and does not take the notice behind the `taken` first ones; `final`: it never will."""

    def __init__(self, reason: str, taken: int = 0, *, final: bool = False) -> None:
        super().__init__(reason)
        self.taken = taken
        self.final = final


class Output(Protocol):
    """A sink as `Delivery` drives it."""

    name: str
    """Its position is kept under it: the same over restarts."""
    slow: bool
    """It waits for others: `send` is called by a thread of its own, and by no other."""

    def accepts(self, notice: Notice) -> bool:
        """Whether it wants this one."""
        ...

    def resume(self, place: bytes | None) -> None:
        """Before the first `send`: what `place` gave when the position was last kept; None: there is no position.

        Raises nothing: what is wrong is found again by `send`.
        """
        ...

    def send(self, notices: Sequence[Notice]) -> None:
        """Write some, in order. Raises Unreachable or Refused. May be asked for the same (id, rev) twice."""
        ...

    def place(self) -> bytes:
        """Where it stands after the last `send`, for `resume`."""
        ...

    def problems(self) -> list[str]:
        """What else there is to tell since this was last asked: one line each."""
        ...

    def close(self) -> None:
        """Release what is open. Idempotent."""
        ...
