"""A comparison of two rule sets for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reconwatch.prose import counted, shortened
from reconwatch.rules.against import Comparison, Ratio, Told
from reconwatch.sinks.wire_text import visible

MOST_TOLD = 40
"""Alerts, and rules, of one kind that are told one by one; JSON holds them all."""


def lines(found: Comparison) -> Iterator[str]:
    """The comparison, line by line, safe to print."""
    return map(visible, _lines(found))


def _lines(found: Comparison) -> Iterator[str]:
    yield f"{counted(found.captures, 'capture')}, {found.engine}"
    for which, refused in found.rejected.items():
        yield from (f"  not accepted ({which}): {each}" for each in refused[:MOST_TOLD])
    yield from _rules(found)
    yield (f"alerts: {found.kept:,} the same, {_total(found.gained):,} gained, {_total(found.lost):,} lost")
    yield from _told("+", found.gained)
    yield from _told("-", found.lost)
    yield from _cost(found)


def _rules(found: Comparison) -> Iterator[str]:
    kinds = Counter(change.what for change in found.changes)
    yield "rules: " + (", ".join(f"{count:,} {what}" for what, count in sorted(kinds.items())) or "the same")
    for change in found.changes[:MOST_TOLD]:
        yield f"  {change.gid}:{change.sid} {change.what}  {change.msg}"
    yield from _left_out(found.changes)


def _told(sign: str, told: Sequence[Told]) -> Iterator[str]:
    for each in told[:MOST_TOLD]:
        times = f"  {each.count:,} times" if each.count > 1 else ""
        yield f"  {sign} {each.alert.capture}  {each.alert.gid}:{each.alert.sid}  {each.msg}  {each.alert.flow}{times}"
    yield from _left_out(told)


def _left_out(of: Sequence[object]) -> Iterator[str]:
    if len(of) > MOST_TOLD:
        yield f"    and {len(of) - MOST_TOLD:,} more"


def _cost(found: Comparison) -> Iterator[str]:
    pairs = counted(found.runs, "pair") + " of runs"
    yield f"CPU, new over old: {_spread(found.ratio)} ({found.cpu['new']:.2f} s over {found.cpu['old']:.2f} s, {pairs})"
    yield f"  of which start and loading alone: {_spread(found.loading)}"
    if not found.profiled:
        yield "  by rule: this engine was built without rule profiling (--enable-profiling)"
    for which in ("new", "old"):
        dear = [f"{each.gid}:{each.sid} ({each.ticks:,} ticks)" for each in found.costly if each.set == which]
        if dear:
            yield f"  dearest ({which}): {shortened(dear, most=10)}"


def _spread(ratio: Ratio | None) -> str:
    return "not measurable" if ratio is None else f"{ratio.median:.2f} (from {ratio.least:.2f} to {ratio.most:.2f})"


def _total(told: Sequence[Told]) -> int:
    return sum(each.count for each in told)
