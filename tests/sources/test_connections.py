"""Connections have a short way to their events; it tells what the careful way tells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.test_eve import flow
from tests.sources.test_eve import read as read_eve
from tests.sources.test_zeek import CONNECTION, read, tsv

from reconwatch.interest import Interest, Lookout
from reconwatch.sources.spelling import canonical
from reconwatch.sources.zeek.connections import TsvConnections

EVERYTHING = frozenset({"0.0.0.0/0", "::/0"})

addresses = st.sampled_from([
    "10.0.0.1", "203.0.113.9", "2001:DB8::1", "2001:0db8:0:0::1", "::ffff:192.0.2.1", "fe80::1%eth0", "010.0.0.1", "-",
])  # fmt: skip
ports = st.sampled_from(["0", "43", "65535", "043", "+43", " 43", "4_3", "123456", "-", "", "\u0664\u0663"])
rows = st.fixed_dictionaries({
    "ts": st.sampled_from(["1795493735.95", "1795493735950", "1e300", "nan", "-1", "x", "-", ""]),
    "uid": st.sampled_from(["C1", "-", "(empty)", "", "\u00e9", "C\\x2d"]),
    "id.orig_h": addresses,
    "id.orig_p": ports,
    "id.resp_h": addresses,
    "id.resp_p": ports,
    "proto": st.sampled_from(["tcp", "udp", "icmp", "unknown_transport", "-", "TCP"]),
    "service": st.sampled_from(["ssl", "quic,ssl", ",", "-", "(empty)", ""]),
    "conn_state": st.sampled_from(["SF", "S0", "RSTO", "-", "(empty)"]),
    "history": st.sampled_from(["ShADad", "^hADf", "ShR", "S", "-", "(empty)", ""]),
})  # fmt: skip


def both(reader, *content, funnel=True, **how):
    """What the short way tells, and what the careful way alone tells."""
    seeking = Lookout(Interest(networks=EVERYTHING))
    events, account, told = reader(*content, funnel=funnel, lookout=seeking, **how)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TsvConnections, "reading", lambda self, position, doors: lambda line: None)
        patched.setattr("reconwatch.sources.zeek.log.json_reading", lambda position, doors: lambda line: None)
        patched.setattr("reconwatch.sources.eve.flow_reading", lambda position, doors: lambda line: None)
        careful = reader(*content, funnel=funnel, lookout=seeking, **how)
    return (events, account.skipped, told), (careful[0], careful[1].skipped, careful[2])


@settings(deadline=None, max_examples=300)
@given(st.lists(rows, min_size=1, max_size=4), st.sampled_from("\t,|"), st.booleans())
def test_rows_of_conn_log_tell_the_same_both_ways(rows, separator, funnel):
    words = [[f"{column}={value}" for column, value in row.items()] for row in rows]
    short, careful = both(read, tsv("conn", *words, separator=separator), funnel=funnel)
    assert short == careful


@settings(deadline=None, max_examples=300)
@given(st.lists(rows, min_size=1, max_size=4), st.data())
def test_json_rows_of_conn_log_tell_the_same_both_ways(rows, data):
    lines = []
    for row in rows:
        typed = row | {key: int(row[key]) for key in ("id.orig_p", "id.resp_p") if row[key].isdecimal()}
        typed["ts"] = data.draw(st.sampled_from([CONNECTION["ts"], "2026-11-24T04:15:35Z", None, 1e300, "x"]))
        typed["service"] = data.draw(st.sampled_from([typed["service"], ["quic", "ssl"], [], None]))
        gone = data.draw(st.sets(st.sampled_from(sorted(typed)), max_size=2))
        more = data.draw(st.sampled_from([{}, {"_path": "conn"}, {"_path": "ssl"}, {"client_scid": "x"}]))
        lines.append(json.dumps({key: value for key, value in typed.items() if key not in gone} | more))
    short, careful = both(read, "\n".join(lines).encode(), form="json")
    assert short == careful


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_flow_records_tell_the_same_both_ways(data):
    record = flow()
    for key in data.draw(st.sets(st.sampled_from(sorted(record)), max_size=3)):
        record[key] = data.draw(st.sampled_from([None, "TCP", "UDP", "ICMP", "tls", "failed", "10.0.0.1", {}, "flow"]))
    short, careful = both(read_eve, json.dumps(record).encode() + b"\n")
    assert short == careful


FACTS = (
    "server", "server_port", "proto", "opening", "answered", "established", "spoke", "source",
    "ts", "client", "client_port", "uid",
)  # fmt: skip


def passing(reader, *content, funnel=True, **how):
    """(what the doors and those who take passers-by there were told, the events that were made all the same)."""
    told = []

    def doors(*facts):
        return lambda ts, client, *more: bool(canonical(client)) and told.append((*facts, ts, client, *more)) is None

    seeking = Lookout(Interest(networks=EVERYTHING))
    seeking.doors = doors
    events, account, _ = reader(*content, funnel=funnel, lookout=seeking, **how)
    assert account.events == len(told) + len(events)
    return told, events


@settings(deadline=None, max_examples=300)
@given(st.lists(rows, min_size=1, max_size=4), st.booleans())
def test_who_takes_passers_by_is_told_what_their_events_would_say(rows, funnel):
    content = tsv("conn", *[[f"{column}={value}" for column, value in row.items()] for row in rows])
    events = read(content, funnel=funnel, lookout=Lookout(Interest(networks=EVERYTHING)))[0]
    told, left = passing(read, content, funnel=funnel)
    assert sorted(map(str, told + [tuple(getattr(each, fact) for fact in FACTS) for each in left])) == sorted(
        str(tuple(getattr(each, fact) for fact in FACTS)) for each in events
    )


def test_a_flow_record_of_a_passer_by_makes_no_event():
    content = json.dumps(flow()).encode() + b"\n"
    (event,) = read_eve(content, lookout=Lookout(Interest(networks=EVERYTHING)))[0]
    assert passing(read_eve, content) == ([tuple(getattr(event, fact) for fact in FACTS)], [])


@pytest.mark.parametrize("port", ["+43", " 43", "4_3", "043", "\u0664\u0663", "43.0"])
def test_a_port_that_zeek_would_not_write_so_is_none_with_and_without_the_funnel(port):
    content = tsv("conn", ["proto=tcp", f"id.resp_p={port}"], ["proto=tcp", "id.resp_p=43", "id.orig_p=123456"])
    assert read(content)[0] == read(content, funnel=False)[0] == []
    assert read(content, funnel=False)[1].skipped == {"a value of the wrong type": 2}


def test_a_stream_of_ever_new_separators_compiles_few_sieves():
    separators = [chr(code) for code in range(0x21, 0x2F) if chr(code) not in "#,-."]
    content = b"".join(tsv("conn", ["proto=tcp", "id.resp_p=43"], separator=s) for s in separators)
    assert read(content)[0] == read(content, funnel=False)[0]
    assert len(read(content)[0]) == len(separators)
