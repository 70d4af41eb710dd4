"""Notices raised inside Zeek, over its WebSocket API, each acknowledged: `@load reconwatch/broker` does the rest there.

Zeek remembers what it raised by (id, rev), over a restart too, so that asking again raises nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from reconwatch.broker.connection import AwayError, Connection, Login, library
from reconwatch.broker.frames import BadFrameError, Event, Trouble
from reconwatch.broker.values import Value, count, text
from reconwatch.notices import Notice
from reconwatch.sinks.wire_text import visible
from reconwatch.store.lines import Key
from reconwatch.store.output import Refused, Unreachable

RAISE: Final = "/zeek/reconwatch/raise"
RAISED: Final = "/zeek/reconwatch/raised"
PATIENCE: Final = 10.0
"""Seconds without an answer: Zeek acknowledges a second after it raised a notice."""
LONGEST: Final = 1_000
"""Signs of a text; the whole is in the store, under the id."""
_MOST_TARGETS: Final = 10


class _Answers(msgspec.Struct):
    """What Zeek has said so far to a batch."""

    raised: set[Key] = msgspec.field(default_factory=set)
    refused: dict[Key, tuple[str, bool]] = msgspec.field(default_factory=dict)
    """By (id, rev): why, and whether for good."""
    trouble: str = ""
    """It could not make an event of something."""


class ZeekOutput:
    """Raises notices in one Zeek. A Zeek that is away costs only this sink's own thread."""

    slow = True

    def __init__(
        self,
        login: Login,
        accepts: Callable[[Notice], bool],
        *,
        name: str | None = None,
        patience: float = PATIENCE,
        connect: Callable[[], Connection] | None = None,
    ) -> None:
        """Raises ModuleNotFoundError with one sentence if the websockets package is not installed."""
        library()
        self.name = name or f"zeek:{login.url}"
        self._url = login.url
        self._accepts = accepts
        self._patience = patience
        self._connect = connect or (lambda: Connection(login, [RAISED]))
        self._connection: Connection | None = None
        self._careful = False
        """One at a time: an error does not say which event it is about."""

    def accepts(self, notice: Notice) -> bool:
        """Whether it wants this one."""
        return self._accepts(notice)

    def resume(self, place: bytes | None) -> None:
        """Zeek knows what it raised."""

    def place(self) -> bytes:
        """Nothing beside the position."""
        return b""

    def problems(self) -> list[str]:
        """Nothing beside what `send` raises."""
        return []

    def send(self, notices: Sequence[Notice]) -> None:
        """Raise them and wait until Zeek says so. Raises Unreachable; Refused for one that Zeek does not take."""
        answers = _Answers()
        away = None
        step = 1 if self._careful else max(len(notices), 1)
        for _ in range(2):
            used = self._connection
            try:
                connection = self._connected()
                for start in range(0, len(notices), step):
                    self._ask(connection, notices[start : start + step], answers)
                    if answers.trouble or answers.refused:
                        break
            except AwayError as error:
                ended_meanwhile = used is not None and used is self._connection
                self.close()
                away = error
                if ended_meanwhile and not answers.raised:  # Zeek was restarted since the last batch
                    continue
            break
        taken = next((n for n, notice in enumerate(notices) if _key(notice) not in answers.raised), len(notices))
        if taken == len(notices):
            self._careful = False
            return
        if (said := answers.refused.get(_key(notices[taken]))) is not None:
            raise Refused(f"Zeek says: {said[0]}", taken, final=said[1])
        if answers.trouble:
            self.close()  # what is said late to this batch is not to be taken for an answer to the next
        advice = "is its package reconwatch of this version, with @load reconwatch/broker?"
        if answers.trouble and self._careful:
            raise Refused(f"Zeek says: {answers.trouble}; {advice}", taken)
        if answers.trouble:
            self._careful = True
            raise Unreachable(f"{self._url}: Zeek says: {answers.trouble}; {advice}", taken)
        assert away is not None
        raise Unreachable(f"{self._url}: {away}" + (f"; {away.advice}" if away.advice else ""), taken)

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        used, self._connection = self._connection, None
        if used is not None:
            used.close()

    def _connected(self) -> Connection:
        """A connection that was alive a moment ago. Raises AwayError."""
        if self._connection is not None:
            try:
                self._drain(self._connection)
            except AwayError:  # Zeek was restarted since the last batch
                self.close()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _drain(self, connection: Connection) -> None:
        """Leave behind what was said since: acknowledgements that came late, and those of other reconwatches."""
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            try:
                if connection.receive(0) is None:
                    return
            except BadFrameError:
                continue
        raise AwayError("there is no end to what it says")

    def _ask(self, connection: Connection, notices: Sequence[Notice], answers: _Answers) -> None:
        """Have some raised, and note what is said to that. Raises AwayError if the answers do not come."""
        wanted = {_key(notice) for notice in notices}
        for notice in notices:
            connection.send(raising(notice))
        until = time.monotonic() + self._patience
        while wanted and not answers.trouble:
            try:
                message = connection.receive(max(until - time.monotonic(), 0.0))
            except BadFrameError:
                message = None  # no answer of ours
            answered = None
            if isinstance(message, Trouble):
                answers.trouble = f"{message.context} ({message.code})"
            elif isinstance(message, Event):
                answered = _note(message, answers)
            if answered in wanted:
                wanted.discard(answered)
                until = time.monotonic() + self._patience
            elif time.monotonic() >= until:
                what = f"Zeek does not acknowledge within {self._patience:g} s"
                raise AwayError(what, "does the node that listens have @load reconwatch/broker?")


def _key(notice: Notice) -> Key:
    return notice.id, notice.rev


def _note(event: Event, answers: _Answers) -> Key | None:
    """Note an answer; which notice it is to. None: it is none."""
    given = event.arguments
    kinds = tuple(argument.kind for argument in given)
    if event.name == "ReconWatch::raised" and kinds == ("string", "count"):
        key = given[0].data, given[1].data
        answers.raised.add(key)
        return key
    if event.name == "ReconWatch::refused" and kinds == ("string", "count", "string", "boolean"):
        key = given[0].data, given[1].data
        answers.refused[key] = visible(given[2].data)[:LONGEST], given[3].data
        return key
    return None


def raising(notice: Notice) -> Event:
    """The event that has a notice raised; its arguments are those of ReconWatch::raise (zeek-scripts/broker.zeek)."""
    targets = [target.value for target in notice.targets[:_MOST_TARGETS]]
    facts = " ".join(
        f"{name}={','.join(visible(value)[:LONGEST] for value in values)}"
        for name, values in (
            ("technique", notice.techniques[:_MOST_TARGETS]),
            ("verdict", (notice.verdict,)),
            ("services", notice.services[:_MOST_TARGETS]),
            ("targets", targets),
        )
    )
    uid = next((evidence.uid for evidence in notice.evidence if evidence.uid), None)
    arguments = (
        text(notice.id),
        count(notice.rev),
        text(notice.state),
        text(notice.note),
        Value("real", notice.ts),
        text(notice.actor.ip or ""),
        text(visible(uid or "")[:LONGEST]),
        count(notice.score),
        count(notice.count),
        text(visible(notice.msg)[:LONGEST]),
        text(facts),
    )
    return Event(RAISE, "ReconWatch::raise", arguments)
