"""STIX 2.1 bundles (OASIS), object by object, and the part of their pattern language that single events can answer.

A pattern is read if it is one comparison, or several of which any will do: `[domain-name:value = 'a' OR url:value =
'b']`, `[...] OR [...]`, `IN (...)`. What joins several things with AND, in an order or within a time is no single
indicator: matching a part of it would say more than the pattern does.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from reconwatch.intel.compiled import ALWAYS, FOREVER
from reconwatch.intel.indicator import Kind
from reconwatch.intel.intake import UNREADABLE_TIME, Intake, Place, read_time

BLOCK = 1 << 20
LONGEST_OBJECT = 8 << 20
"""Characters of one object; what is longer is damaged, and the next one is looked for."""

_OPENING = re.compile(r'"objects"\s*:\s*\[|^\s*\[')
_NEXT = re.compile(r"\}\s*,\s*(?=\{)")
_decode = json.JSONDecoder().raw_decode

UNSUPPORTED = "a pattern that is more than one comparison, or several joined by OR"


class PatternError(ValueError):
    """A pattern that is not understood; its text is the reason."""


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<mark>[\[\](),]|!=|<=|>=|[=<>])
      | (?P<path>[A-Za-z][A-Za-z0-9-]*:(?:[A-Za-z0-9_.-]|'(?:[^'\\]|\\.)*'|"[^"]*"|\[[0-9*]+\])+)
      | (?P<word>[A-Za-z0-9_.:-]+)
    )""",
    re.VERBOSE,
)

PATHS: dict[str, Kind] = {
    "domain-name:value": "domain",
    "ipv4-addr:value": "ip",
    "ipv6-addr:value": "ip",
    "network-traffic:dst_ref.value": "ip",
    "network-traffic:src_ref.value": "ip",
    "url:value": "url",
}
_ENDINGS: dict[str, Kind] = {"user-agent": "agent", "ja3": "ja3", "ja3_hash": "ja3", "ja3hash": "ja3", "ja4": "ja4"}
"""The last part of a path into `network-traffic:extensions`: a request's header, and what others put beside it."""


_SIMPLE = re.compile(r"\[\s*([a-z0-9-]+:value)\s*=\s*'([^'\\]*)'\s*\]")
"""What nearly all indicators are; five times faster to read so."""


def comparisons(pattern: str) -> tuple[list[tuple[Kind, str]], int]:
    """(kind, value) of each comparison that is enough by itself, and how many others there are of the same worth.

    Raises PatternError if it is none of those patterns.
    """
    simple = _SIMPLE.fullmatch(pattern)
    if simple is not None and (known := PATHS.get(simple[1])) is not None:
        return [(known, simple[2])], 0
    tokens = list(_tokens(pattern))
    found: list[tuple[Kind, str]] = []
    others = at = 0
    while True:
        if tokens[at : at + 1] != ["["]:
            raise PatternError(UNSUPPORTED)
        at += 1
        while True:
            at, kind, values = _comparison(tokens, at)
            others += kind is None
            found += [(kind, value) for value in values if kind is not None]
            if tokens[at : at + 1] != ["OR"]:
                break
            at += 1
        if tokens[at : at + 1] != ["]"]:
            raise PatternError(UNSUPPORTED)
        at += 1
        if at == len(tokens):
            return found, others
        if tokens[at] != "OR":
            raise PatternError(UNSUPPORTED)
        at += 1


def _comparison(tokens: list[str], at: int) -> tuple[int, Kind | None, list[str]]:
    """(where it ends, the kind if it is one of ours, its values)."""
    if len(tokens) < at + 3 or ":" not in tokens[at]:
        raise PatternError(UNSUPPORTED)
    path, operator = tokens[at].lower(), tokens[at + 1]
    kind = PATHS.get(path)
    if kind is None and path.startswith("network-traffic:extensions."):
        kind = _ENDINGS.get(re.split(r"[.'\"\[\]]+", path.rstrip("'\"]0123456789["))[-1])
    at += 2
    values = []
    if operator == "IN" and tokens[at] == "(":
        while tokens[at] != ")":
            at += 1
            if at >= len(tokens):
                raise PatternError(UNSUPPORTED)
            if tokens[at].startswith("'"):
                values.append(_text(tokens[at]))
        at += 1
    elif operator == "=" or (operator == "ISSUBSET" and kind == "ip"):
        values.append(_text(tokens[at]))
        at += 1
    else:
        raise PatternError("a pattern with another comparison than =, IN and ISSUBSET")
    return at, kind, values


