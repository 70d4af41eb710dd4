import io

import pytest
from msgspec.structs import replace as but

from reconwatch.explanation import explain, find, render
from reconwatch.notices import Notice, Reason, verdict_of
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.sinks import open_sink

TS = 1795488550.123456

REQUEST = Evidence(
    ts=TS,
    kind="http",
    source="capture+zeek/http",
    uid="CNUb263EaXMYGr8qW",
    src="10.20.1.11",
    dst="198.18.4.2",
    host="api.shodan.io",
    detail="GET /shodan/host/203.0.113.10?key=***",
)
RESOLUTION = but(
    REQUEST, ts=TS - 0.25, kind="dns", source="zeek/dns", uid=None, dst="10.20.0.53", detail="A api.shodan.io"
)


def notice(*points, score=None, verdict=None, **changes):
    """A search with one reason for each of `points`, named `reason 1`, `reason 2`, ..."""
    score = sum(points) if score is None else score
    made = Notice(
        id="rw-1f3c5a7b9d0e2f46",
        rev=3,
        state="closed",
        ts=TS,
        note="Targeted_Search",
        direction="lookup",
        actor=Actor(ip="10.20.1.11"),
        services=("shodan",),
        techniques=("T1596.005",),
        targets=(Target("ip", "203.0.113.10", "203.0.113.0/24"),),
        first=TS,
        last=TS + 97.5,
        count=4,
        counted="http requests",
        kinds=("http",),
        score=score,
        verdict=verdict or verdict_of(score),
        reasons=tuple(Reason(each, f"reason {number}") for number, each in enumerate(points, 1)),
        evidence=(),
        evidence_total=0,
        msg="10.20.1.11 looked up 203.0.113.10 in Shodan",
    )
    return but(made, **changes)


def changes_of(made):
    lines = render(explain(made))
    return [line.strip() for line in lines[lines.index("what would change it") + 1 :]]


def test_an_explanation_is_the_whole_story_of_a_notice():
    made = notice(
        40,
        25,
        reasons=(Reason(40, "names an owned address", (1,)), Reason(25, "several targets in one sitting", (1, 12))),
        evidence=(REQUEST, RESOLUTION),
        evidence_total=30,
        next=("Ask who uses 10.20.1.11.",),
    )
    assert render(explain(made)) == [
        "rw-1f3c5a7b9d0e2f46 rev 3 (closed)  Targeted_Search",
        "10.20.1.11 looked up 203.0.113.10 in Shodan",
        "",
        "verdict    escalate, score 65",
        "actor      10.20.1.11 (host)",
        "services   shodan",
        "techniques T1596.005",
        "targets    203.0.113.10 (ip, ours by 203.0.113.0/24)",
        "count      4 http requests",
        "first      2026-11-24T02:49:10.123456Z",
        "last       2026-11-24T02:50:47.623456Z",
        "witnesses  capture+zeek/http (1), zeek/dns (1)",
        "",
        "why: 65 points from 2 reasons",
        "   +40  names an owned address",
        "          [1] 2026-11-24T02:49:10.123456Z http 10.20.1.11 -> 198.18.4.2 api.shodan.io: "
        "GET /shodan/host/203.0.113.10?key=***  (capture+zeek/http CNUb263EaXMYGr8qW)",
        "   +25  several targets in one sitting",
        "          [1] 2026-11-24T02:49:10.123456Z http 10.20.1.11 -> 198.18.4.2 api.shodan.io: "
        "GET /shodan/host/203.0.113.10?key=***  (capture+zeek/http CNUb263EaXMYGr8qW)",
        "          [12] is no longer kept",
        "  other evidence",
        "          [2] 2026-11-24T02:49:09.873456Z dns 10.20.1.11 -> 10.20.0.53 api.shodan.io: "
        "A api.shodan.io  (zeek/dns)",
        "  2 of 30 pieces of evidence are kept",
        "",
        "what would change it",
        "  without 'names an owned address' (40): 25, monitor",
        "  without 'several targets in one sitting' (25): 40, investigate",
        "  it falls below escalate when it loses more than 5 points",
        "  escalate is the highest verdict",
        "",
        "next",
        "  Ask who uses 10.20.1.11.",
    ]


def test_a_monitor_is_told_what_is_missing_to_the_next_verdict():
    assert changes_of(notice(5, 10)) == ["15 points are missing to investigate (30)"]


def test_an_investigate_is_told_both_ways():
    assert changes_of(notice(35, 5)) == [
        "without 'reason 1' (35): 5, monitor",
        "it falls below investigate when it loses more than 10 points",
        "20 points are missing to escalate (60)",
    ]


