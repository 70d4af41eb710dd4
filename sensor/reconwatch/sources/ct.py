"""Entries of certificate transparency logs as crt.sh, Cert Spotter and certstream give them in JSON.

- crt.sh `?output=json`: an array of flat objects (`id`, `name_value`, `issuer_name`, `entry_timestamp`, ...).
- Cert Spotter `/v1/issuances`: an array of `dns_names`, `tbs_sha256`, `not_before`, ...; no time of the entry.
- certstream: an object a line, `message_type` `certificate_update`.

The objects are taken one by one from wherever they stand: in an array, one a line, or one behind the other.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from reconwatch.events import AnyEvent, Certificate
from reconwatch.sources.certificates import authority, host_names, serial
from reconwatch.sources.source import Opening
from reconwatch.sources.spelling import epoch, plausible

PIECE = 1 << 20
LONGEST_ENTRY = 4 << 20
"""Characters: certstream's entries with their chains have 20,000."""

_BETWEEN = re.compile(r"[\s,\[\]\0]*")
_NEXT = re.compile(r"\{\s*\"")

_CRTSH = ("issuer_ca_id", "name_value")
_CERTSPOTTER = ("tbs_sha256", "dns_names")
_CERTSTREAM = re.compile(
    r'\{\s*(?:"data"\s*:\s*\{\s*"cert_index"|"message_type"\s*:\s*"(?:certificate_update|heartbeat)")'
)


def is_ct(head: str) -> bool:
    """Whether content that begins so holds entries of certificate transparency logs."""
    begin = _BETWEEN.match(head)
    if begin is None or head[begin.end() : begin.end() + 1] != "{":
        return False
    first = head[begin.end() :]
    one_by_one = all(f'"{key}"' in first for key in _CRTSH) or all(f'"{key}"' in first for key in _CERTSPOTTER)
    return one_by_one or _CERTSTREAM.match(first) is not None


class _Entry(NamedTuple):
    names: tuple[str, ...]
    ts: float
    issuer: str | None
    serial: str | None
    log: str


class CtSource:
    """Certificates of a file of entries. All are wanted: which resemble our names only their names tell."""

    unseen: frozenset[str] = frozenset()

    def __init__(self, opening: Opening) -> None:
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self._account.dialect = "certificate transparency"
        self._account.unit = "entries"
        self._account.holds.add(Certificate.kind)

    def __iter__(self) -> Iterator[AnyEvent]:
        for found in self._objects():
            self._account.records += 1
            try:
                entry = _entry(found)
            except (KeyError, TypeError, ValueError, AttributeError):
                self._account.skip("an entry without names or time", f"entry {self._account.records}")
                continue
            if entry is None or not entry.names:
                continue
            event = Certificate(
                ts=entry.ts, client="", server=None, source=entry.log, input=self._opening.input, names=entry.names,
                issuer=authority(entry.issuer), serial=entry.serial, published=True,
            )  # fmt: skip
            if self._opening.lookout.wants(event):
                self._account.events += 1
                yield event

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _objects(self) -> Iterator[Any]:
        """The JSON objects, wherever they stand; what is none is skipped up to the next that looks like one."""
        decode = json.JSONDecoder().raw_decode
        text_of = codecs.getincrementaldecoder("utf-8")("replace").decode
        text, at, ended = "", 0, False
        damaged = False
        while True:
            found = _BETWEEN.match(text, at)
            at = found.end() if found is not None else at
            try:
                entry, end = decode(text, at)
            except (ValueError, RecursionError):
                if not ended and len(text) - at < LONGEST_ENTRY:
                    text, at, ended = self._more(text[at:], text_of)
                    continue
                if at >= len(text):
                    return
                if not damaged:
                    self._account.skip("not an entry of a log", f"behind entry {self._account.records}")
                damaged = True
                later = _NEXT.search(text, at + 1)
                at = later.start() if later is not None else len(text)
                continue
            damaged = False
            at = end
            yield entry

    def _more(self, rest: str, text_of: Any) -> tuple[str, int, bool]:
        piece = self._opening.stream.read(PIECE)
        self.position += len(piece)
        return rest + text_of(piece, final=not piece), 0, not piece


def _entry(found: Any) -> _Entry | None:
    """One entry; None for what is none (a heartbeat). Raises KeyError, TypeError, ValueError or AttributeError."""
    if "name_value" in found or "issuer_ca_id" in found:
        names = host_names([*found["name_value"].split("\n"), found.get("common_name")])
        ts = _time(found.get("entry_timestamp") or found["not_before"])
        return _Entry(names, ts, found.get("issuer_name"), serial(found.get("serial_number")), "crt.sh")
    if "dns_names" in found:
        issuer = found.get("issuer") or {}
        name = issuer.get("name") or issuer.get("friendly_name")
        names, ts = host_names(found["dns_names"]), _time(found["not_before"])
        return _Entry(names, ts, name, found.get("tbs_sha256"), "certspotter")
    if found.get("message_type") == "certificate_update":
        data = found["data"]
        leaf = data["leaf_cert"]
        issuer = leaf.get("issuer") or (data.get("chain") or [{}])[0].get("subject") or {}
        subjects = [*(leaf.get("all_domains") or ()), (leaf.get("subject") or {}).get("CN")]
        name = issuer.get("aggregated") or issuer.get("CN")
        stamp = data.get("seen") or leaf["not_before"]
        return _Entry(host_names(subjects), _time(stamp), name, serial(leaf.get("serial_number")), "certstream")
    if "message_type" in found:
        return None
    raise KeyError("names")


def _time(stamp: Any) -> float:
    """UTC epoch seconds of a number or an ISO text. Raises ValueError."""
    seconds = plausible(float(stamp)) if isinstance(stamp, int | float) else epoch(stamp)
    if seconds is None:
        raise ValueError("no time")
    return seconds
