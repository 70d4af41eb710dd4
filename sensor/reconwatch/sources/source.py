"""The contract of a source: something that yields events and can say where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout


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
    sees_all: bool
    """Whether the Lookout is asked about everything the input holds. False behind a sieve: it never sees what the
    sieve holds back, so an address that it was not asked about may still be there."""

    def __iter__(self) -> Iterator[AnyEvent]: ...

    def close(self) -> None:
        """Release the stream. Idempotent."""
        ...
