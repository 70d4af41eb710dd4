"""Feeds that are lists of lines: Zeek's intelligence files, CSV, Suricata's data sets, plain lists and hosts files."""

from __future__ import annotations

import base64
import binascii
import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

from reconwatch.intel.compiled import ALWAYS, FOREVER
from reconwatch.intel.indicator import Kind, guess
from reconwatch.intel.intake import UNREADABLE_TIME, Intake, Place, kind_of_word, read_confidence, read_time

LONGEST_LINE = 65_536
"""Bytes of a line; what is longer is none of a list, and is passed over without being kept."""

BOM = b"\xef\xbb\xbf"

Line = tuple[int, str]


def lines_of(stream: BinaryIO, file: str, intake: Intake) -> Iterator[Line]:
    """(number, text) of every line that can be read, without its end; the others are counted."""
    number = 0
    while raw := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(raw) > LONGEST_LINE:
            intake.skip("a line too long to be an entry", Place(file, number))
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LONGEST_LINE)
            continue
        if number == 1:
            raw = raw.removeprefix(BOM)
        try:
            yield number, raw.rstrip(b"\r\n").decode()
        except UnicodeDecodeError:
            intake.skip("a line that is not UTF-8", Place(file, number))


class Columns(NamedTuple):
    """Which columns of a table say what."""

    values: tuple[tuple[int, Kind | None], ...]
    """Those that hold indicators, and their kind, unless a column says it."""
    kind: int | None = None
    confidence: int | None = None
    since: int | None = None
    until: int | None = None
    source: int | None = None
    width: int = 0
    """How many columns there are."""


VALUE_COLUMNS: dict[str, Kind | None] = {
    "address": None, "agent": "agent", "cidr": "range", "domain": "domain", "domain_name": "domain", "dst_ip": "ip",
    "fqdn": "domain", "host": None, "hostname": "domain", "http_user_agent": "agent", "indicator": None, "ioc": None,
    "ioc_value": None, "ip": None, "ip_address": None, "ja3": "ja3", "ja3_hash": "ja3", "ja3_md5": "ja3", "ja4": "ja4",
    "network": "range", "observable": None, "prefix": "range", "range": "range", "src_ip": "ip", "subnet": "range",
    "url": "url", "user_agent": "agent", "value": None,
}  # fmt: skip
"""Names of columns that hold indicators, in lower case with underscores; None: another column or its looks say."""

_ROLES = {
    "kind": ("type", "ioc_type", "indicator_type", "kind", "category_type", "observable_type"),
    "confidence": ("confidence", "confidence_level", "confidence_score"),
    "since": ("valid_from", "since"),
    "until": ("valid_until", "until", "expires", "expiration", "expiry", "valid_to"),
    "source": ("source", "feed", "provider"),
}
"""What the other columns say. Not `first_seen`, `last_seen`: that it was seen says not from when to when it holds."""


def columns_of(header: list[str], declared: Mapping[str, str]) -> Columns | None:
    """The columns of a table by its header; None if none of them is known to hold indicators.

    `declared` (role -> column, from site.yaml) goes before what is recognised.
    """
    names = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in header]
    wanted = {role: re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for role, name in declared.items()}
    if "value" in wanted:
        values = tuple((at, VALUE_COLUMNS.get(name)) for at, name in enumerate(names) if name == wanted["value"])
    else:
        values = tuple((at, VALUE_COLUMNS[name]) for at, name in enumerate(names) if name in VALUE_COLUMNS)
    if not values:
        return None
    roles = {}
    for role, known in _ROLES.items():
        sought = (wanted[role],) if role in wanted else known
        roles[role] = next((names.index(name) for name in sought if name in names), None)
    return Columns(values, **roles, width=len(names))


DELIMITERS = (",", ";", "\t", "|")


def header_of(lines: Iterable[str], declared: Mapping[str, str]) -> tuple[int, str, Columns] | None:
    """(how many lines it ends behind, delimiter, columns) of the header that a table begins with; None without one.

    abuse.ch and others write the header as the last of the comments above the table.
    """
    for number, line in enumerate(lines, 1):
        text = line.lstrip("#;! \t") if line[:1] in "#;!" else line
        for delimiter in DELIMITERS:
            if delimiter in text and (found := columns_of(_fields(text, delimiter), declared)) is not None:
                return number, delimiter, found
        if line.strip() and line[:1] not in "#;!":
            only = columns_of([text], declared)
            return (number, ",", only) if only is not None else None
    return None


