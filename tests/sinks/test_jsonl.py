import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as but

from reconwatch.notices import Notice, Reason
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.sinks import open_sink
from reconwatch.sinks.jsonl import read_jsonl


def lines_of(*notices):
    stream = io.StringIO()
    sink = open_sink("jsonl", stream)
    for notice in notices:
        sink.write(notice)
    sink.close()
    return stream.getvalue().splitlines()


def test_a_notice_is_written_as_the_contract_says(search):
    assert lines_of(search) == [
        '{"schema":1,"id":"rw-1f3c5a7b9d0e2f46","rev":3,"state":"closed","ts":"2026-11-24T02:49:10.123456Z",'
        '"note":"Targeted_Search","direction":"lookup",'
        '"actor":{"ip":"10.20.1.11","role":["host"],"trusted":null,"user":null,"host":null,"mac":null,"sensor":null,'
        '"vlan":null,"members":[]},'
        '"service":"shodan","services":["shodan"],"technique":"T1596.005","techniques":["T1596.005"],'
        '"targets":[{"kind":"ip","value":"203.0.113.10","asset":"203.0.113.0/24"}],'
        '"first":"2026-11-24T02:49:10.123456Z","last":"2026-11-24T02:50:47.623456Z","count":4,'
        '"counted":"http requests","score":65,"verdict":"escalate",'
        '"reasons":[{"points":40,"why":"names an owned address","evidence":[1]},'
        '{"points":25,"why":"several targets in one sitting","evidence":[]}],'
        '"evidence":[{"n":1,"ts":"2026-11-24T02:49:10.123456Z","kind":"http","source":"capture+zeek/http",'
        '"uid":"CNUb263EaXMYGr8qW","src":"10.20.1.11","dst":"198.18.4.2","host":"api.shodan.io",'
        '"detail":"GET /shodan/host/203.0.113.10?key=***"}],'
        '"evidence_total":1,"kinds":["http"],"msg":"10.20.1.11 looked up 203.0.113.10 in Shodan",'
        '"next":["Ask who uses 10.20.1.11."]}'
    ]


def test_service_and_technique_hold_the_only_one_or_null(lookup):
    written = json.loads(lines_of(lookup)[0])
    assert (written["service"], written["services"]) == (None, ["crtsh", "censys"])
    assert (written["technique"], written["techniques"]) == (None, [])


def test_hostile_text_stays_on_its_line_and_is_read_back(search):
    hostile = but(search, msg='a\nb\x1b[31m\x00"\u202e\u2028\u0085[red]')
    (line,) = lines_of(hostile)
    assert r"a\nb\u001b[31m\u0000\"\u202e\u2028\u0085[red]" in line
    assert read_jsonl(line) == hostile


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
maybe = st.none() | words
times = st.integers(0, 4_000_000_000_000_000).map(lambda micros: micros / 1_000_000)
counts = st.integers(0, 2**40)
tuples = st.lists(words, max_size=3).map(tuple)
evidence = st.builds(
    Evidence, ts=times, kind=words, source=words, uid=maybe, src=words, dst=words, host=maybe, detail=words
)
notices = st.builds(
    Notice,
    id=words,
    rev=counts,
    state=st.sampled_from(["open", "update", "closed"]),
    ts=times,
    note=words,
    direction=st.sampled_from(["lookup", "probe"]),
    actor=st.builds(
        Actor,
        ip=words,
        role=tuples,
        trusted=maybe,
        user=maybe,
        host=maybe,
        mac=maybe,
        sensor=maybe,
        vlan=st.none() | st.integers(0, 4095),
        members=tuples,
    ),
    services=tuples,
    techniques=tuples,
    targets=st.lists(
        st.builds(Target, kind=st.sampled_from(["domain", "ip", "range", "asn", "brand"]), value=words, asset=words),
        max_size=3,
    ).map(tuple),
    first=times,
    last=times,
    count=counts,
    counted=words,
    kinds=tuples,
    score=st.integers(-1000, 1000),
    verdict=st.sampled_from(["monitor", "investigate", "escalate"]),
    reasons=st.lists(
        st.builds(
            Reason,
            points=st.integers(-100, 100),
            why=words,
            evidence=st.lists(st.integers(1, 20), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    evidence=st.lists(evidence, max_size=3).map(tuple),
    evidence_total=counts,
    msg=words,
    next=tuples,
)


@given(notices)
def test_any_notice_survives_writing_and_reading(notice):
    (line,) = lines_of(notice)
    assert read_jsonl(line) == notice
    assert read_jsonl(line.encode()) == notice


def test_a_field_of_a_later_reconwatch_is_passed_over(search):
    assert read_jsonl(lines_of(search)[0].replace('"schema":1,', '"schema":1,"weather":"rain",')) == search


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"rev":3', '"rev":"3"', r"^line 7: not a notice: Expected `int`, got `str` - at `\$.rev`; only lines"),
        ('"id":"rw-1f3c5a7b9d0e2f46",', "", "^line 7: not a notice: Object missing required field `id`"),
        ('"schema":1', '"schema":2', "^line 7: schema 2, this reconwatch reads 1; use the reconwatch that wrote it"),
        ('"next":', "", "^line 7: not JSON: .*; the line may be cut short"),
        ('"first":"2026-11-24T', '"first":"', "^line 7: first: '02:49:10.123456Z' is no RFC 3339 time"),
        ('"n":1', '"n":2', "^line 7: evidence is not numbered 1, 2, 3"),
    ],
)
def test_a_bad_line_is_located_and_explained(search, old, new, complaint):
    line = lines_of(search)[0]
    assert old in line
    with pytest.raises(ValueError, match=complaint):
        read_jsonl(line.replace(old, new), number=7)


@pytest.mark.parametrize("line", ["", "7", "[]", "null", b"\xff", '{"event_type":"alert"}', '{"x":' + "[" * 9999])
def test_what_is_no_notice_at_all_is_a_located_error_too(line):
    with pytest.raises(ValueError, match=r"^line 1: "):
        read_jsonl(line)


def test_an_error_does_not_pass_on_what_a_terminal_would_obey(search):
    with pytest.raises(ValueError, match="line 1") as caught:
        read_jsonl(lines_of(search)[0].replace('"closed"', r'"\u001b[31m\u202e"'))
    assert str(caught.value).isprintable()
