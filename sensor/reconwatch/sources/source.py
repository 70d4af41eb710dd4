"""The contract of a source: something that yields events and can say where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout
from reconwatch.sources.textlog.declared import Declared


@dataclass(frozen=True)
class Opening:
    """What every source is opened with."""

    stream: BinaryIO
    """The input's bytes, already decompressed, at offset 0; not necessarily seekable."""
    lookout: Lookout
    account: Account
    input: int = 0
    """`Event.input` of what it yields."""
    funnel: bool = True
    """False: decode everything and let the Lookout alone decide (the oracle)."""
    declared: Declared | None = None
    """Text logs: what their owner says of it."""
    modified: float = float("inf")
    """UTC epoch seconds: nothing in the input is later. Infinity: the time of the last write is not known."""
    following: Callable[[float], Opening | None] = lambda last: None
    """Captures: asked, once the packets are read, of which the last is of time `last`, for the next file of a rotation.
    Its packets go on in the same flows; what they tell belongs to its account and input. None: there is none."""


class Source(Protocol):
    """Yields the events of one input that the Lookout wants.

    Never raises on bad content: what cannot be read is counted in the account, with one located warning a reason, and
    reading goes on. An OSError of the underlying stream is the caller's to handle.
    """

    position: int
    """Bytes of the (decompressed) input that were consumed whole: where a later run may resume."""

    def __iter__(self) -> Iterator[AnyEvent]: ...

    @property
    def unseen(self) -> frozenset[str]:
        """Once it was read: the kinds of event that it may hold besides those the Lookout was asked about.

        None for a source that asks about all it decodes; whatever a sieve may have held back else.
        """
        ...

    def close(self) -> None:
        """Release the stream. Idempotent."""
        ...
