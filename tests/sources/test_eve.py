"""EVE records: what they tell, told once, whatever the version and however wrong."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.events import Connection, DnsAnswer, DnsQuery, Hello
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.eve import EveSource
from reconwatch.sources.source import Opening

AT = "2026-11-24T04:15:35.946101+0000"
SECONDS = 1795493735.946101


def record(event_type, *, at=AT, src="10.20.1.16:51140", dst="10.20.0.53:53", **more):
    """One record; the sides as `address:port`."""
    (src_ip, _, src_port), (dest_ip, _, dest_port) = src.rpartition(":"), dst.rpartition(":")
    return {
        "timestamp": at, "flow_id": 2093151762496021, "event_type": event_type, "src_ip": src_ip,
        "src_port": int(src_port), "dest_ip": dest_ip, "dest_port": int(dest_port), "proto": "UDP",
    } | more  # fmt: skip


def request_v3(name="crt.sh", rrtype="A", id=7, **more):
    return record(
        "dns", dns={"version": 3, "type": "request", "id": id, "queries": [{"rrname": name, "rrtype": rrtype}]}, **more
    )


def response_v3(name="crt.sh", answers=(), id=7, **more):
    dns = {
        "version": 3,
        "type": "response",
        "id": id,
        "queries": [{"rrname": name, "rrtype": "A"}],
        "answers": list(answers),
    }
    return record("dns", src="10.20.0.53:53", dst="10.20.1.16:51140", dns=dns, **more)


def http(**fields):
    sent = {"hostname": "crt.sh", "url": "/?q=x", "http_method": "GET", "protocol": "HTTP/1.1"} | fields
    return record("http", src="10.20.1.16:50000", dst="198.18.4.2:80", proto="TCP", tx_id=0, http=sent)


def alert(of, **more):
    """An alert on the reply to a record: the direction of the packet, the flow's sides inside, the same transaction."""
    turned = {
        "src_ip": of["dest_ip"],
        "src_port": of["dest_port"],
        "dest_ip": of["src_ip"],
        "dest_port": of["src_port"],
    }
    flow = {key: of[key] for key in ("src_ip", "src_port", "dest_ip", "dest_port")} | {"start": AT}
    return (
        of
        | turned
        | {"event_type": "alert", "alert": {"signature_id": 1}, "direction": "to_client", "flow": flow}
        | more
    )


def read(*records, funnel=True, lookout=None, names=("crt.sh", "shodan.io"), ports=(43,)):
    content = b"".join(
        r if isinstance(r, bytes) else json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records
    )
    told = []
    account = Account("eve.json", warn=told.append)
    seeking = lookout or Lookout(Interest(names=frozenset(names), ports=frozenset(ports)))
    source = EveSource(Opening(io.BytesIO(content), seeking, account, 3, funnel))
    events = list(source)
    assert source.position == len(content)
    source.close()
    source.close()
    return events, account, told


def only(*records, **how):
    """The one event of records that tell one; the same with and without the funnel."""
    (event,) = read(*records, **how)[0]
    assert read(*records, funnel=False, **how)[0] == [event]
    return event


def known(*addresses):
    lookout = Lookout(Interest(names=frozenset({"crt.sh", "shodan.io"})))
    lookout.addresses.update(addresses)
    return lookout


# --- dns ----------------------------------------------------------------------------------------------------------

V2_QUERY = record("dns", dns={"version": 2, "type": "query", "id": 7, "rrname": "CRT.sh", "rrtype": "A", "tx_id": 0})
V1_QUERY = record("dns", dns={"type": "query", "id": 7, "rrname": "crt.sh", "rrtype": "A", "tx_id": 0})
QUERY_LIST = record("dns", dns={"version": 2, "type": "query", "query": [{"rrname": "crt.sh", "rrtype": "A", "id": 7}]})


