import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.sinks.times import epoch, eve_time, rfc3339, zeek_stamp


def test_a_time_has_six_decimals_and_z():
    assert rfc3339(1795488550.123456) == "2026-11-24T02:49:10.123456Z"
    assert rfc3339(1795488550.0) == "2026-11-24T02:49:10.000000Z"


def test_rounding_carries_into_the_next_second():
    assert rfc3339(1795488550.9999996) == "2026-11-24T02:49:11.000000Z"


def test_times_before_1970_are_times_too():
    assert rfc3339(-0.5) == "1969-12-31T23:59:59.500000Z"


def test_suricata_and_zeek_have_their_own_spelling():
    assert eve_time(1795488550.123456) == "2026-11-24T02:49:10.123456+0000"
    assert zeek_stamp(1795488550.9) == "2026-11-24-02-49-10"


@pytest.mark.parametrize("ts", [math.nan, math.inf, 1e18, -1e18])
def test_what_is_no_time_is_refused_by_name(ts):
    with pytest.raises(ValueError, match="is no time"):
        rfc3339(ts)


@given(st.integers(-(2**31) * 1_000_000, 2**36 * 1_000_000))
def test_a_time_of_whole_microseconds_survives_writing_and_reading(micros):
    ts = micros / 1_000_000
    assert epoch(rfc3339(ts)) == float(f"{ts:.6f}")


def test_reading_takes_any_offset_but_not_none():
    assert epoch("2026-11-24T03:49:10.5+01:00") == epoch("2026-11-24T02:49:10.5Z")
    with pytest.raises(ValueError, match="no UTC offset"):
        epoch("2026-11-24T02:49:10")
    with pytest.raises(ValueError, match="no RFC 3339 time"):
        epoch("yesterday")
