"""Tells what format a feed is in, by its content, and reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO, Literal, get_args

from reconwatch.intel.indicator import Kind
from reconwatch.intel.intake import Intake, Place
from reconwatch.intel.lines import (
    header_of,
    is_dataset,
    lines_of,
    looks_like_list,
    read_csv,
    read_dataset,
    read_list,
    read_zeek,
)  # fmt: skip
from reconwatch.intel.misp import read_misp, read_warning_list
from reconwatch.intel.stix import read_stix

Format = Literal["zeek", "stix", "misp", "misp-warninglist", "suricata", "csv", "list"]
FORMATS: tuple[Format, ...] = get_args(Format)

HEAD = 64 * 1024
"""Bytes by which a format is told."""
LINES = 60
"""Lines of them that are looked at; abuse.ch puts some ten lines of comment before its tables."""

_KEY = re.compile(rb'"([A-Za-z_]+)"\s*:')


def recognise(head: bytes, declared: Mapping[str, str]) -> Format | None:
    """The format of a feed that begins with `head`; None if it is none of ours. `declared`: columns, from site.yaml."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    start = head.lstrip()[:1]
    if start in (b"{", b"["):
        return _json(head)
    text = head.decode("utf-8", "replace")
    if "\0" in text:
        return None
    lines = text.splitlines()
    lines = (lines[:-1] if len(head) >= HEAD else lines)[:LINES]
    if any(re.match(r"#fields\s", line) and "indicator_type" in line for line in lines):
        return "zeek"
    if header_of(lines, declared) is not None:
        return "csv"
    if is_dataset(lines):
        return "suricata"
    return "list" if looks_like_list(lines) else None


def _json(head: bytes) -> Format | None:
    keys = set(_KEY.findall(head[:HEAD]))
    if b"Event" in keys or (b"response" in keys and b"Attribute" in keys):
        return "misp"
    if b"list" in keys and keys & {b"matching_attributes", b"version", b"type"}:
        return "misp-warninglist"
    if b"objects" in keys or (b"type" in keys and b"spec_version" in keys):
        return "stix"
    # A warning-list may begin with a list longer than what is looked at.
    return "misp-warninglist" if keys == {b"list"} or keys == {b"description", b"list"} else None


def read(
    stream: BinaryIO, file: str, form: Format, intake: Intake, kind: Kind | None, columns: Mapping[str, str]
) -> None:
    """Read a file of a format into `intake`. Raises OSError as the stream does."""
    match form:
        case "stix":
            read_stix(stream, file, intake)
        case "misp":
            read_misp(stream, file, intake)
        case "misp-warninglist":
            read_warning_list(stream, file, intake)
        case "zeek":
            read_zeek(lines_of(stream, file, intake), file, intake)
        case "csv":
            read_csv(lines_of(stream, file, intake), file, intake, columns)
            if not len(intake.builder) and header_missing(intake):
                intake.skip("no header with a column that is known; declare its columns in site.yaml", Place(file))
        case "suricata":
            read_dataset(lines_of(stream, file, intake), file, intake)
        case "list":
            read_list(lines_of(stream, file, intake), file, intake, kind)


def header_missing(intake: Intake) -> bool:
    """Whether no header of a table was found."""
    return any("above the header" in problem.message for problem in intake.passed)
