"""What is asked of a rule beyond that an engine takes it: each check has a name, and says what to do.

The checks are those of suricata-check's that concern rules like ours: a message that says whose it is, a number of our
own, a content to find the rule by, a direction, sane thresholds, complete metadata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from reconwatch.rules.draft import LONGEST_RULE, PREFIX, TECHNIQUE_NAMES
from reconwatch.rules.ledger import FIRST, LAST

SHORTEST_CONTENT = 4
"""Bytes of the longest content of a rule: shorter ones fit everywhere, and every such packet is looked at."""
LOWERED = ("http.host",)
"""Buffers that the engine lowers: it refuses `nocase` and upper-case contents there."""
CLASSTYPES = frozenset({"attempted-recon", "misc-activity", "network-scan"})
"""Those in use, of the classification.config that Suricata ships."""
METADATA = (
    "mitre_tactic_id", "mitre_technique_id", "confidence", "created_at", "updated_at",
)  # fmt: skip
FEWEST_SECONDS = 10

_OPTIONS = re.compile(r'\s*([a-z0-9_.]+)\s*(?::\s*("(?:[^"\\]|\\.)*"|!?"(?:[^"\\]|\\.)*"|[^;"]*))?;')
_RULE = re.compile(r"alert (\S+) (\S+) (\S+) -> (\S+) (\S+) \((.*)\)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A rule as the checks see it."""

    text: str
    protocol: str
    source: str
    destination_port: str
    options: tuple[tuple[str, str], ...]
    """Keyword and value, without quotes; "" for none."""

    def value(self, keyword: str) -> str | None:
        """Of the first option of this keyword."""
        return next((value for name, value in self.options if name == keyword), None)

    def has(self, keyword: str) -> bool:
        """Whether it has an option of this keyword."""
        return self.value(keyword) is not None

    @property
    def sid(self) -> int:
        """0 if it has none."""
        return int(self.value("sid") or 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with one rule."""

    check: str
    sid: int
    what: str
    write: str

    def __str__(self) -> str:
        return f"sid {self.sid}: {self.check}: {self.what}; {self.write}"


Check = Callable[[Parsed], Iterator[tuple[str, str]]]
"""(what is wrong, what to do), nothing if all is well."""


def lint(rules: Iterable[str]) -> list[Fault]:
    """The faults of rules, one line each."""
    faults: list[Fault] = []
    seen: dict[int, int] = {}
    for number, text in enumerate(rules, start=1):
        rule = parsed(text)
        if rule is None:
            faults.append(Fault("syntax", 0, f"rule {number} is no rule: {text[:80]}", "see Suricata's rule format"))
            continue
        if rule.sid in seen:
            faults.append(Fault("unique", rule.sid, f"rule {seen[rule.sid]} has this sid too", "a sid of its own"))
        seen[rule.sid] = number
        for name, check in CHECKS:
            faults += [Fault(name, rule.sid, what, write) for what, write in check(rule)]
    return faults


def parsed(text: str) -> Parsed | None:
    """One of our own rules taken apart; None if it is not written as we write."""
    found = _RULE.fullmatch(text)
    if found is None:
        return None
    options, at = [], 0
    body = found[6]
    while at < len(body) and (option := _OPTIONS.match(body, at)):
        options.append((option[1], (option[2] or "").strip('"')))
        at = option.end()
    return Parsed(text, found[1], found[2], found[5], tuple(options)) if not body[at:].strip() else None


def _message(rule: Parsed) -> Iterator[tuple[str, str]]:
    if not (rule.value("msg") or "").startswith(f"{PREFIX} "):
        yield "its message does not say whose it is", f"begin it with {PREFIX}"


def _number(rule: Parsed) -> Iterator[tuple[str, str]]:
    if not FIRST <= rule.sid <= LAST:
        yield "its sid is none of ours", f"take one of {FIRST} to {LAST}"
    if int(rule.value("rev") or 0) < 1:
        yield "it has no revision", "give it rev:1"


def _content(rule: Parsed) -> Iterator[tuple[str, str]]:
    """What has no content needs another thing to be found by: an address, SYN, a port, a keyword with a prefilter."""
    lengths = [_length(value) for keyword, value in rule.options if keyword == "content" and not value.startswith("!")]
    others = ("flags", "dns.rrtype", "itype", "xbits")  # xbits: rules of addresses alone
    by_other = any(rule.has(keyword) for keyword in others) or rule.protocol == "udp"
    if not lengths and not by_other:
        yield "it has nothing to be found by", "give it a content"
    if lengths and max(lengths) < SHORTEST_CONTENT and rule.destination_port == "any":
        yield f"its longest content has {max(lengths)} bytes", f"give it one of {SHORTEST_CONTENT}, or a port"


def _length(value: str) -> int:
    return len(re.sub(r"\|([0-9a-f ]*)\|", lambda found: "x" * len(found[1].split()), value))


def _direction(rule: Parsed) -> Iterator[tuple[str, str]]:
    flow = rule.value("flow") or ""
    over_tcp = rule.protocol in ("tcp", "tcp-pkt", "tls", "http")
    if over_tcp and not rule.has("flags") and not {"established", "to_server"} <= set(flow.split(",")):
        yield "it does not say its direction", "add flow:established,to_server"
    if rule.protocol in ("dns", "quic", "udp") and "to_server" not in flow:
        yield "it does not say its direction", "add flow:to_server"


def _case(rule: Parsed) -> Iterator[tuple[str, str]]:
    buffer = ""
    for keyword, value in rule.options:
        buffer = keyword if "." in keyword else buffer
        if keyword == "nocase" and buffer in LOWERED:
            yield f"nocase in {buffer}, which is lower-case", "leave it out"
        if keyword == "content" and buffer in LOWERED and re.sub(r"\|[^|]*\|", "", value) != value.lower():
            yield f"upper case in {buffer}, which is lower-case", "write it lower-case"


def _threshold(rule: Parsed) -> Iterator[tuple[str, str]]:
    value = rule.value("threshold")
    if value is None:
        return
    said = dict(re.findall(r"([a-z]+) ([a-z_0-9]+)", value))
    if int(said.get("seconds", 0)) < FEWEST_SECONDS or int(said.get("count", 0)) < 1:
        yield f"threshold '{value}' holds nothing back", f"give it {FEWEST_SECONDS} seconds and a count"


def _said(rule: Parsed) -> Iterator[tuple[str, str]]:
    pairs = dict(
        pair.strip().split(" ", 1) for pair in (rule.value("metadata") or "").split(",") if " " in pair.strip()
    )
    for key in METADATA:
        if key not in pairs:
            yield f"its metadata has no {key}", "add it"
    if pairs.get("mitre_technique_id") not in TECHNIQUE_NAMES:
        yield "it names no technique that we know", "name one of draft.TECHNIQUE_NAMES"
    if rule.value("classtype") not in CLASSTYPES:
        yield f"classtype {rule.value('classtype')} is none of ours", f"take one of {', '.join(sorted(CLASSTYPES))}"
    if "://" in (rule.value("reference") or "url,://"):
        yield "its reference is missing, or has a scheme", "write reference:url,host/path"


def _size(rule: Parsed) -> Iterator[tuple[str, str]]:
    if len(rule.text.encode()) >= LONGEST_RULE:
        yield f"it has {len(rule.text.encode())} bytes", f"keep it below {LONGEST_RULE}: an engine reads no more"
    if not rule.text.isascii() or not rule.text.isprintable():
        yield "it is not plain ASCII", "write other bytes in hexadecimal"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("message", _message), ("number", _number), ("content", _content), ("direction", _direction), ("case", _case),
    ("threshold", _threshold), ("metadata", _said), ("size", _size),
)  # fmt: skip
