"""Scans: what makes one, what is none, and how many there are."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from tests.story import NOON

from reconwatch.detectors import contacts as table
from reconwatch.detectors.contacts import Contacts
from reconwatch.detectors.scans import Scans
from reconwatch.detectors.sketch import Rows, Tried, packed, text
from reconwatch.notices import Finding, verdict_of
from reconwatch.sightings import Actor

STRANGER = "192.0.2.66"
ROLES = {"198.51.100.1": "nat", "198.51.100.2": "balancer"}

Step = tuple[float, str, str, int | None, str, bool]
"""(seconds past noon, client, server, port, protocol, whether it was no conversation)."""


def tried(after: float, client: str, server: str, port: int | None = 443, proto: str = "tcp") -> Step:
    return after, client, server, port, proto, True


def talked(after: float, client: str, server: str, port: int = 443) -> Step:
    return after, client, server, port, "tcp", False


def ours(number: int) -> str:
    return f"203.0.113.{number}"


def scans(
    steps: Iterable[Step],
    answering: frozenset[str] = frozenset(),
    crawlers: frozenset[str] = frozenset(),
    owned: int = 256,
) -> list[Finding]:
    contacts = Contacts(lambda told: ("zeek/conn", f"C{told}" if told % 3 else None, "TCP to port 443"), owned)
    judge = Scans(
        contacts,
        lambda ip, ts: Actor(ip, (ROLES.get(ip, "host"),), "a penetration test" if ip == "192.0.2.7" else None),
        lambda ip: "203.0.113.0/24" if ip.startswith("203.0.113.") else "2001:db8:acc::/48",
        lambda ip, ts: ip in crawlers,
    )
    for number, (after, client, server, port, proto, probing) in enumerate(steps):
        answered = not probing or server in answering
        contacts.take(NOON + after, client, contacts.number(server, proto, port), probing, answered, number)
    return sorted(
        judge.findings(),
        key=lambda finding: (finding.note, finding.actor.ip, [target.place for target in finding.targets[:1]]),
    )


def points(finding: Finding) -> int:
    return sum(reason.points for reason in finding.reasons)


def test_ten_addresses_that_were_tried_in_vain_are_a_scan() -> None:
    (scan,) = scans(tried(n, STRANGER, ours(n)) for n in range(10))
    assert (scan.note, scan.actor.ip, scan.count, scan.counted) == ("Address_Scan", STRANGER, 10, "addresses")
    assert [target.value for target in scan.targets] == [ours(n) for n in range(10)]
    assert scan.ts == NOON + 9
    assert (scan.first, scan.last) == (NOON, NOON + 9)
    assert scan.msg == f"{STRANGER} tried 10 addresses of ours (TCP 443)"
    assert len(scan.evidence) == 10
    assert [piece.uid for piece in scan.evidence[:3]] == [None, "C1", "C2"]
    assert scan.techniques == ("T1595.001",)


def test_nine_are_none() -> None:
    assert scans(tried(n, STRANGER, ours(n % 9)) for n in range(500)) == []


def test_one_probe_a_minute_for_hours_is_a_scan_too() -> None:
    (scan,) = scans(tried(150 * n, STRANGER, ours(n)) for n in range(254))
    assert scan.count == 254
    assert len(scan.evidence) == 20
    assert scan.evidence[-1].dst == ours(253)


def test_a_scan_over_midnight_is_one_a_day() -> None:
    found = scans(tried(42_000 + 100 * n, STRANGER, ours(n)) for n in range(40))
    assert [scan.count for scan in found] == [12, 28]
    assert found[0].id != found[1].id


def test_pings_and_datagrams_without_an_answer_count_like_openings() -> None:
    steps = [tried(n, STRANGER, ours(n), None, "icmp") for n in range(5)]
    steps += [tried(n, STRANGER, ours(n), 161, "udp") for n in range(5, 10)]
    (scan,) = scans(steps)
    assert scan.msg.endswith("(UDP 161, ICMP)")


def test_the_same_address_on_many_ports_is_a_port_scan() -> None:
    (scan,) = scans(
        [*(tried(port, STRANGER, ours(10), port) for port in range(1, 101)), talked(200, STRANGER, ours(10))]
    )
    assert (scan.note, scan.count, scan.counted) == ("Port_Scan", 100, "ports")
    assert [target.value for target in scan.targets] == [ours(10)]
    assert [reason.why for reason in scan.reasons][1:] == ["talked to what it found there (port 443)"]
    assert all(piece.dst == ours(10) for piece in scan.evidence)


def test_a_few_ports_of_a_few_addresses_are_neither() -> None:
    assert scans(tried(n, STRANGER, ours(n % 8), 8000 + n // 8) for n in range(8 * 14)) == []


def test_every_port_of_a_host_is_counted() -> None:
    (scan,) = scans(tried(port / 100, STRANGER, ours(10), port) for port in range(65_536))
    assert scan.count == 65_536


def test_addresses_that_answer_nobody_weigh_more() -> None:
    steps = [tried(n, STRANGER, ours(n)) for n in range(10)]
    dark = scans(steps)[0]
    lit = scans(steps, answering=frozenset(map(ours, range(10))))[0]
    assert points(dark) > points(lit)
    assert "answer nobody" in " ".join(reason.why for reason in dark.reasons)


def test_background_noise_is_no_more_than_monitor_and_coming_back_is() -> None:
    lit = frozenset(map(ours, range(10)))
    steps = [tried(n, STRANGER, ours(n)) for n in range(10)]
    assert verdict_of(points(scans(steps, answering=lit)[0])) == "monitor"
    dark_and_talked = scans([*steps, talked(60, STRANGER, ours(3))])[0]
    assert verdict_of(points(dark_and_talked)) == "investigate"


def test_visitors_are_no_scanners() -> None:
    visitors = [f"{a}.{b}.7.9" for a in range(20, 120) for b in range(50)]
    steps = [talked(n, visitor, ours(n % 5), port) for n, visitor in enumerate(visitors) for port in (80, 443)]
    # Broken visits too: each client gives up half-way now and then.
    steps += [tried(n, visitor, ours(n % 5)) for n, visitor in enumerate(visitors[::10])]
    assert scans(steps) == []


def test_who_talks_to_half_the_range_is_told_and_is_monitored() -> None:
    (scan,) = scans((talked(n, STRANGER, ours(n)) for n in range(120)), answering=frozenset(map(ours, range(120))))
    assert scan.count == 120
    assert verdict_of(points(scan)) == "monitor"


@pytest.mark.parametrize("client", sorted(ROLES))
def test_our_own_nats_and_balancers_scan_nobody(client: str) -> None:
    assert scans(tried(n, client, ours(n), 8000 + n) for n in range(100)) == []


def test_a_known_crawler_is_left_to_its_own_note() -> None:
    assert scans((tried(n, STRANGER, ours(n)) for n in range(50)), crawlers=frozenset({STRANGER})) == []


def test_a_trusted_party_is_told_with_the_reason() -> None:
    (scan,) = scans(tried(n, "192.0.2.7", ours(n)) for n in range(50))
    assert scan.actor.trusted == "a penetration test"


def test_a_network_that_shares_the_addresses_out_is_one_notice_with_members() -> None:
    (scan,) = scans(tried(n, f"192.0.2.{n % 64}", ours(n), 22) for n in range(254))
    assert scan.actor.ip == "192.0.2.0/24"
    assert len(scan.actor.members) == 64
    assert scan.count == 254
    assert "64 sources of one network shared the addresses out" in [reason.why for reason in scan.reasons]


def test_even_if_each_source_comes_once() -> None:
    (scan,) = scans(tried(n, f"192.0.2.{n}", ours(n), 22) for n in range(100))
    assert (scan.actor.ip, scan.count, len(scan.actor.members)) == ("192.0.2.0/24", 100, 100)


def test_scanners_of_one_network_that_do_the_same_are_one_notice_each() -> None:
    found = scans(tried(n, f"192.0.2.{source}", ours(n)) for source in range(5) for n in range(20))
    assert [scan.actor.ip for scan in found] == [f"192.0.2.{source}" for source in range(5)]


def test_ipv6_sources_are_one_by_their_64() -> None:
    (scan,) = scans(tried(n, f"2001:db8:5:6::{n:x}", ours(n)) for n in range(1, 30))
    assert scan.actor.ip == "2001:db8:5:6::/64"
    assert len(scan.actor.members) == 29


def test_the_order_of_arrival_changes_nothing() -> None:
    steps = [tried(n, STRANGER, ours(n)) for n in range(40)]
    steps += [tried(n, STRANGER, ours(7), 1000 + n) for n in range(40)]
    steps += [tried(n, f"198.18.7.{n % 20}", ours(n), 22) for n in range(200)]
    steps += [talked(90 + n, STRANGER, ours(n)) for n in range(3)]
    straight = scans(steps)
    assert [scan.note for scan in straight] == ["Address_Scan", "Address_Scan", "Port_Scan"]
    for seed in range(20):
        shuffled = random.Random(seed).sample(steps, len(steps))
        for one, other in zip(scans(shuffled), straight, strict=True):
            assert (one.id, one.count, one.targets, one.ts, one.first, one.last, one.actor, one.msg) == (
                other.id, other.count, other.targets, other.ts, other.first, other.last, other.actor, other.msg
            )  # fmt: skip
            assert [reason.points for reason in one.reasons] == [reason.points for reason in other.reasons]


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_ONCE", 50)
    monkeypatch.setattr(table, "MOST_SOURCES", 40)


def crowd(steps: int) -> list[Step]:
    """So many sources that each come once, in disorder; to one address, so that they are no plan."""
    clients = [f"{n % 200 + 10}.{n // 200 % 250}.{n // 50_000}.{n % 250}" for n in range(steps)]
    return [tried(n, client, ours(250), 22) for n, client in enumerate(clients)]


@pytest.mark.usefixtures("little_room")
def test_a_scanner_in_a_crowd_is_found() -> None:
    steps = crowd(3_000) + [tried(37 * n, STRANGER, ours(n)) for n in range(100)]
    random.Random(1).shuffle(steps)
    (scan,) = scans(steps)
    assert (scan.actor.ip, scan.count) == (STRANGER, 100)


@pytest.mark.usefixtures("little_room")
def test_a_port_scanner_in_a_crowd_is_found() -> None:
    steps = crowd(3_000) + [tried(37 * n, STRANGER, ours(9), 1 + n) for n in range(200)]
    random.Random(1).shuffle(steps)
    (scan,) = scans(steps)
    assert (scan.note, scan.actor.ip) == ("Port_Scan", STRANGER)
    assert 150 <= scan.count <= 200


@pytest.mark.usefixtures("little_room")
def test_more_scanners_than_can_be_kept_are_counted_all_the_same() -> None:
    steps = [tried(n, f"192.0.{source}.9", ours(n)) for n in range(30) for source in range(200)]
    random.Random(2).shuffle(steps)
    found = scans(steps)
    assert len(found) == 200
    assert {scan.count for scan in found} == {30}
    assert {len(scan.targets) for scan in found} == {30}


@pytest.mark.usefixtures("little_room")
def test_a_network_that_acts_as_one_is_found_in_a_crowd() -> None:
    steps = crowd(3_000) + [tried(n, f"192.0.2.{n}", ours(n), 22) for n in range(120)]
    random.Random(3).shuffle(steps)
    assert [(scan.actor.ip, scan.count, len(scan.actor.members)) for scan in scans(steps)] == [
        ("192.0.2.0/24", 120, 120)
    ]


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("owned", [256, 4096])
def test_it_is_one_notice_however_many_of_its_sources_are_rows(owned: int) -> None:
    plan = [tried(n, f"192.0.2.{n % 64}", ours(n), 22) for n in range(250)]
    others = [tried(n, f"198.18.9.{n}", ours(n), 23) for n in range(250)]
    steps = plan + others + crowd(500)
    random.Random(4).shuffle(steps)
    found = scans(steps, owned=owned)
    assert [scan.actor.ip for scan in found] == ["192.0.2.0/24", "198.18.9.0/24"]
    assert [len(scan.actor.members) for scan in found] == [64, 250]
    assert all(190 <= scan.count <= 300 for scan in found)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("owned", [256, 4096])
def test_visits_that_fail_where_others_succeed_are_no_plan_in_a_crowd_either(owned: int) -> None:
    steps = [talked(n, f"{n % 200 + 10}.7.{n // 200}.1", ours(n % 100)) for n in range(2_000)]
    steps += [tried(n, f"192.0.2.{n % 250}", ours(n % 100)) for n in range(0, 2_000, 20)]
    assert scans(steps, owned=owned) == []


@pytest.mark.usefixtures("little_room")
def test_visitors_in_a_crowd_take_no_room_and_are_no_scanners() -> None:
    steps = [talked(n, f"{n % 200 + 10}.{n // 200}.3.4", ours(n % 3)) for n in range(5_000)]
    assert scans(steps) == []


def test_a_sketch_of_many_addresses_is_about_right() -> None:
    rows = Rows(exact=False)
    rows.take([Tried(STRANGER, number, 443, 1.0) for number in range(400)], 4)
    (row,) = rows.tried(10)
    assert row.key == STRANGER
    assert 400 * 0.85 <= row.tried <= 400 * 1.15


def test_rows_know_their_sources_by_their_addresses() -> None:
    for key in ("0.0.0.0", "192.0.2.66", "255.255.255.255", "2001:db8:1:2::/64", "ffff:ffff:ffff:ffff::/64"):
        assert text(packed(key)) == key


def test_rows_beyond_the_bound_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconwatch.detectors.sketch.MOST_ROWS", 10)
    rows = Rows(exact=True)
    rows.take([Tried(f"192.0.2.{n}", 1, 443, 1.0) for n in range(25)], 4)
    assert (len(rows), rows.refused) == (10, 15)
    rows.take([Tried("192.0.2.1", 2, 443, 2.0)], 4)
    assert rows.bits("192.0.2.1") == 0b110
    assert rows.bits("192.0.2.24") == 0


def test_neighbours_who_do_something_else_do_not_hide_a_network_that_acts_as_one() -> None:
    plan = [tried(n, f"192.0.2.{n}", ours(n), 22) for n in range(1, 101)]
    visitor = [tried(3, "192.0.2.200", ours(10), 8080), tried(4, "192.0.2.200", ours(11), 443)]
    scanner = [tried(n, "192.0.2.201", ours(n), 22) for n in range(1, 101)]
    lone, together = scans([*plan, *visitor, *scanner])[::-1]
    assert (together.actor.ip, len(together.actor.members), together.count) == ("192.0.2.0/24", 100, 100)
    assert (lone.actor.ip, lone.count) == ("192.0.2.201", 100)


def test_visits_that_fail_where_others_succeed_are_no_plan() -> None:
    others = [talked(n, f"198.18.{n}.1", ours(n)) for n in range(100)]
    failed = [tried(n, f"192.0.2.{n}", ours(n)) for n in range(100)]
    assert scans([*others, *failed]) == []
    (scan,) = scans([*others, *(tried(n, f"192.0.2.{n}", ours(n), 22) for n in range(100))])
    assert scan.count == 100


def test_the_rows_of_many_networks_are_gone_through_in_parts_and_give_the_same_plans(monkeypatch) -> None:
    from reconwatch.detectors import sketch

    def plans(at_once: int) -> list[tuple[list[str], sketch.Row]]:
        monkeypatch.setattr(sketch, "AT_ONCE", at_once)
        rows = sketch.Rows(exact=True)
        tried = [
            sketch.Tried(f"198.51.{network}.{host}", 8 * host + n, 22, 1000.0 + n)
            for network in range(20)
            for host in range(1, 9 if network % 3 else 3)
            for n in range(4)
        ]
        rows.take(tried, 99)
        return list(rows.plans(4, 10))

    whole = plans(1 << 16)
    assert len(whole) == 13
    assert [plans(at_once) for at_once in (1, 7, 50)] == [whole] * 3
