"""What the four lookup detectors say, and what they keep silent about."""

from collections.abc import Iterable

import msgspec
import pytest
from tests.story import HOST, NOON, sighting

from reconwatch.desk import Desk
from reconwatch.detectors import detectors
from reconwatch.detectors.runner import Runner
from reconwatch.notices import Notice
from reconwatch.sightings import Sighting


def emitted(sightings: Iterable[Sighting]) -> list[Notice]:
    """Every emission, in order."""
    runner, desk = Runner(detectors()), Desk()
    findings = [finding for each in sightings for finding in runner.observe(each)] + list(runner.close())
    return [notice for finding in findings if (notice := desk.consider(finding)) is not None]


def last_words(sightings: Iterable[Sighting]) -> dict[str, Notice]:
    """Note -> its last emission; one actor and at most one notice of each note."""
    return {notice.note: notice for notice in emitted(sightings)}


# Database_Lookup


def test_a_visit_is_one_low_notice_per_service_and_day() -> None:
    notices = emitted([sighting(0), sighting(60), sighting(0, service="crt-sh"), sighting(86_400)])
    closed = [notice for notice in notices if notice.state == "closed"]
    assert [(n.note, n.services, n.count, n.verdict) for n in closed] == [
        ("Database_Lookup", ("crt-sh",), 1, "monitor"),
        ("Database_Lookup", ("shodan",), 2, "monitor"),
        ("Database_Lookup", ("shodan",), 1, "monitor"),
    ]


def test_a_name_only_resolved_says_so() -> None:
    notice = last_words([sighting(counted="dns names", connected=False)])["Database_Lookup"]
    assert notice.msg == f"{HOST} resolved the name of Shodan"
    assert notice.score == 3


# Targeted_Search


def test_a_search_that_names_us_is_investigated_and_says_why() -> None:
    notice = last_words([sighting(targets=("203.0.113.10",))])["Targeted_Search"]
    assert (notice.verdict, notice.score, notice.row) == (
        "investigate", 40, ("Targeted_Search", HOST, ("shodan",), ("203.0.113.10",)),
    )  # fmt: skip
    assert notice.reasons[0].why == "asks a scan database about 203.0.113.10"
    assert notice.reasons[0].evidence == (1,)
    assert notice.next


def test_a_visit_that_names_nobody_of_ours_is_no_targeted_search() -> None:
    assert set(last_words([sighting()])) == {"Database_Lookup"}


def test_one_whois_of_our_domain_stays_on_record_only() -> None:
    notice = last_words([sighting(technique="T1596.002", targets=("203.0.113.10",))])["Targeted_Search"]
    assert notice.verdict == "monitor"


def test_the_volume_of_targeted_searches_escalates() -> None:
    searches = [sighting(n * 60, targets=(f"203.0.113.{n}",)) for n in range(12)]
    notice = last_words(searches)["Targeted_Search"]
    assert (notice.verdict, notice.count, len(notice.targets)) == ("escalate", 12, 12)


def test_a_trusted_party_s_search_is_kept_with_its_reason() -> None:
    searches = [sighting(n * 60, targets=(f"203.0.113.{n}",), trusted="attack-surface team") for n in range(12)]
    notice = last_words(searches)["Targeted_Search"]
    assert notice.verdict == "monitor"
    assert (notice.reasons[-1].points, notice.reasons[-1].why) == (-60, "trusted: attack-surface team")


def test_trust_that_ends_within_the_day_divides_the_notices() -> None:
    notices = emitted([sighting(0, targets=("203.0.113.1",), trusted="team"), sighting(60, targets=("203.0.113.1",))])
    closed = [n for n in notices if n.note == "Targeted_Search" and n.state == "closed"]
    assert sorted((n.verdict, n.actor.trusted) for n in closed) == [("investigate", None), ("monitor", "team")]


# Bulk_Search


def test_forty_requests_in_a_minute_are_bulk_and_say_what_was_counted() -> None:
    notice = last_words([sighting(count=40, counted="http requests")])["Bulk_Search"]
    assert (notice.verdict, notice.count, notice.counted) == ("investigate", 40, "http requests")
    assert notice.reasons[0].why == "40 http requests within 10 minutes (threshold 30)"


