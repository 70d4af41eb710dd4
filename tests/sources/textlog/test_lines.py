"""What lines of each format may look like: odd, cut, hostile."""

from __future__ import annotations

import pytest
from tests.sources.textlog.reading import WEB, one, read, words

from reconwatch.sources.textlog.declared import Declared

OURS = Declared(server=WEB)


def squid(
    url: str = "http://crt.sh/", *, client: str = "10.20.1.11", method: str = "GET", elapsed: str = "     3",
    result: str = "TCP_MISS/200", tail: str = "- HIER_NONE/- -",
) -> str:  # fmt: skip
    return f"1795488541.320 {elapsed} {client} {result} 239 {method} {url} {tail}"


def combined(request: str = "GET / HTTP/1.1", agent: str = "curl", *, who: str = "192.0.2.66", user: str = "-",
             time: str = "24/Nov/2026:02:49:01 +0000") -> str:  # fmt: skip
    return f'{who} - {user} [{time}] "{request}" 200 239 "-" "{agent}"'


def haproxy(request: str = "GET / HTTP/1.1", *, captures: str = "", time: str = "24/Nov/2026:02:49:01.123") -> str:
    head = f"192.0.2.66:51492 [{time}] www~ web/one 0/0/0/1/1 200 117 - - ---- 1/1/0/0/0 0/0"
    return f'{head} {captures}"{request}"'


# --- Squid -------------------------------------------------------------------------------------------------------


def test_the_client_acted_before_the_line_was_written_by_as_much_as_the_line_says() -> None:
    assert one(squid(elapsed=" 12000")).ts == 1_795_488_529.320
    assert one(squid(elapsed="     -")).ts == one(squid(elapsed="-1")).ts == 1_795_488_541.320


@pytest.mark.parametrize(
    "result", ["TCP_DENIED/403", "TCP_DENIED/407", "NONE_NONE/200", "TCP_MISS_ABORTED/000", "TAG_NONE/503"]
)
def test_what_was_refused_or_failed_was_asked_all_the_same(result: str) -> None:
    assert one(squid(result=result)).host == "crt.sh"


def test_what_is_no_request_tells_nothing() -> None:
    for line in (
        squid("error:invalid-request", method="-", result="NONE_NONE/400"),
        squid("error:transaction-end-before-headers", method="NONE", result="NONE/000"),
        squid("http://crt.sh/", method="ICP_QUERY", result="UDP_MISS/000"),
        squid("/", method="GET"),
    ):
        events, account = read(line + "\n" + squid() + "\n")
        assert (len(events), account.unreadable) == (1, {})


def test_ipv6_clients_names_with_blanks_and_urls_with_blanks() -> None:
    assert one(squid(client="2001:DB8::0:1")).client == "2001:db8::1"
    assert one(squid(client="::ffff:10.20.1.11")).client == "10.20.1.11"
    assert one(squid("http://crt.sh/?q=a b c")).uri == "/?q=a b c"
    assert one(squid(tail="bob smith HIER_DIRECT/198.18.4.2 text/html")).user == "bob smith"
    assert one(squid(tail="ACME%5cbob HIER_DIRECT/198.18.4.2 text/html")).user == "ACME\\bob"


def test_headers_behind_the_line_are_passed_over() -> None:
    assert one(squid() + " [User-Agent: x\\r\\nHost: crt.sh\\r\\n] [Server: y\\r\\n]").host == "crt.sh"


def test_a_connect_is_a_hello_and_credentials_are_in_nothing() -> None:
    hello = one(squid("www.shodan.io:443", method="CONNECT"))
    assert (hello.transport, hello.name, hello.server) == ("connect", "www.shodan.io", None)
    told = one(squid("http://bob:secret@api.shodan.io/x?key=SECRETKEY0123456789"))
    assert (told.host, told.uri, told.user) == ("api.shodan.io", "/x?key=***", None)
    assert "secret" not in str(told)


def test_a_url_that_looks_like_the_rest_of_a_line_is_a_url() -> None:
    told = one(squid("http://crt.sh/ - HIER_NONE/- - 10.20.1.99 TCP_MISS/200 1 GET http://crt.sh/x"))
    assert told.client == "10.20.1.11"


SNI = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %ssl::bump_mode %ssl::>sni %un"


