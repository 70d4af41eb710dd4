"""What a format of text lines is: a class that reads the lines of one log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.stamps import Clock


class BadLineError(ValueError):
    """A line of the format that lacks what every event needs; its text is the reason."""


@dataclass(frozen=True)
class Context:
    """What the reading of one log knows besides its lines."""

    lookout: Lookout
    account: Account
    input: int
    clock: Clock
    declared: Declared
    modified: float = float("inf")
    """UTC epoch seconds: nothing in the log is later."""


class LineFormat(ABC):
    """Reads the lines of one log. May remember what headers said."""

    name: ClassVar[str]
    """`Event.source`, and how the account calls it: `squid`, `bind`, ..."""
    holds: ClassVar[frozenset[str]]
    """Kinds of event that such a log is able to tell of whatever its writer's clients do."""
    teaches: ClassVar[bool] = False
    """It tells what addresses names have, so it is read before logs that connect."""
    marks: ClassVar[tuple[bytes, ...]] = ()
    """Regular expressions, as Hyperscan has them, of lines that are read whatever they name: what they are about, only
    other lines say."""
    labelled: ClassVar[bool] = False
    """It writes names as `(3)api(6)shodan(2)io(0)`."""
    awaits: bool = False
    """What was just read is understood with the next line only, whatever that names."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def begin(self, lines: Sequence[str]) -> None:
        """Told the first lines of a log of this format, without syslog's prefix, before any is read.

        They decide what of a log a sieve could hide: what it holds at all (`Account.holds`).
        """
        self.context.account.holds |= self.holds

    def note_owner(self, server: str | None) -> None:
        """Note for the account whether it is known whose web server's log this is; `server`: as the log itself says.

        One behind a translation or a balancer writes an address of its own that the world does not know it by.
        """
        context = self.context
        if context.declared.server is None and not (server is not None and context.lookout.ours(server)):
            context.account.blind["undeclared_servers"] += 1

    @classmethod
    @abstractmethod
    def recognises(cls, line: str) -> bool:
        """Whether a line (without syslog's prefix) is surely of this format and no other's."""

    @abstractmethod
    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """The events of a line, all that are wanted; None if the line is not of this format.

        `logged`: the time that syslog put in front of it, if any, in UTC epoch seconds. Raises BadLineError.
        """

    def facts(self, ts: float, client: str, **known: Any) -> dict[str, Any]:
        """The fields that every event of the log has."""
        told = {"client_port": None, "server": self.context.declared.server, "server_port": None}
        return {"ts": ts, "client": client, "source": self.name, "input": self.context.input, **told, **known}


def readable(line: bytes) -> str:
    r"""The text of a line; bytes that are not UTF-8 appear as `\xNN`."""
    return line.rstrip(b"\r").decode("utf-8", "backslashreplace")
