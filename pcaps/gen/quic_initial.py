"""QUIC version 1 Initial packets, protected as RFC 9001 section 5 says."""

from __future__ import annotations

import random
from itertools import pairwise

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from tls_hello import numbers, sized

VERSION = 1
SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
"""RFC 9001 section 5.2."""
LEAST = 1200
"""Bytes that a datagram with a client's Initial must have (RFC 9000 section 14.1)."""
TAG = 16
CRYPTO, ACK, PING = 6, 2, 1


def _hmac(key: bytes, data: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(data)
    return mac.finalize()


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1); one round suffices for up to 32 bytes."""
    info = size.to_bytes(2, "big") + sized(b"tls13 " + label.encode(), 1) + b"\0"
    return _hmac(secret, info + b"\1")[:size]


def varint(value: int, width: int | None = None) -> bytes:
    """A variable-length integer (RFC 9000 section 16), in the fewest bytes or in `width`."""
    width = width or next(size for size in (1, 2, 4, 8) if value < 1 << (8 * size - 2))
    return (value | {1: 0, 2: 1, 4: 2, 8: 3}[width] << (8 * width - 2)).to_bytes(width, "big")


def crypto(offset: int, data: bytes) -> bytes:
    """A CRYPTO frame."""
    return varint(CRYPTO) + varint(offset) + varint(len(data)) + data


def ack(number: int) -> bytes:
    """An ACK frame for the packets 1 to `number`: Chromium's first packet is 1."""
    return varint(ACK) + varint(number) + varint(0) + varint(0) + varint(number - 1)


def transport_parameters(chance: random.Random) -> bytes:
    """Those of a client (RFC 9000 section 18.2): idle timeout, flow control, and one that stands for nothing."""
    limits = {1: 30_000, 3: 1472, 4: 15_728_640, 5: 6_291_456, 6: 6_291_456, 7: 6_291_456, 8: 100, 9: 103}
    told = b"".join(varint(kind) + sized(varint(value), 1) for kind, value in limits.items())
    return told + varint(27 + 31 * chance.randrange(100)) + sized(chance.randbytes(4), 1) + varint(15) + b"\0"


class Initials:
    """Makes the Initial packets of one side of one connection."""

    def __init__(self, connection: bytes, *, server: bool) -> None:
        """`connection` is the destination id of the client's first packet, from which all keys follow."""
        secret = _expand(_hmac(SALT, connection), "server in" if server else "client in", 32)
        self._seal = AESGCM(_expand(secret, "quic key", 16))
        self._iv = int.from_bytes(_expand(secret, "quic iv", 12), "big")
        self._mask = Cipher(algorithms.AES(_expand(secret, "quic hp", 16)), modes.ECB()).encryptor()
        self._ids = b"\0" + sized(connection, 1) if server else sized(connection, 1) + b"\0"

    def packet(self, number: int, frames: bytes, least: int = LEAST) -> bytes:
        """A whole packet with a two-byte packet number, padded to `least` bytes."""
        head = numbers(0, VERSION) + self._ids + b"\0"
        head = b"\xc1" + head
        room = least - len(head) - 2 - 2 - TAG
        frames += bytes(max(0, room - len(frames)))
        head += varint(2 + len(frames) + TAG, 2) + number.to_bytes(2, "big")
        sealed = self._seal.encrypt((self._iv ^ number).to_bytes(12, "big"), frames, head)
        mask = self._mask.update(sealed[2 : 2 + 16])
        first = head[0] ^ (mask[0] & 0x0F)
        return bytes([first]) + head[1:-2] + bytes(a ^ b for a, b in zip(head[-2:], mask[1:], strict=False)) + sealed


def shuffled_hello(hello: bytes, chance: random.Random, datagrams: int = 2, pieces: int = 9) -> list[bytes]:
    """The frames of each datagram: the hello in pieces out of order with PINGs between, as Chromium sends it."""
    cuts = [0, *sorted(chance.sample(range(1, len(hello)), pieces - 1)), len(hello)]
    frames = [crypto(start, hello[start:end]) for start, end in pairwise(cuts)]
    chance.shuffle(frames)
    loads = [b""] * datagrams
    for frame in sorted(frames, key=len, reverse=True):
        lightest = min(range(datagrams), key=lambda number: len(loads[number]))
        loads[lightest] += frame + bytes([PING]) * chance.randrange(2)
    return loads