def test_the_server_name_of_an_intercepted_tunnel() -> None:
    declared = Declared(format="squid", pattern=SNI)
    line = "1795488541.320      3 10.20.1.11 TCP_TUNNEL/200 239 CONNECT 198.18.4.2:443 splice www.shodan.io alice"
    hello = one(line, declared)
    assert (hello.name, hello.transport, hello.user) == ("www.shodan.io", "connect", "alice")
    assert one(line.replace("www.shodan.io", "-").replace("198.18.4.2", "crt.sh"), declared).name == "crt.sh"


# --- web servers -------------------------------------------------------------------------------------------------


def test_the_virtual_host_is_in_front_and_a_client_cannot_put_one_there() -> None:
    assert words(read(combined(who="www.acme-widgets.com:443 192.0.2.66") + "\n", OURS)[0]) == [
        "192.0.2.66 GET www.acme-widgets.com/"
    ]
    assert one(combined(who="203.0.113.10:443 192.0.2.66"), OURS).host == "203.0.113.10"
    for forged in (
        '10.20.1.99 - x [24/Nov/2026:00:00:00 +0000] \\"GET http://crt.sh/ HTTP/1.1\\"',
        "10.20.1.99 - -",
        '""',
    ):
        assert one(combined(user=forged), OURS).client == "192.0.2.66"
    assert one(combined(who="192.0.2.66 10.20.1.99"), OURS).client == "192.0.2.66"


@pytest.mark.parametrize(("raw", "plain"), [
    (r"x\" \"y\\ \n", 'x" "y\\ \n'), (r"\x22\xC3\xA4\x5C", '"ä\\'), (r"\xff\xfe", r"\xff\xfe"), (r"\q", r"\q"),
])  # fmt: skip
def test_what_servers_escape_is_read_as_it_was_sent(raw: str, plain: str) -> None:
    assert one(combined(agent=raw), OURS).user_agent == plain
    assert one(combined(request=f"GET /{raw} HTTP/1.1"), OURS).uri == f"/{plain}"


def test_a_request_that_is_none_is_no_event() -> None:
    for request in ("-", "", r"\x16\x03\x01\x02", "quit", r"\x00"):
        events, account = read(combined(request) + "\n" + combined() + "\n", OURS)
        assert (len(events), account.unreadable) == (1, {}), request


def test_a_name_that_an_escape_hides_from_a_scan_is_found() -> None:
    assert one(combined(r"GET http://shod\x61n.io/ HTTP/1.1")).host == "shodan.io"
    assert one(combined("GET http://search.example/lookup?q=a HTTP/1.1")).host == "search.example"


def test_of_an_absolute_form_the_host_is_the_one_in_it() -> None:
    line = combined("GET http://crt.sh/?q=a HTTP/1.1", who="proxy.acme-widgets.com:3128 10.20.1.11")
    assert words(read(line + "\n")[0]) == ["10.20.1.11 GET crt.sh/?q=a"]


# --- HAProxy -----------------------------------------------------------------------------------------------------


def test_the_request_of_http_2_names_its_host() -> None:
    told = one(haproxy("GET https://www.acme-widgets.com/.env HTTP/2.0"), OURS)
    assert (told.host, told.uri, told.client, told.client_port) == (
        "www.acme-widgets.com",
        "/.env",
        "192.0.2.66",
        51492,
    )


def test_a_line_that_was_cut_still_tells_and_tcp_lines_tell_nothing() -> None:
    cut = haproxy("GET /" + "a" * 900)[:-1]
    tcp = "192.0.2.66:1 [24/Nov/2026:02:49:01.123] raw web/one 1/0/1 114 -- 1/1/0/0/0 0/0"
    failed = "192.0.2.66:1 [24/Nov/2026:02:49:01.123] www/1: SSL handshake failure"
    events, account = read("\n".join((haproxy(), tcp, failed, "Proxy www started.", haproxy("<BADREQ>"), cut)), OURS)
    assert [len(event.uri) for event in events] == [1, 901]
    assert not account.unreadable


def test_a_captured_header_cannot_leave_its_braces() -> None:
    declared = Declared(server=WEB, format="haproxy", fields={"host": "1", "user_agent": "2", "forwarded": "3"})
    told = one(haproxy(captures="{www.acme-widgets.com|a#22 #7D #7C#2e|10.20.1.99} {x} "), declared)
    assert (told.host, told.user_agent, told.client) == ("www.acme-widgets.com", 'a" } |#2e', "192.0.2.66")
    assert one(haproxy(captures="{www.acme-widgets.com} "), declared).user_agent is None


# --- W3C ---------------------------------------------------------------------------------------------------------

