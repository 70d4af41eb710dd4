"""Tells what an input's content is, and which inputs are to be read before which."""

from __future__ import annotations

import re
import struct
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from reconwatch.sources.ct import is_ct
from reconwatch.sources.spelling import epoch, plausible
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.zeek.row import kind_of
from reconwatch.sources.zeek.tsv import attribute

if TYPE_CHECKING:
    from reconwatch.sources.textlog.line import LineFormat

HEAD = 128 * 1024
"""Bytes of content by which a dialect is told: a log may begin with a line of 64 KiB."""


class Dialect(Enum):
    """What an input's content can be."""

    PCAP = "pcap"
    PCAPNG = "pcapng"
    ZEEK_TSV = "zeek tsv"
    ZEEK_JSON = "zeek json"
    EVE = "eve"
    CT = "certificate transparency"
    TEXT = "text log"
    DNSTAP = "dnstap"


_PCAP_MAGICS = frozenset({
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4",  # microseconds
    b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d",  # nanoseconds
})  # fmt: skip
_PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"
_DNSTAP = b"protobuf:dnstap.Dnstap"
"""The content type that the first control frame (READY or START) of a Frame Streams file says."""
_ZEEK_HEADER = re.compile(rb"#(?:separator|fields|path)[^A-Za-z0-9]")
_CT_HEAD = 8 * 1024
_LINES_TRIED = 20
"""A rotated or damaged file may begin with half a line."""


def recognise(head: bytes, declared: Declared | None = None) -> Dialect | None:
    """The dialect of decompressed content that begins with `head`; None if it is none of ours.

    A text log whose format was `declared` need not be told by content.
    """
    if head[:4] in _PCAP_MAGICS:
        return Dialect.PCAP
    if head[:4] == _PCAPNG_MAGIC:
        return Dialect.PCAPNG
    if head[:4] == bytes(4) and _DNSTAP in head[8:512]:
        return Dialect.DNSTAP
    if declared is not None and declared.format is not None:
        return Dialect.TEXT
    lines = lines_of(head)
    for line in lines[:_LINES_TRIED]:
        if _ZEEK_HEADER.match(line):
            return Dialect.ZEEK_TSV
        dialect = _recognise_object(line)
        if dialect is not None:
            return dialect
    if is_ct(head[:_CT_HEAD].decode("utf-8", "replace").removeprefix("\ufeff")):
        return Dialect.CT
    # One line longer than the head, such as EVE's statistics.
    if lines[0][:1] == b"{" and len(lines) == 1 and re.search(rb'"event_type"\s*:', head):
        return Dialect.EVE
    return Dialect.TEXT if text_format(head, declared) else None


def text_format(head: bytes, declared: Declared | None) -> type[LineFormat] | None:
    """The format of a text log that begins with `head`; None if it is none we read."""
    from reconwatch.sources.textlog.formats import format_of  # here: most runs have no such log

    return format_of(lines_of(head)[:_LINES_TRIED], declared)


def lines_of(head: bytes) -> list[bytes]:
    """The first lines of an input, the last of them perhaps cut."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0").split(b"\n")


def _recognise_object(line: bytes) -> Dialect | None:
    line = line.strip(b" \t\r\0")
    if not line.startswith(b"{"):
        return None
    try:
        record = msgspec.json.decode(line.decode("utf-8", "replace"), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return None
    if "event_type" in record:
        return Dialect.EVE
    if isinstance(record.get("id"), dict):
        return None  # Zeek records as another program nests them
    if record.keys() & {"id.orig_h", "id_orig_h", "_path"} or {"ts", "uid"} <= record.keys():
        return Dialect.ZEEK_JSON
    # Logs without a connection (x509, stats, capture_loss): Zeek's JSON writer puts `ts` first.
    first = next(iter(record.items()), ("", None))
    return Dialect.ZEEK_JSON if first[0] == "ts" and _seconds(first[1]) is not None else None


def _says_dns(head: bytes, dialect: Dialect) -> bool:
    if dialect is Dialect.ZEEK_TSV:
        path = re.search(rb"^#path[^A-Za-z0-9](\w+)", head, re.MULTILINE)
        fields = re.search(rb"^#fields(.*)$", head, re.MULTILINE)
        columns = re.findall(r"[\w.]+", fields[1].decode("utf-8", "replace")) if fields else []
        return kind_of(path[1].decode() if path else None, [attribute(column) for column in columns]) == "dns"
    path = re.search(rb'"_path"\s*:\s*"(\w+)"', head)
    columns = [key.decode() for key in re.findall(rb'"([A-Za-z_]{1,32})"\s*:', head.partition(b"\n")[0])]
    return kind_of(path[1].decode() if path else None, columns) == "dns"


def _first_time(head: bytes, key: bytes) -> float:
    """The first record's time, for ordering only; infinity if there is none."""
    found = re.search(rb'"%b"\s*:\s*"?([^",}]+)' % key, head) or re.search(rb"^(\d+\.\d+)\D", head, re.MULTILINE)
    if found is None:
        return float("inf")
    text = found[1].decode("utf-8", "replace")
    try:
        seconds = plausible(float(text))
    except ValueError:
        seconds = epoch(text)
    return float("inf") if seconds is None else seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        return epoch(value)
    return plausible(float(value)) if isinstance(value, int | float) and abs(value) < 1e18 else None


def _first_packet(head: bytes) -> float:
    """The first packet's time, for ordering only: pcapng's resolution is taken for the usual microseconds."""
    order = ">" if head[:4] in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d") else "<"
    try:
        if head[:4] in _PCAP_MAGICS:
            return float(struct.unpack_from(order + "I", head, 24)[0])
        order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        at = 0
        while True:
            kind, length = struct.unpack_from(order + "II", head, at)
            if kind == 6:  # Enhanced Packet Block
                high, low = struct.unpack_from(order + "II", head, at + 12)
                return float((high << 32 | low) / 1e6)
            at += max(length, 12)
    except struct.error:
        return float("inf")


def capture_kind(head: bytes, dialect: Dialect | None) -> str:
    """The container and link type of a capture; "" for what is none."""
    order = ">" if head[:4] in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d") else "<"
    try:
        if dialect is Dialect.PCAP:
            return f"pcap {struct.unpack_from(order + 'I', head, 20)[0] & 0xFFFF}"
        if dialect is Dialect.PCAPNG:
            order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
            # An Interface Description Block follows the section header.
            return f"pcapng {struct.unpack_from(order + 'H', head, struct.unpack_from(order + 'I', head, 4)[0] + 8)[0]}"
    except struct.error:
        pass
    return ""


LAST = (3, float("inf"))


def names_first(head: bytes, dialect: Dialect | None, declared: Declared | None = None) -> tuple[int, float]:
    """(rank, epoch seconds of the first record): who gives names to addresses goes before who only connects.

    Zeek's dns.log, then what tells both in its own order (captures, EVE), then Zeek's other logs.
    """
    match dialect:
        case None:
            return LAST
        case Dialect.PCAP | Dialect.PCAPNG:
            return 1, _first_packet(head)
        case Dialect.DNSTAP:
            return 0, 0.0
        case Dialect.EVE:
            return 1, _first_time(head, b"timestamp")
        case Dialect.CT:
            return 0, 0.0
        case Dialect.TEXT:
            found = text_format(head, declared)
            return (0 if found is not None and found.teaches else 2), 0.0
    if _says_dns(head, dialect):
        return 0, _first_time(head, b"ts")
    return 2, _first_time(head, b"ts")
