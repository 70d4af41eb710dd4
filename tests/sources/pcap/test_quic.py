"""QUIC Initials: the hello is found in them whatever a client does to hide it."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from tests.sources.pcap.wire import CLIENT, SERVER, START, events, hello_body, pcap, read, udp

from reconwatch.sources.pcap.quic import SALTS, V1, V2, ClientKeys

DCID = bytes.fromhex("8394c8f03e515708")
BODY = hello_body("www.shodan.io", ("h3",), padding=900)


def expand(secret: bytes, label: str, size: int) -> bytes:
    full = b"tls13 " + label.encode()
    return HKDFExpand(SHA256(), size, size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0").derive(secret)


def varint(value: int) -> bytes:
    return (0x4000 | value).to_bytes(2, "big")


def initial(
    frames: bytes,
    number: int = 0,
    dcid: bytes = DCID,
    key_dcid: bytes | None = None,
    version: int = V1,
    token: bytes = b"",
) -> bytes:
    """A client's Initial, sealed as RFC 9001 section 5 says, by other means than the code under test."""
    extract = HMAC(SALTS[version], SHA256())
    extract.update(dcid if key_dcid is None else key_dcid)
    secret, prefix = expand(extract.finalize(), "client in", 32), "quicv2 " if version == V2 else "quic "
    key, iv, hp = (expand(secret, prefix + label, size) for label, size in (("key", 16), ("iv", 12), ("hp", 16)))
    first = 0xC3 | (0x10 if version == V2 else 0)
    head = bytes([first]) + version.to_bytes(4, "big") + bytes([len(dcid)]) + dcid + b"\0" + varint(len(token)) + token
    head += varint(4 + len(frames) + 16) + number.to_bytes(4, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[:16])
    at = len(head) - 4
    masked = bytes(a ^ b for a, b in zip(head[at:], mask[1:5], strict=True))
    return bytes([first ^ mask[0] & 0x0F]) + head[1:at] + masked + sealed


def crypto(start: int, stop: int | None = None, body: bytes = BODY) -> bytes:
    part = body[start:stop]
    return b"\x06" + varint(start) + varint(len(part)) + part


def hellos(*datagrams: bytes, port: int = 443) -> list[tuple[str, str | None, tuple[str, ...]]]:
    frames = [udp(datagram, 50000, port, CLIENT, SERVER) for datagram in datagrams]
    return [(e.transport, e.name, e.alpn) for e in events(frames, "tls")]


FOUND = [("quic", "www.shodan.io", ("h3",))]


def test_the_keys_are_those_of_the_standard() -> None:
    """RFC 9001 appendix A.2: the header protection mask of the sample there."""
    keys = ClientKeys(V1, DCID)
    assert keys._mask.update(bytes.fromhex("d1b1c98dd7689fb8ec11d242b123dc9b"))[:5].hex() == "437b9aec36"


@pytest.mark.parametrize("version", [V1, V2, 0xFF00001D])
@pytest.mark.parametrize("port", [443, 8853])
def test_a_hello_in_one_initial_is_read_on_any_port(version: int, port: int) -> None:
    assert hellos(initial(crypto(0) + bytes(100), version=version), port=port) == FOUND


def test_shuffled_pieces_in_several_datagrams_are_put_together() -> None:
    first = b"\x01" + crypto(500, 700) + b"\0\0" + crypto(3, 200) + crypto(0, 3)
    second = crypto(650) + bytes(50) + crypto(150, 510)
    for order in ((first, second), (second, first)):
        assert hellos(*(initial(frames, n) for n, frames in enumerate(order))) == FOUND


def test_coalesced_packets_are_all_read() -> None:
    zero_rtt = b"\xd3" + V1.to_bytes(4, "big") + b"\x08" + DCID + b"\0" + varint(40) + bytes(40)
    assert hellos(initial(crypto(0, 300)) + zero_rtt + initial(crypto(300), 1)) == FOUND


def test_the_time_is_that_of_the_first_initial() -> None:
    frames = [(n * 1.0, udp(initial(part, n), 50000, 443)) for n, part in enumerate((crypto(300), crypto(0, 300)))]
    (event,) = events(frames, "tls")
    assert event.ts == pytest.approx(START)


def test_keys_stay_those_of_the_first_destination_id() -> None:
    later = initial(crypto(300), 1, dcid=b"server chose", key_dcid=DCID)
    assert hellos(initial(crypto(0, 300)), later) == FOUND


def test_behind_a_retry_the_new_id_gives_new_keys() -> None:
    again = initial(crypto(0), 1, dcid=b"from retry", token=b"token")
    assert hellos(initial(crypto(0, 300)), again) == FOUND


def test_an_ack_among_the_frames_is_stepped_over() -> None:
    assert hellos(initial(b"\x02\x05\x00\x01\x00\x01\x01" + crypto(0))) == FOUND


def test_the_answers_of_the_server_change_nothing() -> None:
    server = bytearray(initial(crypto(0, 100), dcid=b"", key_dcid=b"other"))
    frames = [
        udp(initial(crypto(0, 300)), 50000, 443, CLIENT, SERVER),
        udp(bytes(server), 443, 50000, SERVER, CLIENT),
        udp(initial(crypto(300), 1), 50000, 443, CLIENT, SERVER),
    ]
    assert [(e.client, e.name) for e in events(frames, "tls")] == [(CLIENT, "www.shodan.io")]


def test_an_initial_that_cannot_be_read_is_counted() -> None:
    broken = bytearray(initial(crypto(0)))
    broken[-1] ^= 1
    found, account = read(pcap([udp(bytes(broken), 50000, 443)]))
    assert [e.kind for e in found] == ["conn"]
    assert account.blind["quic_undecodable"] == 1


def test_the_name_in_half_a_hello_is_told() -> None:
    body = hello_body("www.shodan.io")
    longer = body[:1] + (len(body) + 500).to_bytes(3, "big") + body[4:]
    assert hellos(initial(crypto(0, body=longer))) == [("quic", "www.shodan.io", ())]


def test_other_datagrams_are_not_tried() -> None:
    unknown = b"\xc3\xba\xba\xba\xba" + bytes(1200)
    _, account = read(pcap([udp(unknown, 50000, 443), udp(b"\x40" + bytes(50), 50000, 443)]))
    assert not account.blind
    assert not account.skipped