def test_the_same_forty_over_a_day_are_not() -> None:
    assert "Bulk_Search" not in last_words(
        sighting(n * 1000 + n * 7919 % 900, counted="http requests") for n in range(40)
    )


def test_volume_adds_up_over_visits_and_minutes_but_not_over_units() -> None:
    by_requests = [sighting(n * 50, count=5, counted="http requests") for n in range(8)]
    assert last_words(by_requests)["Bulk_Search"].count == 40
    mixed = [sighting(n * 50, count=5, counted=("http requests", "connections")[n % 2]) for n in range(8)]
    assert "Bulk_Search" not in last_words(mixed)


def test_a_visit_every_hour_on_the_dot_is_a_monitor_not_scraping() -> None:
    notice = last_words(sighting(n * 1800) for n in range(20))["Bulk_Search"]
    assert (notice.verdict, notice.count, notice.counted) == ("monitor", 20, "visits")


def test_a_person_s_uneven_visits_are_neither() -> None:
    assert "Bulk_Search" not in last_words(
        sighting(at) for at in (0, 90, 400, 420, 3000, 3060, 9000, 9001, 9500, 12000, 12900, 20000, 22000)
    )


def test_a_long_session_that_was_cut_is_no_timer() -> None:
    cut = [msgspec.structs.replace(sighting(n * 300), continues=n > 0) for n in range(20)]
    assert "Bulk_Search" not in last_words(cut)