@pytest.mark.parametrize("question", [request_v3(), V2_QUERY, V1_QUERY, QUERY_LIST])
def test_every_version_of_a_question_is_the_same_query(question):
    assert only(question) == DnsQuery(
        name="crt.sh", qtype=1, ts=SECONDS, client="10.20.1.16", client_port=51140, server="10.20.0.53", server_port=53,
        source="eve/dns", input=3, uid="2093151762496021",
    )  # fmt: skip


def test_bytes_that_are_no_text_are_spelt_as_in_every_other_source():
    (event,) = read(request_v3("\0.a b.\u200e.CRT.sh"))[0]
    assert event.name == r"\x00.a\x20b.\xe2\x80\x8e.crt.sh"


A = {"rrname": "x", "rrtype": "A", "ttl": 60, "rdata": "198.18.4.2"}
AAAA = {"rrname": "x", "rrtype": "AAAA", "ttl": 30, "rdata": "2001:0db8:ffff:0000:0000:0000:0000:0001"}
CNAME = {"rrname": "crt.sh", "rrtype": "CNAME", "ttl": 5, "rdata": "edge.example.net"}
V2_ANSWER = record(
    "dns", dns={"version": 2, "type": "answer", "id": 7, "rrname": "crt.sh", "rrtype": "A", "answers": [CNAME, A, AAAA]}
)


@pytest.mark.parametrize(
    ("question", "answer"), [(V2_QUERY, V2_ANSWER), (request_v3(), response_v3(answers=[CNAME, A, AAAA]))]
)
def test_an_answer_is_told_for_the_name_that_was_asked_with_client_and_server_as_of_the_question(question, answer):
    events, account, _ = read(question, answer)
    assert events == read(question, answer, funnel=False)[0]
    assert [type(event) for event in events] == [DnsQuery, DnsAnswer]
    assert events[1].name == "crt.sh"
    assert events[1].addresses == (("198.18.4.2", 60.0), ("2001:db8:ffff::1", 30.0))
    assert {(e.client, e.client_port, e.server, e.server_port) for e in events} == {
        ("10.20.1.16", 51140, "10.20.0.53", 53)
    }
    assert account.holds == {"dns", "answer"}
    assert account.dialect == "eve"


def test_grouped_answers_are_read_where_no_others_are():
    dns = {
        "version": 2,
        "type": "answer",
        "rrname": "crt.sh",
        "rrtype": "A",
        "grouped": {"A": ["198.18.4.2"], "CNAME": ["x"]},
    }
    events, _, _ = read(V2_QUERY, record("dns", dns=dns))
    assert events[-1].addresses == (("198.18.4.2", 300.0),)


def test_a_version_1_answer_is_read_alone():
    dns = {"type": "answer", "id": 7, "rrname": "crt.sh", "rrtype": "A", "ttl": 60, "rdata": "198.18.4.2"}
    assert only(record("dns", src="10.20.0.53:53", dst="10.20.1.16:5000", dns=dns)).addresses == (("198.18.4.2", 60.0),)


def test_a_response_whose_request_was_not_captured_tells_the_question_too():
    events, _, _ = read(response_v3(answers=[A]))
    assert [type(event) for event in events] == [DnsQuery, DnsAnswer]
    assert [type(event) for event in read(response_v3())[0]] == [DnsQuery]


def test_a_question_is_told_once_in_whatever_order_request_and_response_lie():
    assert [e.kind for e in read(response_v3(), request_v3())[0]] == ["dns"]
    assert [e.kind for e in read(request_v3(), response_v3())[0]] == ["dns"]


def test_a_retry_is_a_question_of_its_own():
    assert len(read(request_v3(), request_v3(), response_v3())[0]) == 2


def test_the_client_is_the_side_that_is_not_at_a_resolvers_port():
    reversed_query = request_v3(src="10.20.0.53:853", dst="10.20.1.16:40000")
    assert only(reversed_query).client == "10.20.1.16"
    between_resolvers = response_v3() | {"dest_port": 53}
    assert {e.client for e in read(between_resolvers)[0]} == {"10.20.1.16"}


def test_multicast_names_are_no_lookups():
    assert read(request_v3(dst="224.0.0.251:5353"), record("mdns", dns={"queries": [{"rrname": "crt.sh"}]}))[0] == []


