"""What a person is told. Every output format derives from the one `Notice` value."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from reconwatch.sightings import Actor, Evidence, Target

State = Literal["open", "update", "closed"]
Verdict = Literal["monitor", "investigate", "escalate"]
Direction = Literal["lookup", "probe", "sensor"]
"""From inside to a database, from outside to us; `sensor`: what a service says of itself."""

SCHEMA = 1

NOTES = (
    "Database_Lookup",
    "Targeted_Search",
    "Bulk_Search",
    "Enumeration_Sweep",
    "CT_Log_Scraping",
    "Reverse_Sweep",
    "Recon_Tool",
    "Indicator_Match",
    "Unusual_Use",
    "Scanner_Crawl",
    "Address_Scan",
    "Port_Scan",
    "Zone_Transfer",
    "DNS_Enumeration",
    "Name_Probe",
    "Service_Probe",
    "Certificate_Exposed",
    "Exposed_Name_Probed",
    "Canary_Touched",
    "Campaign",
    "Heartbeat",
    "Input_Gap",
    "Self_Test_Failed",
)
"""All that a notice may be called (DESIGN.md section 4); the last three are what a service says of itself."""
INVESTIGATE, ESCALATE = 30, 60
"""Scores from which the first and the second line are asked to look (DESIGN.md section 4)."""


class Reason(msgspec.Struct, frozen=True):
    """One named part of a score."""

    points: int
    why: str
    evidence: tuple[int, ...] = ()
    """Numbers (`n`) of the notice's evidence that it rests on."""
    notice: str | None = None
    """The id of another notice that it names; its evidence is that one's."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a behaviour, judged or not."""

    id: str
    """A hash of note, detector key and window start; evidence is not in it, so the same behaviour in the same window
    has the same id whatever the input, the order of arrival or the run."""
    ts: float
    """The sighting that crossed the threshold."""
    note: str
    direction: Direction
    actor: Actor
    services: tuple[str, ...]
    techniques: tuple[str, ...]
    targets: tuple[Target, ...]
    first: float
    last: float
    count: int
    counted: str
    kinds: tuple[str, ...]
    """Kinds of event that it needs: an input that cannot hold one of them may lack it."""
    reasons: tuple[Reason, ...]
    evidence: tuple[Evidence, ...]
    """At most 20, the first 10 and the last 10, numbered from 1 in this order; fewer of these where evidence of other
    notices, which reasons name, comes behind them."""
    evidence_total: int
    """How many there were, and what was taken over from other notices."""
    msg: str


class Finding(Told, frozen=True, kw_only=True):
    """What a detector says each time its picture of one key changes, before the desk has judged it."""

    closing: bool
    """The window is over: this is the last word."""


class Notice(Told, frozen=True, kw_only=True):
    """One emission of a notice: (`id`, `rev`) names it, the highest `rev` is the last word."""

    rev: int
    state: State
    score: int
    verdict: Verdict
    next: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
        """What "the same notice" means everywhere: note, actor, services, target values."""
        return (self.note, self.actor.ip, self.services, tuple(t.value for t in self.targets))


def notice_id(note: str, key: tuple[str, ...], window_start: float) -> str:
    """`rw-` and 16 hexadecimal digits of SHA-256 over the notice's identity."""
    text = "\x1f".join((note, *key, repr(int(window_start))))
    return "rw-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def verdict_of(score: int) -> Verdict:
    """The verdict that a score alone gives."""
    if score >= ESCALATE:
        return "escalate"
    return "investigate" if score >= INVESTIGATE else "monitor"
