"""What Zeek raised, as findings of its own or as a witness: in any order, in partitions, each once."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.story import CATALOG, HOST, NOON, SITE, STRANGER, WEB

from reconwatch.assembly import Assembly
from reconwatch.desk import Desk
from reconwatch.detectors.alarm_raised import AlarmRaised
from reconwatch.detectors.runner import Runner
from reconwatch.detectors.seconding import MOST_NOTES, SETTLING, Seconding
from reconwatch.events import Raised
from reconwatch.notices import Finding, Notice, Reason
from reconwatch.partitioned import PartitionedRunner
from reconwatch.raised import Raising
from reconwatch.sightings import Actor, Alarm, Evidence, Target
from reconwatch.windows import DAY

NOTES = ["Database_Lookup", "Targeted_Search", "Enumeration_Sweep", "Port_Scan", "Indicator_Match"]


def alarm(
    after: float = 0, note: str = "Targeted_Search", actor: str = HOST, *, services: tuple[str, ...] = ("shodan",),
    targets: tuple[str, ...] = (), score: int = 25, count: int = 1, msg: str = "said", ours: bool = True,
) -> Alarm:  # fmt: skip
    ts = NOON + after
    return Alarm(
        ts=ts, note=note, ours=ours, direction="probe" if note == "Port_Scan" else "lookup", actor=Actor(actor),
        msg=msg,
        evidence=Evidence(ts, "notice", "zeek/notice", None, actor, None, None, f"{note}: {msg}"), count=count,
        score=score, services=services, targets=tuple(Target("ip", each, "203.0.113.0/24") for each in targets),
        techniques=("T1596.005",),
    )  # fmt: skip


def found(
    after: float = 0, note: str = "Targeted_Search", actor: str = HOST, *, services: tuple[str, ...] = ("shodan",),
    targets: tuple[str, ...] = (), closing: bool = True, id: str = "rw-own",
) -> Finding:  # fmt: skip
    """What a detector here says."""
    return Finding(
        id=id, closing=closing, ts=NOON + after, note=note, direction="lookup", actor=Actor(actor), services=services,
        techniques=(), targets=tuple(Target("ip", each, "203.0.113.0/24") for each in targets), first=NOON + after,
        last=NOON + after, count=1, counted="visits", kinds=(), reasons=(Reason(40, "seen"),), evidence=(),
        evidence_total=0, msg="seen",
    )  # fmt: skip


def held(*alarms: Alarm) -> Seconding:
    """With all that Zeek raised."""
    seconding, runner = Seconding(), Runner[Alarm]([AlarmRaised()])
    for each in alarms:
        if not each.ours:
            seconding.note(each)
        for finding in runner.observe(each):
            seconding.hold(finding)
    for finding in runner.close():
        seconding.hold(finding)
    return seconding


def left(seconding: Seconding) -> list[Finding]:
    return [finding for finding in seconding.left(float("inf")) if finding.closing]


def last(runner: Runner[Alarm] | PartitionedRunner[Alarm], alarms: list[Alarm]) -> dict[str, Notice]:
    desk = Desk()
    findings = [finding for each in alarms for finding in runner.observe(each)] + list(runner.close())
    notices = [notice for finding in findings if (notice := desk.consider(finding)) is not None]
    return {n.id: Notice(**{f: getattr(n, f) for f in n.__struct_fields__} | {"rev": 0}) for n in notices}


alarms = st.builds(
    alarm,
    st.one_of(st.floats(0, 60), st.floats(42_600, 43_800), st.floats(0, 200_000)),
    note=st.sampled_from(NOTES),
    actor=st.sampled_from([HOST, STRANGER, "2001:db8::1", "2001:db8::2", "2001:db8:1::1"]),
    services=st.sampled_from([(), ("shodan",), ("censys", "shodan")]),
    targets=st.lists(st.sampled_from([WEB, "203.0.113.11"]), max_size=2, unique=True).map(tuple),
    score=st.integers(0, 100),
    count=st.integers(1, 9),
    msg=st.sampled_from(["one", "other"]),
    ours=st.sampled_from([True, True, True, False]),
)


@settings(max_examples=80)
@given(st.lists(alarms, max_size=60), st.integers(1, 5), st.randoms(use_true_random=False))
def test_partitions_and_disorder_change_nothing(items: list[Alarm], partitions: int, chance: random.Random) -> None:
    shuffled = chance.sample(items, len(items))
    expected = last(Runner([AlarmRaised()]), items)
    assert last(Runner([AlarmRaised()]), shuffled) == expected
    assert last(PartitionedRunner([AlarmRaised()], partitions), shuffled) == expected


@settings(max_examples=80)
@given(st.lists(alarms, max_size=40), st.randoms(use_true_random=False))
def test_what_is_told_in_the_end_depends_on_no_order(items: list[Alarm], chance: random.Random) -> None:
    own = [found(n, note, id=f"rw-{note}") for n, note in enumerate(NOTES[:3])]
    shuffled, expected = chance.sample(items, len(items)), held(*items)
    others = held(*shuffled)
    told = [{finding.id: finding for finding in map(each.seconded, own)} for each in (expected, others)]
    assert told[0] == told[1]
    assert {each.id: each for each in left(expected)} == {each.id: each for each in left(others)}


def test_what_zeek_alone_raised_is_told_as_it_raised_it() -> None:
    [finding] = left(
        held(alarm(targets=(WEB,), score=25, msg="looked us up"), alarm(9, score=35, count=3, msg="again"))
    )
    assert (finding.note, finding.actor.ip, finding.services) == ("Targeted_Search", HOST, ("shodan",))
    assert [target.value for target in finding.targets] == [WEB]
    assert [(r.points, r.why, r.evidence) for r in finding.reasons] == [(35, "Zeek raised it: again", (1, 2))]
    assert (finding.count, finding.first, finding.last) == (3, NOON, NOON + 9)


def test_copies_of_a_log_are_one_witness() -> None:
    [finding] = left(held(alarm(), alarm(), alarm()))
    assert len(finding.evidence) == 1


def test_the_same_is_told_once_and_other_services_days_actors_and_notes_by_themselves() -> None:
    seconding = held(
        alarm(), alarm(services=("censys",)), alarm(DAY), alarm(actor="10.20.1.12"), alarm(note="Database_Lookup")
    )
    finding = seconding.seconded(found(300))
    assert [reason.why for reason in finding.reasons] == ["seen", "Zeek raised the same: said"]
    assert finding.evidence[finding.reasons[1].evidence[0] - 1].source == "zeek/notice"
    told = {(each.note, each.actor.ip, each.services, each.ts) for each in left(seconding)}
    assert told == {
        ("Targeted_Search", HOST, ("censys",), NOON), ("Targeted_Search", HOST, ("shodan",), NOON + DAY),
        ("Targeted_Search", "10.20.1.12", ("shodan",), NOON), ("Database_Lookup", HOST, ("shodan",), NOON),
    }  # fmt: skip


def test_a_scan_of_another_address_is_not_the_same() -> None:
    seconding = held(alarm(note="Port_Scan", services=(), targets=("203.0.113.11",)))
    seconding.seconded(found(note="Port_Scan", services=(), targets=(WEB,)))
    assert [finding.note for finding in left(seconding)] == ["Port_Scan"]


def test_a_sweep_whose_services_zeek_found_one_after_the_other_is_the_same() -> None:
    seconding = held(
        alarm(note="Enumeration_Sweep", services=("a", "b")),
        alarm(9, note="Enumeration_Sweep", services=("a", "b", "c")),
    )
    seconding.seconded(found(note="Enumeration_Sweep", services=("a", "b", "c", "d")))
    assert left(seconding) == []


def test_live_zeek_s_is_told_after_a_while_and_what_is_found_then_goes_on_under_its_name() -> None:
    seconding = Seconding()
    [finding] = Runner[Alarm]([AlarmRaised()]).observe(alarm())
    seconding.hold(finding)
    assert list(seconding.due(NOON + SETTLING - 1)) == []
    [early] = seconding.due(NOON + SETTLING)
    assert list(seconding.due(NOON + 2 * SETTLING)) == []
    late = [seconding.seconded(found(closing=closing)) for closing in (False, True)]
    assert {each.id for each in late} == {early.id}
    assert list(seconding.left(float("inf"))) == []


def test_live_what_was_found_before_keeps_its_name() -> None:
    seconding = Seconding()
    assert seconding.seconded(found(closing=False)).id == "rw-own"
    [finding] = Runner[Alarm]([AlarmRaised()]).observe(alarm())
    seconding.hold(finding)
    assert list(seconding.due(NOON + SETTLING)) == []
    closing = seconding.seconded(found())
    assert closing.id == "rw-own"
    assert closing.reasons[-1].why == "Zeek raised the same: said"
    assert list(seconding.left(float("inf"))) == []


def test_days_that_are_not_over_are_not_closed() -> None:
    seconding = held(alarm())
    assert list(seconding.left(NOON)) == []
    assert list(seconding.left(float("nan"))) == []
    assert [finding.closing for finding in seconding.left(NOON + DAY)] == [False, True]


def test_notices_of_other_packages_add_their_points_once_and_are_no_findings() -> None:
    others = [alarm(n, f"Module{n}::Bad", msg="bad", ours=False) for n in range(2 * MOST_NOTES)]
    seconding = held(*others, alarm(5, "SSH::Password_Guessing", STRANGER, ours=False))
    finding = seconding.seconded(found(300))
    assert [reason.points for reason in finding.reasons] == [40, 8, 0, 0]
    assert finding.reasons[1].why == "Zeek raised Module0::Bad about the actor that day: bad"
    assert left(seconding) == []
    assert seconding.seconded(found(DAY)) == found(DAY)


def test_nothing_grows_without_end(monkeypatch) -> None:
    monkeypatch.setattr("reconwatch.detectors.seconding.MOST_KEPT", 10)
    monkeypatch.setattr("reconwatch.detectors.seconding.MOST_ACTORS", 10)
    monkeypatch.setattr("reconwatch.detectors.seconding.MOST_OF_ONE", 3)
    addresses = [f"10.20.2.{n}" for n in range(30)]
    seconding = held(
        *(alarm(actor=each) for each in addresses), *(alarm(note="X::Y", actor=a, ours=False) for a in addresses)
    )
    assert seconding.dropped >= 40
    assert len(left(seconding)) == 10
    for address in addresses:
        seconding.seconded(found(actor=address, id=address))
        seconding.seconded(found(actor=addresses[0], id=f"other {address}"))
    assert len(seconding._kept) <= 5
    assert max(len(kept.found) for kept in seconding._kept.values()) == 3
    many = held(*(alarm(services=(f"s{n}",)) for n in range(9)))
    assert (len(left(many)), many.dropped) == (3, 12)  # twice: as it was found, and at the close


# ---------------------------------------------------------------- meaning


def raised(note: str = "ReconWatch::Targeted_Search", client: str = HOST, score: int | None = 25, **facts) -> Raised:
    return Raised(
        ts=NOON, client=client, server=None, source="zeek/notice", note=note, msg="said", score=score, **facts
    )


def test_targets_are_those_that_are_ours_by_this_site() -> None:
    assets = (
        "domain:www.acme-widgets.com", "domain:elsewhere.example", "ip:203.0.113.10", "ip:198.51.100.1", "asn:AS64496",
        "asn:ASx", "brand:acme widgets", "brand:others", "range:203.0.113.0/24", "range:nonsense", "", "file:x",
    )  # fmt: skip
    seen = Raising(SITE).alarm(raised(assets=assets))
    assert seen is not None
    assert {(target.kind, target.value) for target in seen.targets} == {
        ("domain", "www.acme-widgets.com"), ("ip", "203.0.113.10"), ("asn", "AS64496"), ("brand", "acme widgets"),
        ("range", "203.0.113.0/24"),
    }  # fmt: skip


def test_the_direction_is_that_of_the_note_or_of_who_acts() -> None:
    raising = Raising(SITE)
    for note, client, direction in (
        ("Targeted_Search", HOST, "lookup"), ("Port_Scan", STRANGER, "probe"), ("Canary_Touched", HOST, "lookup"),
        ("Canary_Touched", STRANGER, "probe"), ("Port_Scan", HOST, "probe"),
    ):  # fmt: skip
        seen = raising.alarm(raised(f"ReconWatch::{note}", client))
        assert seen is not None
        assert (seen.note, seen.direction) == (note, direction)


def test_what_nobody_here_knows_is_counted_and_what_says_nothing_of_the_party_is_left_out() -> None:
    raising = Raising(SITE)
    assert raising.alarm(raised("ReconWatch::Something_New")) is None
    assert raising.alarm(raised(client=STRANGER)) is None
    assert raising.unknown == 2
    assert raising.alarm(raised("SSL::Invalid_Server_Cert", score=None)) is None
    assert raising.alarm(raised("SSH::Password_Guessing", score=None)) is not None
    assert raising.unknown == 2


def test_the_last_word_goes_under_the_name_of_the_first() -> None:
    rooms = Assembly(CATALOG, SITE)
    rooms.raised(raised(score=100))
    [opening, closing] = rooms.unmatched_alarms()
    assert (opening.closing, closing.closing) == (False, True)
    assert all(a.id == b.id for a, b in pairwise((opening, closing)))
