"""The logs that a real Squid wrote beside a capture of the same traffic: the same lookups, nothing counted twice.

They lie beside the developers' checkouts; a clone alone skips this file and has `sources/textlog/samples`.
"""

from __future__ import annotations

from functools import lru_cache

import pytest

from reconwatch.catalog.load import load
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.conftest import SHARED

pytestmark = pytest.mark.usefixtures("shared_captures")

LOGS = ("squid-native.log", "squid-combined.log")
CAPTURE = "capture.pcap"
ENGINES = ("zeek-tsv", "zeek-json", "suricata7", "suricata8")
WORKSTATION, EARLIER = "10.20.1.12", "10.20.1.11"
"""Who is in the capture; and who asked before it began, so that only the logs know of it."""

WITHOUT_QUERY = {("Targeted_Search", WORKSTATION, ("viewdns",), ("acme-widgets.com",))}
"""Searches that stand behind the question mark, which Squid leaves out of its logs (`strip_query_terms`)."""

CATALOG = load()


@lru_cache(maxsize=64)
def replayed(*inputs: str, funnel: bool = True) -> dict[object, Notice]:
    site = load_site(SHARED / "captures" / "site.yaml")
    run = Replay([SHARED / "captures" / "proxy" / each for each in inputs], CATALOG, site, funnel=funnel)
    notices = {notice.row: notice for notice in run.notices()}
    assert not [each.path for each in run.accounts if each.skipped and not each.passed_over]
    return notices


def amounts(notices: dict[object, Notice], actor: str = WORKSTATION) -> dict[object, tuple[int, str, int]]:
    return {row: (each.count, each.counted, each.score) for row, each in notices.items() if each.actor.ip == actor}


@pytest.mark.parametrize("log", LOGS)
def test_a_log_gives_the_lookups_of_the_capture_as_far_as_it_shows_them(log: str) -> None:
    by_log, by_capture = amounts(replayed(log)), amounts(replayed(CAPTURE))
    assert by_log.keys() == by_capture.keys() - WITHOUT_QUERY
    assert {row: by_capture[row] for row in by_log} == by_log


@pytest.mark.parametrize("log", LOGS)
def test_the_client_is_the_workstation_and_not_the_proxy(log: str) -> None:
    assert {notice.actor.ip for notice in replayed(log).values()} == {WORKSTATION, EARLIER}


@pytest.mark.parametrize("log", LOGS)
def test_the_funnel_and_the_oracle_tell_the_same(log: str) -> None:
    assert replayed(log) == replayed(log, funnel=False)


@pytest.mark.parametrize("inputs", [LOGS[:1], LOGS[1:], LOGS, (*LOGS, *ENGINES)])
def test_beside_the_capture_and_each_other_nothing_is_counted_twice(inputs: tuple[str, ...]) -> None:
    together = replayed(CAPTURE, *inputs)
    assert amounts(together) == amounts(replayed(CAPTURE))
    assert amounts(together, EARLIER) == amounts(replayed(LOGS[0]), EARLIER)


@pytest.mark.parametrize("log", LOGS)
def test_the_log_is_named_among_the_witnesses(log: str) -> None:
    source = "squid" if log == "squid-native.log" else "combined"
    evidence = [each for notice in replayed(CAPTURE, log).values() for each in notice.evidence]
    assert any(source in each.source.split("+") and "capture" in each.source.split("+") for each in evidence)