@pytest.mark.parametrize(
    ("rrtype", "number"), [("AXFR", 252), ("252", 252), ("257", 257), ("ANY", 255), ("TYPE65", 65), ("?", None)]
)
def test_record_types_are_numbers(rrtype, number):
    assert only(request_v3(rrtype=rrtype)).qtype == number


# --- tls, quic, http ----------------------------------------------------------------------------------------------


def test_a_tls_record_is_a_hello_with_its_fingerprints_and_canonical_addresses():
    tls = {"sni": "WWW.Shodan.io", "ja3": {"hash": "cf92", "string": "771"}, "ja4": "t13d", "client_alpns": ["h2"]}
    event = only(record("tls", src="2001:0db8:0acc:0001:0000:0000:0000:0016:60136", dst="198.18.4.2:443", tls=tls))
    assert isinstance(event, Hello)
    assert (event.name, event.transport, event.alpn, event.ja3, event.ja4) == (
        "www.shodan.io",
        "tls",
        ("h2",),
        "cf92",
        "t13d",
    )
    assert event.client == "2001:db8:acc:1::16"


def test_a_hello_without_a_name_is_told_where_its_server_is_known():
    event = only(
        record("tls", dst="2001:0db8:0000:0000:0000:0000:0000:0001:443", tls={"version": "TLS 1.3"}),
        lookout=known("2001:db8::1"),
    )
    assert event.name is None


def test_of_the_records_of_a_quic_flow_only_the_one_with_a_name_is_a_hello():
    named = {
        "version": "1",
        "sni": "www.shodan.io",
        "extensions": [{"name": "alpn", "type": 16, "values": ["h3"]}, {"type": 57}],
    }
    hidden = record("quic", dst="198.18.4.2:443", quic={"version": "1"})
    for order in ([hidden, record("quic", quic=named)], [record("quic", quic=named), hidden]):
        for funnel in (True, False):
            (event,), account, _ = read(*order, funnel=funnel)
            assert (event.transport, event.alpn) == ("quic", ("h3",))
            assert account.blind == {}


def test_quic_flows_without_any_name_are_counted_as_hidden():
    records = [record("quic", flow_id=n, quic={"version": 1}) for n in (1, 1, 2)]
    for funnel in (True, False):
        assert read(*records, funnel=funnel)[1].blind == {"quic_undecodable": 2}


def test_a_request_is_told_with_its_secrets_struck_out():
    event = only(http(hostname="API.shodan.io:80", url="/a?key=hunter2&q=1", http_user_agent="curl"))
    assert (event.method, event.host, event.uri, event.decoded) == ("GET", "api.shodan.io", "/a?key=***&q=1", False)
    assert (event.version, event.user_agent, event.ts) == ("1.1", "curl", SECONDS)


def test_an_http2_request_takes_its_name_from_its_pseudo_headers():
    pseudo = {":method": "GET", ":path": "/x", ":authority": "crt.sh:8080", "user-agent": "curl"}
    headers = [{"name": name, "value": value} for name, value in pseudo.items()]
    fields = {"version": "2", "request_headers": headers, "http2": {"stream_id": 1, "request": {}, "response": {}}}
    event = only(record("http", http=fields))
    assert (event.method, event.host, event.uri, event.version, event.user_agent) == (
        "GET",
        "crt.sh",
        "/x",
        "2",
        "curl",
    )


def test_an_absolute_form_request_is_told_in_origin_form():
    assert only(http(hostname=None, url="http://crt.sh:80/?q=x")).host == "crt.sh"
    assert only(http(url="http://crt.sh?q=x")).uri == "/?q=x"


def test_a_connect_to_a_proxy_is_a_hello():
    event = only(http(http_method="CONNECT", url="crt.sh:443"))
    assert (type(event), event.name, event.transport) == (Hello, "crt.sh", "connect")


@pytest.mark.parametrize("fields", [{"url": "/libhtp::request_uri_not_seen"}, {"url": None}])
def test_a_reply_without_its_request_and_settings_frames_tell_nothing(fields):
    assert read(http(**fields))[0] == []


