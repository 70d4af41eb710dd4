"""The source over a Zeek log: blocks of lines, sifted, to wanted events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from reconwatch.events import AnyEvent
from reconwatch.sources.jsonlines import NotJsonError, decoded
from reconwatch.sources.lines import Block, Blocks
from reconwatch.sources.sieve import Sifting, sieve_for
from reconwatch.sources.source import Opening
from reconwatch.sources.zeek.row import Kind, Row, kind_of_row
from reconwatch.sources.zeek.told import HOLDS, BadRowError, Teller
from reconwatch.sources.zeek.tsv import SEPARATOR, Header, ShortRowError, declared_separator

Form = Literal["tsv", "json"]

# Other scope separators than "." (`LogAscii` and json-streaming-logs let a site choose): only ever a whole JSON string.
_RENAMED = re.compile(rb'"id[_:/\-]((?:orig|resp)_[hp])"')
_decoder = msgspec.json.Decoder(Row)


class ZeekSource:
    """Events of Zeek's dns, ssl, http, conn and quic logs; other logs are recognised and tell nothing.

    One stream may hold several logs and several headers (`zcat *`). What cannot be read is counted in
    `account.skipped`; with the funnel that covers the decoded lines only, `account.records` always covers all.
    A QUIC session's ssl.log row cannot be told from that of a cut TLS handshake by itself: it yields a Hello with the
    same endpoints, name and uid as the quic.log row, for the joining to merge.
    """

    def __init__(self, opening: Opening, form: Form) -> None:
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self._form: Form = form
        self._header = Header()
        self._teller = Teller(opening.lookout, opening.account, opening.input)
        self._sieve = self._new_sieve()
        self._names: list[str] = []
        self._account.dialect = f"zeek {form}"

    def __iter__(self) -> Iterator[AnyEvent]:
        account, lookout = self._account, self._opening.lookout
        for block in Blocks(self._opening.stream, account):
            self._note_kinds(block)
            todo: Block | None = block
            while todo is not None:
                for start, end in self._sieve.lines(todo):
                    sieve = self._sieve
                    for event in self._events(todo, start, end):
                        if lookout.wants(event):
                            account.events += 1
                            yield event
                    self.position = todo.offset + end + 1
                    if sieve is not self._sieve:
                        # A new separator: what follows in this block is to be sifted anew.
                        todo = todo.rest(end + 1)
                        break
                else:
                    todo = None
            self.position = block.offset + block.end

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _events(self, block: Block, start: int, end: int) -> list[AnyEvent]:
        line = block.line(start, end)
        if not line:
            return []
        try:
            kind, row = self._tsv(line) if self._form == "tsv" else self._json(line)
            return self._teller.events(kind, row) if kind and row else []
        except ShortRowError:
            reason = "a row with another number of columns than its header"
        except BadRowError as error:
            reason = f"a row with {error}"
        except NotJsonError:
            reason = "not a JSON object"
        except (ValueError, OverflowError):
            reason = "a value of the wrong type"
        self._account.skip(reason, f"line {block.line_number(start)}")
        return []

    def _tsv(self, line: bytes) -> tuple[Kind | None, Row | None]:
        header = self._header
        if line.startswith(b"#"):
            if line.startswith(SEPARATOR):
                self._header = Header(declared_separator(line))
                if self._header.separator != header.separator:
                    self._sieve = self._new_sieve()
                return None, None
            header.read(line)
            if line.startswith(b"#fields"):
                self._note_kind(header.kind, header.path)
            return None, None
        if not header.known:
            raise BadRowError("no #fields header above it")
        return header.kind, header.row(line) if header.kind else None

    def _json(self, line: bytes) -> tuple[Kind | None, Row]:
        row = _decoded(line)
        kind = kind_of_row(row)
        self._note_kind(kind, row.path)
        return kind, row

    def _new_sieve(self) -> Sifting:
        opening = self._opening
        return sieve_for(
            opening.lookout,
            opening.account,
            self._form,
            funnel=opening.funnel,
            separator=self._header.separator,
        )

    def _note_kinds(self, block: Block) -> None:
        """Name the logs in a block of JSON, for in the funnel perhaps no line of theirs is decoded.

        The first line tells; a stream whose first block holds several kinds is one of many, and searched for the rest.
        """
        if self._form != "json":
            return
        self._note_kind_of_line(block, block.start)
        if block.offset == 0 or len(self._names) > 1:
            for kind, telltale in _TELLTALES.items():
                at = -1 if kind in self._names else block.data.find(telltale, block.start, block.end)
                if at >= 0:
                    self._note_kind_of_line(block, block.data.rfind(b"\n", block.start, at) + 1 or block.start)

    def _note_kind_of_line(self, block: Block, start: int) -> None:
        end = block.data.find(b"\n", start, block.end)
        try:
            row = _decoded(block.line(start, end if end >= 0 else block.end))
        except ValueError:
            return
        self._note_kind(kind_of_row(row), row.path)

    def _note_kind(self, kind: Kind | None, path: str | None) -> None:
        name = kind or path
        if name is None or name in self._names:
            return
        self._names.append(name)
        self._account.dialect = f"zeek/{'+'.join(self._names)} {self._form}"
        if kind:
            self._account.holds |= HOLDS[kind]


_TELLTALES: dict[Kind, bytes] = {
    "dns": b'"trans_id"',
    "ssl": b'"established"',
    "http": b'"trans_depth"',
    "conn": b'"conn_state"',
    "quic": b'"client_initial_dcid"',
}
"""A column that every row of a log has, and few of others."""


def _decoded(line: bytes) -> Row:
    """A JSON line as a row. Raises NotJsonError, or msgspec.ValidationError for a field of another type."""
    if b'"id.orig_h"' not in line:
        line = _RENAMED.sub(rb'"id.\1"', line)
    return decoded(_decoder, line)