def test_when_no_single_reason_carries_it_that_is_said():
    assert changes_of(notice(30, 30, 30))[0] == "no single reason carries it: without any one of them it stays escalate"


def test_a_reason_that_lowers_the_score_is_told_when_its_absence_would_raise_the_verdict():
    assert changes_of(notice(40, 25, -20))[:2] == [
        "without 'reason 1' (40): 5, monitor",
        "without 'reason 2' (25): 20, monitor",
    ]
    assert "without 'reason 3' (-20): 65, escalate" in changes_of(notice(40, 25, -20))


def test_a_capped_score_falls_only_once_the_sum_is_below_the_cap():
    capped = notice(80, 50, 30, score=100)
    assert explain(capped).withouts == ()
    assert explain(notice(80, 50, score=100)).withouts[0].score == 50
    assert "  (the score is 100: it was capped)" in render(explain(capped))


def test_a_verdict_that_the_score_alone_does_not_give_is_pointed_out():
    assert changes_of(notice(40, 25, verdict="monitor"))[0] == (
        "the score alone would say escalate: the verdict was set otherwise"
    )


def test_who_stands_for_others_or_is_trusted_is_said():
    lines = render(explain(notice(5, actor=Actor(ip="10.20.0.53", role=("resolver",), trusted="attack-surface team"))))
    assert "actor      10.20.0.53 (resolver); stands for its clients" in lines
    assert "trusted    attack-surface team" in lines


def test_a_notice_without_reasons_or_evidence_is_explained_too():
    lines = render(explain(notice(services=(), techniques=(), targets=())))
    assert "why: 0 points from 0 reasons" in lines
    assert "witnesses  none" in lines


def test_hostile_text_stays_on_its_line():
    evil = notice(40, msg="a\nb\x1b[31m\x00\u202e\t[red]", evidence=(but(REQUEST, detail="GET /\r\nX: \x9b\udce4"),))
    lines = render(explain(evil))
    assert r"a\x0ab\x1b[31m\x00\u202e\x09[red]" in lines
    assert any(r"GET /\x0d\x0aX: \u009b\xe4" in line for line in lines)
    assert all(len(line.splitlines()) <= 1 for line in lines)


def lines_of(*notices):
    stream = io.StringIO()
    sink = open_sink("jsonl", stream)
    for each in notices:
        sink.write(each)
    sink.close()
    return stream.getvalue().splitlines(keepends=True)


def test_a_notice_is_found_at_its_highest_rev_wherever_it_stands():
    last, first = notice(65, rev=3), notice(40, rev=1)
    assert find(lines_of(last, first, notice(5, id="rw-ffff")), last.id) == last


@pytest.mark.parametrize("asked", ["rw-1f3c5a7b9d0e2f46", "rw-1f", "1f3c", "1f3c5a7b9d0e2f46"])
def test_an_unambiguous_beginning_will_do(asked):
    assert find(lines_of(notice(5), notice(5, id="rw-1e00")), asked).id == "rw-1f3c5a7b9d0e2f46"


def test_an_exact_id_is_never_ambiguous():
    assert find(lines_of(notice(5, id="rw-1f"), notice(5)), "rw-1f").id == "rw-1f"
    assert find(lines_of(notice(5, id="rw-1f"), notice(5)), "1f").id == "rw-1f"


def test_an_ambiguous_beginning_names_the_candidates():
    lines = lines_of(*(notice(5, id=f"rw-1{n}") for n in range(7)))
    with pytest.raises(
        ValueError, match=r"^rw-1 begins 7 notices: rw-10, rw-11, rw-12, rw-13, rw-14 and 2 more; give more of the id$"
    ):
        find(lines, "rw-1")


def test_a_line_cut_short_does_not_hide_the_others_but_is_told_of():
    lines = ["\n", *lines_of(notice(5)), '{"schema":1,"id":"rw-ff']
    assert find(lines, "1f").id == "rw-1f3c5a7b9d0e2f46"
    with pytest.raises(
        ValueError, match=r"^no notice rw-ff in this file; 1 line\(s\) are no notices, the first is line 3$"
    ):
        find(lines, "rw-ff")


def test_no_id_is_no_question():
    with pytest.raises(ValueError, match="an id is needed"):
        find(lines_of(notice(5)), "rw-")


def test_a_found_line_that_is_no_notice_is_located():
    with pytest.raises(ValueError, match=r"^line 1: not a notice: Object missing required field `schema`"):
        find(['{"id":"rw-1","rev":1}'], "rw-1")
