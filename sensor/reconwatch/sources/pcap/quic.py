"""QUIC Initials (RFC 9000, 9001, 9369): the ClientHello inside, decrypted with keys that any observer can derive."""

from __future__ import annotations

import hmac

from reconwatch.sources.pcap.tls import MAX_HELLO, read_hello

V1, V2 = 0x00000001, 0x6B3343CF
_SALT_1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_SALT_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")

SALTS = {
    V1: _SALT_1,  # RFC 9001 section 5.2
    V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),  # RFC 9369 section 3.3.1
    **dict.fromkeys(range(0xFF00001D, 0xFF000021), _SALT_29),  # drafts 29 to 32
    **dict.fromkeys((0xFF000021, 0xFF000022), _SALT_1),  # drafts 33 and 34
}
"""What Initial secrets are derived with, by version. Drafts are still spoken by test tools and old libraries."""

VERSIONS = frozenset(version.to_bytes(4, "big") for version in SALTS)

MAX_PIECES = 256
"""CRYPTO frames kept of one hello. Chromium shuffles a hello into some 20; an empty or repeated piece costs nothing."""

MAX_PACKETS = 64
"""Initials decrypted of one flow before it is given up: each costs some 20 us."""

KEYS_SIZE = 2048
"""Roughly what the contexts of two ciphers take."""

_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE = 0, 1, 2, 3, 6, 0x1C


class Malformed(Exception):
    """The packet breaks RFC 9000, or is none of ours."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The variable-length integer (RFC 9000 section 16) at `at`, and the offset behind it; raises Malformed."""
    if at >= len(data):
        raise Malformed
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise Malformed
    return int.from_bytes(data[at : at + size], "big") & ((1 << 8 * size - 2) - 1), at + size


