"""HTTP/1 and HTTP/2 in clear text: every request, and nothing that is none."""

import pytest
from hpack import Encoder
from tests.sources.pcap.wire import Talk, events, pcap, read

from reconwatch.interest import Interest, Lookout

GET = b"GET /host/203.0.113.10?x=1 HTTP/1.1\r\nHost: API.Shodan.io:80\r\nUser-Agent: curl/8\r\n\r\n"


def requests(*payloads: bytes, port: int = 80) -> list[tuple[str, str, str]]:
    return [(e.method, e.host, e.uri) for e in events(Talk(port).whole(*payloads), "http")]


FOUND = ("GET", "api.shodan.io", "/host/203.0.113.10?x=1")
NEXT = b"GET /next HTTP/1.1\r\nHost: crt.sh\r\n\r\n"
NEXT_FOUND = ("GET", "crt.sh", "/next")


def test_a_request_is_told_with_agent_and_version() -> None:
    (event,) = events(Talk(8000).whole(GET), "http")
    assert (event.method, event.host, event.uri) == FOUND
    assert (event.user_agent, event.version, event.decoded) == ("curl/8", "1.1", False)


@pytest.mark.parametrize("cut", range(1, len(GET)))
def test_a_request_may_be_cut_anywhere(cut: int) -> None:
    assert requests(GET[:cut], GET[cut:]) == [FOUND]


def test_pipelined_and_later_requests_are_all_told() -> None:
    assert requests(GET + NEXT + GET[:20], GET[20:], NEXT) == [FOUND, NEXT_FOUND, FOUND, NEXT_FOUND]


def test_bodies_are_stepped_over() -> None:
    body = b"GET /inside HTTP/1.1\r\nHost: shodan.io\r\n\r\n"
    post = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert requests(post + body + NEXT) == [("POST", "a", "/up"), NEXT_FOUND]
    assert requests(post, body, NEXT) == [("POST", "a", "/up"), NEXT_FOUND]
    assert requests(post + body[:5], body[5:] + NEXT) == [("POST", "a", "/up"), NEXT_FOUND]


def test_chunked_bodies_are_stepped_over() -> None:
    body = b"GET /inside HTTP/1.1\r\nHost: shodan.io\r\n\r\n"
    post = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x;ext=1\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body, len(body), body)
    stream = post + chunks + NEXT
    for cut in range(len(post), len(stream)):
        assert requests(stream[:cut], stream[cut:]) == [("POST", "a", "/up"), NEXT_FOUND]


@pytest.mark.parametrize("size", [b"10000000000000000", b"ffffffffffffffff", b"1" + b"0" * 30])
def test_behind_a_chunk_that_cannot_be_that_long_the_next_request_is_read(size: bytes) -> None:
    post = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert requests(post + size + b"\r\n\r\n" + NEXT) == [("POST", "a", "/up"), NEXT_FOUND]
    assert requests(post, size + b"\r\n", NEXT) == [("POST", "a", "/up"), NEXT_FOUND]


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"GET http://Crt.sh:80/?q=a HTTP/1.0\r\n\r\n", ("GET", "crt.sh", "/?q=a")),
        (b"GET http://crt.sh HTTP/1.1\r\nHost: other\r\n\r\n", ("GET", "crt.sh", "/")),
        (b"GET http://u:p@crt.sh?q=a HTTP/1.0\r\n\r\n", ("GET", "crt.sh", "/?q=a")),
        (b"OPTIONS * HTTP/1.1\r\nHost: crt.sh.\r\n\r\n", ("OPTIONS", "crt.sh", "*")),
        (b"GET / HTTP/1.0\r\n\r\n", ("GET", "", "/")),
        (b"GET / HTTP/1.1\nhOsT :  crt.sh \n\n", ("GET", "crt.sh", "/")),
        (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", ("GET", "2001:db8::1", "/")),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", ("GET", "a", "/a b")),
        (b"\r\n\r\nPROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n", ("PROPFIND", "a", "/x")),
        (b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", ("GET", "a", "/\\xe4")),
        (b"GET /old\r\n\r\n", ("GET", "", "/old")),
    ],
)
def test_heads_in_the_forms_that_occur(head: bytes, told: tuple[str, str, str]) -> None:
    assert requests(head) == [told]


