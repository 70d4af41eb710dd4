"""Rows of the package inside Zeek: what each stands for, and what is wrong with hostile and damaged ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from reconwatch.account import Account
from reconwatch.events import SECOND_WITNESS, AnyEvent, Connection, DnsQuery, Hello, HttpRequest, WhoisQuery
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_source

CONNECTION = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"]
COLUMNS = [
    *CONNECTION, "direction", "kind", "actor", "actor_role", "trusted", "service", "technique", "targets", "host",
    "qtype", "method", "uri", "user_agent", "status_code", "query", "tool", "canary", "server_name", "proto",
]  # fmt: skip
WHOIS = [*CONNECTION, "query", "server_name", "answer_bytes", "duration"]
ROW: dict[str, Any] = {
    "ts": 1795510931.25, "uid": "C1", "id.orig_h": "10.20.1.11", "id.orig_p": 54445, "id.resp_h": "198.18.24.131",
    "id.resp_p": 443, "direction": "lookup", "kind": "tls", "actor": "10.20.1.11", "actor_role": ["host"],
    "service": "shodan", "technique": "T1596.005", "targets": [],
}  # fmt: skip
LINE: dict[str, Any] = {
    "ts": 1795510931.25, "uid": "C1", "id.orig_h": "10.20.1.11", "id.orig_p": 54445, "id.resp_h": "198.18.17.203",
    "id.resp_p": 43, "query": "-B 203.0.113.10", "answer_bytes": 192, "duration": 0.08,
}  # fmt: skip
SHODAN = Interest(names=frozenset({"shodan.io"}), ports=frozenset({43}), secrets=frozenset({("shodan.io", "pin")}))


def read(*lines: bytes, funnel: bool = True) -> tuple[list[AnyEvent], Account, list[str]]:
    told: list[str] = []
    account = Account("reconwatch.log", told.append)
    source = open_source(io.BytesIO(b"".join(lines)), Lookout(SHODAN), account, funnel=funnel)
    assert source is not None
    return list(source), account, told


def as_json(row: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({k: v for k, v in (row | more).items() if v is not None}).encode() + b"\n"


def as_tsv(path: str, columns: list[str], *rows: dict[str, Any]) -> bytes:
    head = f"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{path}\n#fields\t"
    lines = ["\t".join(columns)]
    for row in rows:
        lines.append("\t".join(_value(row.get(column)) for column in columns))
    return (head + "\n".join(lines) + "\n").encode()


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value) or "(empty)"
    return "-" if value is None else "(empty)" if value == "" else str(value)


def both(row: dict[str, Any], path: str = "reconwatch", columns: list[str] = COLUMNS) -> list[AnyEvent]:
    """The events of a row: TSV and JSON, funnel and oracle tell the same."""
    told = [
        read(content, funnel=funnel)[0]
        for content in (as_tsv(path, columns, row), as_json(row))
        for funnel in (True, False)
    ]
    assert told.count(told[0]) == len(told), told
    return told[0]


COMMON = {
    "ts": 1795510931.25,
    "client": "10.20.1.11",
    "client_port": 54445,
    "uid": "C1",
    "source": "zeek/reconwatch",
    "input": SECOND_WITNESS,
}
SERVER = {"server": "198.18.24.131", "server_port": 443}


def test_a_hello() -> None:
    assert both(ROW | {"host": "www.Shodan.io"}) == [Hello(name="www.shodan.io", **COMMON, **SERVER)]
    assert both(ROW | {"host": "shodan.io", "kind": "quic"}) == [
        Hello(name="shodan.io", transport="quic", **COMMON, **SERVER)
    ]
    assert both(ROW | {"host": "shodan.io", "method": "CONNECT"}) == [
        Hello(name="shodan.io", transport="connect", **COMMON, **SERVER)
    ]


def test_a_hello_without_a_name_is_called_as_dns_called_its_server() -> None:
    assert both(ROW | {"server_name": "www.shodan.io"}) == [Hello(called="www.shodan.io", **COMMON, **SERVER)]


def test_a_question_and_one_that_only_an_answer_told_of() -> None:
    asked = ROW | {"kind": "dns", "host": "www.shodan.io", "id.resp_h": "10.20.0.53", "id.resp_p": 53}
    expected = DnsQuery(name="www.shodan.io", qtype=28, server="10.20.0.53", server_port=53, **COMMON)
    assert both(asked | {"qtype": 28}) == [expected]
    assert both(asked) == [DnsQuery(name="www.shodan.io", server="10.20.0.53", server_port=53, **COMMON)]


def test_a_request_is_as_it_was_sent_and_its_credentials_are_struck_out_again() -> None:
    asked = ROW | {
        "kind": "http", "host": "api.shodan.io", "method": "GET",
        "uri": "/shodan/host/203.0.113.10?key=***&pin=12&a=%2E",
        "user_agent": "curl/8", "status_code": 200,
    }  # fmt: skip
    assert both(asked) == [HttpRequest(
        method="GET", host="api.shodan.io", uri="/shodan/host/203.0.113.10?key=***&pin=***&a=%2E", user_agent="curl/8",
        status=200, **COMMON, **SERVER,
    )]  # fmt: skip


def test_a_connection_brings_the_name_of_its_server() -> None:
    row = ROW | {"kind": "conn", "host": "www.shodan.io", "proto": "tcp"}
    assert both(row) == [Connection(
        proto="tcp", opening=True, answered=True, established=True, called="www.shodan.io", **COMMON, **SERVER,
    )]  # fmt: skip
    assert both(row | {"proto": "udp"}) == [Connection(proto="udp", called="www.shodan.io", **COMMON, **SERVER)]


def test_a_whois_line_of_either_log() -> None:
    row = ROW | {"kind": "whois", "query": "-B a\tb", "host": "whois.ripe.net", "id.resp_p": 43}
    [event] = read(as_json(row))[0]
    assert event == WhoisQuery(
        line="-B a\tb", called="whois.ripe.net", server="198.18.24.131", server_port=43, **COMMON
    )
    line = WhoisQuery(
        line="-B 203.0.113.10", server="198.18.17.203", server_port=43, **COMMON | {"source": "zeek/whois", "input": 0}
    )
    assert both(LINE, "whois", WHOIS) == [line]
    assert both(LINE | {"server_name": "whois.ripe.net"}, "whois", WHOIS)[0].called == "whois.ripe.net"
    assert both(LINE | {"query": None}, "whois", WHOIS) == []


def test_escapes_of_tsv_are_read_and_marks_are_no_values() -> None:
    row = as_tsv(
        "whois", WHOIS, LINE | {"query": r"\x2d"}, LINE | {"query": r"\x28empty)"}, LINE | {"query": r"a\x09\\b"}
    )
    assert [event.line for event in read(row)[0] if isinstance(event, WhoisQuery)] == ["-", "(empty)", "a\t\\b"]
    assert read(as_tsv("whois", WHOIS, LINE | {"query": ""}))[0] == []


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
def test_a_row_of_a_service_that_means_nothing_here_is_counted_and_told_once(funnel: bool) -> None:
    rows = [ROW | {"service": f"new-{n}\x1b[2J", "host": f"{n}.example"} for n in range(3)] + [
        ROW | {"host": "shodan.io"}
    ]
    for content in (as_tsv("reconwatch", COLUMNS, *rows), b"".join(as_json(row) for row in rows)):
        events, account, told = read(content, funnel=funnel)
        assert len(events) == 1
        assert account.blind == {"unknown_services": 3}
        assert len(told) == 1
        assert "which means nothing to this run" in told[0]
        assert told[0].isprintable()


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"kind": "smtp"}, "a row with a kind that is unknown"),
        ({"kind": None}, "a row with no kind"),
        ({"direction": "sideways"}, "a row with a direction that is unknown"),
        ({"direction": None}, "a row with no direction"),
        ({"ts": None}, "a row with no usable time"),
        ({"id.orig_h": "nobody", "actor": "nobody"}, "a row with no usable address"),
        ({"kind": "conn", "id.resp_h": None}, "a row with no usable address"),
        ({"kind": "conn", "proto": "sctp"}, "a row with a protocol that is unknown"),
        ({"kind": "dns", "host": None}, "a row with no name"),
        ({"kind": "http", "uri": None}, "a row with no request"),
        ({"kind": "whois", "query": None}, "a row with no line"),
        ({"ts": "soon"}, None),
        ({"qtype": "A"}, "a value of the wrong type"),
        ({"id.resp_p": "https"}, "a value of the wrong type"),
    ],
)
def test_a_damaged_row_is_told_and_the_next_one_is_read(damage: dict[str, Any], reason: str, funnel: bool) -> None:
    good, bad = ROW | {"host": "shodan.io"}, ROW | {"host": "shodan.io"} | damage
    for content in (as_tsv("reconwatch", COLUMNS, bad, good), as_json(good) + as_json(bad) + as_json(good)):
        events, account, told = read(content, funnel=funnel)
        assert events
        assert account.skipped.total() == 1
        assert reason is None or list(account.skipped) == [reason]
        assert len(told) == 1


def test_a_cut_row_and_one_too_long_are_told() -> None:
    whole = as_tsv("reconwatch", COLUMNS, ROW | {"host": "shodan.io"})
    events, account, _ = read(whole, whole.splitlines()[-1][:80] + b"\n", whole.splitlines()[-1] + b"\tmore\n")
    assert len(events) == 1
    assert account.skipped == {"a row with another number of columns than its header": 2}


def test_newer_and_older_columns_are_no_matter() -> None:
    row = ROW | {"host": "shodan.io"}
    older = [column for column in COLUMNS if column not in ("server_name", "proto", "canary", "tool")]
    newer = ["first", *COLUMNS, "last"]
    assert len(read(as_tsv("reconwatch", older, row))[0]) == len(read(as_tsv("reconwatch", newer, row))[0]) == 1
    renamed = as_tsv("sightings", COLUMNS, row)
    assert [event.source for event in read(renamed)[0]] == ["zeek/reconwatch"]


def test_a_probe_is_the_event_of_a_probe() -> None:
    row = ROW | {
        "direction": "probe", "kind": "http", "actor": "192.0.2.66", "id.orig_h": "192.0.2.66",
        "id.resp_h": "203.0.113.10", "host": "203.0.113.10", "method": "GET", "uri": "/.git/config",
        "actor_role": ["outside"],
    }  # fmt: skip
    lookout = Lookout(Interest(networks=frozenset({"203.0.113.0/24"})))
    for content in (as_tsv("reconwatch", COLUMNS, row), as_json(row)):
        source = open_source(io.BytesIO(content), lookout, Account("reconwatch.log"))
        assert source is not None
        [event] = source
        assert isinstance(event, HttpRequest)
        assert (event.client, event.uri) == ("192.0.2.66", "/.git/config")


PROBE = ROW | {
    "direction": "probe", "actor": "192.0.2.66", "id.orig_h": "192.0.2.66", "id.resp_h": "203.0.113.10",
    "id.resp_p": 80,
    "actor_role": ["outside"], "service": None,
}  # fmt: skip


def told_of(row: dict[str, Any]) -> list[AnyEvent]:
    source = open_source(
        io.BytesIO(as_json(row)), Lookout(Interest(networks=frozenset({"203.0.113.0/24"}))), Account("reconwatch.log")
    )
    assert source is not None
    return list(source)


def test_a_crawler_whose_request_is_not_told_came_and_spoke() -> None:
    [event] = told_of(PROBE | {"kind": "http", "service": "censys"})
    assert isinstance(event, Connection)
    assert (event.opening, event.established, event.spoke) == (True, True, True)


def test_a_bait_that_is_a_name_is_the_name_that_was_said() -> None:
    bait = "staging-7f3k2q.acme-widgets.com"
    [hello] = told_of(PROBE | {"kind": "tls", "canary": bait})
    [question] = told_of(PROBE | {"kind": "dns", "canary": bait, "id.resp_p": 53})
    assert isinstance(hello, Hello)
    assert isinstance(question, DnsQuery)
    assert hello.name == question.name == bait
    for other in ("203.0.113.77", "/backup-7f3k2q.zip"):
        [nameless] = told_of(PROBE | {"kind": "tls", "canary": other})
        assert isinstance(nameless, Hello)
        assert nameless.name is None


def test_the_port_of_a_host_header_is_no_part_of_the_name() -> None:
    row = PROBE | {"kind": "http", "host": "www.acme-widgets.com:80", "method": "GET", "uri": "/"}
    [event] = told_of(row)
    assert isinstance(event, HttpRequest)
    assert event.host == "www.acme-widgets.com"


def test_logs_of_other_programs_are_no_logs_of_the_package(tmp_path: Path) -> None:
    other = as_tsv("other", ["ts", "uid", "id.orig_h", "kind", "technique", "service"], ROW)
    assert read(other)[0] == []
