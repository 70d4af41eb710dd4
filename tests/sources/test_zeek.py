"""Zeek logs, TSV and JSON: what their rows tell, and what is wrong with them."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.events import Connection, DnsAnswer, DnsQuery, Hello, HttpRequest
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_source, reading_order
from reconwatch.sources.source import Opening
from reconwatch.sources.zeek import ZeekSource

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"

ID = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
FIELDS = {
    "dns": ID + "proto trans_id rtt query qtype answers TTLs rejected",
    "ssl": ID + "version cipher server_name resumed next_protocol established ssl_history",
    "quic": ID + "version client_initial_dcid client_scid server_name client_protocol history",
    "http": ID + "trans_depth method host uri version user_agent",
    "conn": ID + "proto service conn_state history",
}


def header(kind, fields=None, separator="\t"):
    tab = separator
    return (
        f"#separator \\x{ord(separator):02x}\n#set_separator{tab},\n#empty_field{tab}(empty)\n"
        f"#unset_field{tab}-\n#path{tab}{kind}\n#open{tab}2026-11-24-04-19-23\n#fields{tab}"
        + tab.join((fields or FIELDS[kind]).split())
        + "\n"
    )


def tsv(kind, *rows, separator="\t"):
    """A log of rows written as `column=value` words; the five of the connection have defaults."""
    text = header(kind, separator=separator)
    for row in rows:
        given_ = BASE | dict(word.split("=", 1) for word in row)
        text += separator.join(given_.get(field, "-") for field in FIELDS[kind].split()) + "\n"
    return text.encode()


BASE = {
    "ts": "1795493735.950926", "uid": "CBRCfm1mc6fBx1EdV8", "id.orig_h": "10.20.1.16", "id.orig_p": "60136",
    "id.resp_h": "198.18.4.2", "id.resp_p": "53",
}  # fmt: skip
CONNECTION = {
    "ts": 1795493735.950926, "uid": "C1", "id.orig_h": "10.20.1.16", "id.orig_p": 60136, "id.resp_h": "198.18.4.2",
    "id.resp_p": 443,
}  # fmt: skip


def read(content, form="tsv", *, names=("shodan.io", "crt.sh", "example.org"), ports=(43,), funnel=True, lookout=None):
    told = []
    account = Account("log", warn=told.append)
    seeking = lookout or Lookout(Interest(names=frozenset(names), ports=frozenset(ports)))
    source = ZeekSource(Opening(io.BytesIO(content), seeking, account, 3, funnel), form)
    events = list(source)
    assert source.position == len(content)
    source.close()
    source.close()
    return events, account, told


def only(content, form="tsv", **how):
    """The one event of content that has one; the same with and without the funnel."""
    (event,) = read(content, form, **how)[0]
    assert read(content, form, funnel=False, **how)[0] == [event]
    return event


def test_a_query_and_its_addresses_are_told_with_the_ttl_at_the_place_of_each_address():
    content = tsv("dns", ["query=API.Shodan.io", "qtype=1", "answers=edge.example.net,198.18.4.2,-,2001:DB8::0:1",
                          "TTLs=5.000000,60.000000,-,30.000000"])  # fmt: skip
    events, account, _ = read(content)
    common = {
        "ts": 1795493735.950926, "client": "10.20.1.16", "client_port": 60136, "server": "198.18.4.2",
        "server_port": 53, "source": "zeek/dns", "input": 3, "uid": "CBRCfm1mc6fBx1EdV8",
    }  # fmt: skip
    assert events == [
        DnsQuery(name="api.shodan.io", qtype=1, **common),
        DnsAnswer(
            name="api.shodan.io",
            qtype=1,
            records=4,
            addresses=(("198.18.4.2", 60.0), ("2001:db8::1", 30.0)),
            **common,
        ),
    ]
    assert account.dialect == "zeek/dns tsv"
    assert account.holds == {"dns", "answer"}
    assert (account.records, account.events) == (8, 2)


def test_an_answer_teaches_the_lookout_for_the_logs_that_are_read_next():
    lookout = Lookout(Interest(names=frozenset({"shodan.io"})))
    read(tsv("dns", ["query=shodan.io", "answers=198.18.4.2", "TTLs=60.0"]), lookout=lookout)
    events, _, _ = read(tsv("conn", ["proto=tcp"], ["proto=tcp", "id.resp_h=198.18.4.3"]), lookout=lookout)
    assert [event.server for event in events] == ["198.18.4.2"]


def test_an_answer_without_ttls_is_taken_to_last_five_minutes():
    events, _, _ = read(tsv("dns", ["query=shodan.io", "answers=198.18.4.2"]))
    assert events[1].addresses == (("198.18.4.2", 300.0),)


def test_an_https_record_with_ech_says_that_the_next_hello_hides_its_name():
    events, _, _ = read(tsv("dns", ["query=shodan.io", "qtype=65", "answers=1 . alpn=h2 ech=AEX+DQ=="]))
    assert events[1].ech
    assert events[1].addresses == ()


def test_multicast_dns_and_netbios_are_no_lookups():
    rows = [["query=shodan.io", f"id.resp_p={port}"] for port in ("5353", "5355", "137")]
    assert read(tsv("dns", *rows))[0] == []


def test_a_root_dot_and_upper_case_are_spelling():
    assert only(tsv("dns", ["query=CRT.SH."])).name == "crt.sh"


def test_a_name_whose_first_byte_is_escaped_because_it_equals_the_unset_mark_is_a_name():
    # Only the raw text `-` is unset; `\x2d` is a name of one hyphen.
    events, account, _ = read(tsv("dns", ["query=\\x2d"], ["query=-"], ["query=\\x28empty)"]), names=("-", "(empty)"))
    assert [event.name for event in events] == ["-", "(empty)"]
    assert not account.skipped


def test_escaped_bytes_are_utf8_where_they_can_be_and_stay_text_where_not():
    rows = [["query=\\xc3\\xa9.example.org"], ["query=\\xe4.example.org"], ["query=a\\\\x41\\x00.example.org"]]
    names = [event.name for event in read(tsv("dns", *rows))[0]]
    assert names == ["é.example.org", "\\xe4.example.org", "a\\x41\\x00.example.org"]


def test_a_tls_hello_is_told_from_ssl_log():
    event = only(tsv("ssl", ["server_name=WWW.shodan.io", "id.resp_p=443", "established=T", "next_protocol=h2"]))
    assert event == Hello(
        name="www.shodan.io", ts=1795493735.950926, client="10.20.1.16", client_port=60136, server="198.18.4.2",
        server_port=443, source="zeek/ssl", input=3, uid="CBRCfm1mc6fBx1EdV8",
    )  # fmt: skip


def test_a_quic_hello_is_told_from_quic_log():
    event = only(tsv("quic", ["server_name=www.shodan.io", "client_protocol=h3", "client_scid=(empty)"]))
    assert (event.transport, event.alpn, event.source) == ("quic", ("h3",), "zeek/quic")


def test_a_hello_without_a_name_is_told_where_its_server_is_known():
    lookout = Lookout(Interest(names=frozenset({"shodan.io"})))
    lookout.addresses.add("198.18.4.2")
    assert only(tsv("ssl", ["server_name=-", "established=F"]), lookout=lookout).name is None


def test_a_request_keeps_its_number_sign_and_spaces_and_loses_its_port_and_key():
    content = tsv("http", ["method=GET", "host=API.shodan.io:8080", "uri=/a b#c?key=hunter2&q=1", "version=1.1",
                           "user_agent=curl/7.88.1"])  # fmt: skip
    event = only(content)
    assert isinstance(event, HttpRequest)
    assert (event.host, event.uri, event.decoded) == ("api.shodan.io", "/a b#c?key=***&q=1", True)
    assert (event.method, event.version, event.user_agent) == ("GET", "1.1", "curl/7.88.1")


def test_an_absolute_form_request_without_a_host_header_names_its_host():
    event = only(tsv("http", ["method=GET", "uri=http://u:pw@crt.sh:80?q=x", "host=-"]))
    assert (event.host, event.uri) == ("crt.sh", "/?q=x")
    event = only(tsv("http", ["method=GET", "uri=http://crt.sh/", "host=crt.sh"]))
    assert (event.host, event.uri) == ("crt.sh", "/")


def test_a_connect_to_a_proxy_is_a_hello():
    event = only(tsv("http", ["method=CONNECT", "host=crt.sh:443", "uri=CRT.sh:443", "id.resp_p=3128"]))
    assert isinstance(event, Hello)
    assert (event.name, event.transport, event.server_port) == ("crt.sh", "connect", 3128)


def test_http2_in_clear_text_is_counted_as_hidden():
    content = tsv("http", ["method=PRI", "uri=*"], ["method=GET", "host=other.example", "uri=/"])
    for funnel in (True, False):
        events, account, _ = read(content, funnel=funnel)
        assert events == []
        assert account.blind == {"http2_cleartext": 1}


def test_a_uri_that_zeek_has_cut_is_counted_as_hidden():
    content = tsv("http", ["method=GET", "host=crt.sh", "uri=/" + "a" * 4095], ["method=GET", "host=crt.sh", "uri=/"])
    for funnel in (True, False):
        assert read(content, funnel=funnel)[1].blind == {"truncated_fields": 1}


def test_a_reply_whose_request_was_not_seen_tells_nothing():
    assert read(tsv("http", ["host=crt.sh", "uri=-", "method=-"]))[0] == []


@pytest.mark.parametrize(
    ("state", "history", "established"),
    [
        ("SF", "ShADadFf", True),
        ("S1", "ShADad", True),
        ("RSTO", "ShADadfR", True),
        ("RSTO", "ShR", False),  # a half-open scan
        ("S0", "S", False),
        ("REJ", "Sr", False),
        ("OTH", "^dADa", False),
        ("SF", "^hADafF", False),
        ("SF", "-", True),
        ("S0", "-", False),
        ("SF", "sHadADfF", True),
    ],
)
def test_a_handshake_was_completed_when_the_client_answered_the_syn_ack(state, history, established):
    event = only(tsv("conn", ["id.resp_p=43", "proto=tcp", f"conn_state={state}", f"history={history}"]))
    assert event.established is established


def test_the_first_of_several_services_counts_and_udp_has_no_handshake():
    rows = [["proto=udp", "service=quic,ssl", "id.resp_p=43"], ["proto=udp", "service=-", "id.resp_p=43"]]
    events, _, _ = read(tsv("conn", *rows))
    assert [(e.service, e.established) for e in events] == [("quic", None), (None, None)]


def test_the_type_and_code_of_icmp_are_no_ports():
    lookout = Lookout(Interest())
    lookout.addresses.add("198.18.4.2")
    rows = [["proto=icmp", "id.resp_p=0", "id.orig_p=8"], ["proto=unknown_transport"]]
    (event,) = read(tsv("conn", *rows), lookout=lookout)[0]
    assert (event.proto, event.client_port, event.server_port) == ("icmp", None, None)


def test_several_headers_and_kinds_in_one_stream_are_each_read_by_their_own():
    content = (
        tsv("dns", ["query=crt.sh"])
        + b"#close\t2026-11-24-05-00-00\n"
        + header("ssl", "server_name id_resp_h id_orig_h ts established").encode()
        + b"crt.sh\t2001:db8::1\t2001:db8::2\t1795493736.5\tT\n"
        + header("files", "ts fuid").encode()
        + b"1795493736.5\tcrt.sh\n"
        + tsv("conn", ["proto=tcp", "id.resp_p=43"], separator="|")
        + tsv("dns", ["query=shodan.io"])
    )
    events, account, _ = read(content)
    assert events == read(content, funnel=False)[0]
    assert [type(event) for event in events] == [DnsQuery, Hello, Connection, DnsQuery]
    assert (events[1].server, events[1].client_port, events[1].uid) == ("2001:db8::1", None, None)
    assert account.dialect == "zeek/dns+ssl+files+conn tsv"
    assert account.holds == {"dns", "answer", "tls", "presented", "conn"}
    assert not account.skipped


def test_other_separators_marks_and_column_names_are_honoured():
    content = (
        b"#separator \\x7c\n#set_separator|;\n#empty_field|EMPTY\n#unset_field|NULL\n#path|dns\n"
        b"#fields|ts|query|id:resp_h|id:orig_h|answers|TTLs|conn_uid\n"
        b"1795493735|crt.sh|10.0.0.53|10.0.0.1|198.18.4.2;NULL|60;NULL|x\n"
        b"1795493735|crt.sh|10.0.0.53|10.0.0.1|EMPTY|EMPTY|x\n"
        b"1795493735|NULL|10.0.0.53|10.0.0.1|NULL|NULL|x\n"
    )
    events, _, _ = read(content)
    assert [event.kind for event in events] == ["dns", "answer", "dns"]


def test_a_log_renamed_by_a_filter_is_known_by_its_columns():
    assert only(tsv("dns", ["query=crt.sh"]).replace(b"#path\tdns", b"#path\tdns_internal")).name == "crt.sh"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("sip", "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method uri request_path user_agent"),
        ("software", "ts host host_p software_type name version.major"),
        ("smtp", "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth helo path user_agent tls"),
        ("ocsp", "ts id hashAlgorithm issuerNameHash serialNumber certStatus"),
        ("weird", "ts uid id.orig_h id.orig_p id.resp_h id.resp_p name"),
    ],
)
def test_a_log_that_is_of_no_use_is_named_and_tells_nothing(path, fields):
    row = "\t".join("crt.sh" for _ in fields.split()) + "\n"
    events, account, told = read((header(path, fields) + row).encode())
    assert (events, told, account.dialect, account.holds) == ([], [], f"zeek/{path} tsv", set())
    keys = dict.fromkeys(fields.split(), "crt.sh")
    assert read(json.dumps(keys).encode(), "json", funnel=False)[0] == []


def test_a_short_row_a_wrong_number_and_a_missing_address_are_counted_and_located():
    content = tsv("dns", ["query=crt.sh"], ["query=crt.sh", "qtype=many"], ["query=crt.sh", "id.resp_h=-"],
                  ["query=crt.sh", "ts=nan"])[:-1] + b"\n1795493735.95\tCx\t10.20.1.16\tcrt.sh"  # fmt: skip
    events, account, told = read(content)
    assert len(events) == 1
    assert account.skipped == {
        "a value of the wrong type": 1,
        "a row with no usable address": 1,
        "a row with no usable time": 1,
        "a row with another number of columns than its header": 1,
    }
    assert told[0] == "log: line 9: a value of the wrong type"
    assert told[-1] == "log: line 12: a row with another number of columns than its header"


def test_rows_without_a_header_are_counted():
    _, account, told = read(b"1795493735.95\tCx\tcrt.sh\n")
    assert account.skipped == {"a row with no #fields header above it": 1}
    assert told == ["log: line 1: a row with no #fields header above it"]


def test_empty_first_and_last_columns_are_columns():
    content = header("dns", "query ts id.orig_h id.resp_h answers").encode() + b"\t1795493735.5\t10.0.0.1\t10.0.0.2\t\n"
    events, account, _ = read(content, names=("",), funnel=False)
    assert events == []
    assert not account.skipped


# --- JSON ---------------------------------------------------------------------------------------------------------

JSON_ROWS = {
    "dns": {"query": "crt.sh", "trans_id": 7, "qtype": 1, "answers": ["crt.sh", "198.18.4.2"], "TTLs": [5.0, 60.0],
            "rejected": False},
    "ssl": {"server_name": "crt.sh", "established": True, "resumed": False, "version": "TLSv13"},
    "quic": {"server_name": "crt.sh", "client_initial_dcid": "28d3", "client_protocol": "h3", "version": "1"},
    "http": {"trans_depth": 1, "method": "GET", "host": "crt.sh", "uri": "/?q=x", "version": "1.1", "tags": []},
    "conn": {"proto": "tcp", "service": "ssl", "conn_state": "SF", "history": "ShADadFf", "id.resp_p": 43},
}  # fmt: skip


def as_json(kind, **more):
    return json.dumps(CONNECTION | JSON_ROWS[kind] | more, separators=(",", ":")).encode()


@pytest.mark.parametrize("kind", JSON_ROWS)
def test_a_json_row_is_told_by_its_columns_and_by_its_path(kind):
    events, account, _ = read(as_json(kind) + b"\n", "json")
    assert events
    assert {event.source for event in events} == {f"zeek/{kind}"}
    assert account.dialect == f"zeek/{kind} json"
    assert read(as_json(kind, _path=kind), "json")[0] == events
    renamed = as_json(kind).replace(b'"id.', b'"id_')
    assert read(renamed, "json")[0] == read(renamed, "json", funnel=False)[0] == events
    unset = {column: None for row in JSON_ROWS.values() for column in row}
    assert read(json.dumps(unset | CONNECTION | JSON_ROWS[kind]).encode(), "json")[0] == events


def test_the_kinds_in_a_mixed_json_stream_are_known_though_nothing_in_it_is_wanted():
    content = b"\n".join(as_json(kind) for kind in JSON_ROWS)
    _, account, _ = read(content, "json", names=("other.example",), ports=())
    assert (account.events, account.holds) == (0, {"dns", "answer", "tls", "presented", "http", "conn"})


def test_kinds_may_be_mixed_in_one_json_stream():
    content = b"\n".join(as_json(kind) for kind in JSON_ROWS)
    events, account, _ = read(content, "json")
    assert events == read(content, "json", funnel=False)[0]
    assert Counter(event.kind for event in events) == {"dns": 1, "answer": 1, "tls": 2, "http": 1, "conn": 1}
    assert account.dialect == "zeek/dns+ssl+http+quic+conn json"


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [
        (1795493735.950926, 1795493735.950926),
        (1795493735950, 1795493735.95),
        ("2026-11-24T04:15:35.950926Z", 1795493735.950926),
        ("2026-11-24T04:15:35.1000000Z", 1795493736.0),
        ("2026-11-24T06:15:35.5+0200", 1795493735.5),
        ("2026-11-24T04:15:35.5", 1795493735.5),
    ],
)
def test_every_style_of_time_is_epoch_seconds(ts, seconds):
    assert only(as_json("ssl", ts=ts), "json").ts == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("ts", [None, "ts-error", -5, 18446744073709551000, 1e300, "1900-01-01T00:00:00Z", ""])
def test_a_time_that_is_none_is_a_counted_skip(ts):
    _, account, _ = read(as_json("ssl", ts=ts), "json")
    assert account.skipped == {"a row with no usable time": 1}


def test_a_tsv_time_may_have_an_exponent():
    assert only(tsv("dns", ["query=crt.sh", "ts=1.795493735e+09"])).ts == 1795493735.0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ts":1795493735.95,"uid":"C1","query":"crt.sh"', "not a JSON object"),
        (b'["crt.sh"]', "not a JSON object"),
        (b"crt.sh", "not a JSON object"),
        (b'"crt.sh"', "not a JSON object"),
        (b"[" * 5000 + b"crt.sh", "not a JSON object"),
        (as_json("dns", qtype="A"), "a value of the wrong type"),
        (as_json("dns", **{"id.orig_h": "10.20.1.999"}), "a row with no usable address"),
    ],
)
def test_a_bad_json_line_is_counted_and_located_and_the_next_is_read(line, reason):
    content = as_json("ssl") + b"\n\n" + line + b"\n" + as_json("ssl")
    events, account, told = read(content, "json")
    assert len(events) == 2
    assert account.skipped == {reason: 1}
    assert told == [f"log: line 3: {reason}"]


def test_bytes_that_are_not_utf8_become_text_and_the_line_is_kept():
    line = as_json("ssl").replace(b'"crt.sh"', b'"\xe4.crt.sh"')
    assert only(line, "json").name == "\\xe4.crt.sh"


def test_of_a_key_that_stands_twice_the_last_value_counts():
    assert (
        only(as_json("ssl").replace(b'"server_name"', b'"server_name":"crt.sh","server_name"'), "json").name == "crt.sh"
    )


def test_a_service_may_be_a_set():
    assert only(as_json("conn", service=["quic", "ssl"]), "json").service == "quic"


# --- laws ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_garbage_in_a_log_never_raises_and_never_hangs(data):
    form = data.draw(st.sampled_from(["tsv", "json"]))
    whole = (
        tsv("dns", ["query=crt.sh", "answers=198.18.4.2,-", "TTLs=60,-"]) + tsv("conn", ["proto=tcp", "id.resp_p=43"])
        if form == "tsv"
        else b"\n".join(as_json(kind) for kind in JSON_ROWS)
    )
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            content[place : place + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=10))
        content = content or bytearray(b"x")
    funnel, naive = read(bytes(content), form), read(bytes(content), form, funnel=False)
    assert funnel[0] == naive[0]
    assert funnel[1].records == naive[1].records
    assert not funnel[1].unreadable - naive[1].skipped
    for reason in ("not a JSON object", "a row with another number of columns than its header"):
        assert funnel[1].unreadable[reason] == naive[1].skipped[reason]


SERVICES = frozenset({
    "shodan.io", "censys.io", "crt.sh", "ripe.net", "cymru.com", "ip-api.com", "securitytrails.com", "viewdns.info",
    "robtex.com", "arin.net", "acme-widgets.com",
})  # fmt: skip


def folder(name, form):
    path = CAPTURES / name / f"zeek-{form}"
    if not path.is_dir():
        pytest.skip(f"{path} is not there: the laboratory captures are not part of the repository")
    return sorted(path.iterdir(), key=reading_order)


def replay(paths, *, funnel):
    lookout = Lookout(Interest(names=SERVICES, ports=frozenset({43})))
    events = []
    for place, path in enumerate(paths):
        account = Account(str(path))
        source = open_source(path, lookout, account, place, funnel)
        assert source is not None
        events += source
        source.close()
        assert not account.skipped
    return events


def same(event):
    """What two forms of one log have in common: the JSON run had other uids and another order of connections."""
    name = getattr(event, "name", None) or getattr(event, "host", None)
    detail = getattr(event, "uri", None) or getattr(event, "qtype", None) or getattr(event, "service", None)
    return (event.kind, event.client, event.client_port, event.server, event.server_port, name, detail)


@pytest.mark.parametrize("capture", ["cli", "benign", "proxy", "outside", "modern"])
def test_tsv_and_json_of_one_capture_tell_the_same_with_and_without_the_funnel(capture):
    tsv_events = replay(folder(capture, "tsv"), funnel=True)
    json_events = replay(folder(capture, "json"), funnel=True)
    assert tsv_events
    assert Counter(map(same, tsv_events)) == Counter(map(same, json_events))
    assert tsv_events == replay(folder(capture, "tsv"), funnel=False)
    assert json_events == replay(folder(capture, "json"), funnel=False)