def test_a_head_that_was_not_captured_whole_is_told_as_far_as_it_goes() -> None:
    assert requests(b"GET /a HTTP/1.1\r\nHost: crt.sh\r\nCookie: abc") == [("GET", "crt.sh", "/a")]
    endless = [b"GET /a HTTP/1.1\r\nHost: crt.sh\r\nX: ", *[b"a" * 1400] * 50]
    assert requests(*endless) == [("GET", "crt.sh", "/a")]
    assert requests(b"GET /a HT") == []


@pytest.mark.parametrize(
    "payload",
    [b"EHLO mail.test\r\n", b"SSH-2.0-x\r\n", b"OPTIONS rtsp://a/ RTSP/1.0\r\n\r\n", b"\0GET / HTTP/1.1\r\n\r\n"],
)
def test_other_protocols_are_no_requests(payload: bytes) -> None:
    assert requests(payload) == []


def upgraded(answer: bytes, inner: bytes, protocol: bytes = b"websocket") -> list[str]:
    talk = Talk(80)
    ask = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
    frames = [*talk.handshake(), talk.up(ask), talk.down(answer), talk.up(inner), *talk.ending()]
    return [event.uri for event in events(frames, "http")]


def test_nothing_is_found_inside_websockets() -> None:
    assert upgraded(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", NEXT) == ["/ws"]
    assert upgraded(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"\x82\x05abcde" + NEXT) == ["/ws"]


def test_a_refused_upgrade_leaves_http_as_it_was() -> None:
    assert upgraded(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", NEXT) == ["/ws", "/next"]


def test_an_upgrade_whose_answer_was_not_captured_ends_with_what_is_no_request() -> None:
    assert requests(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"\x81\x01a", NEXT) == [("GET", "", "/ws")]


def test_secrets_are_struck_out_before_a_request_leaves() -> None:
    lookout = Lookout(Interest(names=frozenset({"shodan.io"}), secrets=frozenset({("shodan.io", "mine")})))
    ask = b"GET http://api.shodan.io./x?key=ABC&mine=DEF&q=1 HTTP/1.1\r\n\r\n"
    (event,) = read(pcap(Talk(80).whole(ask)), lookout)[0]
    assert event.uri == "/x?key=***&mine=***&q=1"


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, payload: bytes, flags: int = 0, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def block(encoder: Encoder, authority: str, path: str) -> bytes:
    fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", authority),
        (":path", path),
        ("user-agent", "curl"),
    ]
    return encoder.encode(fields)


def two_requests() -> bytes:
    encoder = Encoder()
    first, second = block(encoder, "Crt.sh:80", "/?q=a"), block(encoder, "crt.sh:80", "/?q=b")
    stream = PREFACE + frame(4, bytes(6)) + frame(1, first[:4]) + frame(9, first[4:], 4) + frame(0, b"x" * 30)
    return stream + frame(1, b"\x03" + bytes(5) + second + bytes(3), 4 | 8 | 0x20, 3)


HTTP2 = [("GET", "crt.sh", "/?q=a"), ("GET", "crt.sh", "/?q=b")]


def test_http2_with_prior_knowledge_is_decoded_however_it_is_cut() -> None:
    stream = two_requests()
    for cut in range(1, len(stream)):
        assert requests(stream[:cut], stream[cut:]) == HTTP2
    (first, _) = events(Talk(80).whole(stream), "http")
    assert (first.version, first.user_agent) == ("2", "curl")


def test_http2_behind_an_upgrade_is_decoded() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
    assert upgraded(answer, two_requests(), b"h2c") == ["/ws", "/?q=a", "/?q=b"]


def test_a_broken_header_block_ends_the_connection_quietly() -> None:
    assert requests(PREFACE + frame(1, b"\xff\xff\xff\xff\xff\xff\xff\xff", 4) + two_requests()) == []
    assert requests(PREFACE + frame(9, b"\x82", 4)) == []
    assert requests(PREFACE[:20] + b"no") == []