def _fields(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    # One line at a time: a stray quotation mark would else swallow the rest of the file.
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def read_csv(lines: Iterator[Line], file: str, intake: Intake, declared: Mapping[str, str]) -> None:
    """A table with a header."""
    columns, delimiter = None, ","
    for number, line in lines:
        place = Place(file, number)
        if columns is None:
            found = header_of([line], declared)
            if found is not None:
                _, delimiter, columns = found
            elif line.strip() and not line.startswith(("#", ";", "!")):
                intake.skip("a row above the header", place)
            continue
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fields = _fields(line, delimiter)
        except csv.Error:
            fields = []
        if len(fields) != columns.width:
            intake.skip("a row with another number of columns than the header", place)
            continue
        _take_row(fields, columns, place, intake)


def _take_row(fields: list[str], columns: Columns, place: Place, intake: Intake) -> None:
    word = _said(fields, columns.kind)
    kind = kind_of_word(word) if word else None
    if word and kind is None and any(given is None for _, given in columns.values):
        intake.unmatched(word, place)
        return
    confidence, said = None, _said(fields, columns.confidence)
    if said and (confidence := read_confidence(said)) is None:
        intake.skip("a confidence that is no number from 0 to 100; the feed's is taken", place)
    since, until = _said(fields, columns.since), _said(fields, columns.until)
    begins = read_time(since) if since else ALWAYS
    ends = read_time(until) if until else FOREVER
    if begins is None or ends is None:
        intake.skip(UNREADABLE_TIME, place)
        return
    source = _said(fields, columns.source)
    for column, given in columns.values:
        if value := _said(fields, column):
            value, its = _without_port(value, given or kind)
            intake.take(value, place, its, confidence, begins, ends, source)


_NOTHING = frozenset({"", "-", "none", "null", "n/a"})


def _said(fields: list[str], column: int | None) -> str:
    """What a column says; empty for what feeds write into one that says nothing."""
    if column is None:
        return ""
    text = fields[column].strip()
    return "" if len(text) <= 4 and text.lower() in _NOTHING else text


def _without_port(value: str, kind: Kind | None) -> tuple[str, Kind | None]:
    """An address as some feeds write it, with its port behind; in a column of addresses a range may stand too."""
    if kind == "ip" and value.count(":") == 1:
        value = value.partition(":")[0]
    return value, "range" if kind == "ip" and "/" in value else kind


def read_zeek(lines: Iterator[Line], file: str, intake: Intake) -> None:
    """A file for Zeek's Intel framework (`Intel::read_files`): columns by its `#fields`, apart by tabs."""
    names: list[str] = []
    for number, line in lines:
        place = Place(file, number)
        if line.startswith("#"):
            if line.startswith("#fields"):
                names = re.split(r"\t", line.partition("\t")[2]) if "\t" in line else line.split()[1:]
                if "indicator" not in names or "indicator_type" not in names:
                    intake.skip("a #fields line without indicator and indicator_type", place)
            continue
        if not line.strip():
            continue
        fields = line.split("\t")
        if not names or len(fields) != len(names):
            intake.skip("a row with another number of columns than its #fields", place)
            continue
        row = {name: "" if field == "-" else field for name, field in zip(names, fields, strict=True)}
        kind = kind_of_word(row.get("indicator_type", ""))
        if kind is None or not row.get("indicator_type", "").startswith("Intel::"):
            intake.unmatched(row.get("indicator_type", ""), place)
        elif row.get("meta.whitelist") == "T":
            intake.skip("on the feed's own whitelist", place)
        else:
            confidence = read_confidence(row.get("meta.confidence") or row.get("meta.cif_confidence") or "")
            intake.take(row.get("indicator", ""), place, kind, confidence, source=row.get("meta.source", ""))


_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def unbase64(text: str) -> str | None:
    """The text that a line of a string data set holds; None if it is none."""
    if not _BASE64.fullmatch(text) or len(text) % 4:
        return None
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def is_dataset(lines: Iterable[str]) -> bool:
    """Whether lines are those of a Suricata data set of strings: base64, of which each is a text by itself."""
    values = [line.partition(",")[0].strip() for line in lines if line.strip()]
    decoded = [unbase64(value) for value in values]
    return bool(values) and all(text is not None and text.isprintable() and "." in text for text in decoded)


def read_dataset(lines: Iterator[Line], file: str, intake: Intake) -> None:
    """A data set of Suricata: strings in base64, or md5 and ip as they are. A reputation behind a comma is dropped."""
    for number, line in lines:
        value = line.partition(",")[0].strip()
        if not value:
            continue
        text = unbase64(value) if "." not in value and ":" not in value else None
        if text is None and not re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F:.]+", value):
            intake.skip("neither base64 nor an address nor an MD5 hash", Place(file, number))
            continue
        if text is None or re.fullmatch(r"[0-9a-fA-F]{32}", value):
            text = value
        intake.take(text.removeprefix("."), Place(file, number))


_HOSTS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1", "255.255.255.255"})
_COMMENT = re.compile(r"\s+(?:#|;|//).*$")


def read_list(lines: Iterator[Line], file: str, intake: Intake, kind: Kind | None) -> None:
    """One value a line, a hosts file (`0.0.0.0 name`), or filters that are whole domains (`||name^`)."""
    for number, line in lines:
        text = line.strip()
        if not text or text[0] in "#;!" or text.startswith("//"):
            continue
        place = Place(file, number)
        if kind == "agent":
            intake.take(text, place, kind)
            continue
        text = _COMMENT.sub("", text)
        words = text.split()
        if len(words) > 1 and words[0] in _HOSTS:
            for name in words[1:]:
                if "." in name and name not in _HOSTS:
                    intake.take(name, place, "domain")
                else:
                    intake.skip("a name of the host itself", place)
            continue
        value = words[0].removesuffix(",").removesuffix(";")
        if value.startswith("||"):
            value = value[2:].removesuffix("^")
        if value.startswith(("{", "<")) or len(words) > 3:
            intake.skip("not an entry of a list", place)
            continue
        its = "range" if kind == "ip" and "/" in value else kind
        intake.take(value, place, its)


def looks_like_list(lines: Iterable[str]) -> bool:
    """Whether most of these lines are entries of a list."""
    good = total = 0
    for line in lines:
        text = line.strip()
        if not text or text[0] in "#;!" or text.startswith("//"):
            continue
        total += 1
        words = _COMMENT.sub("", text).split()
        value = words[1] if len(words) > 1 and words[0] in _HOSTS else words[0]
        good += _is_value(value.removeprefix("||").removesuffix("^"))
    return total > 0 and 2 * good > total


def _is_value(value: str) -> bool:
    from reconwatch.document import Refused

    try:
        kind = guess(value)
    except Refused:
        return True  # a hash: what it is a hash of is for site.yaml to say
    return kind != "domain" or ("." in value.strip(".") and re.fullmatch(r"[\w*.\-]+", value) is not None)