def test_the_same_object_in_another_record_is_not_told_again():
    assert len(read(http(), http() | {"event_type": "fileinfo"}, http() | {"event_type": "anomaly"})[0]) == 1


# --- flow, stats --------------------------------------------------------------------------------------------------


def flow(**more):
    start = {"start": "2026-11-24T04:15:30.000000+0000", "end": AT}
    return record("flow", dst="198.18.4.2:43", proto="TCP", flow=start) | more


@pytest.mark.parametrize(
    ("to_server", "to_client", "established"),
    [
        ("1b", "1b", True),
        ("02", "00", False),
        ("02", "14", False),
        ("06", "12", False),
        ("00", "18", False),
        ("zz", "1", None),
    ],
)
def test_a_flow_is_a_connection_from_its_start_and_its_flags_say_whether_it_was_opened(
    to_server, to_client, established
):
    event = only(flow(tcp={"tcp_flags_ts": to_server, "tcp_flags_tc": to_client}, app_proto="failed"))
    assert isinstance(event, Connection)
    assert (event.ts, event.established, event.service) == (SECONDS - 5.946101, established, None)


@pytest.mark.parametrize(
    ("app_proto", "service"), [("tls", "ssl"), ("http2", "http"), ("dns", "dns"), ("ssh", "ssh"), (None, None)]
)
def test_services_are_spelled_as_zeek_does(app_proto, service):
    assert only(flow(app_proto=app_proto)).service == service


def test_a_flow_without_ports_is_told_where_its_server_is_known():
    bare = {key: value for key, value in flow(proto="IPv6-ICMP").items() if not key.endswith("_port")}
    event = only(bare, lookout=known("198.18.4.2"))
    assert (event.proto, event.client_port, event.server_port, event.established) == ("icmp", None, None, None)
    assert read(flow(proto="SCTP"))[0] == []


def test_what_an_answer_taught_is_found_in_the_lines_behind_it():
    connect = flow(dest_port=443)
    records = [connect, response_v3(answers=[A]), connect, connect]
    events, _, _ = read(*records)
    assert events == read(*records, funnel=False)[0]
    assert [event.kind for event in events] == ["dns", "answer", "conn", "conn"]


def test_the_sensors_own_drops_are_told():
    stats = [
        record("stats", stats={"capture": {"kernel_packets": 9, "kernel_drops": n}, "decoder": {}}) for n in (0, 7, 3)
    ]
    for funnel in (True, False):
        assert read(*stats, funnel=funnel)[1].blind == {"sensor_drops": 7}
        assert read(stats[0], funnel=funnel)[1].blind == {}


# --- alerts -------------------------------------------------------------------------------------------------------

TLS = record("tls", dst="198.18.4.2:443", tls={"sni": "crt.sh"})
QUIC = record("quic", dst="198.18.4.2:443", quic={"sni": "crt.sh"})


@pytest.mark.parametrize("of", [http(), TLS, QUIC, request_v3()], ids=["http", "tls", "quic", "dns"])
def test_an_application_record_inside_an_alert_is_told_only_where_it_has_no_record_of_its_own(of):
    event = only(alert(of))
    assert (event.source, event.client) == ("eve/alert", "10.20.1.16")
    for order in ([of, alert(of)], [alert(of), of], [alert(of), alert(of), of], [of, alert(of), alert(of)]):
        assert len(read(*order)[0]) == len(read(*order, funnel=False)[0]) == 1
    assert len(read(alert(of), of, of)[0]) == 2


def test_an_alert_tells_the_transactions_that_have_no_record_and_only_those():
    second = http() | {"tx_id": 1}
    assert len(read(alert(http()), http(), alert(second))[0]) == 2


def test_alerts_of_different_flows_without_an_id_are_not_taken_for_one():
    one = alert(http()) | {"flow_id": None}
    other = alert(http() | {"src_port": 50001}) | {"flow_id": None}
    assert len(read(one, other, one)[0]) == 2


