"""Where the readers of all formats bring what they found: an indicator is taken, anything else is counted by reason."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from reconwatch.document import Problem, Refused
from reconwatch.intel.compiled import ALWAYS, FOREVER, Builder, Facts
from reconwatch.intel.indicator import Kind, benign_key, guess, key_of
from reconwatch.prose import counted

MOST_REASONS = 40
"""Reasons that are told apart: some quote the feed, which may say anything."""
OTHERWISE = "of further kinds that are not matched"

UNREADABLE_TIME = "a time that cannot be read"

KIND_WORDS: dict[str, Kind] = {
    "address": "ip", "addr": "ip", "cidr": "range", "domain": "domain", "domain-name": "domain", "fqdn": "domain",
    "host": "domain", "hostname": "domain", "http-user-agent": "agent", "ip": "ip", "ip-address": "ip",
    "ip-dst": "ip", "ip-src": "ip", "ip:port": "ip", "ipv4": "ip", "ipv4-addr": "ip", "ipv6": "ip",
    "ipv6-addr": "ip", "ja3": "ja3", "ja3-fingerprint-md5": "ja3", "ja3-hash": "ja3", "ja3-md5": "ja3", "ja4": "ja4",
    "ja4-plus": "ja4", "link": "url", "netblock": "range", "network": "range", "range": "range", "software": "agent",
    "subnet": "range", "uri": "url", "url": "url", "user-agent": "agent",
}  # fmt: skip
"""How feeds call the kinds of indicator, in lower case and with hyphens."""

CONFIDENCE_WORDS = {"none": 0, "low": 15, "medium": 50, "med": 50, "moderate": 50, "high": 85}
"""The middle of each step of the None/Low/Med/High scale (STIX 2.1 appendix A)."""


@lru_cache(maxsize=4_096)
def kind_of_word(word: str) -> Kind | None:
    """The kind that a feed's own word means; None for hashes, mail addresses and whatever else nothing is told of."""
    return KIND_WORDS.get(word.strip().lower().removeprefix("intel::").replace("_", "-").replace(" ", "-"))


@lru_cache(maxsize=4_096)
def read_confidence(text: str) -> int | None:
    """A confidence from 0 to 100, in digits or words; None if it is none."""
    text = text.strip().lower().removesuffix("%")
    if text in CONFIDENCE_WORDS:
        return CONFIDENCE_WORDS[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if 0 <= number <= 100 else None


@lru_cache(maxsize=4_096)
def read_time(text: str) -> float | None:
    """UTC epoch seconds of ISO 8601 text (without an offset: UTC) or of a number of seconds; None if it is neither."""
    text = text.strip()
    try:
        if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) > 8:
            return float(text) if float(text) < 1e11 else None
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _kind_by_looks(text: str) -> Kind | None:
    try:
        return guess(text)
    except Refused:
        return None


class Place(NamedTuple):
    """Where something stands."""

    file: str
    line: int | None = None


class Intake:
    """Builds the indicators of one feed, and its list of what is none."""

    def __init__(
        self, kind: Kind | None = None, confidence: int = 50, source: str = "", *, benign: bool = False
    ) -> None:
        """`kind`: of values that no word is said about; `confidence`: where the feed says none; `source`: its name.

        `benign`: whatever is taken is no indicator, and takes indicators out.
        """
        self._benign = benign
        self.builder = Builder()
        self._kind, self._confidence, self._source = kind, confidence, source
        self._passed: dict[str, tuple[int, Place]] = {}
        self.patterns: list[tuple[str, str]] = []
        """(how, text) of a warning list that is no list of values: `substring`."""

    def take(
        self, text: str, place: Place, kind: Kind | None = None, confidence: int | None = None,
        since: float = ALWAYS, until: float = FOREVER, source: str = "",
    ) -> None:  # fmt: skip
        """Take a value, or count why it is no indicator."""
        if self._benign:
            self.take_benign(text, place, kind or self._kind or _kind_by_looks(text))
            return
        try:
            key = key_of(kind or self._kind, text)
        except Refused as refusal:
            self.skip(refusal.message, place)
            return
        if until <= since:
            self.skip("valid until before it is valid", place)
            return
        named = f"{self._source}: {source}" if source and source != self._source else self._source
        self.builder.add(key, Facts(self._confidence if confidence is None else confidence, since, until, named))

    def take_benign(self, text: str, place: Place, kind: Kind | None) -> None:
        """Take an entry of a list of what is no indicator."""
        try:
            self.builder.add(benign_key(kind, text), Facts(0, source=self._source))
        except Refused:
            self.skip("neither a name nor an address nor a URL", place)

    def skip(self, reason: str, place: Place, times: int = 1) -> None:
        """Count what is no indicator."""
        if reason not in self._passed and len(self._passed) >= MOST_REASONS:
            reason = OTHERWISE
        number, first = self._passed.get(reason, (0, place))
        self._passed[reason] = number + times, first

    def unmatched(self, what: str, place: Place) -> None:
        """Count an indicator of a kind that no event can be compared with."""
        self.skip(f"of a kind that is not matched: {what[:60]!r}", place)

    @property
    def passed(self) -> tuple[Problem, ...]:
        """What is no indicator: a line for each reason, where it was first met, and how often."""
        told = sorted(self._passed.items(), key=lambda item: (item[1][1].file, item[1][1].line or 0, item[0]))
        return tuple(
            Problem(
                first.file, first.line, f"{counted(number, 'entry', 'entries')} passed over: {reason}", "", "warning"
            )
            for reason, (number, first) in told
        )
