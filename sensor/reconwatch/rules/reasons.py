"""The sentences that say why a rule did not match, from what a look at the capture found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconwatch.prose import counted, shortened
from reconwatch.rules import seen
from reconwatch.rules.relaxed import POSITIONS

if TYPE_CHECKING:
    from reconwatch.rules.look import Look
    from reconwatch.rules.rule import Match

_FLOW_WORDS = {
    "established": "no connection there was set up within the capture",
    "not_established": "every connection there was set up",
    "to_server": "only packets to the client are there",
    "from_client": "only packets to the client are there",
    "to_client": "only packets to the server are there",
    "from_server": "only packets to the server are there",
}


def unmatched(match: Match, look: Look, flows: set[int]) -> str:
    """A condition that did not hold, and what was there instead in the flows that had come so far."""
    what = match.buffer or match.option.name
    found = seen.values(what, look.events_of(flows))
    verb = "did not hold: it was there" if match.option.negated else "did not match"
    if not found:
        return f"{match} {verb}" + ("" if seen.known(what) else f" (EVE does not tell what {what} was)")
    times = counted(found.total(), "time")
    return f"{match} {verb}; {what} was seen {times}: {seen.shown(found)}"


def hints(match: Match, look: Look) -> Iterator[str]:
    """What would have matched, of the condition that failed."""
    if look.matched("nocase"):
        yield f"it would match with {'the flag i' if match.option.name == 'pcre' else '`nocase`'}: its case differs"
    if look.matched("position"):
        named = [str(option).removesuffix(";") for option in match.modifiers if option.name in POSITIONS]
        yield f"it is there, but not where {shortened(named) or 'the flag R'} asks for it"
    if look.matched("transforms"):
        changed = [option.name for option in match.opening[1:]]
        yield f"it would match without {shortened(changed)}"
    if look.matched("alone"):
        yield "it matches without the conditions before it: in another packet, transaction or flow than they"


def flow_state(missing: Sequence[str], look: Look, flows: set[int]) -> str:
    """Which words of a `flow` did not hold, of what states the flows were."""
    told = [f"{word}: {_FLOW_WORDS[word]}" if word in _FLOW_WORDS else word for word in missing]
    states = Counter(
        str(event.get("flow", {}).get("state", "unknown")) for event in look.events_of(flows)
        if event.get("event_type") == "flow"
    )  # fmt: skip
    there = ", ".join(f"{name} ({count:,})" for name, count in states.most_common())
    said = "; ".join(told) or "each word of it holds, but never all at once"
    return said + (f"; states of the flows: {there}" if there else "")


def recognised(look: Look) -> str:
    """The protocols of a capture's flows, by number."""
    found: Counter[str] = Counter()
    for event in look.run.events("flow"):
        protocol = event.get("app_proto", "failed")
        transport = str(event.get("proto", "?")).lower()
        found[f"unrecognised {transport}" if protocol == "failed" else protocol] += 1
    if not found:
        return "no flow was seen in it"
    return "recognised: " + ", ".join(f"{name} ({counted(count, 'flow')})" for name, count in found.most_common())


def where(look: Look, name: str) -> str:
    """Where a copy alerted: `in 2 flows, such as 10.0.0.1:4 -> 192.0.2.1:80`."""
    fired = look.fired[name]
    example = fired.ends.most_common(1)[0][0]
    return f"in {counted(len(fired.flows), 'flow')}, such as {example}"
