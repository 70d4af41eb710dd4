"""A bait is touched: by whom, how, from which side, and which database gave it away."""

import dataclasses
from typing import Any

import pytest
from tests.detectors.probes import assert_any_order, last_words, one
from tests.story import HOST, RESOLVER, SITE, STRANGER, UPSTREAM, WEB, probe, query

from reconwatch.detectors.canary_touched import CanaryTouched
from reconwatch.probing import Probing
from reconwatch.sightings import Bait, Probe, Scanned
from reconwatch.site import Canary

NAME = "staging-7f3k2q.acme-widgets.com"
BAIT = Bait("name", NAME, "certificate transparency")
ADDRESS = Bait("address", "203.0.113.77", "Shodan")
PATH = Bait("path", "/intranet-7f3k2q", None)
CENSYS = Scanned("censys", "Censys", "Censys", ("censys",), "database", ("range",), True)


def touch(at: float = 0, kind: str = "tls", bait: Bait = BAIT, **facts: Any) -> Probe:
    facts = {"name": NAME, "zone": "acme-widgets.com"} | facts if bait.kind == "name" else facts
    return probe(at, kind=kind, canaries=(bait,), **facts)


def inside(at: float = 0, kind: str = "dns", **facts: Any) -> Probe:
    return touch(at, kind, **{"client": HOST, "server": UPSTREAM, "asset": None, "inside": True} | facts)


def test_a_stranger_who_says_the_bait_s_name_is_escalated_and_the_leak_is_named() -> None:
    notice = one(CanaryTouched(), [touch()])
    assert (notice.verdict, notice.direction, notice.techniques) == ("escalate", "probe", ("T1596.003",))
    assert notice.row == ("Canary_Touched", STRANGER, (), (NAME,))
    assert notice.reasons[0].why == (
        "used a bait name, which only a database gives away (planted: certificate transparency)"
    )
    assert notice.msg == f"{STRANGER} used the bait {NAME} (planted: certificate transparency)"
    assert "canary new" in notice.next[-1]


@pytest.mark.parametrize("kind", ["tls", "quic", "http", "http2"])
def test_every_way_to_say_the_name_escalates(kind: str) -> None:
    assert one(CanaryTouched(), [touch(kind=kind)]).verdict == "escalate"


def test_a_bare_question_of_a_stranger_is_investigated() -> None:
    notice = one(CanaryTouched(), [touch(kind="dns", server="203.0.113.53", port=53)])
    assert (notice.verdict, notice.count, notice.counted) == ("investigate", 1, "queries")
    assert notice.msg.startswith(f"{STRANGER} asked for the bait")


def test_a_touch_from_our_own_side_is_a_lookup() -> None:
    notice = one(CanaryTouched(), [inside(), inside(1, "tls")])
    assert (notice.direction, notice.verdict, notice.actor.ip) == ("lookup", "investigate", HOST)


def test_one_detector_tells_both_directions_in_one_run() -> None:
    assert sorted(n.direction for n in last_words(CanaryTouched(), [inside(), touch()])) == ["lookup", "probe"]


def test_a_resolver_stands_for_its_clients() -> None:
    notice = one(CanaryTouched(), [inside(client=RESOLVER, role="resolver")])
    assert notice.reasons[-1].why == "stands for its clients: a resolver"


def test_a_trusted_party_s_touch_is_kept_with_its_reason() -> None:
    notice = one(CanaryTouched(), [touch(trusted="attack-surface team")])
    assert (notice.verdict, notice.reasons[-1].why) == ("monitor", "trusted: attack-surface team")


def test_retries_of_one_day_are_one_notice_and_the_next_day_is_another() -> None:
    retries = [inside(n, qtype=qtype) for n, qtype in enumerate((1, 28, 65, 1))]
    assert one(CanaryTouched(), retries).count == 4
    assert len(last_words(CanaryTouched(), [*retries, inside(86_400)])) == 2


def test_what_is_counted_is_the_best_layer_seen() -> None:
    notice = one(CanaryTouched(), [touch(0, "dns"), touch(1, "dns"), touch(2), touch(3, "http"), touch(4)])
    assert (notice.count, notice.counted) == (1, "http requests")


