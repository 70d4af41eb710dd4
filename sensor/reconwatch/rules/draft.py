"""A rule before it has a number: what it matches and what it says, as data that is turned into text in one place.

A draft is known by its `key`, which never depends on its text: the ledger gives the key a sid for ever, and a revision
whenever the text under it changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PREFIX = "RECONWATCH"
"""Every message begins so: rule sets of different makers meet in one engine."""

LONGEST_RULE = 8_192
"""Characters that an engine reads of a rule (`DETECT_MAX_RULE_SIZE` in Suricata's detect.h)."""

ENGINES = (7, 8)

Option = tuple[str, str | None]
"""A keyword and its value, both as they stand in the rule; None: a keyword without value."""

Confidence = Literal["High", "Medium", "Low"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """Suricata's `threshold`: how often a rule that matches may alert."""

    type: Literal["limit", "threshold", "both"]
    track: Literal["by_src", "by_dst", "by_both"]
    count: int
    seconds: int

    def __str__(self) -> str:
        return f"type {self.type}, track {self.track}, count {self.count}, seconds {self.seconds}"

    def unlimited(self) -> Threshold | None:
        """What is left of it where every match is to alert: what counts goes on counting, what limits goes."""
        if self.type == "limit":
            return None
        return Threshold("threshold", self.track, self.count, self.seconds)


@dataclass(frozen=True, slots=True)
class Draft:
    """One rule without sid, revision and days."""

    key: str
    """Path-like, without blanks: `lookup/shodan/dns/shodan.io`."""
    protocol: str
    source: str
    destination: str
    """Addresses and ports: `$HOME_NET any`."""
    msg: str
    options: tuple[Option, ...]
    """In order, from `flow` on; threshold, reference, classtype and metadata come behind them."""
    classtype: str
    technique: str
    """ATT&CK id, with its sub-technique if it has one."""
    confidence: Confidence
    threshold: Threshold | None = None
    service: str | None = None
    """Id in the catalog of the service, scanner or tool that it tells."""
    priority: int | None = None
    engines: tuple[int, ...] = ENGINES

    @property
    def family(self) -> str:
        """What all rules of a kind share: the first word of the key, and the buffer or kind behind the id."""
        parts = self.key.split("/")
        return f"{parts[0]}/{parts[2]}" if parts[0] in ("lookup", "relay") else "/".join(parts[:2])

    def text(self, sid: int, rev: int, created: str, updated: str) -> str:
        """The rule in one line. Days are ISO 8601; in metadata they stand as rule makers write them, 2026_11_24."""
        days = (("created_at", created.replace("-", "_")), ("updated_at", updated.replace("-", "_")))
        metadata = ("metadata", _metadata((*self.metadata(), *days)))
        options = (*self.body(), metadata, ("sid", str(sid)), ("rev", str(rev)))
        return f"alert {self.protocol} {self.source} -> {self.destination} ({' '.join(map(_option, options))})"

    def body(self) -> tuple[Option, ...]:
        """All options that stand before metadata, sid and rev."""
        found: list[Option] = [("msg", quoted(f"{PREFIX} {self.msg}")), *self.options]
        if self.threshold is not None:
            found.append(("threshold", str(self.threshold)))
        found.append(("reference", f"url,{attack_page(self.technique)}"))
        found.append(("classtype", self.classtype))
        if self.priority is not None:
            found.append(("priority", str(self.priority)))
        return tuple(found)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the rule says of itself, without the days."""
        tactic, tactic_name = TACTIC
        found = [
            ("mitre_tactic_id", tactic),
            ("mitre_tactic_name", tactic_name),
            ("mitre_technique_id", self.technique),
            ("mitre_technique_name", TECHNIQUE_NAMES[self.technique]),
            ("confidence", self.confidence),
        ]
        if self.service is not None:
            found.append(("service", self.service))
        return tuple(found)

    def digest(self) -> str:
        """What changes when the rule's text does: 16 hex digits, of everything but sid, revision and days."""
        return hashlib.sha256(self.text(0, 0, "", "").encode()).hexdigest()[:16]


TACTIC = ("TA0043", "Reconnaissance")

TECHNIQUE_NAMES = {
    "T1596": "Search_Open_Technical_Databases",
    "T1596.001": "DNS_Passive_DNS",
    "T1596.002": "WHOIS",
    "T1596.003": "Digital_Certificates",
    "T1596.004": "CDNs",
    "T1596.005": "Scan_Databases",
    "T1590.002": "DNS",
    "T1595": "Active_Scanning",
    "T1595.001": "Scanning_IP_Blocks",
    "T1595.002": "Vulnerability_Scanning",
    "T1595.003": "Wordlist_Scanning",
}
"""ATT&CK's names, joined as rule makers join words in metadata, where a blank ends the key and a comma the pair."""


def attack_page(technique: str) -> str:
    """The page of ATT&CK, without scheme: `reference:url` puts one in front."""
    return f"attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def _metadata(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key} {value}" for key, value in pairs)


def _option(option: Option) -> str:
    keyword, value = option
    return f"{keyword};" if value is None else f"{keyword}:{value};"


# ---------------------------------------------------------------- text that others wrote

_PLAIN = re.compile(r"[0-9A-Za-z ._/+*~=@()\[\]{}<>?!#$%^&',-]")
"""Characters that mean nothing inside a quoted value: no quote, no backslash, no `;`, `:` and `|`."""


def quoted(text: str) -> str:
    """Text for people inside a rule: what could end the value, and what is not ASCII, stands as `_`."""
    return '"' + "".join(letter if _PLAIN.fullmatch(letter) or letter == ":" else "_" for letter in text) + '"'


def content(text: str | bytes, *, negated: bool = False) -> Option:
    """A `content`: what is not plain ASCII stands in hexadecimal, so that no text can end it."""
    raw = text.encode() if isinstance(text, str) else text
    written = ""
    hexed: list[str] = []
    for byte in raw:
        if _PLAIN.fullmatch(chr(byte)):
            written += _hexadecimal(hexed) + chr(byte)
            hexed = []
        else:
            hexed.append(f"{byte:02x}")
    written += _hexadecimal(hexed)
    return "content", f'{"!" if negated else ""}"{written}"'


def _hexadecimal(digits: list[str]) -> str:
    return f"|{' '.join(digits)}|" if digits else ""


def pcre(pattern: str, *, caseless: bool = True) -> Option:
    """A `pcre` of a pattern in Python's language that PCRE reads alike, with bytes for what is not ASCII.

    The characters that would end the value stand as escapes of their number.
    """
    written = re.sub(r'\\.|[";/]', _numbered, pattern, flags=re.DOTALL)
    ascii_only = "".join(letter if " " <= letter <= "~" else literal(letter) for letter in written)
    return "pcre", f'"/{ascii_only}/{"i" if caseless else ""}"'


def _numbered(found: re.Match[str]) -> str:
    """A piece of a pattern, without the characters that would end the value."""
    letter = found[0][-1]
    return f"\\x{ord(letter):02x}" if letter in '";/' else found[0]


def literal(text: str) -> str:
    """A pattern that matches the text, and beyond ASCII each letter in either case, as UTF-8."""
    return "".join(re.escape(letter) if " " <= letter <= "~" else _letter(letter) for letter in text)


def _letter(letter: str) -> str:
    spellings = dict.fromkeys((letter, letter.lower(), letter.upper()))
    return f"(?:{'|'.join(_bytes(spelling) for spelling in spellings)})"


def _bytes(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())
