"""What Zeek's own feeds list (intel.log) is told as what ours list: once, with everybody who lists it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.zeek.test_logs import LOGS, chunks, rooms

from reconwatch.intel import Intelligence, load_feed
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import Feed

INTEL = LOGS / "intel"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def replay(*inputs: Path, feed: str = "", folder: Path | None = None, confidence: int = 90) -> list[Notice]:
    """The notices of indicators, the same with the funnel and without."""
    told = []
    for funnel in (True, False):
        known = None
        if folder is not None:
            (folder / "feed.txt").write_text(feed)
            loaded = load_feed(Feed(str(folder / "feed.txt"), "ours", confidence=confidence))
            known = Intelligence([loaded], rooms()[1])
        run = Replay(inputs, *rooms(), funnel=funnel, intelligence=known)
        told.append([notice for notice in run.notices() if notice.note == "Indicator_Match"])
    assert told[0] == told[1]
    return told[0]


def said(notices: list[Notice]) -> set[tuple[str, str]]:
    return {(notice.direction, notice.msg) for notice in notices}


USED = {
    ("lookup", "10.20.1.11 used the listed domain www.shodan.io (by other, zeek-feed, confidence 50)"),
    ("lookup", "10.20.0.53 asked for the listed domain www.shodan.io (by other, zeek-feed, confidence 50)"),
    ("lookup", "10.20.1.11 used the listed domain fofa.info (by zeek-feed, confidence 50)"),
    ("lookup", "10.20.0.53 asked for the listed domain fofa.info (by zeek-feed, confidence 50)"),
    ("lookup", "10.20.1.11 used the listed address 198.18.31.105 (by zeek-feed, confidence 50)"),
}


@pytest.mark.parametrize("form", ["", "-json"])
def test_people_of_ours_who_use_what_zeek_s_feeds_list(form: str) -> None:
    assert said(replay(INTEL / f"lookups{form}.log")) == USED


@pytest.mark.parametrize("form", ["", "-json"])
def test_who_is_listed_and_comes_to_us(form: str) -> None:
    [notice] = replay(INTEL / f"probed{form}.log")
    assert notice.msg == "192.0.2.66, listed itself, came to us (by block, list, confidence 50)"
    assert (notice.direction, notice.actor.ip, notice.techniques) == ("probe", "192.0.2.66", ("T1595",))
    assert {target.value for target in notice.targets} == {"203.0.113.10", "203.0.113.11", "203.0.113.53"}
    assert {each.source for each in notice.evidence} == {"zeek/intel"}


def test_an_indicator_of_both_is_one_notice_with_both(tmp_path: Path) -> None:
    capture = ROOT / "pcaps" / "probed.pcap"
    [alone] = replay(capture, feed="192.0.2.66\n", folder=tmp_path)
    [both] = replay(capture, INTEL / "probed.log", feed="192.0.2.66\n", folder=tmp_path)
    assert both.id == alone.id
    assert "by block, list, ours, confidence 90" in both.msg
    assert (both.count, both.counted, both.score) == (alone.count, alone.counted, alone.score)


def test_copies_of_one_log_are_one(tmp_path: Path) -> None:
    (tmp_path / "copy.log").write_bytes((INTEL / "probed.log").read_bytes())
    [one], [two] = replay(INTEL / "probed.log"), replay(INTEL / "probed.log", tmp_path / "copy.log")
    assert one.count == two.count == 7


@pytest.mark.parametrize("name", ["lookups", "probed"])
def test_zeek_s_own_notice_of_it_is_no_second_one(name: str) -> None:
    alone = replay(INTEL / f"{name}.log")
    both = replay(INTEL / f"{name}.log", INTEL / f"{name}-notice.log")
    assert [notice.id for notice in both] == [notice.id for notice in alone]
    assert all(any(r.why.startswith("Zeek raised the same") for r in notice.reasons) for notice in both)


def test_zeek_s_notice_alone_tells_each_indicator_by_itself() -> None:
    told = replay(INTEL / "lookups-notice.log")
    assert {notice.msg.partition(" the listed ")[2] for notice in told} == {
        msg.partition(" the listed ")[2] for _, msg in USED
    }
    assert len(told) == len(USED)


def test_followed_live_it_is_the_same() -> None:
    live = Live(*rooms())
    told: list[Notice] = []
    for chunk in chunks(INTEL / "lookups.log"):
        live.read(chunk)
        told += live.notices()
        live.restore(live.state())
    told += live.finish()
    last = {notice.id: notice for notice in told}
    assert said([notice for notice in last.values() if notice.note == "Indicator_Match"]) == USED


def test_strangers_among_themselves_are_nothing_to_us(tmp_path: Path) -> None:
    text = (INTEL / "probed.log").read_text().replace("\t203.0.113.", "\t198.51.100.")
    (tmp_path / "intel.log").write_text(text)
    assert replay(tmp_path / "intel.log") == []
