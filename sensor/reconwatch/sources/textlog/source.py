"""The source over a text log: blocks of lines, sifted, read by the format whose lines they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconwatch.events import AnyEvent
from reconwatch.sources.lines import Block, Blocks
from reconwatch.sources.sieve import EveryLine, Layout, sieve_for
from reconwatch.sources.source import Opening
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.formats import FORMATS
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat, readable
from reconwatch.sources.textlog.stamps import Clock
from reconwatch.sources.textlog.syslog import logged, without_prefix


class TextLogSource:
    """Events of a proxy's, web server's or DNS server's log.

    A stream may hold several formats: each line is read by the format that takes it, the last one first. With the
    funnel `account.skipped` covers the decoded lines, `account.sampled` those of the blocks looked at whole.
    """

    KEPT: tuple[str, ...] = ()

    def __init__(self, opening: Opening, format: type[LineFormat], head: Sequence[bytes] = ()) -> None:
        """`head`: the first lines, of which `format` was told."""
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self.blocks = Blocks(opening.stream, opening.account)
        declared = opening.declared or Declared()
        self._zone = declared.zone
        self._clock = Clock(opening.modified, declared.zone or "UTC")
        context = Context(opening.lookout, opening.account, opening.input, self._clock, declared, opening.modified)
        declared_only = declared.format is not None
        self._formats = [each(context) for each in FORMATS if each is format or not declared_only]
        self._formats.sort(key=lambda each: type(each) is not format)
        self._account.dialect = format.name
        self._formats[0].begin([without_prefix(line)[0] for line in map(readable, head)])
        # What comes to a server of ours matters, and that it came there no line says: its owner does.
        every = declared.server is not None and opening.lookout.ours(declared.server)
        funnel = opening.funnel and not every
        layout = Layout("text", labelled=format.labelled, marks=_marks(format))
        self._sieve = sieve_for(opening.lookout, opening.account, layout, funnel=funnel)

    def __iter__(self) -> Iterator[AnyEvent]:
        account, wants = self._account, self._opening.lookout.wants
        for block in self.blocks:
            done = block.start
            for start, end in self._lines(block):
                if block.whole:
                    self._check(block, done, start)
                done = end + 1
                for event in self._events(block, start, end):
                    if wants(event):
                        account.events += 1
                        yield event
                self.position = block.offset + done
            if block.whole:
                self._check(block, done, block.end)
            self.position = block.offset + block.end
        if self._clock.assumed and self._zone is None:
            account.warn(
                f"{account.path}: its times name no zone and are taken as UTC; site.yaml's `logs` can say which"
            )

    @property
    def unseen(self) -> frozenset[str]:
        """Behind a sieve the kinds of event that its formats tell."""
        return frozenset() if isinstance(self._sieve, EveryLine) else frozenset(self._account.holds)

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _lines(self, block: Block) -> Iterator[tuple[int, int]]:
        """What the sieve hits, and the lines behind it that a format awaits."""
        position = block.start
        for start, end in self._sieve.lines(block):
            yield from self._awaited(block, position, start)
            yield start, end
            position = end + 1
        yield from self._awaited(block, position, block.end)

    def _awaited(self, block: Block, start: int, stop: int) -> Iterator[tuple[int, int]]:
        for line in block.lines(start, stop):
            if not any(each.awaits for each in self._formats):
                return
            yield line

    def _check(self, block: Block, start: int, stop: int) -> None:
        """Count what cannot be read of lines that nobody wants."""
        for line_start, line_end in block.lines(start, stop):
            self._events(block, line_start, line_end, sampled=not block.stands_alone(line_start, line_end))

    def _events(self, block: Block, start: int, end: int, *, sampled: bool = False) -> list[AnyEvent]:
        line = block.line(start, end)
        if not line:
            return []
        text, stamp = without_prefix(readable(line))
        try:
            time = logged(stamp, self._clock)
            for place, each in enumerate(self._formats):
                events = each.read(text, time)
                if events is not None:
                    if place:
                        self._formats.insert(0, self._formats.pop(place))
                        self._account.holds |= each.holds
                    return events
            if stamp is not None:
                return []  # syslog has put it there: another program's
            reason = f"no line of a log like {self._account.dialect}"
        except BadLineError as error:
            reason = f"a line with {error}"
        self._account.skip(reason, lambda: f"line {block.line_number(start)}", sampled=sampled)
        return []


def _marks(format: type[LineFormat]) -> tuple[bytes, ...]:
    """Of all formats, for a stream may hold several; spelt-out names are looked for in the main one's only."""
    return tuple(mark for each in FORMATS if not (each is format and each.labelled) for mark in each.marks)
