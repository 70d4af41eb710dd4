"""dnstap: what a name server itself saw, as DNS messages (https://dnstap.info), in files of Frame Streams.

A file is control frames, told by a length of 0 in front, and data frames: a length and a `Dnstap` message of protocol
buffers. Of that only a few fields are needed, all of the two simplest wire types, so they are read here: 30 lines
against a library that wants to be of the same version as the code it generates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, BinaryIO

from reconwatch.account import Account
from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.sources.pcap.dns import Malformed, Messages
from reconwatch.sources.pcap.tell import Answer, Ends, Teller
from reconwatch.sources.source import Opening

LONGEST_FRAME = 1 << 20
"""Bytes of a data frame, and of a control frame: more than the programs write (libfstrm reads no longer ones)."""
_PIECE = 256 * 1024

# Fields of `Dnstap` and `Message` (dnstap.proto), by number.
_MESSAGE, _TYPE = 14, 15
_KIND, _QUERY_ADDRESS, _RESPONSE_ADDRESS, _QUERY_PORT, _RESPONSE_PORT = 1, 4, 5, 6, 7
_QUERY_SECONDS, _QUERY_NANOSECONDS, _QUERY = 8, 9, 10
_RESPONSE_SECONDS, _RESPONSE_NANOSECONDS, _RESPONSE = 12, 13, 14
_IS_MESSAGE = 1
_LAST_KIND = 10
"""AUTH, RESOLVER, CLIENT, FORWARDER, STUB: queries are odd, responses even. What tools and updates tell is left."""

_OF_CLIENTS = frozenset({1, 2, 5, 6})
"""AUTH and CLIENT: the writer is who was asked."""
_ADDRESS = (4, 16)
_ADVICE = "site.yaml's `logs` can say which `server` wrote it"

_NEXT = re.compile(rb"\x78\x01(?=\x00[\x00-\x0f][\x00-\xff]{2})")
"""Where a frame ends, by its last field (`type`, 15, which writers put last), and a likely length follows."""


class DamagedError(ValueError):
    """Bytes that are no message of protocol buffers."""


class NamelessError(ValueError):
    """Nobody said who asked."""


class DnstapSource:
    """Events of a dnstap file.

    Client and server are the two ends of what was asked, whichever of them wrote the file: a resolver's own questions
    to the world are its upstream view. Unbound does not say from where it asks; then it is where it is asked.
    """

    def __init__(self, opening: Opening) -> None:
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self._account.dialect, self._account.unit = "dnstap", "frames"
        self._account.holds |= {"dns", "answer"}
        self._teller = DnstapTeller(opening)
        self._messages = Messages(self._teller)
        declared = opening.declared.server if opening.declared is not None else None
        self._own = ip_address(declared).packed if declared is not None else b""
        """Where the writer itself is asked, as far as is known."""
        self._declared = bool(self._own)

    def __iter__(self) -> Iterator[AnyEvent]:
        teller = self._teller
        for at, frame in _frames(self._opening.stream, self._account):
            self._account.records += 1
            try:
                self._read(frame)
            except DamagedError:
                self._account.skip("a frame that is no dnstap message", f"byte {at}")
            except NamelessError:
                self._account.skip("a query of the server's own without an address", f"byte {at}", _ADVICE)
            except Malformed:
                self._account.skip("a DNS message is malformed", f"byte {at}")
            if teller.out:
                yield from teller.out
                teller.out.clear()
            self.position = at + len(frame)

    @property
    def unseen(self) -> frozenset[str]:
        """Nothing: every message is read."""
        return frozenset()

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _read(self, frame: bytes) -> None:
        envelope = read_fields(frame)
        inner = envelope.get(_MESSAGE)
        if envelope.get(_TYPE) != _IS_MESSAGE or not isinstance(inner, bytes):
            raise DamagedError
        fields = read_fields(inner)
        kind = _number(fields, _KIND)
        if not 1 <= kind <= _LAST_KIND:
            return
        response = kind % 2 == 0
        message = fields.get(_RESPONSE if response else _QUERY)
        seconds = fields.get(_RESPONSE_SECONDS if response else _QUERY_SECONDS)
        if not isinstance(message, bytes) or not isinstance(seconds, int):
            return
        ts = seconds + _number(fields, _RESPONSE_NANOSECONDS if response else _QUERY_NANOSECONDS) / 1e9
        asker, asked = fields.get(_QUERY_ADDRESS), fields.get(_RESPONSE_ADDRESS)
        if not isinstance(asker, bytes) or len(asker) not in _ADDRESS:
            raise DamagedError
        if kind in _OF_CLIENTS:
            if not isinstance(asked, bytes) or len(asked) not in _ADDRESS or not any(asked):
                asked = self._own
            elif not self._declared:
                self._own = asked
        elif not any(asker):
            asker = self._own
        if not asker:
            raise NamelessError
        if not isinstance(asked, bytes) or len(asked) != len(asker):
            asked = bytes(len(asker))
        ports = _port(fields, _QUERY_PORT), _port(fields, _RESPONSE_PORT)
        if bool(message[2:3] and message[2] & 0x80) != response:
            raise Malformed
        if response:
            self._messages.read(message, ts, asked + asker + ports[1] + ports[0])
        else:
            self._messages.read(message, ts, asker + asked + ports[0] + ports[1])


class DnstapTeller(Teller):
    """Builds the events; ends that were not told are None."""

    __slots__ = ()

    source = "dnstap"

    def query(self, ts: float, at: Ends, name: str, qtype: int) -> None:
        """A DNS question."""
        self._tell(DnsQuery(name=name, qtype=qtype, ts=ts, source=self.source, input=self._input, **_known(at)))

    def answer(self, ts: float, at: Ends, answer: Answer) -> None:
        """A DNS answer."""
        told = answer._asdict()
        self._tell(DnsAnswer(ts=ts, source=self.source, input=self._input, **told, **_known(at)))


def _known(at: Ends) -> dict[str, Any]:
    client, client_port, server, server_port = at
    unspecified = server in ("0.0.0.0", "::")
    return {
        "client": client,
        "client_port": client_port or None,
        "server": None if unspecified else server,
        "server_port": server_port or None,
    }


def read_fields(data: bytes) -> dict[int, int | bytes]:
    """The fields of a message of protocol buffers, by number; of a repeated one the last. Raises DamagedError."""
    fields: dict[int, int | bytes] = {}
    at, size = 0, len(data)
    while at < size:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            fields[tag >> 3], at = _varint(data, at)
            continue
        length = 8 if wire == 1 else 4 if wire == 5 else -1
        if wire == 2:
            length, at = _varint(data, at)
        if length < 0 or at + length > size:
            raise DamagedError
        part = data[at : at + length]
        fields[tag >> 3] = part if wire == 2 else int.from_bytes(part, "little")
        at += length
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise DamagedError


def _number(fields: dict[int, int | bytes], number: int) -> int:
    value = fields.get(number, 0)
    if not isinstance(value, int):
        raise DamagedError
    return value


def _port(fields: dict[int, int | bytes], number: int) -> bytes:
    return (_number(fields, number) & 0xFFFF).to_bytes(2, "big")


def _frames(stream: BinaryIO, account: Account) -> Iterator[tuple[int, bytes]]:
    """(where its length stands, content) of the data frames. Behind a damaged length the next frame is sought."""
    buffer = _Buffer(stream)
    while buffer.fill(4):
        at = buffer.offset
        length = buffer.number(0)
        control = length == 0
        head = 8 if control else 4
        if control:
            length = buffer.number(4) if buffer.fill(8) else 0
        if not 0 < length <= LONGEST_FRAME and not (control and buffer.size < 8):
            account.skip("a damaged frame", f"byte {at}", "reading goes on at the next")
            buffer.take(1)
            _seek(buffer)
        elif not buffer.fill(head + length):
            account.skip("a frame is cut", f"byte {at}")
            return
        else:
            content = buffer.take(head + length)[head:]
            if not control:
                yield at, content
    if buffer.size:
        account.skip("a frame is cut", f"byte {buffer.offset}")


def _seek(buffer: _Buffer) -> None:
    """Go to behind the next place where a frame seems to end; to the end, if there is none."""
    while buffer.fill(_PIECE) or buffer.size > 6:
        found = _NEXT.search(buffer.data)
        if found is not None:
            buffer.take(found.end())
            return
        buffer.take(buffer.size - 5)
        if not buffer.fill(6):
            break
    buffer.take(buffer.size)


class _Buffer:
    """What was read of a stream and not yet taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.data = bytearray()
        self.offset = 0
        """Where in the stream it begins, in bytes."""

    @property
    def size(self) -> int:
        return len(self.data)

    def fill(self, size: int) -> bool:
        """Read until there are so many bytes; whether there are."""
        while len(self.data) < size:
            more = self._stream.read(max(_PIECE, size - len(self.data)))
            if not more:
                return False
            self.data += more
        return True

    def number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "big")

    def take(self, size: int) -> bytes:
        """The next bytes, which are then gone."""
        taken = bytes(self.data[:size])
        del self.data[:size]
        self.offset += size
        return taken
