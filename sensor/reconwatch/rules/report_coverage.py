"""What rules cover, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from reconwatch.prose import counted, shortened
from reconwatch.rules.coverage import Agreement, Coverage, Covered
from reconwatch.sinks.wire_text import visible


def lines(found: Coverage) -> Iterator[str]:
    """The coverage, line by line, safe to print: what lacks something is named, what does not is counted."""
    return map(visible, _lines(found))


def _lines(found: Coverage) -> Iterator[str]:
    yield from _covered("services", found.services)
    yield from _covered("techniques", found.techniques)
    if found.unknown:
        yield f"  rules name services that the catalog does not know: {', '.join(found.unknown)}"
    proved = [proof for proof in found.rules if proof.captures]
    yield f"rules: {len(proved):,} of {len(found.rules):,} alerted on {counted(len(found.captures), 'capture')}"
    for proof in proved:
        yield f"  {proof.gid}:{proof.sid}  {proof.msg}  proved by {shortened(proof.captures)}"
    for proof in found.rules:
        if not proof.captures:
            yield f"  {proof.gid}:{proof.sid}  {proof.msg}  proved by none"
    yield from _agreement(found)
    yield from (f"not looked with: {line}" for line in found.missing)
    yield from (f"failed: {line}" for line in found.failed)


def _covered(name: str, found: Sequence[Covered]) -> Iterator[str]:
    with_rules = [each for each in found if each.rules]
    proved = sum(1 for each in found if each.proved)
    yield f"{name}: {len(with_rules):,} of {len(found):,} have rules, {proved:,} have one that alerted"
    without = [each.id for each in found if not each.rules]
    if without and with_rules:
        yield f"  without a rule: {', '.join(without)}"
    unproved = [each.id for each in with_rules if not each.proved]
    if unproved and proved:
        yield f"  with none that alerted: {', '.join(unproved)}"


def _agreement(found: Coverage) -> Iterator[str]:
    everybody = set(found.engines)
    differing = [each for each in found.agreement if set(each.seen_by) != everybody]
    yield (
        f"agreement of {shortened(found.engines) or 'no engine'}:"
        f" {len(found.agreement) - len(differing):,} of {counted(len(found.agreement), 'lookup')} seen by all"
    )
    for each in differing:
        actor = f"{each.actor} ({each.role})" if each.role else each.actor
        yield f"  {each.capture}: {actor} used {each.service}: {_who(each, found.engines)}"
    for engine, count in sorted(Counter(name for each in found.agreement for name in each.seen_by).items()):
        yield f"  {engine} saw {count:,}"


def _who(each: Agreement, engines: Sequence[str]) -> str:
    missed = [name for name in engines if name not in each.seen_by]
    return f"seen by {shortened(each.seen_by)}, not by {shortened(missed)}"
