"""Rows of intel.log: what they tell, and what is wrong with hostile and damaged ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sources.test_zeek_sighted import CONNECTION, as_json, as_tsv, read

from reconwatch.events import Listed
from reconwatch.listed import indicated

LOGS = Path(__file__).parents[1] / "zeek" / "logs" / "intel"

COLUMNS = [
    *CONNECTION, "seen.indicator", "seen.indicator_type", "seen.where", "seen.node", "matched", "sources", "fuid",
    "file_mime_type", "file_desc",
]  # fmt: skip
ROW: dict[str, Any] = {
    "ts": 1795510931.25, "uid": "C1", "id.orig_h": "10.20.1.11", "id.orig_p": 54445, "id.resp_h": "198.18.24.131",
    "id.resp_p": 443, "seen.indicator": "www.Shodan.io", "seen.indicator_type": "Intel::DOMAIN",
    "seen.where": "SSL::IN_SERVER_NAME", "seen.node": "zeek", "matched": ["Intel::DOMAIN"], "sources": ["b", "a"],
}  # fmt: skip


def both(row: dict[str, Any]) -> list[Listed]:
    """The events of a row: TSV and JSON, funnel and oracle tell the same."""
    told = [
        read(content, funnel=funnel)[0]
        for content in (as_tsv("intel", COLUMNS, row), as_json(row))
        for funnel in (True, False)
    ]
    assert told.count(told[0]) == len(told), told
    return [event for event in told[0] if isinstance(event, Listed)]


def test_what_is_listed_where_and_by_whom() -> None:
    assert both(ROW) == [Listed(
        ts=1795510931.25, client="10.20.1.11", client_port=54445, server="198.18.24.131", server_port=443, uid="C1",
        source="zeek/intel", indicator="www.Shodan.io", type="Intel::DOMAIN", where="SSL::IN_SERVER_NAME",
        sources=("a", "b"),
    )]  # fmt: skip


def test_a_row_about_no_connection_is_none_of_ours() -> None:
    assert both(ROW | dict.fromkeys(CONNECTION[1:])) == []


def test_a_source_s_comma_is_no_border() -> None:
    [event] = read(as_tsv("intel", COLUMNS, ROW | {"sources": [r"block\x2c list", "a"]}))[0]
    assert isinstance(event, Listed)
    assert event.sources == ("a", "block, list")
    assert both(ROW | {"sources": []})[0].sources == ()


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"seen.indicator_type": None}, "a row with no indicator"),
        ({"seen.indicator": ""}, "a row with no indicator"),
        ({"id.orig_h": "somebody"}, "a row with no usable address"),
        ({"ts": None}, "a row with no usable time"),
        ({"id.resp_p": "https"}, "a value of the wrong type"),
    ],
)
def test_a_damaged_row_is_told_and_the_next_one_is_read(damage: dict[str, Any], reason: str, funnel: bool) -> None:
    bad = ROW | damage
    for content in (as_tsv("intel", COLUMNS, bad, ROW), as_json(ROW) + as_json(bad) + as_json(ROW)):
        events, account, told = read(content, funnel=funnel)
        assert events
        assert list(account.skipped.items()) == [(reason, 1)]
        assert len(told) == 1


def test_credentials_of_a_url_are_struck_out() -> None:
    [event] = both(ROW | {"seen.indicator": "www.shodan.io/x?key=abc&q=1", "seen.indicator_type": "Intel::URL"})
    assert event.indicator == "www.shodan.io/x?key=***&q=1"


def test_older_logs_lack_columns() -> None:
    columns = [each for each in COLUMNS if each not in ("matched", "seen.node", "file_desc")]
    assert len(read(as_tsv("intel", columns, ROW))[0]) == 1
    assert [event.source for event in read(as_tsv("hits", columns, ROW))[0]] == ["zeek/intel"]


def test_a_file_that_zeek_s_framework_reads_is_no_log_of_it() -> None:
    feed = (LOGS / "intel.dat").read_bytes()
    events, account, told = read(feed)
    assert (events, account.skipped, told) == ([], {}, [])


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        ("DOMAIN", "WWW.Shodan.io.", ("domain", "www.shodan.io", "name")),
        ("ADDR", "198.18.24.131", ("ip", "198.18.24.131", "server")),
        ("ADDR", "192.0.2.66", ("ip", "192.0.2.66", "client")),
        ("SUBNET", "192.0.2.0/24", ("range", "192.0.2.0/24", "client")),
        ("SUBNET", "198.18.24.131/32", ("ip", "198.18.24.131", "server")),
        ("URL", "www.shodan.io/x?key=abc", ("url", "www.shodan.io/x?key=***", "url")),
        ("SOFTWARE", "Masscan/1.3", ("agent", "masscan/1.3", "agent")),
        ("FILE_HASH", "d41d8cd98f00b204e9800998ecf8427e", None),
        ("EMAIL", "a@b.example", None),
        ("ADDR", "10.0.0.1", None),
        ("ADDR", "nonsense", None),
        ("SUBNET", "0.0.0.0/0", None),
        ("DOMAIN", "com", None),
        ("DOMAIN", "x" * 5000, None),
    ],
)
def test_an_indicator_is_named_as_our_own_feeds_name_it(type: str, text: str, expected: Any) -> None:
    event = Listed(
        ts=0.0, client="192.0.2.66", server="198.18.24.131", source="zeek/intel", indicator=text, type=f"Intel::{type}",
        where="", sources=("s" * 500, *map(str, range(50))),
    )  # fmt: skip
    found = indicated(event)
    assert (None if found is None else (found.kind, found.value, found.by)) == expected
    if found is not None:
        assert len(found.sources) == 20
        assert max(map(len, found.sources)) <= 80