HEADER = "#Software: x\n#Date: 2026-11-24 00:00:00\n#Fields: {}\n"


def test_columns_are_what_the_last_header_says() -> None:
    first = (
        HEADER.format("date time c-ip cs-method cs-uri-stem s-ip") + f"2026-11-24 02:49:01 192.0.2.66 GET /a {WEB}\n"
    )
    second = HEADER.format("time s-ip c-ip cs-method cs-uri-stem") + f"02:49:02 {WEB} 192.0.2.67 GET /b\n"
    events, account = read(first + second)
    assert words(events) == [f"192.0.2.66 GET {WEB}/a", f"192.0.2.67 GET {WEB}/b"]
    assert [event.ts for event in events] == [1_795_488_541.0, 1_795_488_542.0]
    assert not account.unreadable


def test_a_quote_of_a_client_s_cannot_shift_the_columns() -> None:
    header = HEADER.format("date time cs(User-Agent) c-ip cs-method cs-uri-scheme cs-host cs-uri-path")
    line = '2026-11-24 02:49:01 "{}" 10.20.1.11 GET http crt.sh /\n'
    for agent in ("a b", '"', 'a"b'):
        assert [event.client for event in read(header + line.format(agent))[0]] == ["10.20.1.11"]
    for agent in ('a" 10.20.1.99 GET http crt.sh / "', 'a" 10.20.1.99 "', 'a" 10.20.1.99 GET http crt.sh /x "b c'):
        events, account = read(header + line.format(agent) + line.format("ok"))
        assert [event.client for event in events] == ["10.20.1.11"]
        assert account.unreadable == {"no line of a log like w3c": 1}


def test_a_line_of_iis_may_hold_single_quotes_and_a_line_of_another_length_is_counted() -> None:
    header = HEADER.format("date time s-ip cs-method cs-uri-stem c-ip cs(User-Agent)")
    line = f'2026-11-24 02:49:01 {WEB} GET /a 192.0.2.66 "Mozilla+5\n'
    events, account = read(header + line + line.replace(" GET", "") + line.replace("02:49", "xx"))
    assert len(events) == 1
    assert account.unreadable == {"no line of a log like w3c": 1, "a line with no usable time": 1}


def test_a_tunnel_by_its_scheme_and_local_times_with_their_zone() -> None:
    header = HEADER.format("localtime c-ip cs-method cs-uri-scheme cs-host cs-uri-port cs-uri-path")
    (hello,), _ = read(header + "[24/Nov/2026:03:49:01 +0100] 10.20.1.11 unknown ssl www.shodan.io 443 /\n")
    assert (hello.transport, hello.name, hello.ts) == ("connect", "www.shodan.io", 1_795_488_541.0)


# --- JSON --------------------------------------------------------------------------------------------------------

FIELDS = {"ts": "t", "client": "c.ip", "url": "u", "method": "m", "user_agent": "a", "forwarded": "x"}
JSON = Declared(format="json", fields=FIELDS)


@pytest.mark.parametrize("time", ["1795488541", "1795488541000", '"1795488541.0"', '"2026-11-24T02:49:01Z"',
                                  '"24/Nov/2026:02:49:01 +0000"', '"2026-11-24T03:49:01.000+0100"'])  # fmt: skip
def test_times_of_json_as_numbers_and_as_text(time: str) -> None:
    assert one(f'{{"t":{time},"c":{{"ip":"10.20.1.11"}},"u":"http://crt.sh/","m":"GET"}}', JSON).ts == 1_795_488_541.0


def test_json_that_is_damaged_or_not_utf_8_or_escapes_a_name() -> None:
    good = b'{"t":1795488541,"c":{"ip":"10.20.1.11"},"u":"http:\\/\\/shod\\u0061n.io/","m":"GET","a":"\xe4"}\n'
    bad = good[:40] + b"\n" + good.replace(b"1795488541", b"true") + good.replace(b"10.20.1.11", b"") + b"[1]\n"
    events, account = read(good + bad, JSON)
    assert [(event.host, event.user_agent) for event in events] == [("shodan.io", "\\xe4")]
    assert sum(account.unreadable.values()) == 4


def test_a_name_alone_is_a_hello() -> None:
    declared = Declared(format="json", fields={"ts": "t", "client": "c", "sni": "n"})
    hello = one('{"t":1795488541,"c":"[2001:db8::1]:4711","n":"WWW.Shodan.io"}', declared)
    assert (hello.name, hello.transport, hello.client, hello.client_port) == (
        "www.shodan.io",
        "tls",
        "2001:db8::1",
        4711,
    )


