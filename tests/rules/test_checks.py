"""Filters, paths and comparisons mean what suricata-verify's runner means by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconwatch.rules.checks import CheckError, Filter, FilterPass, holds, matches, same_content, stats_misses, value_at

EVENT: dict[str, Any] = {
    "event_type": "alert",
    "alert": {"signature_id": 1, "rev": 2.0, "metadata": {"tag": ["a", "b"]}},
    "dns": {"queries": [{"rrname": "crt.sh"}, {"rrname": "shodan.io"}], "id": 7},
    "email": {"status": None, "to": ["x@example.org", "y@example.org"]},
    "http": {"url": "/shodan/host", "length": 120},
    "flow": {"alerted": True},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event_type", "alert"),
        ("alert.signature_id", 1),
        ("dns.queries[1].rrname", "shodan.io"),
        ("dns.queries[2].rrname", None),
        ("dns.answers[0].rrname", None),
        ("email.status", None),
        ("email.to[0]", "x@example.org"),
        ("dns.queries.__len", 2),
        ("http.url.__len", 12),
        ("http.length.__len", -1),
        ("alert.metadata.__len", 1),
        ("http.url.__startswith", "/shodan/host"),
        ("http.url[1]", "s"),
        ("dns.id[0]", None),
        ("http.none.more", None),
        ("http.url.none", None),
        ("email.to.none", None),
    ],
)
def test_a_path_names_a_part_of_an_event(path: str, value: object) -> None:
    assert value_at(path, EVENT) == value


@pytest.mark.parametrize("path", ["dns.id.more", "email.status.more", "flow.alerted.more", "http.url.shodan"])
def test_a_path_into_what_has_no_parts_is_an_error(path: str) -> None:
    with pytest.raises(CheckError, match="there is no"):
        value_at(path, EVENT)


@pytest.mark.parametrize(
    ("path", "wanted", "held"),
    [
        ("alert.signature_id", 1, True),
        ("alert.rev", 2, True),
        ("alert.signature_id", "1", False),
        ("alert.none", 1, False),
        ("alert.none", None, True),
        ("dns.queries.__len", 2, True),
        ("dns.queries.__len.__gt", 1, True),
        ("http.length.__gt", 119, True),
        ("http.length.__gt", 120, False),
        ("http.length.__gte", 120, True),
        ("http.length.__lt", 120, False),
        ("http.length.__lt", 120.5, True),
        ("http.length.__lte", 120, True),
        ("flow.alerted.__gt", 0, False),
        ("http.url.__gt", 1, False),
        ("http.none.__lt", 1, False),
        ("http.url.__find", "host", True),
        ("http.url.__find", "Host", False),
        ("http.url.__startswith", "/shodan", True),
        ("http.url.__startswith", "shodan", False),
        ("http.url.__endswith", "/host", True),
        ("http.url.__endswith", "/hos", False),
        ("http.url.__contains", "dan/h", True),
        ("email.to.__contains", "y@example.org", True),
        ("email.to.__contains", "example.org", False),
        ("alert.metadata.__contains", "tag", True),
    ],
)
def test_a_value_is_compared_as_its_last_part_says(path: str, wanted: object, held: bool) -> None:
    assert holds(path, wanted, EVENT) is held


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("http.length.__find", "1"),
        ("http.none.__find", "1"),
        ("http.url.__startswith", 1),
        ("http.none.__endswith", "1"),
        ("http.length.__contains", 1),
        ("http.none.__contains", "1"),
        ("http.url.__contains", 1),
        ("alert.metadata.__contains", ["tag"]),
    ],
)
def test_a_comparison_that_makes_no_sense_is_an_error(path: str, wanted: object) -> None:
    with pytest.raises(CheckError, match="cannot be"):
        holds(path, wanted, EVENT)


@pytest.mark.parametrize(
    ("match", "held"),
    [
        ({}, True),
        ({"event_type": "alert", "alert.signature_id": 1}, True),
        ({"event_type": "dns", "http.none.__find": "x"}, False),
        ({"has-key": "dns.queries"}, True),
        ({"has-key": ["dns.queries", "dns.answers"]}, False),
        ({"has-key": "email.status"}, False),
        ({"not-has-key": "email.status"}, True),
        ({"not-has-key": ["dns.answers", "tls"]}, True),
        ({"not-has-key": ["dns.answers", "dns.queries[0]"]}, False),
    ],
)
def test_a_filter_matches_an_event_if_all_its_keys_hold_in_their_order(match: dict[str, Any], held: bool) -> None:
    assert matches(match, EVENT) is held


def counted(path: Path, *filters: Filter) -> list[str]:
    FilterPass(path, list(filters)).run()
    return [each.miss() for each in filters]


def test_one_pass_over_a_file_serves_all_filters(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text('{"event_type": "alert", "n": 1}\n{"event_type": "alert", "n": NaN}\n{"event_type": "dns"}\n')
    met, missed = Filter({"event_type": "alert"}, 2), Filter({"event_type": "alert"}, 3)
    senseless = Filter({"n.__find": "x"}, 0)
    told = counted(eve, met, missed, senseless)
    assert told[0] == ""
    assert told[1] == 'expected 3 events, got 2, for filter {"event_type": "alert"}'
    assert told[2].startswith("'n.__find': a text cannot be looked for in a number")


@pytest.mark.parametrize("line", ["{", "", '{"a": 1} x', '{"a": "\udcff"}'])
def test_a_line_that_is_no_json_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text(f'{{"event_type": "alert"}}\n{line}\n{{}}\n', errors="surrogateescape")
    with pytest.raises(CheckError, match=r"eve\.json, line 2: not JSON"):
        counted(eve, Filter({}, 1))


def test_a_lone_surrogate_is_read_as_python_s_reader_reads_it(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text('{"name": "\\ud800"}\n')
    assert counted(eve, Filter({"name": "\ud800"}, 1)) == [""]


def test_a_file_that_was_not_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"eve\.json was not written"):
        counted(tmp_path / "eve.json", Filter({}, 0))


def test_stats_are_those_of_the_last_event(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text(
        '{"event_type": "stats", "stats": {"decoder": {"pkts": 1}}}\n{"event_type": "flow"}\n'
        '{"event_type": "stats", "stats": {"decoder": {"pkts": 9}}}\n'
    )
    assert stats_misses({"decoder.pkts": 9, "decoder.pkts.__gt": 8}, eve) == []
    assert stats_misses({"decoder.pkts": 1, "decoder.bytes": 3}, eve) == [
        "stats: expected decoder.pkts to be 1, got 9",
        "stats: expected decoder.bytes to be 3, got None",
    ]


def test_no_stats_cannot_be_compared(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text('{"event_type": "flow"}\n')
    with pytest.raises(CheckError, match="no stats event"):
        stats_misses({"decoder.pkts": 9}, eve)


def test_files_are_compared_by_content_and_the_first_difference_is_told(tmp_path: Path) -> None:
    one, other = tmp_path / "expected", tmp_path / "written"
    one.write_text("a\nb\n")
    other.write_text("a\nc\n")
    assert same_content(one, one) == ""
    assert same_content(one, other) == "written is not as expected: line 2 differs"
    other.write_text("a\n")
    assert same_content(one, other) == "written is not as expected: line 2 differs"
    assert "No such file" in same_content(one, tmp_path / "none")


def test_a_long_filter_is_told_in_part() -> None:
    told = Filter({f"key{n}": n for n in range(100)}, 1).miss()
    assert told.startswith('expected 1 events, got 0, for filter {"key0": 0, ')
    assert told.endswith("…")
    assert len(told) < 300
