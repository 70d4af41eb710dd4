"""MISP's feeds (events with attributes and objects) and its warning-lists (what is benign, whoever lists it)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from reconwatch.intel.indicator import Kind
from reconwatch.intel.intake import KIND_WORDS, Intake, Place

MOST_BYTES = 64_000_000
"""Of one file: an event is a file of its own in a feed, and the largest that CIRCL publishes has 5 MB."""

TYPES: dict[str, tuple[Kind | None, ...]] = {
    "domain": ("domain",), "hostname": ("domain",), "ip-src": ("ip",), "ip-dst": ("ip",), "url": ("url",),
    "uri": (None,), "user-agent": ("agent",), "http-user-agent": ("agent",), "ja3-fingerprint-md5": ("ja3",),
    "ja4": ("ja4",),
    "domain|ip": ("domain", "ip"), "hostname|port": ("domain", None), "ip-src|port": ("ip", None),
    "ip-dst|port": ("ip", None),
}  # fmt: skip
"""Types of attribute (MISP's describeTypes.json) -> the kind of each part; None: no part of an indicator."""

CONFIDENCE_TAGS = {
    'misp:confidence-level="completely-confident"': 100,
    'misp:confidence-level="usually-confident"': 75,
    'misp:confidence-level="fairly-confident"': 50,
    'misp:confidence-level="rarely-confident"': 25,
    'misp:confidence-level="unconfident"': 0,
}
"""The machine tags of MISP's own taxonomy; attributes carry no confidence otherwise."""


class _Tag(msgspec.Struct):
    name: str = ""


class _Attribute(msgspec.Struct):
    type: str
    value: str
    to_ids: bool = False
    deleted: bool = False
    tags: list[_Tag] = msgspec.field(default_factory=list, name="Tag")


class _Object(msgspec.Struct):
    attributes: list[msgspec.Raw] = msgspec.field(default_factory=list, name="Attribute")
    deleted: bool = False


class _Event(msgspec.Struct):
    attributes: list[msgspec.Raw] = msgspec.field(default_factory=list, name="Attribute")
    objects: list[msgspec.Raw] = msgspec.field(default_factory=list, name="Object")
    tags: list[_Tag] = msgspec.field(default_factory=list, name="Tag")
    info: str = ""


class _Envelope(msgspec.Struct):
    event: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw, name="Event")


class _Response(msgspec.Struct):
    response: list[_Envelope]


_attribute = msgspec.json.Decoder(_Attribute, strict=False)
_object = msgspec.json.Decoder(_Object, strict=False)
_event = msgspec.json.Decoder(_Event, strict=False)
_top = msgspec.json.Decoder(_Response | list[_Envelope])
_one = msgspec.json.Decoder(_Envelope)


def whole(stream: BinaryIO, file: str, intake: Intake) -> bytes | None:
    """The content of a file; None, counted, if it is too large to be one event or list."""
    raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        intake.skip(f"a file of more than {MOST_BYTES // 1_000_000} MB", Place(file))
        return None
    return raw.removeprefix(b"\xef\xbb\xbf")


def read_misp(stream: BinaryIO, file: str, intake: Intake) -> None:
    """The attributes of the events in a file that are meant for detection (`to_ids`)."""
    raw, place = whole(stream, file, intake), Place(file)
    if raw is None:
        return
    for event in _events(raw, place, intake):
        own = _confidence(event.tags)
        _attributes(event.attributes, own, place, intake)
        for each in event.objects:
            try:
                found = _object.decode(each)
            except (msgspec.MsgspecError, RecursionError):
                intake.skip("an object that cannot be read", place)
                continue
            if found.deleted:
                intake.skip("deleted", place, len(found.attributes))
            else:
                _attributes(found.attributes, own, place, intake)


def _events(raw: bytes, place: Place, intake: Intake) -> Iterator[_Event]:
    try:
        if raw.lstrip()[:1] == b"[" or b'"response"' in raw[:4096]:
            top = _top.decode(raw)
            envelopes = top if isinstance(top, list) else top.response
        else:
            envelopes = [_one.decode(raw)]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        intake.skip("a file that is no MISP event", place)
        return
    for envelope in envelopes:
        try:
            yield _event.decode(envelope.event)
        except (msgspec.MsgspecError, RecursionError):
            intake.skip("an event that cannot be read", place)


def _attributes(attributes: list[msgspec.Raw], own: int | None, place: Place, intake: Intake) -> None:
    for each in attributes:
        try:
            found = _attribute.decode(each)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            intake.skip("an attribute that cannot be read", place)
            continue
        kinds = TYPES.get(found.type, ())
        if found.deleted:
            intake.skip("deleted", place)
        elif not any(kinds):
            intake.unmatched(found.type, place)
        elif not found.to_ids:
            intake.skip("not meant for detection (to_ids)", place)
        else:
            said = _confidence(found.tags)
            parts = found.value.split("|") if len(kinds) > 1 else [found.value]
            for kind, value in zip(kinds, parts, strict=False):
                if kind is not None:
                    its: Kind = "range" if kind == "ip" and "/" in value else kind
                    intake.take(value, place, its, own if said is None else said)


def _confidence(tags: list[_Tag]) -> int | None:
    return next((CONFIDENCE_TAGS[tag.name] for tag in tags if tag.name in CONFIDENCE_TAGS), None)


class _WarningList(msgspec.Struct):
    entries: list[Any] = msgspec.field(name="list")
    type: str = "string"
    name: str = ""
    matching_attributes: tuple[str, ...] = ()


_warning_list = msgspec.json.Decoder(_WarningList)


def read_warning_list(stream: BinaryIO, file: str, intake: Intake) -> None:
    """A warning-list: its entries are no indicators, they take indicators out.

    `hostname` entries stand for what is below them too, `cidr` ones for their addresses, `string` ones for themselves,
    `substring` ones for whatever holds them. Those of `regex` are counted: a million values are not tried one by one.
    """
    raw, place = whole(stream, file, intake), Place(file)
    if raw is None:
        return
    try:
        found = _warning_list.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        intake.skip("a file that is no warning-list", place)
        return
    about = found.matching_attributes
    if about and not any(part in KIND_WORDS or part == "uri" for each in about for part in each.split("|")):
        intake.skip("a warning-list about other things (hashes, mail, ...)", place, len(found.entries))
        return
    for entry in found.entries:
        if not isinstance(entry, str) or not entry.strip():
            intake.skip("not text", place)
        elif found.type == "substring":
            intake.patterns.append(("substring", entry.strip().lower()))
        elif found.type == "regex":
            intake.skip("a regular expression", place)
        elif found.type == "cidr":
            intake.take_benign(entry, place, "range")
        else:
            intake.take_benign(entry, place, "domain" if found.type == "hostname" else None)