def test_a_burst_is_counted_in_the_minutes_it_fell_into() -> None:
    late = msgspec.structs.replace(sighting(0, count=20, counted="http requests"), minutes=((int(NOON // 60) + 4, 20),))
    found = last_words([late, sighting(13 * 60, count=20, counted="http requests")])
    assert found["Bulk_Search"].count == 40


def test_the_same_names_again_are_no_volume() -> None:
    polled = [
        msgspec.structs.replace(sighting(n * 31, counted="dns names", count=2), names=("a", "b")) for n in range(60)
    ]
    assert "investigate" not in {notice.verdict for notice in last_words(polled).values()}
    many = [msgspec.structs.replace(sighting(n * 15, counted="dns names"), names=(f"{n}.x",)) for n in range(40)]
    assert last_words(many)["Bulk_Search"].counted == "dns names"


def test_the_lowest_thresholds_a_site_may_write_upset_nothing() -> None:
    runner = Runner(detectors({"Bulk_Search": {"visits": 1, "requests": 0.5, "evenness": 5}}))
    found = [finding for n in range(3) for finding in runner.observe(sighting(n * 60, counted="http requests"))]
    assert [finding.count for finding in found if finding.note == "Bulk_Search"] == [1, 2, 3]
    assert list(runner.close())


def test_a_proxy_s_volume_is_its_clients() -> None:
    assert set(last_words([sighting(count=400, counted="http requests", role="proxy")])) == {"Database_Lookup"}


# Enumeration_Sweep

SERVICES = ("binaryedge", "censys", "crt-sh", "fofa", "shodan", "zoomeye")


def test_many_databases_in_ten_minutes_are_a_sweep() -> None:
    notice = last_words(sighting(n * 60, service=service) for n, service in enumerate(SERVICES))["Enumeration_Sweep"]
    assert notice.services == SERVICES
    assert (notice.verdict, notice.count, notice.counted) == ("investigate", 6, "services")
    assert len(notice.evidence) == 6


def test_the_same_databases_over_an_afternoon_are_none() -> None:
    assert "Enumeration_Sweep" not in last_words(sighting(n * 600, service=each) for n, each in enumerate(SERVICES))


def test_names_only_resolved_earn_nothing() -> None:
    assert "Enumeration_Sweep" not in last_words(
        sighting(n, service=service, counted="dns names", connected=False) for n, service in enumerate(SERVICES)
    )


def test_services_that_everybody_contacts_earn_nothing() -> None:
    assert "Enumeration_Sweep" not in last_words(
        sighting(n, service=each, strong=False) for n, each in enumerate(SERVICES)
    )


def test_a_sweep_over_midnight_is_seen_whole_and_once() -> None:
    midnight = 12 * 3600
    notices = emitted(sighting(midnight - 150 + n * 60, service=service) for n, service in enumerate(SERVICES))
    closed = [n for n in notices if n.note == "Enumeration_Sweep" and n.state == "closed"]
    assert [n.services for n in closed] == [SERVICES]


def test_a_sweep_before_midnight_belongs_to_its_day_only() -> None:
    midnight = 12 * 3600
    notices = emitted(sighting(midnight - 400 + n * 10, service=service) for n, service in enumerate(SERVICES))
    assert len([n for n in notices if n.note == "Enumeration_Sweep" and n.state == "closed"]) == 1


def test_a_sweep_that_names_us_of_three_sub_techniques_escalates() -> None:
    techniques = ("T1596.001", "T1596.003", "T1596.005")
    notice = last_words(
        sighting(n, service=service, technique=techniques[n % 3], targets=("203.0.113.10",))
        for n, service in enumerate(SERVICES)
    )["Enumeration_Sweep"]
    assert notice.verdict == "escalate"
    assert notice.techniques == techniques


# revisions


def test_a_notice_is_said_again_only_when_there_is_news() -> None:
    revs = [
        (n.rev, n.state, n.count) for n in emitted(sighting(n * 60) for n in range(9)) if n.note == "Database_Lookup"
    ]
    assert revs == [(1, "open", 1), (2, "update", 2), (3, "update", 4), (4, "update", 8), (5, "closed", 9)]


def test_a_new_target_and_a_new_verdict_are_news() -> None:
    searches = [sighting(n * 60, targets=(f"203.0.113.{n % 2}",)) for n in range(3)]
    revs = [(n.rev, n.count, n.state) for n in emitted(searches) if n.note == "Targeted_Search"]
    assert revs == [(1, 1, "open"), (2, 2, "update"), (3, 3, "closed")]


def test_the_id_depends_on_the_behaviour_and_its_window_not_on_the_evidence() -> None:
    (first,) = {n.id for n in emitted([sighting(0)])}
    (again,) = {n.id for n in emitted([sighting(3600, count=7)])}
    (tomorrow,) = {n.id for n in emitted([sighting(86_400)])}
    assert first == again != tomorrow
    assert first.startswith("rw-")


def test_who_waits_for_the_last_words_is_told_the_same_ones_with_the_same_revisions() -> None:
    searches = [sighting(n * 60, service=f"s{n % 3}", targets=(f"203.0.113.{n % 9}",)) for n in range(40)]
    runner, desk = Runner(detectors()), Desk(last_words=True)
    findings = [finding for each in searches for finding in runner.observe(each)] + list(runner.close())
    told = [notice for finding in findings if (notice := desk.consider(finding)) is not None]
    assert told == [notice for notice in emitted(searches) if notice.state == "closed"]
    assert max(notice.rev for notice in told) > 2


def test_the_threshold_of_the_site_is_used() -> None:
    runner = Runner(detectors({"Bulk_Search": {"requests": 5}}))
    found = list(runner.observe(sighting(count=6, counted="http requests")))
    assert {finding.note for finding in found} == {"Database_Lookup", "Bulk_Search"}


def test_a_sighting_for_a_closed_window_is_counted_and_changes_nothing() -> None:
    runner = Runner(detectors())
    list(runner.observe(sighting(0)))
    list(runner.advance(NOON + 5 * 86_400))
    assert list(runner.observe(sighting(60))) == []
    assert runner.late > 0


def test_states_in_memory_are_bounded_and_those_on_disk_forget_nothing() -> None:
    searches = [sighting(n * 10, actor=f"10.20.1.{n % 60}", targets=(f"203.0.113.{n % 200}",)) for n in range(900)]

    def told(most_states: int) -> dict[str, Notice]:
        runner, desk = Runner(detectors(), most_states), Desk()
        last: dict[str, Notice] = {}
        for each in searches:
            for finding in runner.observe(each):
                desk.consider(finding)
            assert len(runner._states._near) <= most_states
        for finding in runner.close():
            notice = desk.consider(finding)
            assert notice is not None
            assert notice.id not in last
            last[notice.id] = notice
        return last

    assert told(20) == told(100_000)


@pytest.mark.parametrize("count", [29, 30])
def test_the_bulk_threshold_is_inclusive(count: int) -> None:
    assert ("Bulk_Search" in last_words([sighting(count=count, counted="http requests")])) == (count == 30)