# --- for whom ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("peer", "said", "client"), [
    ("10.20.0.80", "10.20.1.11", "10.20.1.11"),
    ("10.20.0.80", "10.20.1.99, 10.20.1.11", "10.20.1.11"),
    ("10.20.0.80", "10.20.1.99, 10.20.1.11, 10.20.0.81", "10.20.1.11"),
    ("10.20.0.80", "10.20.1.99, unknown, 10.20.0.81", "10.20.0.81"),
    ("10.20.0.80", "10.20.0.81", "10.20.0.81"),
    ("10.20.0.80", "[2001:db8::1]:4711", "2001:db8::1"),
    ("10.20.0.80", "", "10.20.0.80"),
    ("10.20.1.12", "10.20.1.11", "10.20.1.12"),
])  # fmt: skip
def test_who_a_declared_proxy_asks_for_is_read_from_the_right(peer: str, said: str, client: str) -> None:
    told = one(f'{{"t":1795488541,"c":{{"ip":"{peer}:99"}},"u":"http://crt.sh/","m":"GET","x":"{said}"}}', JSON)
    assert (told.client, told.client_port) == (client, 99 if client == peer else None)


# --- every format ------------------------------------------------------------------------------------------------

GOOD = {
    "squid": (squid(), None),
    "combined": (combined("GET http://crt.sh/ HTTP/1.1"), None),
    "haproxy": (haproxy("GET https://crt.sh/ HTTP/2.0"), None),
    "json": ('{"t":1795488541,"c":{"ip":"10.20.1.11"},"u":"http://crt.sh/","m":"GET"}', JSON),
    "logformat": (
        '10.20.1.11 [24/Nov/2026:02:49:01 +0000] "GET http://crt.sh/ HTTP/1.1" "curl"',
        Declared(format="squid", pattern='%>a [%tl] "%rm %ru HTTP/%rv" "%{User-Agent}>h"'),
    ),
}
W3C = HEADER.format("date time c-ip cs-method cs-uri") + "2026-11-24 02:49:01 10.20.1.11 GET http://crt.sh/"


@pytest.mark.parametrize("form", [*GOOD, "w3c"])
def test_lines_cut_by_rotation_are_counted_and_the_rest_is_read(form: str) -> None:
    line, declared = GOOD.get(form, (W3C, None))
    last = line.rpartition("\n")[2]
    for damage in (last[:23], last[25:], "\0" * 9, "x" * 70_000, "\x1b]0;owned\x07 crt.sh", "", " "):
        events, account = read(f"{line}\n{damage}\n{last}\n", declared)
        assert len(events) == 2, damage[:40]
        assert sum(account.unreadable.values()) == (damage.strip("\0") != "")


@pytest.mark.parametrize("form", [*GOOD, "w3c"])
def test_a_line_of_64_kib_and_bytes_that_are_no_text(form: str) -> None:
    line, declared = GOOD.get(form, (W3C, None))
    long = line.replace("crt.sh/", "crt.sh/" + "a" * 65_536)
    escape = "\x1b[2J" if form != "json" else "[2J"  # JSON holds no control character
    odd = line.encode().replace(b"crt.sh/", b"crt.sh/\xff\xfe" + escape.encode())
    (event, other), account = read(long.encode() + b"\r\n" + odd.rpartition(b"\n")[2] + b"\r\n", declared)
    assert len(event.uri) == 65_537
    assert other.uri == "/\\xff\\xfe" + escape
    assert not account.unreadable


def test_two_formats_in_one_file() -> None:
    lines = [
        squid(),
        combined("GET http://crt.sh/b HTTP/1.1"),
        *W3C.split("\n"),
        haproxy("GET https://crt.sh/c HTTP/2.0"),
    ]
    events, account = read("\n".join([*lines, squid(), lines[1], lines[-2]]) + "\n")
    assert [event.source for event in events] == ["squid", "combined", "w3c", "haproxy", "squid", "combined", "w3c"]
    assert not account.unreadable


def test_of_a_declared_format_no_other_line_is_read() -> None:
    events, account = read(f"{squid()}\n{combined('GET http://crt.sh/ HTTP/1.1')}\n", Declared(format="squid"))
    assert [event.source for event in events] == ["squid"]
    assert account.unreadable == {"no line of a log like squid": 1}