def test_two_baits_are_two_notices() -> None:
    other = Bait("name", "uat-3m9x4t.acme-widgets.com", "WHOIS")
    both = probe(0, kind="tls", name=NAME, zone="acme-widgets.com", canaries=(BAIT, other))
    assert sorted(n.techniques for n in last_words(CanaryTouched(), [both])) == [("T1596.002",), ("T1596.003",)]


@pytest.mark.parametrize(
    ("planted", "technique"),
    [
        ("certificate transparency", "T1596.003"), ("CT", "T1596.003"), ("passive DNS", "T1596.001"),
        ("WHOIS", "T1596.002"), ("reverse DNS", "T1596.001"), ("Shodan", "T1596.005"), ("the wiki", "T1596"),
        (None, "T1596"), ("contact form", "T1596"),
    ],
)  # fmt: skip
def test_where_it_was_planted_says_which_kind_of_database(planted: str | None, technique: str) -> None:
    assert one(CanaryTouched(), [touch(bait=Bait("name", NAME, planted))]).techniques == (technique,)


def test_a_database_s_crawler_that_comes_for_the_bait_is_on_record_only() -> None:
    notice = one(CanaryTouched(), [touch(client="162.142.125.10", scanner=CENSYS)])
    assert notice.verdict == "monitor"
    assert "crawler of Censys" in notice.reasons[1].why


def test_a_connection_to_a_bait_address_may_be_a_sweep_and_is_investigated() -> None:
    notice = one(CanaryTouched(), [touch(kind="conn", bait=ADDRESS, server=ADDRESS.value, proto="tcp", opening=True)])
    assert (notice.verdict, notice.techniques) == ("investigate", ("T1596.005",))
    assert notice.row[3] == (ADDRESS.value,)


def test_a_reply_to_a_bait_address_or_the_bait_s_own_doing_is_no_touch() -> None:
    backscatter = touch(kind="conn", bait=ADDRESS, server=ADDRESS.value, proto="tcp", opening=False)
    itself = touch(kind="dns", bait=ADDRESS, client=ADDRESS.value, server=UPSTREAM, asset=None, inside=True)
    assert last_words(CanaryTouched(), [backscatter, itself]) == []


def test_a_bait_path_is_touched_on_our_servers_only() -> None:
    ours = touch(kind="http", bait=PATH, uri=PATH.value)
    notice = one(CanaryTouched(), [ours, inside(1, "http", bait=PATH, name="other.example", zone=None)])
    assert (notice.row[3], notice.verdict, notice.techniques) == ((WEB,), "escalate", ("T1596",))
    assert "does not say where it was planted" in notice.msg


def test_a_question_of_our_own_staff_becomes_a_lookup_by_the_site_alone() -> None:
    canary = Canary("name", NAME, "certificate transparency")
    probing = Probing(dataclasses.replace(SITE, canaries=(canary,)))
    asked = [query(0, NAME), query(1, NAME, client=RESOLVER), query(2, "www.acme-widgets.com")]
    touched = [event for event in asked if probing.touches_bait(event)]
    notices = last_words(CanaryTouched(), probing.probes(touched))
    assert sorted((n.actor.ip, n.direction, n.verdict) for n in notices) == [
        (RESOLVER, "lookup", "investigate"), (HOST, "lookup", "investigate"),
    ]  # fmt: skip


def test_a_probe_without_a_bait_is_nothing() -> None:
    assert last_words(CanaryTouched(), [probe(kind="tls", name="www.acme-widgets.com")]) == []


def test_the_order_of_arrival_changes_nothing() -> None:
    probes = [touch(n, kind) for n, kind in enumerate(["dns", "tls", "http", "dns"] * 8)]
    probes += [inside(n * 40_000.0) for n in range(9)]
    probes += [touch(n, client="192.0.2.9", trusted="team" if n % 2 else None) for n in range(6)]
    assert_any_order(CanaryTouched(), probes)
