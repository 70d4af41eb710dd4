"""TLS 1.3 as it looks from outside: ClientHellos of a browser and of a command-line client, and what follows."""

from __future__ import annotations

import random
import struct

SNI, STATUS, GROUPS, POINTS, SIGNATURES, ALPN, SCT = 0, 5, 10, 11, 13, 16, 18
PADDING, ENCRYPT_THEN_MAC, EXTENDED_SECRET, COMPRESS, TICKET = 21, 22, 23, 27, 35
VERSIONS, PSK_MODES, KEY_SHARE, QUIC_PARAMETERS, APPLICATION, ECH, RENEGOTIATION = 43, 45, 51, 57, 17613, 65037, 65281
X25519, P256, P384, X25519_MLKEM768 = 29, 23, 24, 0x11EC
GREASE = (0x0A0A, 0x1A1A, 0x2A2A, 0x3A3A, 0x4A4A, 0x5A5A, 0x6A6A, 0x7A7A, 0x8A8A, 0x9A9A)
"""Values that stand for nothing, so that servers keep ignoring what they do not know (RFC 8701)."""

SIGNATURE_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
BROWSER_CIPHERS = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x9C, 0x9D)
TOOL_CIPHERS = (0x1302, 0x1303, 0x1301, 0xC02C, 0xC030, 0x9F, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0x9E, 0xC024, 0xC028)


def sized(data: bytes, width: int = 2) -> bytes:
    """`data` behind its own length."""
    return len(data).to_bytes(width, "big") + data


def numbers(*values: int) -> bytes:
    """16-bit numbers."""
    return struct.pack(f">{len(values)}H", *values)


def _server_name(name: str) -> bytes:
    return sized(b"\0" + sized(name.encode()))


def _protocols(*names: str) -> bytes:
    return sized(b"".join(sized(name.encode(), 1) for name in names))


def _handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + sized(body, 3)


def record(kind: int, data: bytes, version: int = 0x0303) -> bytes:
    """A TLS record (RFC 8446 section 5.1)."""
    return bytes([kind]) + numbers(version) + sized(data)


def _client_hello(chance: random.Random, ciphers: bytes, extensions: list[tuple[int, bytes]], session: bytes) -> bytes:
    told = b"".join(numbers(kind) + sized(data) for kind, data in extensions)
    body = numbers(0x0303) + chance.randbytes(32) + sized(session, 1) + sized(ciphers) + b"\1\0" + sized(told)
    return _handshake(1, body)


def browser_hello(name: str, *, quic: bytes | None = None, first: tuple[int, ...] = ()) -> bytes:
    """A current Chromium's hello: shuffled extensions, GREASE, a post-quantum key share that makes it 1.8 kB.

    `quic` holds the transport parameters of a QUIC hello. The extensions in `first` come first.
    """
    chance = random.Random(f"browser {name}")
    grease = chance.sample(GREASE, 4)
    shares = (
        numbers(grease[0]) + sized(b"\0")
        + numbers(X25519_MLKEM768) + sized(chance.randbytes(1216))
        + numbers(X25519) + sized(chance.randbytes(32))
    )  # fmt: skip
    ech = (
        b"\0"
        + numbers(1, 1)
        + bytes([chance.randrange(256)])
        + sized(chance.randbytes(32))
        + sized(chance.randbytes(176))
    )
    extensions = [
        (SNI, _server_name(name)),
        (GROUPS, sized(numbers(grease[0], X25519_MLKEM768, X25519, P256, P384))),
        (ALPN, _protocols("h3") if quic is not None else _protocols("h2", "http/1.1")),
        (SIGNATURES, sized(numbers(*SIGNATURE_SCHEMES))),
        (KEY_SHARE, sized(shares)),
        (PSK_MODES, b"\1\1"),
        (VERSIONS, sized(numbers(grease[1], 0x0304) if quic is not None else numbers(grease[1], 0x0304, 0x0303), 1)),
        (COMPRESS, b"\2\0\2"),
        (APPLICATION, _protocols("h3" if quic is not None else "h2")),
        (ECH, ech),
    ]
    if quic is not None:
        extensions.append((QUIC_PARAMETERS, quic))
    else:
        extensions += [
            (EXTENDED_SECRET, b""), (RENEGOTIATION, b"\0"), (POINTS, b"\1\0"), (TICKET, b""),
            (STATUS, b"\1\0\0\0\0"), (SCT, b""),
        ]  # fmt: skip
    chance.shuffle(extensions)
    extensions.sort(key=lambda extension: first.index(extension[0]) if extension[0] in first else len(first))
    extensions = [(grease[2], b""), *extensions, (grease[3], b"\0")]
    ciphers = numbers(grease[0], *BROWSER_CIPHERS) if quic is None else numbers(*BROWSER_CIPHERS[:3])
    return _client_hello(chance, ciphers, extensions, b"" if quic is not None else chance.randbytes(32))


def tool_hello(name: str) -> bytes:
    """The hello of curl or Python over OpenSSL 3: fixed order, padded to 512 bytes (RFC 7685)."""
    chance = random.Random(f"tool {name}")
    extensions = [
        (RENEGOTIATION, b"\0"),
        (SNI, _server_name(name)),
        (POINTS, b"\3\0\1\2"),
        (GROUPS, sized(numbers(X25519, P256, 0x1E, 0x19, P384))),
        (ALPN, _protocols("http/1.1")),
        (ENCRYPT_THEN_MAC, b""),
        (EXTENDED_SECRET, b""),
        (SIGNATURES, sized(numbers(*SIGNATURE_SCHEMES))),
        (VERSIONS, sized(numbers(0x0304, 0x0303), 1)),
        (PSK_MODES, b"\1\1"),
        (KEY_SHARE, sized(numbers(X25519) + sized(chance.randbytes(32)))),
    ]
    session, ciphers = chance.randbytes(32), numbers(*TOOL_CIPHERS, 0xFF)
    bare = len(_client_hello(random.Random(0), ciphers, [*extensions, (PADDING, b"")], session))
    return _client_hello(chance, ciphers, [*extensions, (PADDING, bytes(max(0, 512 - bare)))], session)


def server_hello(seed: str, session: bytes) -> bytes:
    """The server's hello; what follows is encrypted."""
    chance = random.Random(f"server {seed}")
    extensions = [(KEY_SHARE, numbers(X25519) + sized(chance.randbytes(32))), (VERSIONS, numbers(0x0304))]
    told = b"".join(numbers(kind) + sized(data) for kind, data in extensions)
    body = numbers(0x0303) + chance.randbytes(32) + sized(session, 1) + numbers(0x1301) + b"\0" + sized(told)
    return _handshake(2, body)


def encrypted(seed: str, size: int) -> bytes:
    """One record of application data: noise, as good as encrypted."""
    return record(23, random.Random(f"noise {seed} {size}").randbytes(size))
