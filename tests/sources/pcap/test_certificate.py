"""The certificate that a server sends in the clear."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.pcap.wire import SERVER, Talk, hello, pcap, read, records

from reconwatch.events import Certificate
from reconwatch.interest import Interest, Lookout

KEY = ec.derive_private_key(7, ec.SECP256R1())
SINCE = datetime(2026, 11, 24, 3, 1, 30, tzinfo=UTC)


def certificate(*names: str, issuer: str = "R11", padding: int = 0) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    authority = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Let's Encrypt"), x509.NameAttribute(NameOID.COMMON_NAME, issuer),
    ])  # fmt: skip
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer == "self" else authority)
        .public_key(KEY.public_key())
        .serial_number(0x3AB00FF)
        .not_valid_before(SINCE)
        .not_valid_after(SINCE + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    )
    if padding:
        oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
        built = built.add_extension(x509.UnrecognizedExtension(oid, bytes(padding)), critical=False)
    return built.sign(KEY, SHA256()).public_bytes(Encoding.DER)


def flight(der: bytes, size: int = 16_384) -> bytes:
    """A server's hello, its certificate with a chain of two, and what follows, in records."""
    server_hello = b"\x02" + (38).to_bytes(3, "big") + b"\x03\x03" + bytes(32) + b"\0\xc0\x2f\0"
    listed = b"".join(len(each).to_bytes(3, "big") + each for each in (der, b"\0" * 900))
    body = len(listed).to_bytes(3, "big") + listed
    return records(server_hello + b"\x0b" + len(body).to_bytes(3, "big") + body + b"\x0e\0\0\0", size)


def frames(answer: bytes, size: int = 1_400) -> list[bytes]:
    talk = Talk(server=SERVER)
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    return [*talk.handshake(), talk.up(hello("www.acme-widgets.com")), *map(talk.down, pieces), *talk.ending()]


def told(frames: list[bytes], networks: tuple[str, ...] = (f"{SERVER}/32",)) -> list[Certificate]:
    """What both ways of reading tell."""
    each = []
    for funnel in (True, False):
        events, _ = read(pcap(frames), Lookout(Interest(networks=frozenset(networks))), funnel=funnel)
        each.append([event for event in events if isinstance(event, Certificate)])
    assert each[0] == each[1]
    return each[0]


def test_names_number_authority_and_time_are_told() -> None:
    (event,) = told(frames(flight(certificate("www.acme-widgets.com", "*.acme-widgets.com"))))
    assert event.names == ("*.acme-widgets.com", "www.acme-widgets.com")
    assert (event.serial, event.issuer, event.ts) == ("3AB00FF", "Let's Encrypt, R11", SINCE.timestamp())
    assert (event.server, event.published) == (SERVER, False)


@settings(deadline=None, max_examples=60)
@given(st.integers(5, 3_000), st.integers(20, 16_384), st.integers(0, 6_000))
def test_however_it_is_cut_into_records_and_segments(segment: int, record: int, padding: int) -> None:
    der = certificate("www.acme-widgets.com", padding=padding)
    assert len(told(frames(flight(der, record), segment))) == 1


def test_segments_out_of_order_and_repeated() -> None:
    whole = frames(flight(certificate("www.acme-widgets.com", padding=4_000)), 500)
    at = whole[4:-3]
    assert len(told([*whole[:4], *at[::-1], *at, *whole[-3:]])) == 1


def test_of_connections_to_others_none_is_read() -> None:
    assert told(frames(flight(certificate("www.acme-widgets.com"))), ("203.0.113.0/24",)) == []


def test_what_a_server_signed_itself_is_left_out() -> None:
    assert told(frames(flight(certificate("www.acme-widgets.com", issuer="self")))) == []


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"\x15\x03\x03\0\2\2\x28", b"\x16\x03\x03\xff\xff", b"\x16"]
)
def test_other_answers_are_none(answer: bytes) -> None:
    assert told(frames(answer)) == []


def test_a_certificate_that_cannot_be_read_is_counted() -> None:
    for funnel in (True, False):
        interest = Interest(networks=frozenset({f"{SERVER}/32"}))
        _, account = read(pcap(frames(flight(b"0" * 700))), Lookout(interest), funnel=funnel)
        assert account.skipped == {"a certificate that cannot be read": 1}


def test_one_that_stands_far_behind_is_not_waited_for() -> None:
    assert told(frames(flight(certificate("www.acme-widgets.com", padding=20_000)))) == []


ANSWER = flight(certificate("www.acme-widgets.com"))  # signatures are random


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damage_is_no_end(data: st.DataObject) -> None:
    answer = bytearray(ANSWER)
    for _ in range(data.draw(st.integers(1, 8))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    assert len(told(frames(bytes(answer), data.draw(st.integers(30, 1_400))))) <= 1
