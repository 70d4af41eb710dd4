"""The times of text logs: with and without a zone, a year, a fraction."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.textlog.reading import read, warnings

from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.stamps import Clock
from reconwatch.sources.textlog.syslog import logged, without_prefix


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


WRITTEN = at("2026-11-24T12:00:00+00:00")


@pytest.mark.parametrize(("stamp", "meant"), [
    ("1795488541", "2026-11-24T02:49:01+00:00"),
    ("1795488541.320", "2026-11-24T02:49:01.320+00:00"),
    ("24/Nov/2026:02:49:01 +0000", "2026-11-24T02:49:01+00:00"),
    ("24/Nov/2026:03:49:01 +0100", "2026-11-24T02:49:01+00:00"),
    ("23/Nov/2026:21:19:01 -0530", "2026-11-24T02:49:01+00:00"),
    ("24-Nov-2026 02:49:01.5", "2026-11-24T02:49:01.5+00:00"),
    ("2026-11-24T02:49:01Z", "2026-11-24T02:49:01+00:00"),
    ("2026-11-24T02:49:01.25+00:00", "2026-11-24T02:49:01.25+00:00"),
    ("2026-11-24 03:49:01,250+0100", "2026-11-24T02:49:01.25+00:00"),
    ("Nov 24 02:49:01", "2026-11-24T02:49:01+00:00"),
    ("Nov  4 02:49:01.5", "2026-11-04T02:49:01.5+00:00"),
    ("30/Jun/2026:23:59:60 +0000", "2026-07-01T00:00:00+00:00"),
])  # fmt: skip
def test_every_way_in_which_these_logs_write_a_time(stamp: str, meant: str) -> None:
    assert Clock(WRITTEN).epoch(stamp) == pytest.approx(at(meant), abs=1e-6)


@pytest.mark.parametrize("stamp", [
    "", "-", "24/Foo/2026:02:49:01 +0000", "31/Feb/2026:02:49:01 +0000", "24/Nov/2026:25:49:01 +0000",
    "24/Nov/2026:02:49:01 +9900", "24/Nov/2026:02:49:01 +00:99", "Feb 30 02:49:01", "1795488541.320.1", "now",
])  # fmt: skip
def test_what_is_no_time_is_none(stamp: str) -> None:
    assert Clock(WRITTEN).epoch(stamp) is None


def test_a_zone_that_is_not_written_is_the_declared_one_with_its_summer_time() -> None:
    clock = Clock(WRITTEN, "Europe/Berlin")
    assert clock.epoch("24/Nov/2026:03:49:01") == at("2026-11-24T02:49:01+00:00")
    assert clock.epoch("24/Jul/2026:04:49:01") == at("2026-07-24T02:49:01+00:00")
    assert clock.epoch("24/Nov/2026:02:49:01 +0000") == at("2026-11-24T02:49:01+00:00")


def test_a_time_without_a_zone_is_told_to_be_assumed_once_for_a_log() -> None:
    line = '192.0.2.66:1 [{}] w w/o 0/0/0/1/1 200 1 - - ---- 1/1/0/0/0 0/0 "GET https://crt.sh/ HTTP/2.0"'
    content = "\n".join(map(line.format, ("24/Nov/2026:02:49:01.1", "24/Nov/2026:02:49:02.1")))
    assert warnings(content) == [
        "access.log: its times name no zone and are taken as UTC; site.yaml's `logs` can say which"
    ]
    assert read(content)[0][0].ts == pytest.approx(at("2026-11-24T02:49:01.1+00:00"))
    declared = Declared(zone="Europe/Berlin")
    assert warnings(content, declared) == []
    assert read(content, declared)[0][0].ts == pytest.approx(at("2026-11-24T01:49:01.1+00:00"))


def test_a_stamp_without_a_year_is_of_the_last_year_in_which_it_was_not_after_the_log_s_last_change() -> None:
    clock = Clock(at("2027-01-01T00:00:30+00:00"))
    assert clock.epoch("Dec 31 23:59:59") == at("2026-12-31T23:59:59+00:00")
    assert clock.epoch("Jan  1 00:00:01") == at("2027-01-01T00:00:01+00:00")
    assert clock.epoch("Jan  1 20:00:00") == at("2027-01-01T20:00:00+00:00")  # clocks and zones differ
    assert clock.epoch("Jan  3 00:00:01") == at("2026-01-03T00:00:01+00:00")
    assert clock.epoch("Feb 29 00:00:01") == at("2024-02-29T00:00:01+00:00")


@given(st.text(max_size=40))
def test_no_text_is_too_odd_for_a_clock(text: str) -> None:
    for stamp in (text, f"24/Nov/2026:02:49:01 {text}", f"Nov {text}", f"2026-{text}"):
        found = Clock(WRITTEN, "Europe/Berlin").epoch(stamp)
        assert found is None or 0 <= found < 1e11


def test_a_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone is called 'Mars/Olympus'"):
        Clock(WRITTEN, "Mars/Olympus")


LINE = '10.20.1.11 - - [24/Nov/2026:02:49:01 +0000] "GET http://crt.sh/ HTTP/1.1" 200 1'


@pytest.mark.parametrize(("prefix", "stamp"), [
    ("Nov 24 02:49:01 web1 nginx: ", "Nov 24 02:49:01"),
    ("<190>Nov  4 02:49:01 web1 nginx[71]: ", "Nov  4 02:49:01"),
    ("Nov 24 02:49:01.123456 2001:db8::1 (squid-1)[71]: ", "Nov 24 02:49:01.123456"),
    ("2026-11-24T02:49:01.123456+01:00 web1 httpd[71]: ", "2026-11-24T02:49:01.123456+01:00"),
    ("<134>1 2026-11-24T02:49:01.1Z web1 nginx 71 - - ", "2026-11-24T02:49:01.1Z"),
    ('<134>1 2026-11-24T02:49:01.1Z - haproxy 71 - [x@1 a="\\]b"][y] \ufeff', "2026-11-24T02:49:01.1Z"),
])  # fmt: skip
def test_what_a_log_host_puts_in_front_is_taken_off(prefix: str, stamp: str) -> None:
    assert without_prefix(prefix + LINE) == (LINE, stamp)
    assert logged(stamp, Clock(WRITTEN)) is not None
    (event,), account = read(f"{prefix}{LINE}\n")
    assert (event.client, account.unreadable) == ("10.20.1.11", {})


def test_a_line_without_a_prefix_is_left_alone() -> None:
    for line in (LINE, "", "#Fields: date", "Nov 24 is no prefix: x", "<134>"):
        assert without_prefix(line) == (line, None)
    assert logged(None, Clock(WRITTEN)) is None
