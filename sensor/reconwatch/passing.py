"""How connections that need no event are taken where they are read, without their reader knowing why they need none."""

from __future__ import annotations

from enum import Enum
from typing import Literal, Protocol


class Passed(Enum):
    """Stands where an event would, had it been needed (see `Door`)."""

    BY = "by"


class Door(Protocol):
    """Takes connections to one port of ours that went alike, before events are made of them: there are millions."""

    def __call__(self, ts: float, client: str, client_port: int | None, uid: str | None) -> bool:
        """Whether that is all there is to one of them, so that no event is needed.

        Arguments as the fields of `Connection`; but it may be that `client` is no address, and then an event is needed.
        """
        ...


class Doors(Protocol):
    """Knows the doors of the networks of interest."""

    def __call__(
        self, server: str, server_port: int | None, proto: Literal["tcp", "udp"], opening: bool | None,
        answered: bool | None, established: bool | None, spoke: bool | None, source: str,
    ) -> Door | None:  # fmt: skip
        """The door for such connections (the fields of `Connection`); None if an event is needed of each of them."""
        ...