def _text(token: str) -> str:
    if not token.startswith("'"):
        raise PatternError("a pattern that compares with something else than text")
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _tokens(pattern: str) -> Iterator[str]:
    at = 0
    pattern = pattern.rstrip()
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if found is None or found.end() == at:
            raise PatternError("a pattern that cannot be read")
        yield found.group(0).strip()
        at = found.end()


def objects(stream: BinaryIO, file: str, intake: Intake) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, object) of each object of a bundle, a TAXII envelope or a list; what lies between them is counted.

    One at a time: a bundle of a million indicators has half a gigabyte.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    text, ended = "", False

    def more() -> str:
        nonlocal ended
        raw = stream.read(BLOCK)
        ended = not raw
        return decoder.decode(raw, final=ended)

    while (opening := _OPENING.search(text)) is None and not ended and len(text) < 2 * BLOCK:
        text += more()
    if opening is None:
        intake.skip("no list of objects", Place(file))
        return
    at, number = opening.end(), 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text) and not ended:
            text, at = more(), 0
            continue
        if at >= len(text) or text[at] == "]":
            if at >= len(text):
                intake.skip("the list ends in the middle", Place(file))
            elif re.search(r"[^\s}\]]", text[at + 1 :] + more()):
                intake.skip("something behind the end of the list", Place(file))
            return
        try:
            found, end = _decode(text, at)
        except (ValueError, RecursionError):
            if not ended and len(text) - at < LONGEST_OBJECT:
                text, at = text[at:] + more(), 0
                continue
            intake.skip("an object that is no JSON", Place(file))
            behind = _NEXT.search(text, at)
            if behind is None:
                return
            at = behind.end()
            continue
        number += 1
        if isinstance(found, dict):
            yield number, found
        else:
            intake.skip("not an object", Place(file))
        if end > BLOCK:
            text, end = text[end:], 0
        at = end


def read_stix(stream: BinaryIO, file: str, intake: Intake) -> None:
    """The indicators of a bundle. Other objects (malware, relationships, observed data) are none, and not counted."""
    place = Place(file)
    for _, each in objects(stream, file, intake):
        if each.get("type") == "indicator":
            _take(each, place, intake)


def _take(each: dict[str, Any], place: Place, intake: Intake) -> None:
    pattern, types = each.get("pattern"), each.get("indicator_types")
    if each.get("revoked") is True:
        intake.skip("revoked", place)
    elif isinstance(types, list) and "benign" in types:
        intake.skip("said to be benign", place)
    elif each.get("pattern_type", "stix") != "stix":
        intake.skip("a pattern of another language than STIX", place)
    elif not isinstance(pattern, str):
        intake.skip("an indicator without a pattern", place)
    else:
        _take_pattern(each, pattern, place, intake)


def _take_pattern(each: dict[str, Any], pattern: str, place: Place, intake: Intake) -> None:
    times = []
    for field, default in (("valid_from", ALWAYS), ("valid_until", FOREVER)):
        value = each.get(field)
        time = default if value is None else read_time(value) if isinstance(value, str) else None
        if time is None:
            intake.skip(UNREADABLE_TIME, place)
            return
        times.append(time)
    confidence = each.get("confidence")
    if not isinstance(confidence, int) or isinstance(confidence, bool) or not 0 <= confidence <= 100:
        if confidence is not None:
            intake.skip("a confidence that is no number from 0 to 100; the feed's is taken", place)
        confidence = None
    try:
        found, others = comparisons(pattern)
    except (PatternError, IndexError) as error:
        intake.skip(str(error) if isinstance(error, PatternError) else UNSUPPORTED, place)
        return
    if others:
        intake.skip("a comparison of a kind that is not matched", place, others)
    for kind, value in found:
        its: Kind = "range" if kind == "ip" and "/" in value else kind
        intake.take(value, place, its, confidence, times[0], times[1])
