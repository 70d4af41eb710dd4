"""What Zeek raised is told with what is found here, once; what it raised alone is told too."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from tests.conftest import ROOT
from tests.zeek.test_logs import LOGS, chunks, rooms

NOTICES = LOGS / "notices"
CAPTURES = ("bulk", "lookups", "modern", "ordinary", "probed", "trusted")

Row = tuple[str, str, tuple[str, ...], tuple[str, ...]]

NOT_THE_SAME = {
    "modern": {"Targeted_Search": "a request over HTTP/2 in clear text, which Zeek does not read"},
    "probed": {"Address_Scan": "Zeek names the addresses that were tried when the threshold was crossed"},
}


def replay(*inputs: Path, funnel: bool = True) -> tuple[list[Notice], Replay]:
    run = Replay(inputs, *rooms(), funnel=funnel)
    return list(run.notices()), run


def capture(name: str) -> Path:
    return ROOT / "pcaps" / f"{name}.pcap"


def rows(notices: list[Notice], but: str = "") -> set[Row]:
    return {notice.row for notice in notices if notice.note not in NOT_THE_SAME.get(but, {})}


def reasons(notice: Notice) -> list[str]:
    return [reason.why for reason in notice.reasons]


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("name", CAPTURES)
def test_notice_log_alone_says_what_the_capture_says(name: str, funnel: bool) -> None:
    told, run = replay(NOTICES / f"{name}.log", funnel=funnel)
    assert rows(told, name) == rows(replay(capture(name))[0], name)
    assert all(any(why.startswith("Zeek raised it: ") for why in reasons(notice)) for notice in told)
    assert run.accounts[0].dialect == "zeek/notice tsv"
    assert not run.accounts[0].skipped


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("name", CAPTURES)
def test_what_both_come_to_is_told_once_with_zeek_as_a_witness(name: str, funnel: bool) -> None:
    alone, _ = replay(capture(name))
    both, _ = replay(capture(name), NOTICES / f"{name}.log", funnel=funnel)
    assert rows(both) == rows(alone)
    assert [notice.id for notice in both] == [notice.id for notice in alone]
    seconded = [n for n in both if any(why.startswith("Zeek raised the same: ") for why in reasons(n))]
    assert {notice.note for notice in both} - {notice.note for notice in seconded} <= set(NOT_THE_SAME.get(name, {}))
    for notice in seconded:
        cited = [reason.evidence for reason in notice.reasons if reason.why.startswith("Zeek raised the same")]
        assert all(notice.evidence[n - 1].source == "zeek/notice" for each in cited for n in each)


def test_zeek_s_word_for_the_same_adds_no_points() -> None:
    alone = {notice.id: notice.score for notice in replay(capture("lookups"))[0]}
    both = {notice.id: notice.score for notice in replay(capture("lookups"), NOTICES / "lookups.log")[0]}
    assert both == alone


def test_json_says_what_tsv_says() -> None:
    by_json, _ = replay(NOTICES / "lookups-json.log")
    by_tsv, _ = replay(NOTICES / "lookups.log")
    assert rows(by_json) == rows(by_tsv)
    together, _ = replay(NOTICES / "lookups.log", NOTICES / "lookups-json.log")
    assert rows(together) == rows(by_tsv)


def test_a_lookup_that_zeek_raised_and_a_probe_seen_here_are_joined(tmp_path: Path) -> None:
    lines = (NOTICES / "lookups.log").read_text().splitlines(keepends=True)
    search = tmp_path / "notice.log"
    search.write_text("".join(line for line in lines if line[0] == "#" or "\tReconWatch::Targeted_Search\t" in line))
    told, _ = replay(search, capture("probed"))
    joined = [why for notice in told if notice.note == "Port_Scan" for why in reasons(notice)]
    assert any(why.startswith("before this probe, from ") for why in joined), joined


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
def test_another_package_s_notice_backs_what_is_told_of_its_actor_and_is_none_itself(funnel: bool) -> None:
    guessing = "Zeek raised SSH::Password_Guessing about the actor that day: 192.0.2.66 appears to be guessing"
    told, _ = replay(capture("probed"), NOTICES / "probed.log", funnel=funnel)
    for notice in told:
        backed = [reason.points for reason in notice.reasons if reason.why.startswith(guessing)]
        assert backed == ([8] if notice.actor.ip == "192.0.2.66" else []), notice
    lines = (NOTICES / "probed.log").read_text()
    assert "SSH::Password_Guessing" in lines
    assert not any("SSH" in notice.note for notice in told)


def test_another_package_s_notice_alone_is_nothing(tmp_path: Path) -> None:
    lines = (NOTICES / "probed.log").read_text().splitlines(keepends=True)
    log = tmp_path / "notice.log"
    log.write_text("".join(line for line in lines if "\tReconWatch::" not in line))
    assert replay(log)[0] == []


def test_what_reconwatch_had_raised_itself_is_no_finding(tmp_path: Path) -> None:
    text = (NOTICES / "lookups.log").read_text()
    asked = tmp_path / "asked.log"
    asked.write_text(text.replace("\ttechnique=", "\treconwatch id=rw-0123456789abcdef technique="))
    written = tmp_path / "written.log"
    written.write_text(text.replace("\ttechnique=", "\tverdict=monitor score=15 id=rw-0123456789abcdef technique="))
    for log in (asked, written):
        told, run = replay(log)
        assert told == []
        assert not run.accounts[0].skipped


@pytest.mark.parametrize("name", CAPTURES)
def test_followed_live_notice_log_says_the_same(name: str) -> None:
    live = Live(*rooms())
    told: list[Notice] = []
    for chunk in chunks(NOTICES / f"{name}.log"):
        live.read(chunk)
        told += live.notices()
        live.restore(live.state())
    told += live.finish()
    last = {notice.id: notice for notice in told}
    assert {notice.row for notice in last.values()} == rows(replay(NOTICES / f"{name}.log")[0])
    assert {notice.state for notice in last.values()} == {"closed"}


@pytest.mark.parametrize("first", ["notice.log", "reconwatch.log"])
def test_followed_live_beside_the_log_of_sightings_each_is_told_once(first: str) -> None:
    inputs = {
        "notice.log": chunks(NOTICES / "lookups.log"),
        "reconwatch.log": chunks(LOGS / "lookups" / "reconwatch.log"),
    }
    order = [*inputs[first], *(chunk for name, each in inputs.items() if name != first for chunk in each)]
    told, live = _live(order)
    assert {notice.row for notice in told.values()} == rows(replay(capture("lookups"))[0])
    assert len(told) == len(rows(list(told.values())))
    assert live.late == 0


def test_followed_live_in_any_order_each_is_told_once() -> None:
    chance = random.Random(1)
    expected = rows(replay(capture("lookups"))[0])
    for _ in range(5):
        left = [chunks(NOTICES / "lookups.log"), chunks(LOGS / "lookups" / "reconwatch.log")]
        order = []
        while any(left):
            order.append(chance.choice([each for each in left if each]).pop(0))
        told, _ = _live(order)
        assert {notice.row for notice in told.values()} == expected
        assert len(told) == len(expected)


def _live(order: list) -> tuple[dict[str, Notice], Live]:
    live = Live(*rooms())
    said: list[Notice] = []
    for chunk in order:
        live.read(chunk)
        said += live.notices()
    said += live.finish()
    return {notice.id: notice for notice in said}, live
