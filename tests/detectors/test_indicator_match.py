"""Somebody used, or is, what is listed: who, how sure that is, and what it is worth."""

from __future__ import annotations

from typing import Any

import pytest
from tests.detectors.probes import assert_any_order, last_words, one
from tests.story import HOST, STRANGER, UPSTREAM, WEB, probe

from reconwatch.detectors.indicator_match import IndicatorMatch
from reconwatch.sightings import Indicated, Probe


def listed(confidence: int = 90, by: str = "name", kind: str = "domain", value: str = "evil.example") -> Indicated:
    return Indicated(kind, value, confidence, ("feed",), by)


def used(at: float = 0, kind: str = "tls", found: Indicated | None = None, **facts: Any) -> Probe:
    facts = {"client": HOST, "server": UPSTREAM, "asset": None, "inside": True} | facts
    return probe(at, kind=kind, indicators=(found or listed(),), **facts)


def came(at: float = 0, kind: str = "tls", confidence: int = 90, **facts: Any) -> Probe:
    return probe(at, kind=kind, indicators=(listed(confidence, "client", "ip", STRANGER),), **facts)


@pytest.mark.parametrize(
    ("confidence", "kind", "verdict"),
    [(90, "tls", "escalate"), (90, "dns", "investigate"), (50, "tls", "investigate"), (50, "dns", "investigate"),
     (29, "tls", "monitor"), (0, "dns", "monitor")],
)  # fmt: skip
def test_our_own_hosts_are_judged_by_confidence_and_by_how_far_they_went(
    confidence: int, kind: str, verdict: str
) -> None:
    notice = one(IndicatorMatch(), [used(kind=kind, found=listed(confidence))])
    assert (notice.verdict, notice.direction, notice.actor.ip) == (verdict, "lookup", HOST)


@pytest.mark.parametrize(
    ("confidence", "kind", "verdict"), [(90, "tls", "investigate"), (90, "conn", "monitor"), (10, "tls", "monitor")]
)
def test_who_is_listed_and_comes_to_us_is_never_escalated_for_that_alone(
    confidence: int, kind: str, verdict: str
) -> None:
    facts = {"opening": True, "proto": "tcp"} if kind == "conn" else {}
    notice = one(IndicatorMatch(), [came(kind=kind, confidence=confidence, **facts)])
    assert (notice.verdict, notice.direction) == (verdict, "probe")
    assert notice.row == ("Indicator_Match", STRANGER, (), (WEB,))
    assert notice.msg == f"{STRANGER}, listed itself, came to us (by feed, confidence {confidence})"


def test_a_reply_and_what_is_nobody_s_of_ours_is_no_match() -> None:
    assert last_words(IndicatorMatch(), [came(kind="conn", opening=None, proto="tcp")]) == []
    assert last_words(IndicatorMatch(), [used(inside=False)]) == []


def test_a_notice_is_one_indicator_of_one_party_on_one_day() -> None:
    notices = last_words(
        IndicatorMatch(), [used(), used(60, "dns"), used(5, found=listed(value="b.example")), used(86_400)]
    )
    assert sorted(each.count for each in notices) == [1, 1, 1]
    assert len({each.id for each in notices}) == 3


def test_any_order_gives_the_same() -> None:
    surer = Indicated("domain", "evil.example", 95, ("other",), "name")
    assert_any_order(
        IndicatorMatch(), [used(n, ("dns", "tls", "http")[n % 3], surer if n == 7 else None) for n in range(40)]
    )
