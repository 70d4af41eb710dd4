"""Copies of a rule that ask for less than it does, to find out with the engine itself what it asks for in vain.

Any build of Suricata answers so: one made for debugging is not needed, and nothing of its matching is imitated here.
Copy number k of a chain asks for the rule's first k conditions, in its own order; the first that never alerts names the
condition that failed. A relaxation asks for the same with one demand of that condition dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconwatch.rules.rule import PAYLOAD, Header, Match, Option, Rule

PROBE_GID = 1_597_000
"""The generator of all copies: no published rule uses it, so that their sids can meet nobody's."""

MOST_PROBES = 250
"""Copies in one run. The engine keeps at most 255 alerts a packet (`packet-alert-max`), and drops the rest unsaid."""

FEW_A_FLOW = Option("threshold", "type limit, track by_flow, count 1, seconds 86400")
FEW_A_PAIR = Option("threshold", "type limit, track by_both, count 100, seconds 86400")
"""That a copy matches matters, not how often: so EVE stays small. Only Suricata 8 can limit by flow; with 7, the flows
of a copy are those of its first hundred alerts between two hosts."""

POSITIONS = frozenset({"startswith", "endswith", "depth", "offset", "distance", "within"})
_LEFT_OUT = frozenset({"fast_pattern", "prefilter", "replace"})
"""What a copy drops: how the engine searches, and what only an inline engine does."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A copy of a rule, without its number."""

    header: Header
    options: tuple[Option, ...]
    limited: bool = True
    """It may be told seldom; else every match counts."""

    def text(self, sid: int, limit: Option) -> str:
        """The rule as the engine reads it."""
        options = (*self.options, limit) if self.limited else self.options
        body = " ".join(str(option) for option in options)
        return f"alert {self.header} ({body} gid:{PROBE_GID}; sid:{sid};)"


@dataclass(frozen=True, slots=True)
class Step:
    """What a rule asks for next, and a copy that asks for everything up to it."""

    match: Match | None
    """None for the header."""
    probe: Probe


def probe(header: Header, matches: Sequence[Match]) -> Probe:
    """A rule that alerts when these conditions hold."""
    return Probe(header, tuple(_written(matches)))


def chain(rule: Rule) -> list[Step]:
    """The header, then each condition in the order of the rule; at most MOST_PROBES / 2, so that others find room."""
    steps = [Step(None, probe(rule.header, ()))]
    matches = rule.matches[: MOST_PROBES // 2]
    steps += [Step(match, probe(rule.header, matches[: n + 1])) for n, match in enumerate(matches)]
    return steps


def whole(rule: Rule, *, thresholds: bool) -> Probe:
    """The rule as an alert of its own, with or without what limits how often it is told."""
    limits = (*rule.every("threshold"), *rule.every("detection_filter")) if thresholds else ()
    return Probe(rule.header, (*_written(rule.matches), *limits), limited=False)


def required(requires: Option) -> Probe:
    """Alerts on anything, if the engine meets what a rule requires of it."""
    return Probe(Header("ip", "any", "any", "->", "any", "any"), (requires,))


def headers(header: Header) -> Mapping[str, Probe]:
    """The header with its parts let go, by what is left of it."""
    anything = Header(header.protocol, "any", "any", "->", "any", "any")
    turned = replace(header, sources=header.destinations, destinations=header.sources)
    swapped = replace(turned, source_ports=header.destination_ports, destination_ports=header.source_ports)
    found = {
        "packets": replace(anything, protocol="ip"),
        "protocol": anything,
        "source": replace(anything, direction=header.direction, sources=header.sources),
        "destination": replace(anything, direction=header.direction, destinations=header.destinations),
        "source port": replace(anything, direction=header.direction, source_ports=header.source_ports),
        "destination port": replace(anything, direction=header.direction, destination_ports=header.destination_ports),
        "turned": turned,
        "swapped": swapped,
    }
    return {name: probe(each, ()) for name, each in found.items()}


def relaxations(rule: Rule, number: int) -> Mapping[str, Probe]:
    """Condition `number` of a rule with one demand dropped each, behind the conditions before it; by what was dropped.

    `filled` asks only that its buffer hold anything, `alone` drops the conditions before it (but those of the flow).
    """
    before, match = rule.matches[:number], rule.matches[number]
    found = {name: probe(rule.header, (*before, each)) for name, each in _variants(match)}
    if match.buffer:
        filled = Option("dsize", ">0") if match.buffer == PAYLOAD else Option("bsize", ">0")
        opening = match.opening if match.buffer == PAYLOAD else (_opening(match),)
        present = Match(filled, (), "" if match.buffer == PAYLOAD else match.buffer, opening)
        found["filled"] = probe(rule.header, (*before, present))
    kept = tuple(each for each in before if not each.buffer)
    if len(kept) < len(before) and not _relative(match):
        found["alone"] = probe(rule.header, (*kept, match))
    return found


def flow_words(rule: Rule, number: int) -> Mapping[str, Probe]:
    """The words of a `flow` condition, each asked for by itself behind the conditions before it."""
    before, match = rule.matches[:number], rule.matches[number]
    words = [word for word in match.option.words if word]
    return {word: probe(rule.header, (*before, replace(match, option=Option("flow", word)))) for word in words}


def written(probes: Iterable[Probe], version: tuple[int, int, int]) -> str:
    """The text of a rule file that holds these copies, numbered from 1, for an engine of this version."""
    limit = FEW_A_FLOW if version >= (8, 0, 0) else FEW_A_PAIR
    return "".join(f"{each.text(number, limit)}\n" for number, each in enumerate(probes, 1))


def _opening(match: Match) -> Option:
    return match.opening[0] if match.opening else Option(match.buffer)


def _relative(match: Match) -> bool:
    named = {option.name for option in match.modifiers}
    return (
        bool(named & {"distance", "within"})
        or "relative" in match.option.words
        or (match.option.name == "pcre" and "R" in match.option.plain.rpartition("/")[2])
    )


def _variants(match: Match) -> Iterator[tuple[str, Match]]:
    """The condition with one demand less, by what was dropped. A condition that asks for absence has none."""
    if match.option.negated:
        return
    named = {option.name for option in match.modifiers}
    if match.option.name in ("content", "uricontent"):
        if "nocase" not in named:
            yield "nocase", replace(match, modifiers=(*match.modifiers, Option("nocase")))
        if named & POSITIONS:
            kept = tuple(option for option in match.modifiers if option.name not in POSITIONS)
            yield "position", replace(match, modifiers=kept)
    elif match.option.name == "pcre":
        before, slash, flags = (match.option.value or "").rstrip('"').rpartition("/")
        if slash and "i" not in flags:
            yield "nocase", replace(match, option=Option("pcre", f'{before}/i{flags}"'))
        if slash and "R" in flags:
            yield "position", replace(match, option=Option("pcre", f'{before}/{flags.replace("R", "")}"'))
    if len(match.opening) > 1:
        yield "transforms", replace(match, opening=match.opening[:1])


def _written(matches: Sequence[Match]) -> Iterator[Option]:
    """The options of these conditions. A sticky buffer is opened where the rule opens it, never without a match."""
    opened: tuple[Option, ...] = ()
    for match in matches:
        if match.opening and match.opening is not opened:
            yield from match.opening
            opened = match.opening
        yield match.option
        yield from (option for option in match.modifiers if option.name not in _LEFT_OUT)