def test_a_version_2_alert_holds_its_questions_in_a_list_and_its_answer_beside_them():
    dns = {"query": [{"type": "query", "id": 7, "rrname": "crt.sh", "rrtype": "A"}],
           "answer": {"version": 2, "id": 7, "rrname": "crt.sh", "rrtype": "A", "answers": [A]}}  # fmt: skip
    events, _, _ = read(V2_QUERY, alert(record("dns", dns=dns)))
    assert [(event.kind, event.client) for event in events] == [("dns", "10.20.1.16"), ("answer", "10.20.1.16")]


def test_an_alert_without_the_flows_sides_is_turned_by_its_direction():
    bare = alert(http())
    del bare["flow"]
    assert only(bare).client == "10.20.1.16"


# --- times and wrong lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at", ["2026-11-24T04:15:35.946101Z", "2026-11-24T06:15:35.946101+0200", "2026-11-23T23:15:35.946101-05:00"]
)
def test_local_times_are_utc_inside(at):
    assert only(request_v3(at=at)).ts == SECONDS


@pytest.mark.parametrize("at", ["ts-error", "1900-01-01T00:00:00.000000+0000", "", None])
def test_a_time_that_is_none_is_a_counted_skip(at):
    events, account, told = read(request_v3(at=at))
    assert (events, account.skipped) == ([], {"a record with no usable time": 1})
    assert told == ["eve.json: line 1: a record with no usable time"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"event_type":"tls","tls":{"sni":"crt.sh"', "not a JSON object"),
        (b'["crt.sh"]', "not a JSON object"),
        (b"crt.sh \xff\xfe", "not a JSON object"),
        (b'{"a":' * 5000 + b'"crt.sh"', "not a JSON object"),
        (json.dumps(request_v3() | {"src_port": "crt.sh"}).encode(), "a value of the wrong type"),
        (json.dumps(request_v3() | {"src_ip": "crt.sh"}).encode(), "a record with no usable address"),
        (json.dumps(request_v3() | {"dns": ["crt.sh"]}).encode(), "a value of the wrong type"),
    ],
)
def test_a_wrong_line_is_counted_and_located_and_the_next_is_read(line, reason):
    events, account, told = read(request_v3(), b"\n", line + b"\n", TLS)
    assert [event.kind for event in events] == ["dns", "tls"]
    assert account.skipped == {reason: 1}
    assert told == [f"eve.json: line 3: {reason}"]
    assert (account.records, account.events) == (4, 2)


def test_bytes_that_are_not_utf8_become_text_and_the_line_is_kept():
    line = json.dumps(request_v3("Q.crt.sh")).encode().replace(b"Q", b"\xe4") + b"\n"
    assert only(line).name == "\\xe4.crt.sh"


def test_a_name_written_with_escapes_is_found():
    assert only(json.dumps(TLS).replace("crt.sh", "\\u0063rt\\u002Esh").encode() + b"\n").name == "crt.sh"


def test_of_a_key_that_stands_twice_the_last_value_counts():
    assert only(json.dumps(TLS).replace('"sni"', '"sni": "x", "sni"').encode() + b"\n").name == "crt.sh"


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_garbage_in_a_log_never_raises_and_never_hangs(data):
    records = [request_v3(), response_v3(answers=[A, AAAA]), TLS, QUIC, http(), flow(), alert(http()), V2_ANSWER]
    lines = data.draw(st.permutations([json.dumps(r).encode() for r in records]))
    content = bytearray(b"\n".join(lines))
    for _ in range(data.draw(st.integers(0, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            content[place : place + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=10))
        content = content or bytearray(b"x")
    funnel, naive = read(bytes(content)), read(bytes(content), funnel=False)
    assert funnel[0] == naive[0]
    assert funnel[1].records == naive[1].records
    assert not funnel[1].unreadable - naive[1].skipped
    assert funnel[1].unreadable["not a JSON object"] == naive[1].skipped["not a JSON object"]
    assert funnel[1].unreadable["a value of the wrong type"] == naive[1].skipped["a value of the wrong type"]
