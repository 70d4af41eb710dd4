"""The source over a Zeek log: blocks of lines, sifted, to wanted events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import msgspec

from reconwatch.events import AnyEvent
from reconwatch.passing import Passed
from reconwatch.sources.jsonlines import NotJsonError, decoded, suspects
from reconwatch.sources.lines import Block, Blocks
from reconwatch.sources.sieve import EveryLine, Layout, Sifting, sieve_for
from reconwatch.sources.source import Opening
from reconwatch.sources.zeek.connections import Reading, json_reading
from reconwatch.sources.zeek.row import KINDS, LOSSES, Kind, Row, kind_of, kind_of_row
from reconwatch.sources.zeek.told import HOLDS, BadRowError, Teller
from reconwatch.sources.zeek.tsv import SEPARATOR, Header, ShortRowError, attribute, declared_separator

Form = Literal["tsv", "json"]

MOST_LAYOUTS = 8
"""Separators and orders of columns of one stream that a sieve is compiled for; what has more is decoded, every line."""

# Other scope separators than "." (`LogAscii` and json-streaming-logs let a site choose): only ever a whole JSON string.
_RENAMED = re.compile(rb'"id[_:/\-]((?:orig|resp)_[hp])"')
_decoder = msgspec.json.Decoder(Row)
_outlines = msgspec.json.Decoder(dict[str, Any])


class ZeekSource:
    """Events of Zeek's logs (`KINDS`); capture_loss.log tells the account what Zeek has missed.

    Other logs are recognised and tell nothing. One stream may hold several logs and several headers (`zcat *`). With
    the funnel `account.skipped` covers the decoded lines, `account.sampled` those of the blocks looked at whole;
    `account.records` always covers all.
    A QUIC session's ssl.log row cannot be told from that of a cut TLS handshake by itself: it yields a Hello with the
    same endpoints, name and uid as the quic.log row, for the joining to merge.
    """

    KEPT: tuple[str, ...] = ()

    def __init__(self, opening: Opening, form: Form) -> None:
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self.blocks = Blocks(opening.stream, opening.account)
        self._form: Form = form
        self._header = Header()
        self._teller = Teller(opening.lookout, opening.account, opening.input)
        self._sieves: dict[Layout, Sifting] = {}
        self._sieve: Sifting = EveryLine()
        self._connections: Reading | None = None
        self._lay_out(self._header)
        self._names: list[str] = []
        self._account.dialect = f"zeek {form}"

    def __iter__(self) -> Iterator[AnyEvent]:
        account, lookout, passed_by = self._account, self._opening.lookout, Passed.BY
        for block in self.blocks:
            self._note_kinds(block)
            todo: Block | None = block
            passed = 0
            while todo is not None:
                sieve, read, done = self._sieve, self._connections, todo.start
                for start, end in sieve.lines(todo):
                    if todo.whole:
                        self._check(todo, done, start)
                    done = end + 1
                    line = todo.line(start, end)
                    connection = read(line) if read is not None else None
                    if connection is passed_by:  # this way go millions
                        passed += 1
                        continue
                    if connection is None:
                        for event in self._events(todo, start, line):
                            if lookout.wants(event):
                                account.events += 1
                                yield event
                        read = self._connections
                    elif lookout.wants_connection(connection):
                        account.events += 1
                        yield connection
                    self.position = todo.offset + done
                    if sieve is not self._sieve:
                        # A new separator or another log: what follows in this block is to be sifted anew.
                        todo = todo.rest(done)
                        break
                else:
                    if todo.whole:
                        self._check(todo, done, todo.end)
                    todo = None
            account.events += passed
            self.position = block.offset + block.end

    @property
    def unseen(self) -> frozenset[str]:
        """Behind a sieve the kinds of event that its logs tell."""
        return frozenset() if isinstance(self._sieve, EveryLine) else frozenset(self._account.holds)

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _check(self, block: Block, start: int, stop: int) -> None:
        """Count what cannot be read of lines that nobody wants. Cheap: an unusable time or address stays unseen."""
        if start >= stop:
            return
        if self._form == "tsv":
            found = self._header.suspects(block, start, stop)
        else:
            found = suspects(_decoder, block, start, stop)
        for line_start, line_end in found:
            line = block.line(line_start, line_end)
            self._events(block, line_start, line, sampled=not block.stands_alone(line_start, line_end))

    def _events(self, block: Block, start: int, line: bytes, *, sampled: bool = False) -> list[AnyEvent]:
        """The events of the line that begins at `start`, read with care."""
        if not line:
            return []
        where = partial(_located, block, start)
        try:
            kind, row = self._tsv(line) if self._form == "tsv" else self._json(line)
            return self._teller.events(kind, row, where) if kind and row else []
        except ShortRowError:
            reason = "a row with another number of columns than its header"
        except BadRowError as error:
            reason = f"a row with {error}"
        except NotJsonError:
            reason = "not a JSON object"
        except (ValueError, OverflowError):
            reason = "a value of the wrong type"
        self._account.skip(reason, where, sampled=sampled)
        return []

    def _tsv(self, line: bytes) -> tuple[Kind | None, Row | None]:
        header = self._header
        if line.startswith(b"#"):
            if line.startswith(SEPARATOR):
                self._header = Header(declared_separator(line))
                self._lay_out(self._header)
                return None, None
            header.read(line)
            if line.startswith(b"#fields"):
                self._note_kind(header.kind, header.path)
            self._lay_out(header)
            return None, None
        if not header.known:
            raise BadRowError("no #fields header above it")
        if header.tells_loss:
            self._account.lost(header.row(line).percent_lost)
        return header.kind, header.row(line) if header.kind else None

    def _json(self, line: bytes) -> tuple[Kind | None, Row | None]:
        try:
            row = _decoded(line)
        except msgspec.ValidationError:
            if _matters(line):
                raise
            return None, None
        kind = kind_of_row(row)
        self._note_kind(kind, row.path)
        return kind, row

    def _lay_out(self, header: Header) -> None:
        """Take the sieve for the rows under a header."""
        opening = self._opening
        layout = Layout(self._form, header.separator, header.port_first, named=header.kind != "conn")
        if layout not in self._sieves:
            funnel = opening.funnel and len(self._sieves) < MOST_LAYOUTS
            self._sieves[layout] = sieve_for(opening.lookout, opening.account, layout, funnel=funnel)
        if self._form == "json":
            self._connections = json_reading(opening.input, opening.lookout.doors)
        elif header.connections is not None:
            self._connections = header.connections.reading(opening.input, opening.lookout.doors)
        else:
            self._connections = None
        # Of capture_loss.log every row counts, and no sieve knows them.
        # x509.log has a row a certificate and day, of which only the names tell what matters.
        # What was found inside Zeek is little, and none of it goes by uncounted.
        whole = header.tells_loss or header.kind in ("x509", "reconwatch", "notice", "intel")
        self._sieve = EveryLine() if whole else self._sieves[layout]

    def _note_kinds(self, block: Block) -> None:
        """Name the logs in a block of JSON, for in the funnel perhaps no line of theirs is decoded; note Zeek's losses.

        The first line tells; a stream whose first block holds several kinds is one of many, and searched for the rest.
        """
        if self._form != "json" or self._goes_on(block):
            return
        self._note_kind_of_line(block, block.start)
        if block.offset == 0 or len(self._names) > 1:
            for kind, telltale in _TELLTALES.items():
                at = -1 if kind in self._names else block.data.find(telltale, block.start, block.end)
                if at >= 0:
                    self._note_kind_of_line(block, at)
        if block.offset == 0 or len(self._names) > 1 or LOSSES in self._names:
            at = block.data.find(_LOST, block.start, block.end)
            while at >= 0:
                self._account.lost(self._note_kind_of_line(block, at).percent_lost)
                at = block.data.find(_LOST, at + 1, block.end)

    def _goes_on(self, block: Block) -> bool:
        """Whether the block begins with a row of the one log that the stream held so far, as far as a glance tells."""
        if block.offset == 0 or len(self._names) != 1 or self._names[0] not in KINDS:
            return False
        end = block.data.find(b"\n", block.start, block.end)
        return block.data.find(_TELLTALES[self._names[0]], block.start, end if end >= 0 else block.end) >= 0

    def _note_kind_of_line(self, block: Block, at: int) -> Row:
        """The row that holds `data[at]`; an empty one if it cannot be read."""
        start = block.data.rfind(b"\n", block.start, at) + 1 or block.start
        end = block.data.find(b"\n", start, block.end)
        try:
            row = _decoded(block.line(start, end if end >= 0 else block.end))
        except ValueError:
            return Row()
        self._note_kind(kind_of_row(row), row.path or (LOSSES if row.percent_lost is not None else None))
        return row

    def _note_kind(self, kind: Kind | None, path: str | None) -> None:
        name = kind or path
        if name is None or name in self._names:
            return
        self._names.append(name)
        self._account.dialect = f"zeek/{'+'.join(self._names)} {self._form}"
        if kind:
            self._account.holds |= HOLDS[kind]


def _located(block: Block, start: int) -> str:
    return f"line {block.line_number(start)}"


_LOST = b'"percent_lost"'
_TELLTALES: dict[Kind, bytes] = {
    "dns": b'"trans_id"',
    "ssl": b'"established"',
    "http": b'"trans_depth"',
    "conn": b'"conn_state"',
    "quic": b'"client_initial_dcid"',
    "x509": b'"certificate.serial"',
    "whois": b'"answer_bytes"',
    "reconwatch": b'"actor_role"',
    "notice": b'"note"',
    "intel": b'"seen.indicator"',
}
"""A column that every row of a log has, and few of others."""


def _matters(line: bytes) -> bool:
    """Whether a row of which a column has the wrong type is of a log that is read: in ssh.log `version` is a number."""
    try:
        columns = decoded(_outlines, line)
    except ValueError:
        return True
    path = columns.get("_path")
    kind = kind_of(path if isinstance(path, str) else None, [attribute(column) for column in columns])
    return kind is not None or "percent_lost" in columns


def _decoded(line: bytes) -> Row:
    """A JSON line as a row. Raises NotJsonError, or msgspec.ValidationError for a field of another type."""
    if b'"id.orig_h"' not in line:
        line = _RENAMED.sub(rb'"id.\1"', line)
    return decoded(_decoder, line)