def _expand(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label of at most one hash length, with an empty context (RFC 8446 section 7.1)."""
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0\x01"
    return hmac.digest(secret, info, "sha256")[:length]


class ClientKeys:
    """What protects a client's Initials: derived from the destination connection id of its first one."""

    __slots__ = ("_aead", "_invalid", "_iv", "_mask")

    def __init__(self, version: int, dcid: bytes) -> None:
        # Imported here: most runs never meet QUIC, and the import costs 40 ms.
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        prefix = "quicv2 " if version == V2 else "quic "
        secret = _expand(hmac.digest(SALTS[version], dcid, "sha256"), "client in", 32)
        self._iv = int.from_bytes(_expand(secret, prefix + "iv", 12), "big")
        self._aead = AESGCM(_expand(secret, prefix + "key", 16))
        # ECB of one block is what header protection is made of (RFC 9001 section 5.4.3).
        self._mask = Cipher(AES(_expand(secret, prefix + "hp", 16)), ECB()).encryptor()
        self._invalid = InvalidTag

    def open(self, packet: bytes, number_at: int) -> bytes:
        """The plain payload of one whole packet whose packet number begins at `number_at`; raises Malformed."""
        sample = packet[number_at + 4 : number_at + 20]
        if len(sample) < 16:
            raise Malformed
        mask = self._mask.update(sample)
        first = packet[0] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        number = bytes(a ^ b for a, b in zip(packet[number_at : number_at + size], mask[1:5], strict=False))
        header = bytes([first]) + packet[1:number_at] + number
        nonce = (self._iv ^ int.from_bytes(number, "big")).to_bytes(12, "big")
        try:
            return self._aead.decrypt(nonce, packet[number_at + size :], header)
        except self._invalid:
            raise Malformed from None


class Initials:
    """The Initials of one UDP flow, in one direction, until its hello is known."""

    __slots__ = ("_client", "_keys", "_packets", "_pieces", "_size", "_version", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        """Time of the first Initial."""
        self._keys: ClientKeys | None = None
        self._version = 0
        self._pieces: dict[int, bytes] = {}
        self._size = 0
        self._packets = 0
        self._client: bytes | None = None
        """Who sent an Initial that could be opened."""

    @property
    def held(self) -> int:
        """Bytes kept; a set of keys is taken for as many as its cipher contexts have."""
        return self._size + (KEYS_SIZE if self._keys is not None else 0)

    @property
    def met(self) -> bool:
        """Whether any Initial was met: other long headers alone are the rest of a connection begun earlier."""
        return self._packets > 0

    @property
    def spent(self) -> bool:
        """So many packets gave no hello that there is no point in going on."""
        return self._packets >= MAX_PACKETS

    def feed(self, datagram: bytes, sender: bytes) -> tuple[str | None, tuple[str, ...]] | None:
        """(server name, ALPN) once the hello is whole. Coalesced packets of other types are stepped over.

        `sender` tells the two directions of the flow apart.
        """
        if self._client is not None and sender != self._client:
            return None  # the server's Initials: protected with keys of its own, and no hello of a client's
        before, at = self._keys, 0
        try:
            while at + 7 <= len(datagram) and datagram[at] & 0xC0 == 0xC0:
                at = self._packet(datagram, at)
        except Malformed:
            pass
        if self._keys is not before:
            self._client = sender
        return self._hello()

    def partial(self) -> str | None:
        """The name, if the part of the hello that came holds it."""
        body = self._contiguous()
        return read_hello(body[4:])[0] if body[:1] == b"\x01" else None

    def _packet(self, datagram: bytes, start: int) -> int:
        """Read the packet at `start`; the offset behind it."""
        version = int.from_bytes(datagram[start + 1 : start + 5], "big")
        if version not in SALTS:
            raise Malformed
        kind = datagram[start] >> 4 & 3
        at = start + 6 + datagram[start + 5]
        dcid = datagram[start + 6 : at]
        at += 1 + int.from_bytes(datagram[at : at + 1], "big")
        if kind == (1 if version == V2 else 0):
            self._packets += 1
            size, at = varint(datagram, at)
            at += size
            length, at = varint(datagram, at)
            if at + length > len(datagram):
                raise Malformed
            self._initial(version, dcid, datagram[start : at + length], at - start)
        elif kind == (0 if version == V2 else 3):
            raise Malformed  # Retry: nothing follows it, and it has no length
        else:
            length, at = varint(datagram, at)
        return at + length

    def _initial(self, version: int, dcid: bytes, packet: bytes, number_at: int) -> None:
        if self._keys is not None and version == self._version:
            try:
                self._frames(self._keys.open(packet, number_at))
            except Malformed:
                pass
            else:
                return
        # The first Initial; or, after a Retry or a version negotiation, the first of a new attempt.
        keys = ClientKeys(version, dcid)
        plain = keys.open(packet, number_at)
        self._keys, self._version = keys, version
        self._pieces.clear()
        self._size = 0
        self._frames(plain)

    def _frames(self, plain: bytes) -> None:
        """Keep the CRYPTO frames of an Initial's payload (RFC 9000 section 12.4 says which others may be there)."""
        at, size = 0, len(plain)
        while at < size:
            kind = plain[at]
            at += 1
            if kind == _PADDING:  # there are hundreds, in a row
                at = size - len(plain[at:].lstrip(b"\0"))
                continue
            if kind == _PING:
                continue
            if kind in (_ACK, _ACK_ECN):
                at = _behind_ack(plain, at, kind == _ACK_ECN)
            elif kind == _CRYPTO:
                offset, at = varint(plain, at)
                length, at = varint(plain, at)
                if at + length > size:
                    return
                self._keep(offset, plain[at : at + length])
                at += length
            else:
                return

    def _keep(self, offset: int, piece: bytes) -> None:
        known = self._pieces.get(offset, b"")
        if len(piece) <= len(known) or offset + len(piece) > MAX_HELLO or len(self._pieces) >= MAX_PIECES:
            return
        self._pieces[offset] = known + piece[len(known) :]
        self._size += len(piece) - len(known)

    def _contiguous(self) -> bytes:
        body = bytearray()
        for offset in sorted(self._pieces):
            if offset > len(body):
                break
            body += self._pieces[offset][len(body) - offset :]
        return bytes(body)

    def _hello(self) -> tuple[str | None, tuple[str, ...]] | None:
        if 0 not in self._pieces:
            return None
        body = self._contiguous()
        if len(body) < 4 or body[0] != 1 or len(body) < 4 + int.from_bytes(body[1:4], "big"):
            return None
        name, alpn, _ = read_hello(body[4 : 4 + int.from_bytes(body[1:4], "big")])
        return name, alpn


def _behind_ack(plain: bytes, at: int, ecn: bool) -> int:
    """RFC 9000 section 19.3."""
    _, at = varint(plain, at)
    _, at = varint(plain, at)
    ranges, at = varint(plain, at)
    _, at = varint(plain, at)
    if ranges > len(plain):
        raise Malformed
    for _ in range(2 * ranges + 3 * ecn):
        _, at = varint(plain, at)
    return at
