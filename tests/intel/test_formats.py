"""Feeds in every format, with what goes wrong in them: what is an indicator is taken, all else is counted."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from reconwatch.document import Refused
from reconwatch.intel.indicator import benign_key, key_of, kind_of, value_of
from reconwatch.intel.intake import Intake, read_confidence, read_time
from reconwatch.intel.lines import LONGEST_LINE
from reconwatch.intel.recognise import HEAD, read, recognise
from reconwatch.intel.stix import PatternError, comparisons


def taken(raw: bytes | str, form: str | None = None, **options: Any) -> tuple[dict[str, Any], dict[str, int]]:
    """(value -> facts, reason -> how often) of a feed, whose format is told by its content unless it is declared."""
    raw = raw.encode() if isinstance(raw, str) else raw
    columns = options.pop("columns", {})
    told = recognise(raw[:HEAD], columns)
    if form is None:
        assert told is not None
    intake = Intake(**options)
    read(io.BytesIO(raw), "feed", form or told, intake, options.get("kind"), columns)
    compiled = intake.builder.finish()
    found = {value_of(compiled.key(row)): compiled.facts(row) for row in range(len(compiled))}
    passed = {}
    for problem in intake.passed:
        number, _, reason = problem.message.partition(" passed over: ")
        passed[reason] = int(number.split()[0])
    return found, passed


ZEEK = (
    "#fields\tindicator\tindicator_type\tmeta.source\tmeta.confidence\n"
    "evil.example\tIntel::DOMAIN\tsource1\t80\n"
    "198.51.100.7\tIntel::ADDR\tsource1\t-\n"
    "198.51.100.0/24\tIntel::SUBNET\tsource1\t-\n"
    "evil.example/a?b=1\tIntel::URL\tsource1\t-\n"
    "BadBot/1.0\tIntel::SOFTWARE\tsource1\t-\n"
)


def test_a_zeek_file_is_read_with_its_sources_and_confidences() -> None:
    found, passed = taken(ZEEK, source="ours")
    assert sorted(found) == ["198.51.100.0/24", "198.51.100.7", "badbot/1.0", "evil.example", "evil.example/a?b=1"]
    assert found["evil.example"].confidence == 80
    assert found["198.51.100.7"].confidence == 50
    assert found["evil.example"].source == "ours: source1"
    assert passed == {}


def test_what_is_wrong_in_a_zeek_file_is_counted_and_the_rest_is_read() -> None:
    damaged = (
        "cut.example\tIntel::DOMAIN\n"
        "a@evil.example\tIntel::EMAIL\tx\t-\n"
        "not an address\tIntel::ADDR\tx\t-\n"
        "no.prefix.example\tDOMAIN\tx\t-\n"
        "good.example\tIntel::DOMAIN\tx\t-\n"
        "plain.example\n"
    )
    found, passed = taken(ZEEK + damaged)
    assert "good.example" in found
    assert passed == {
        "a row with another number of columns than its #fields": 2,
        "of a kind that is not matched: 'Intel::EMAIL'": 1,
        "not an address or range": 1,
        "of a kind that is not matched: 'DOMAIN'": 1,
    }


def test_a_second_header_in_a_zeek_file_holds_from_there_on() -> None:
    found, _ = taken(ZEEK + "#fields\tindicator_type\tindicator\nIntel::DOMAIN\tturned.example\n")
    assert "turned.example" in found


def test_what_a_zeek_file_whitelists_is_none() -> None:
    found, passed = taken("#fields\tindicator\tindicator_type\tmeta.whitelist\na.example\tIntel::DOMAIN\tT\n")
    assert (found, passed) == ({}, {"on the feed's own whitelist": 1})


def indicator(pattern: str, **facts: Any) -> dict[str, Any]:
    return {"type": "indicator", "pattern": pattern, "pattern_type": "stix", **facts}


def bundle(*objects: Any) -> str:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects})


def test_a_stix_bundle_is_read_with_validity_and_confidence() -> None:
    found, passed = taken(
        bundle(
            {"type": "malware", "name": "x"},
            indicator(
                "[domain-name:value = 'evil.example']", valid_from="2026-01-01T00:00:00Z",
                valid_until="2026-02-01T00:00:00Z", confidence=85,
            ),
            indicator("[ipv4-addr:value = '198.51.100.0/24'] OR [ipv6-addr:value ISSUBSET '2001:db8::/32']"),
            indicator("[url:value = 'http://evil.example/a%20b' OR domain-name:value IN ('b.example', 'c.example')]"),
        )
    )  # fmt: skip
    assert sorted(found) == [
        "198.51.100.0/24", "2001:db8::/32", "b.example", "c.example", "evil.example", "evil.example/a b"
    ]  # fmt: skip
    assert found["evil.example"][:3] == (85, 1767225600.0, 1769904000.0)
    assert passed == {}


def test_what_stix_says_and_nobody_can_match_is_counted() -> None:
    found, passed = taken(
        bundle(
            indicator("[domain-name:value = 'a.example' AND url:value = 'http://a.example/']"),
            indicator("[domain-name:value LIKE '%.example']"),
            indicator("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e' OR domain-name:value = 'b.example']"),
            indicator("[domain-name:value = 'r.example']", revoked=True),
            indicator("[domain-name:value = 'g.example']", indicator_types=["benign"]),
            indicator("rule x {}", pattern_type="yara"),
            indicator("[domain-name:value = 'w.example'] WITHIN 5 SECONDS"),
            indicator("[domain-name:value = 'd.example']", valid_from="yesterday"),
            indicator("[domain-name:value = 'e.example']", valid_from=5),
            indicator("[domain-name:value = "),
            {"type": "indicator"},
            "no object",
        )
    )
    assert sorted(found) == ["b.example"]
    assert passed == {
        "a pattern that is more than one comparison, or several joined by OR": 3,
        "a pattern with another comparison than =, IN and ISSUBSET": 1,
        "a comparison of a kind that is not matched": 1,
        "revoked": 1,
        "said to be benign": 1,
        "a pattern of another language than STIX": 1,
        "a time that cannot be read": 2,
        "an indicator without a pattern": 1,
        "not an object": 1,
    }


def test_a_damaged_object_of_a_bundle_costs_nothing_but_itself() -> None:
    good = [json.dumps(indicator(f"[domain-name:value = '{name}.example']")) for name in "ab"]
    raw = '{"type":"bundle","objects":[' + good[0] + ',{"type": "indicator", oops},' + good[1] + "]} trailing"
    found, passed = taken(raw)
    assert sorted(found) == ["a.example", "b.example"]
    assert passed == {"an object that is no JSON": 1, "something behind the end of the list": 1}


def test_a_bundle_that_was_cut_off_gives_what_it_has() -> None:
    raw = bundle(*(indicator(f"[domain-name:value = 'n{n}.example']") for n in range(50)))
    found, passed = taken(raw[: len(raw) // 2], "stix")
    assert 20 <= len(found) <= 25
    assert passed == {"an object that is no JSON": 1}


@pytest.mark.parametrize(
    "pattern", ["", "[", "[]", "[a:b]", "[domain-name:value = 'x' OR]", "[(domain-name:value='x')]"]
)
def test_hostile_patterns_are_refused(pattern: str) -> None:
    with pytest.raises((PatternError, IndexError)):
        comparisons(pattern)


def test_a_user_agent_and_a_ja3_in_stix_are_read_where_they_are_expressible() -> None:
    agent = "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'Bad\\'Bot']"
    assert comparisons(agent) == ([("agent", "Bad'Bot")], 0)
    assert comparisons("[network-traffic:extensions.'tls-ext'.ja3_hash = '" + "a" * 32 + "']")[0][0][0] == "ja3"


def attribute(kind: str, value: Any, **facts: Any) -> dict[str, Any]:
    return {"type": kind, "value": value, "to_ids": True, **facts}


def test_a_misp_event_gives_what_is_meant_for_detection() -> None:
    event = {
        "Event": {
            "info": "x",
            "Tag": [{"name": 'misp:confidence-level="usually-confident"'}],
            "Attribute": [
                attribute("domain", "evil.example"),
                attribute("ip-dst|port", "198.51.100.7|443"),
                attribute("domain|ip", "both.example|198.51.100.8"),
                attribute("hostname", "seen.example", to_ids=False),
                attribute("md5", "d41d8cd98f00b204e9800998ecf8427e"),
                attribute("domain", 5),
                attribute("domain", "gone.example", deleted=True),
            ],
            "Object": [{"Attribute": [attribute("url", "https://evil.example/x")]}, {"Attribute": "none"}],
        }
    }
    found, passed = taken(json.dumps(event))
    assert sorted(found) == ["198.51.100.7", "198.51.100.8", "both.example", "evil.example", "evil.example/x"]
    assert {facts.confidence for facts in found.values()} == {75}
    assert passed["not meant for detection (to_ids)"] == passed["deleted"] == 1
    assert passed["of a kind that is not matched: 'md5'"] == 1
    assert passed["an object that cannot be read"] == 1


@pytest.mark.parametrize("wrap", [lambda e: [e], lambda e: {"response": [e]}])
def test_misp_events_come_in_lists_too(wrap: Any) -> None:
    found, _ = taken(json.dumps(wrap({"Event": {"Attribute": [attribute("domain", "evil.example")]}})))
    assert list(found) == ["evil.example"]


def test_a_warning_list_is_told_by_its_content_and_holds_no_indicator() -> None:
    raw = json.dumps(
        {"name": "x", "version": 1, "type": "hostname", "list": ["github.com", 5], "matching_attributes": ["domain"]}
    )
    assert recognise(raw.encode(), {}) == "misp-warninglist"
    found, passed = taken(raw)
    assert list(found) == ["github.com"]
    assert passed == {"not text": 1}


def test_a_suricata_data_set_holds_base64_addresses_and_hashes() -> None:
    lines = [base64.b64encode(text).decode() for text in (b"evil.example", b".dotted.example", b"two.example")]
    found, passed = taken("\n".join(lines) + "\n")
    assert sorted(found) == ["dotted.example", "evil.example", "two.example"]
    found, passed = taken("!!\n" + lines[0] + "\n198.51.100.7\n" + "a" * 32 + "\n", "suricata")
    assert sorted(found) == ["198.51.100.7", "evil.example"]
    assert sum(passed.values()) == 2
    assert taken("a" * 32, "suricata", kind="ja3")[0].keys() == {"a" * 32}


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    found, passed = taken(
        "indicator,type,confidence,valid_until\n"
        '"evil.example",domain,High,2026-12-01\n'
        "198.51.100.7:443,ip:port,12,\n"
        "d41d8cd98f00b204e9800998ecf8427e,md5,50,\n"
        "bad.example,domain,much,2026-12-01\n"
        "late.example,domain,50,soon\n"
        "short.example,domain\n"
    )
    assert sorted(found) == ["198.51.100.7", "bad.example", "evil.example"]
    assert found["evil.example"][:3] == (85, float("-inf"), 1796083200.0)
    assert found["198.51.100.7"].confidence == 12
    assert len(passed) == 4


def test_a_header_may_be_a_comment_and_columns_may_be_declared() -> None:
    assert sorted(taken("# abuse\n# first_seen,dst_ip,port\n2026-01-01,198.51.100.7,443\n")[0]) == ["198.51.100.7"]
    found, _ = taken("a;wert\n1;evil.example\n", "csv", columns={"value": "wert"})
    assert list(found) == ["evil.example"]


def test_a_stray_quotation_mark_does_not_swallow_the_rest_of_a_table() -> None:
    found, _ = taken('domain,x\n"one.example,1\ntwo.example,2\n')
    assert list(found) == ["two.example"]


def test_a_plain_list_takes_comments_hosts_files_and_filters() -> None:
    found, passed = taken(
        "# list\nevil.example\n198.51.100.0/24 ; SBL1\n0.0.0.0 a.example b.example\n127.0.0.1 localhost\n"
        "||filter.example^\nhttp://evil.example/x\n2001:db8::/32\nt13d1516h2_8daaf6152771_02713d6af862\n"
    )
    assert sorted(found) == [
        "198.51.100.0/24", "2001:db8::/32", "a.example", "b.example", "evil.example", "evil.example/x",
        "filter.example", "t13d1516h2_8daaf6152771_02713d6af862",
    ]  # fmt: skip
    assert passed == {"a name of the host itself": 1}


@pytest.mark.parametrize("form", ["zeek", "csv", "list"])
def test_a_byte_order_mark_carriage_returns_bad_bytes_and_a_huge_line_cost_nothing_but_their_own(form: str) -> None:
    head = {"zeek": "#fields\tindicator\tindicator_type\n", "csv": "domain,type\n", "list": "# names\n"}[form]
    end = {"zeek": "\tIntel::DOMAIN", "csv": ",domain", "list": ""}[form]
    lines = [
        f"one.example{end}".encode(),
        b"\xff\xfe" + end.encode(),
        b"x" * (LONGEST_LINE + 70_000),
        f"two.example{end}".encode(),
    ]
    raw = b"\xef\xbb\xbf" + (head.rstrip("\n") + "\r\n").encode() + b"\r\n".join(lines)
    found, passed = taken(raw, form)
    assert sorted(found) == ["one.example", "two.example"]
    assert passed == {"a line that is not UTF-8": 1, "a line too long to be an entry": 1}


def test_a_file_of_two_formats_is_read_as_its_first_and_the_rest_is_counted() -> None:
    found, passed = taken(
        "evil.example\ngood.example\n" + bundle(indicator("[domain-name:value = 'c.example']")) + "\n"
    )
    assert sorted(found) == ["evil.example", "good.example"]
    assert sum(passed.values()) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        b"# only comments\n",
        b"<html><body>Not found</body></html>",
        b"\0\1\2\3",
        b"\x1f\x8b\x08",
        b"{}",
        b"[1,2]",
    ],
)
def test_what_is_no_feed_is_recognised_as_none(raw: bytes) -> None:
    assert recognise(raw, {}) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.0/24", "private"), ("192.168.1.1", "private"), ("127.0.0.1", "private"), ("fd00::1", "private"),
        ("0.0.0.0/0", "too broad"), ("2001::/16", "too broad"), ("198.51.100.1/24", "host bits"),
        ("198.51.100.0/33", "prefix length"), ("198.51.100", "not an address"), ("com", "public suffix"),
        ("co.uk", "public suffix"), ("localhost", "public suffix"), ("a b", "not a domain"),
        ("-x.example", "not a domain"),
        ("d41d8cd98f00b204e9800998ecf8427e", "may be a file's"), ("http:///x", "not a URL"),
        ("http://10.0.0.1/x", "private"),
    ],
)  # fmt: skip
def test_what_would_match_half_of_the_world_or_nobody_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        key_of(None, text)


def test_a_prefix_is_never_taken_for_a_host() -> None:
    assert kind_of(key_of("ip", "198.51.100.0/24")) == "range"
    assert kind_of(key_of("range", "198.51.100.7")) == "ip"
    assert kind_of(key_of(None, "198.51.100.0/32")) == "ip"
    assert value_of(key_of(None, "::ffff:198.51.100.7")) == "198.51.100.7"


def test_benign_things_may_be_broad_and_private() -> None:
    assert value_of(benign_key("range", "10.0.0.0/8")) == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("text", "value"), [("50", 50), ("High", 85), ("101", None), ("-1", None), ("x", None), ("nan", None)]
)
def test_confidences(text: str, value: int | None) -> None:
    assert read_confidence(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01", 1767225600.0),
        ("2026-01-01T01:00:00+01:00", 1767225600.0),
        ("1767225600", 1767225600.0),
        ("7", None),
        ("", None),
    ],
)
def test_times(text: str, value: float | None) -> None:
    assert read_time(text) == value
