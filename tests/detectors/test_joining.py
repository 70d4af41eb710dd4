"""A lookup of an asset and a probe of it name each other; what only happens at the same time does not."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.story import HOST, NOON, SITE, STRANGER, WEB

from reconwatch.catalog.load import load
from reconwatch.cli import main
from reconwatch.desk import Desk
from reconwatch.detectors import joining
from reconwatch.detectors.joining import Joining
from reconwatch.detectors.overlap import blocks, overlap, run_of, runs
from reconwatch.notices import Finding, Notice, Reason, notice_id
from reconwatch.pipeline import Replay
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.sinks.endpoints import only_destination

HOUR, DAY = 3_600.0, 86_400.0
RANGE, ZONE = "203.0.113.0/24", "acme-widgets.com"


def target(value: str) -> Target:
    if value[0].isdigit():
        return Target("range" if "/" in value else "ip", value, "2001:db8:acc::/48" if ":" in value else RANGE)
    return Target("asn" if value.startswith("AS") else "brand" if " " in value else "domain", value, ZONE)


def finding(
    note: str, *values: str, hours: float = 0, lasting: float = 0, points: int = 20, by: str | None = None,
    pieces: int = 1, trusted: str | None = None, role: str = "host", services: tuple[str, ...] = (),
    closing: bool = True,
) -> Finding:  # fmt: skip
    """The closing words on what happened `hours` after noon."""
    lookup = note in ("Targeted_Search", "Reverse_Sweep")
    first, actor = NOON + hours * HOUR, by or (HOST if lookup else STRANGER)
    evidence = tuple(
        Evidence(first + n, "http" if lookup else "conn", "capture", None, actor, WEB, None, f"{note} {n}")
        for n in range(pieces)
    )
    every = tuple(range(1, pieces + 1))
    return Finding(
        id=notice_id(note, (actor, *values), first), closing=closing, ts=first, note=note,
        direction="lookup" if lookup else "probe", actor=Actor(actor, (role,), trusted), services=services,
        techniques=(), targets=tuple(map(target, values)), first=first, last=first + lasting * HOUR, count=1,
        counted="requests", kinds=(), reasons=(Reason(points, note, every),), evidence=evidence,
        evidence_total=pieces, msg=f"{actor}: {note} of {', '.join(values[:2])}",
    )  # fmt: skip


def search(*values: str, hours: float = 0, **facts: Any) -> Finding:
    return finding("Targeted_Search", *values, hours=hours, **{"points": 40, "services": ("shodan",)} | facts)


def port_scan(value: str = WEB, hours: float = 2, **facts: Any) -> Finding:
    return finding("Port_Scan", value, hours=hours, **facts)


def address_scan(*values: str, hours: float = 2, **facts: Any) -> Finding:
    return finding("Address_Scan", *values, hours=hours, **{"points": 25} | facts)


def joined(*findings: Finding) -> list[Finding]:
    room = Joining()
    for each in findings:
        room.add(each)
    return [room.joined(each) for each in findings]


def lent(*findings: Finding) -> list[list[int]]:
    """Of each, the points for each other notice that it names."""
    return [[reason.points for reason in each.reasons if reason.notice] for each in joined(*findings)]


def named(each: Finding | Notice) -> list[str]:
    return [reason.notice for reason in each.reasons if reason.notice]


UNJOINED: list[list[int]] = [[], []]


def test_a_search_and_the_port_scan_after_it_name_each_other() -> None:
    looked, probed = search(WEB), port_scan(WEB)
    after, before = joined(looked, probed)
    assert after.reasons[-1] == Reason(
        15, f"after this search, from 2026-11-24 14:00 UTC on: {probed.msg}; see {probed.id}", (2,), probed.id
    )
    assert before.reasons[-1] == Reason(
        10, f"before this probe, from 2026-11-24 12:00 UTC on: {looked.msg}; see {looked.id}", (2,), looked.id
    )
    assert after.evidence == (*looked.evidence, *probed.evidence)
    assert before.evidence == (*probed.evidence, *looked.evidence)
    assert (after.evidence_total, before.evidence_total) == (2, 2)


def test_nothing_else_of_a_notice_changes() -> None:
    looked = search(WEB)
    told = Desk().consider(joined(looked, port_scan())[0])
    alone = Desk().consider(looked)
    assert told is not None
    assert alone is not None
    assert (told.row, told.id, told.rev, told.state) == (alone.row, alone.id, alone.rev, alone.state)
    assert (alone.score, told.score) == (40, 55)


@pytest.mark.parametrize("other", ["203.0.113.11", ZONE, "198.51.100.10"])
def test_another_asset_is_not_the_same_one(other: str) -> None:
    assert lent(search(WEB), port_scan(other)) == UNJOINED


def test_a_search_for_everything_that_is_ours_joins_with_no_scan_of_an_address() -> None:
    for value in (ZONE, "AS64496", "acme widgets"):
        assert lent(search(value), port_scan()) == UNJOINED
        assert lent(search(value), address_scan(WEB, "203.0.113.11")) == UNJOINED


def test_seventy_two_hours_are_near_and_more_are_not() -> None:
    assert lent(search(WEB, lasting=1), port_scan(hours=73)) == [[15], [10]]
    assert lent(search(WEB, lasting=1), port_scan(hours=73.1)) == UNJOINED
    assert lent(search(WEB, hours=74), port_scan(hours=1, lasting=1)) == [[0], [5]]
    assert lent(search(WEB, hours=74.1), port_scan(hours=1, lasting=1)) == UNJOINED


def test_who_searches_after_the_probe_makes_the_search_no_worse() -> None:
    after, before = joined(search(WEB, hours=3), port_scan(hours=2))
    assert after.reasons[-1].why.startswith("before this search, from 2026-11-24 14:00")
    assert before.reasons[-1].why.startswith("after this probe, from 2026-11-24 15:00")
    assert (after.reasons[-1].points, before.reasons[-1].points) == (0, 5)


def test_a_small_range_is_one_asset_and_a_large_one_is_many() -> None:
    assert lent(search("203.0.113.8/29"), port_scan()) == [[15], [10]]
    assert lent(search(RANGE), port_scan()) == [[0], [5]]
    assert lent(search("203.0.113.16/28"), port_scan()) == UNJOINED
    assert lent(finding("Reverse_Sweep", RANGE, points=55), port_scan()) == [[0], [5]]


def test_ipv6_joins_alike() -> None:
    assert lent(search("2001:db8:acc:113::10"), port_scan("2001:db8:acc:113::10")) == [[15], [10]]
    assert lent(search("2001:db8:acc:113::/64"), port_scan("2001:db8:acc:113::10")) == [[0], [5]]
    assert lent(search("2001:db8:acc:114::/64"), port_scan("2001:db8:acc:113::10")) == UNJOINED


def test_a_scan_of_every_address_is_named_and_weighs_nothing_however_grave() -> None:
    every = [f"203.0.113.{n}" for n in range(256)]
    for points in (15, 25, 35):
        assert lent(search(WEB), address_scan(*every, points=points)) == [[0], [0]]
    assert lent(search("203.0.113.200"), address_scan(*every[:100])) == UNJOINED


def test_a_scan_of_all_ports_of_every_address_chose_none_of_them() -> None:
    assert lent(search(WEB), *(port_scan(f"203.0.113.{n}") for n in range(3, 11)))[0] == [15]
    assert lent(search(WEB), *(port_scan(f"203.0.113.{n}") for n in range(3, 12)))[0] == [0]
    several = [port_scan(f"203.0.113.{n}", by=f"192.0.2.{n}") for n in range(3, 12)]
    assert lent(search(WEB), *several)[0] == [15]
    zones = [finding("Zone_Transfer", f"zone{n}.example", ZONE, hours=2, points=30) for n in range(9)]
    assert lent(search(ZONE), *zones)[0] == [15, 0, 0]


def test_names_under_a_searched_domain_join_and_others_do_not() -> None:
    def tried(*names: str) -> Finding:
        return finding("Name_Probe", *names, hours=2)

    assert lent(search(ZONE), tried("vpn.acme-widgets.com")) == [[15], [10]]
    assert lent(search("vpn.acme-widgets.com"), tried("vpn.acme-widgets.com")) == [[15], [10]]
    assert lent(search("vpn.acme-widgets.com"), tried("www.acme-widgets.com")) == UNJOINED
    assert lent(search(ZONE), tried("notacme-widgets.com")) == UNJOINED


def test_who_asks_for_the_zone_asks_for_every_name_in_it() -> None:
    asked = finding("Zone_Transfer", ZONE, hours=2, points=30)
    assert lent(search("vpn.acme-widgets.com"), asked) == [[15], [10]]
    assert lent(search(WEB), asked) == UNJOINED


def test_a_touched_canary_weighs_at_any_score() -> None:
    assert lent(search(ZONE), finding("Canary_Touched", "staging-7f3k2q.acme-widgets.com", hours=2, points=0)) == [
        [15],
        [10],
    ]


def test_what_is_on_record_only_weighs_nothing() -> None:
    for note in ("DNS_Enumeration", "Service_Probe"):
        assert lent(search(WEB), finding(note, WEB, hours=2, points=10)) == [[0], [0]]
        assert lent(search(WEB), finding(note, WEB, hours=2, points=30)) == [[15], [10]]


def test_a_crawl_is_named_only_after_a_search_in_what_it_fills() -> None:
    def crawl(hours: float, service: str = "shodan") -> Finding:
        return finding("Scanner_Crawl", WEB, hours=hours, points=5, services=(service,))

    assert lent(search(WEB), crawl(2)) == [[0], [0]]
    assert lent(search(WEB), crawl(2, "censys")) == UNJOINED
    assert lent(search(WEB), crawl(-2)) == UNJOINED
    assert lent(search("203.0.113.11"), crawl(2)) == UNJOINED


def test_a_trusted_party_and_a_scanner_of_ours_lend_no_points() -> None:
    for facts in ({"trusted": "attack-surface team"}, {"role": "scanner"}):
        assert lent(search(WEB, **facts), port_scan()) == [[0], [0]]
        assert lent(search(WEB), port_scan(**facts)) == [[0], [0]]
    assert (
        "(trusted: attack-surface team); see"
        in joined(search(WEB), port_scan(trusted="attack-surface team"))[0].reasons[-1].why
    )


def test_lookups_do_not_join_with_lookups_nor_probes_with_probes() -> None:
    assert lent(search(WEB), search(WEB, by="10.20.1.12")) == UNJOINED
    assert lent(port_scan(), port_scan(by="192.0.2.67")) == UNJOINED


def test_many_probes_weigh_as_one_and_three_are_named() -> None:
    probes = [port_scan(hours=2 + n, by=f"192.0.2.{n}") for n in range(10)]
    after = joined(search(WEB), *probes)[0]
    assert [reason.points for reason in after.reasons[1:]] == [15, 0, 0, 0]
    assert named(after) == [probe.id for probe in probes[:3]]
    assert after.reasons[-1].why == "at least 7 more notices are about the same assets"


def test_the_weightiest_is_named_first() -> None:
    scans = [address_scan(WEB, hours=1, by=f"192.0.2.{n}") for n in range(5)]
    aimed = port_scan(hours=5)
    assert named(joined(search(WEB), *scans, aimed)[0])[0] == aimed.id


def test_evidence_stays_within_twenty_and_reasons_keep_pointing_at_theirs() -> None:
    probes = [port_scan(hours=2 + n, by=f"192.0.2.{n}", pieces=20) for n in range(3)]
    after = joined(search(WEB, pieces=20), *probes)[0]
    assert len(after.evidence) == 20
    own = [after.evidence[n - 1].detail for n in after.reasons[0].evidence]
    assert own == [f"Targeted_Search {n}" for n in (*range(7), *range(13, 20))]
    for reason, probe in zip(after.reasons[1:], probes, strict=True):
        assert [after.evidence[n - 1] for n in reason.evidence] == list(probe.evidence[:2])
    assert after.evidence_total == 26


def test_a_reason_that_rests_on_one_piece_still_rests_on_it() -> None:
    looked = search(WEB, pieces=20)
    looked = msgspec.structs.replace(looked, reasons=(Reason(40, "first", (1,)), Reason(5, "last", (10, 20))))
    after = joined(looked, port_scan(pieces=4))[0]
    assert [after.evidence[n - 1].detail for n in after.reasons[0].evidence] == ["Targeted_Search 0"]
    assert [after.evidence[n - 1].detail for n in after.reasons[1].evidence] == ["Targeted_Search 19"]


def test_the_other_side_of_a_notice_is_told_from_its_own_evidence() -> None:
    looked = search(WEB)
    elsewhere = msgspec.structs.replace(looked.evidence[0], dst="198.18.4.2")
    told = Desk().consider(joined(msgspec.structs.replace(looked, evidence=(elsewhere,)), port_scan())[0])
    assert told is not None
    assert {item.dst for item in told.evidence} == {"198.18.4.2", WEB}
    assert only_destination(told) == "198.18.4.2"


def test_what_joins_nothing_comes_back_as_it_was() -> None:
    alone = [search(WEB), port_scan("203.0.113.11")]
    assert all(given is back for given, back in zip(alone, joined(*alone), strict=True))


def test_only_what_names_an_asset_waits_for_others() -> None:
    assert Joining().add(search(WEB))
    assert not Joining().add(search("AS64496"))
    assert not Joining().add(finding("Database_Lookup"))


def some(count: int, seed: int) -> list[Finding]:
    chosen = random.Random(seed)
    values = [WEB, "203.0.113.11", "203.0.113.8/29", RANGE, ZONE, "vpn.acme-widgets.com"]
    notes = ["Targeted_Search", "Reverse_Sweep", "Port_Scan", "Address_Scan", "Name_Probe", "Scanner_Crawl"]
    made = [
        finding(
            chosen.choice(notes), *chosen.sample(values, chosen.randint(1, 3)), hours=chosen.randint(-100, 100),
            by=f"192.0.2.{chosen.randint(1, 9)}", points=chosen.choice([10, 30]), pieces=chosen.randint(1, 20),
            services=("shodan",),
        )
        for _ in range(count)
    ]  # fmt: skip
    return list({each.id: each for each in made}.values())


@settings(max_examples=60)
@given(
    st.integers(0, 10_000), st.sampled_from([5, joining.MOST_NOTICES]), st.sampled_from([10, joining.MOST_RUNS]),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_order_of_arrival_changes_nothing(seed: int, most: int, runs: int, shuffle: random.Random) -> None:
    findings = some(60, seed)
    disordered = list(findings)
    shuffle.shuffle(disordered)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(joining, "MOST_RUNS", runs)
        rooms = Joining(most), Joining(most)
        for room, arrivals in zip(rooms, (findings, disordered), strict=True):
            for each in arrivals:
                room.add(each)
        assert [rooms[0].joined(each) for each in findings] == [rooms[1].joined(each) for each in findings]
        assert rooms[0].dropped == rooms[1].dropped


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_what_is_found_by_places_is_what_comparing_each_with_each_finds(seed: int) -> None:
    findings = some(25, seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(joining, "MOST_NAMED", 100)
        patched.setattr(joining, "TAKEN", 0)
        told = {each.id: set(named(each)) for each in joined(*findings)}
        for one in findings:
            for other in findings:
                alone = one.direction != other.direction and bool(named(joined(one, other)[0]))
                assert alone == (other.id in told[one.id])
                assert (other.id in told[one.id]) == (one.id in told[other.id])


def test_findings_may_be_joined_again_after_more_have_come() -> None:
    room, looked, probed = Joining(), search(WEB, closing=False), port_scan()
    room.add(looked)
    assert room.joined(looked) is looked
    room.add(probed)
    assert named(room.joined(looked)) == [probed.id]
    room.add(search(WEB, points=45))
    assert named(room.joined(probed)) == [looked.id]


def test_beyond_the_bound_the_gravest_are_compared_and_the_rest_is_counted() -> None:
    room = Joining(most_notices=10)
    scans = [address_scan(WEB, by=f"198.18.0.{n}") for n in range(99)]
    for each in (*scans[:50], port_scan(), *scans[50:]):
        room.add(each)
    assert lent(search(WEB)) == [[]]
    assert named(room.joined(search(WEB)))[0] == port_scan().id
    assert room.dropped == 90


def test_places_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MOST_PLACES", 4)
    room = Joining()
    for n in range(10):
        room.add(port_scan(f"203.0.113.{n}", by=f"192.0.2.{n}", points=30 - n))
    assert named(room.joined(search("203.0.113.0"))) == [port_scan("203.0.113.0", by="192.0.2.0").id]
    assert named(room.joined(search("203.0.113.9"))) == []
    assert room.dropped == 8


def test_a_range_that_holds_ours_stands_for_ours_only() -> None:
    assert run_of(target("203.0.0.0/16")) == run_of(target(RANGE))
    assert run_of(Target("range", "203.0.113.8-203.0.113.9", RANGE)) is None
    assert run_of(Target("ip", WEB, "a name")) is not None


def test_runs_that_touch_are_one_and_versions_never_meet() -> None:
    four = [run_of(target(f"203.0.113.{n}")) for n in (9, 10, 12)]
    six = run_of(Target("range", "::/0", "::/0"))
    assert [b - a + 1 for a, b in runs(filter(None, four))] == [2, 1]
    assert six is not None
    assert not overlap(runs(filter(None, four)), (six,))
    assert len(list(blocks(filter(None, four)))) == 1


@given(st.lists(st.integers(0, 200), max_size=40), st.lists(st.integers(0, 200), max_size=3))
def test_lists_of_runs_meet_where_their_addresses_do(these: list[int], those: list[int]) -> None:
    mine, its = (runs((n, n + n % 3) for n in each) for each in (these, those))
    members = [{n for first, last in each for n in range(first, last + 1)} for each in (mine, its)]
    assert overlap(mine, its) == overlap(its, mine) == bool(members[0] & members[1])


ROWS = {
    "http.log": [
        {
            "ts": NOON, "uid": "CSearch", "id.orig_h": HOST, "id.orig_p": 51000, "id.resp_h": "198.18.4.2",
            "id.resp_p": 80, "method": "GET", "host": "api.shodan.io", "uri": f"/shodan/host/{WEB}?key=secret",
        },
    ],
    "conn.log": [
        {
            "ts": NOON + 2 * HOUR + port, "uid": f"C{port}", "id.orig_h": STRANGER, "id.orig_p": 40000,
            "id.resp_h": WEB, "id.resp_p": port, "proto": "tcp", "duration": 0.1, "conn_state": "REJ",
            "history": "Sr", "orig_pkts": 1, "orig_ip_bytes": 44, "resp_pkts": 1, "resp_ip_bytes": 40,
        }
        for port in range(20, 60)
    ],
}  # fmt: skip


def logs(folder: Path, names: Iterable[str] = tuple(ROWS)) -> Path:
    for name in names:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]))
    return folder


@pytest.mark.parametrize("funnel", [True, False])
def test_in_zeek_s_logs_both_notices_name_each_other(tmp_path: Path, funnel: bool) -> None:
    told = {n.note: n for n in Replay([logs(tmp_path)], load(), SITE, funnel=funnel).notices()}
    looked, probed = told["Targeted_Search"], told["Port_Scan"]
    assert (named(looked), named(probed)) == ([probed.id], [looked.id])
    assert named(told["Database_Lookup"]) == []
    assert (looked.score, looked.verdict) == (55, "investigate")
    assert [item.detail for item in probed.evidence][-1].startswith("GET /shodan/host/203.0.113.10")
    assert "secret" not in repr(told)


def test_either_log_alone_gives_the_same_notices_without_the_other_s_points(tmp_path: Path) -> None:
    both = {n.row: n for n in Replay([logs(tmp_path)], load(), SITE).notices()}
    for name in ROWS:
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        for notice in Replay([logs(folder, [name])], load(), SITE).notices():
            assert named(notice) == []
            assert both[notice.row].id == notice.id
            assert both[notice.row].rev == notice.rev


def test_the_account_tells_of_notices_that_were_too_many(tmp_path: Path) -> None:
    run = Replay([logs(tmp_path)], load(), SITE)
    run._rooms.joining = Joining(most_notices=0)
    assert {named(notice) == [] for notice in run.notices()} == {True}
    assert "2 notices were too many to see which lookups and probes belong together" in run.account()


def test_explain_shows_the_other_notice_and_its_evidence(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"owned: {{domains: [{ZONE}], ranges: [{RANGE}]}}\ninside: [10.0.0.0/8]\n")
    (tmp_path / "logs").mkdir()
    replayed = CliRunner().invoke(
        main, ["replay", str(logs(tmp_path / "logs")), "--site", str(site), "--format", "jsonl"]
    )
    notices = {each["note"]: each for each in map(json.loads, replayed.stdout.splitlines())}
    looked, probed = notices["Targeted_Search"], notices["Port_Scan"]
    assert looked["reasons"][-1]["notice"] == probed["id"]
    assert "notice" not in looked["reasons"][0]
    (tmp_path / "out.jsonl").write_text(replayed.stdout)
    shown = CliRunner().invoke(main, ["explain", looked["id"], "--from", str(tmp_path / "out.jsonl")]).stdout
    assert f"+15  after this search, from 2026-11-24 14:00 UTC on: {probed['msg']}; see {probed['id']}" in shown
    assert f"conn {STRANGER} -> {WEB}" in shown
