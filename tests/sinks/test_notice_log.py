import io

import pytest
from msgspec.structs import replace as but

from reconwatch.sightings import Actor
from reconwatch.sinks import open_sink

HEADER = (
    "#separator \\x09\n"
    "#set_separator\t,\n"
    "#empty_field\t(empty)\n"
    "#unset_field\t-\n"
    "#path\tnotice\n"
    "#open\t{}\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tfuid\tfile_mime_type\tfile_desc\tproto\tnote\tmsg\t"
    "sub\tsrc\tdst\tp\tn\tpeer_descr\tactions\temail_dest\tsuppress_for\tremote_location.country_code\t"
    "remote_location.region\tremote_location.city\tremote_location.latitude\tremote_location.longitude\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tstring\tenum\tenum\tstring\tstring\taddr\taddr\tport\t"
    "count\tstring\tset[enum]\tset[string]\tinterval\tstring\tstring\tstring\tdouble\tdouble\n"
)


def log_of(*notices):
    stream = io.BytesIO()
    sink = open_sink("notice-log", stream)
    for notice in notices:
        sink.write(notice)
    sink.close()
    return stream.getvalue().decode()


def rows_of(*notices):
    """A strict reader: split on the declared separator, never strip; every row has a cell for every field."""
    lines = log_of(*notices).split("\n")
    assert lines.pop() == ""
    fields = next(line for line in lines if line.startswith("#fields\t")).split("\t")[1:]
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert {len(row) for row in rows} <= {len(fields)}
    return [dict(zip(fields, row, strict=True)) for row in rows]


def test_the_log_is_what_zeek_would_have_written(search, lookup):
    assert log_of(search, lookup) == (
        HEADER.format("2026-11-24-02-49-10")
        + "1795488550.123456\tCNUb263EaXMYGr8qW\t-\t-\t-\t-\t-\t-\t-\t-\tReconWatch::Targeted_Search\t"
        "10.20.1.11 looked up 203.0.113.10 in Shodan\t"
        "verdict=escalate score=65 technique=T1596.005 service=shodan id=rw-1f3c5a7b9d0e2f46 rev=3 state=closed\t"
        "10.20.1.11\t198.18.4.2\t-\t4\treconwatch\tNotice::ACTION_LOG\t(empty)\t0.000000\t-\t-\t-\t-\t-\n"
        "1795488490.123456\t-\t-\t-\t-\t-\t-\t-\t-\t-\tReconWatch::Database_Lookup\t"
        "10.20.0.53 used crt.sh and Censys\t"
        "verdict=monitor score=5 service=crtsh,censys id=rw-00aa11bb22cc33dd rev=1 state=open\t"
        "10.20.0.53\t-\t-\t1\treconwatch\tNotice::ACTION_LOG\t(empty)\t0.000000\t-\t-\t-\t-\t-\n"
        "#close\t2026-11-24-02-49-10\n"
    )


def test_without_a_notice_there_is_still_a_log():
    assert log_of() == HEADER.format("1970-01-01-00-00-00") + "#close\t1970-01-01-00-00-00\n"


def test_columns_and_types_match():
    fields, types = (line.split("\t") for line in log_of().splitlines()[6:8])
    assert len(fields) == len(types) == 27


def test_unset_differs_from_a_real_dash_and_from_empty(search):
    assert [row["msg"] for row in rows_of(but(search, msg="-"), but(search, msg=""))] == [r"\x2d", "(empty)"]
    assert rows_of(but(search, evidence=()))[0]["uid"] == "-"


def test_hostile_text_cannot_make_a_row_or_a_column(search):
    (row,) = rows_of(but(search, msg="a\nb\tc\x1b[31m\x00\u202e#[red]\\x"))
    assert row["msg"] == r"a\x0ab\x09c\x1b[31m\x00\xe2\x80\xae#[red]\\x"


def test_an_address_column_holds_an_address_or_nothing(search, http):
    assert rows_of(but(search, actor=Actor(ip="fe80::1%eth0")))[0]["src"] == "-"
    assert rows_of(but(search, evidence=(but(http, dst="api.shodan.io"),)))[0]["dst"] == "-"


def test_dst_is_set_only_when_all_evidence_went_there(search, http, dns):
    assert rows_of(but(search, evidence=(http, http)))[0]["dst"] == "198.18.4.2"
    assert rows_of(but(search, evidence=(dns, http)))[0]["dst"] == "-"


def test_the_uid_is_the_first_that_zeek_gave(search, http, dns):
    suricata = but(http, source="eve/http", uid="1234567890")
    both = but(http, source="eve/http+zeek/http", uid="1234567890")
    assert rows_of(but(search, evidence=(dns, suricata, both, http)))[0]["uid"] == "CNUb263EaXMYGr8qW"


def test_a_count_is_never_negative(search):
    assert rows_of(but(search, count=-1))[0]["n"] == "0"


def test_close_tells_the_latest_time(search, lookup):
    assert log_of(search, lookup).endswith("#close\t2026-11-24-02-49-10\n")


def test_an_absurd_time_is_refused_before_anything_is_written(search):
    stream = io.StringIO()
    sink = open_sink("notice-log", stream)
    with pytest.raises(ValueError, match="is no time"):
        sink.write(but(search, ts=1e18))
    assert stream.getvalue() == ""
