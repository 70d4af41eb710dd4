"""Why a notice says what it says: its evidence under its reasons, and what would change the verdict, both ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from reconwatch.notices import ESCALATE, INVESTIGATE, Notice, Reason, Verdict, verdict_of
from reconwatch.sightings import Evidence
from reconwatch.sinks.jsonl import read_jsonl
from reconwatch.sinks.times import rfc3339
from reconwatch.sinks.wire_text import visible

_RANK: dict[Verdict, int] = {"monitor": 0, "investigate": 1, "escalate": 2}
_FLOOR: dict[Verdict, int] = {"investigate": INVESTIGATE, "escalate": ESCALATE}
_MOST_NAMED = 5


@dataclass(frozen=True)
class Branch:
    """One reason with the evidence it rests on."""

    reason: Reason
    evidence: tuple[tuple[int, Evidence], ...]
    dropped: tuple[int, ...]
    """Numbers that the reason gives but the notice does not hold."""


@dataclass(frozen=True)
class Without:
    """What the notice would be, were one reason absent."""

    reason: Reason
    score: int
    verdict: Verdict


@dataclass(frozen=True)
class Explanation:
    """A notice taken apart. Nothing in it is new: it follows from the notice alone."""

    notice: Notice
    branches: tuple[Branch, ...]
    other: tuple[tuple[int, Evidence], ...]
    """Evidence that no reason names."""
    witnesses: tuple[tuple[str, int], ...]
    """Who told the evidence (`capture+zeek/http`), and how many pieces of it; most first."""
    total: int
    """What the reasons add up to; differs from the score where the desk capped or raised it."""
    withouts: tuple[Without, ...]
    """Each reason whose absence alone would change the verdict, down or (for one that lowers the score) up."""
    above: Verdict | None
    """The next verdict up, None at the highest."""
    missing: int
    """Points that are missing to `above`; 0 at the highest."""
    to_spare: int
    """Points that the score may lose before the verdict falls; 0 for monitor, which cannot fall."""


def explain(notice: Notice) -> Explanation:
    """Take a notice apart. Pure; never fails on a notice that was read or made by reconwatch."""
    numbered = dict(enumerate(notice.evidence, 1))
    named = {number for reason in notice.reasons for number in reason.evidence}
    witnesses = Counter(item.source for item in notice.evidence)
    above = _above(notice.verdict)
    floor = _FLOOR.get(notice.verdict)
    return Explanation(
        notice=notice,
        branches=tuple(_branch(reason, numbered) for reason in notice.reasons),
        other=tuple((number, item) for number, item in numbered.items() if number not in named),
        witnesses=tuple(sorted(witnesses.items(), key=lambda pair: (-pair[1], pair[0]))),
        total=sum(reason.points for reason in notice.reasons),
        withouts=tuple(_withouts(notice)),
        above=above,
        missing=max(_FLOOR[above] - notice.score, 0) if above else 0,
        to_spare=max(notice.score - floor, 0) if floor is not None else 0,
    )


def _branch(reason: Reason, numbered: dict[int, Evidence]) -> Branch:
    held = tuple((number, numbered[number]) for number in reason.evidence if number in numbered)
    return Branch(reason, held, tuple(number for number in reason.evidence if number not in numbered))


def _above(verdict: Verdict) -> Verdict | None:
    if verdict == "escalate":
        return None
    return "escalate" if verdict == "investigate" else "investigate"


def _withouts(notice: Notice) -> Iterable[Without]:
    total = sum(reason.points for reason in notice.reasons)
    for reason in notice.reasons:
        score = notice.score - reason.points
        if reason.points > 0 and total > notice.score:
            # A score that was capped below the sum of its reasons only falls once the sum is below the cap.
            score = min(notice.score, total - reason.points)
        verdict = verdict_of(score)
        if verdict != verdict_of(notice.score):
            yield Without(reason, score, verdict)


def find(lines: Iterable[str | bytes], wanted: str) -> Notice:
    """The notice of that id in a jsonl file, at its highest rev.

    An unambiguous beginning of the id will do, and `rw-` may be left out. Lines that cannot be read are passed over (a
    killed run leaves the last one cut short), and told of if nothing is found.

    Raises:
        ValueError: no such notice, or several.
    """
    if not wanted.removeprefix("rw-"):
        raise ValueError("an id is needed, such as rw-1f3c5a7b9d0e2f46; the table and jsonl show it")
    found: dict[str, tuple[int, int, str | bytes]] = {}
    unread: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            key = _key_of(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            unread.append(number)
            continue
        if key.id.startswith((wanted, f"rw-{wanted}")) and (key.id not in found or key.rev >= found[key.id][0]):
            found[key.id] = (key.rev, number, line)
    exact = wanted if wanted in found else f"rw-{wanted}"
    if exact not in found:
        exact = _only(wanted, sorted(found), unread)
    _, number, line = found[exact]
    return read_jsonl(line, number)


class _Key(msgspec.Struct, frozen=True):
    id: str
    rev: int


_key_of = msgspec.json.Decoder(_Key).decode


def _only(wanted: str, ids: list[str], unread: list[int]) -> str:
    asked = visible(wanted)
    if not ids:
        cut = f"; {len(unread)} line(s) are no notices, the first is line {unread[0]}" if unread else ""
        raise ValueError(f"no notice {asked} in this file{cut}")
    if len(ids) > 1:
        named = ", ".join(visible(each) for each in ids[:_MOST_NAMED])
        more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
        raise ValueError(f"{asked} begins {len(ids)} notices: {named}{more}; give more of the id")
    return ids[0]


def render(explanation: Explanation) -> list[str]:
    """The explanation as lines of plain text, ASCII but for what the notice itself holds, safe for a terminal."""
    notice = explanation.notice
    lines = [
        f"{notice.id} rev {notice.rev} ({notice.state})  {notice.note}",
        notice.msg,
        "",
        *_facts(explanation),
        "",
        *_tree(explanation),
        "",
        "what would change it",
        *(f"  {line}" for line in _changes(explanation)),
    ]
    if notice.next:
        lines += ["", "next", *(f"  {step}" for step in notice.next)]
    return [visible(line).rstrip() for line in lines]


def _facts(explanation: Explanation) -> Iterable[str]:
    notice = explanation.notice
    actor = notice.actor
    yield f"verdict    {notice.verdict}, score {notice.score}"
    yield (
        f"actor      {actor.ip} ({', '.join(actor.role)})" + ("; stands for its clients" * actor.stands_for_others)
        if actor.ip
        else "actor      nobody was seen"
    )
    if actor.user is not None:
        yield f"user       {actor.user}"
    if actor.trusted is not None:
        yield f"trusted    {actor.trusted}"
    yield f"services   {', '.join(notice.services) or 'none'}"
    yield f"techniques {', '.join(notice.techniques) or 'none'}"
    for index, target in enumerate(notice.targets):
        yield f"{'' if index else 'targets':<10} {target.value} ({target.kind}, ours by {target.asset})"
    yield f"count      {notice.count} {notice.counted}"
    yield f"first      {rfc3339(notice.first)}"
    yield f"last       {rfc3339(notice.last)}"
    yield f"witnesses  {', '.join(f'{source} ({count})' for source, count in explanation.witnesses) or 'none'}"


def _tree(explanation: Explanation) -> Iterable[str]:
    notice = explanation.notice
    yield f"why: {explanation.total} points from {len(notice.reasons)} reason{'' if len(notice.reasons) == 1 else 's'}"
    if explanation.total != notice.score:
        yield f"  (the score is {notice.score}: it was {'capped' if explanation.total > notice.score else 'raised'})"
    for branch in explanation.branches:
        yield f"  {branch.reason.points:>+4}  {branch.reason.why}"
        for number, item in branch.evidence:
            yield f"          {_shown(number, item)}"
        for number in branch.dropped:
            yield f"          [{number}] is no longer kept"
    if explanation.other:
        yield "  other evidence"
        for number, item in explanation.other:
            yield f"          {_shown(number, item)}"
    if notice.evidence_total > len(notice.evidence):
        yield f"  {len(notice.evidence)} of {notice.evidence_total} pieces of evidence are kept"


def _shown(number: int, item: Evidence) -> str:
    host = f" {item.host}" if item.host else ""
    uid = f" {item.uid}" if item.uid else ""
    ends = " -> ".join(end for end in (item.src, item.dst) if end is not None) or "nobody seen"
    return f"[{number}] {rfc3339(item.ts)} {item.kind} {ends}{host}: {item.detail}  ({item.source}{uid})"


def _changes(explanation: Explanation) -> Iterable[str]:
    notice = explanation.notice
    by_score = verdict_of(notice.score)
    if by_score != notice.verdict:
        yield f"the score alone would say {by_score}: the verdict was set otherwise"
    for without in explanation.withouts:
        yield f"without '{without.reason.why}' ({without.reason.points}): {without.score}, {without.verdict}"
    lowered = any(_RANK[without.verdict] < _RANK[by_score] for without in explanation.withouts)
    if not lowered and notice.verdict == by_score != "monitor":
        yield f"no single reason carries it: without any one of them it stays {notice.verdict}"
    if notice.verdict != "monitor":
        yield f"it falls below {notice.verdict} when it loses more than {explanation.to_spare} points"
    if explanation.above is None:
        yield "escalate is the highest verdict"
    else:
        yield f"{explanation.missing} points are missing to {explanation.above} ({_FLOOR[explanation.above]})"
