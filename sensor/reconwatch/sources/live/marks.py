"""A mark as bytes: what a feed wrote once, read by the same kind of feed and no other."""

from __future__ import annotations

from typing import TypeVar

import msgspec

VERSION = 1
"""Raised when a mark means something else than before: an older one is then refused, not misread."""

Kept = TypeVar("Kept", bound=msgspec.Struct)

_ENCODER = msgspec.msgpack.Encoder()


def written(kind: str, value: msgspec.Struct) -> bytes:
    """The bytes of a mark of a kind of feed."""
    return _ENCODER.encode((kind, VERSION, value))


def read(kind: str, type: type[Kept], mark: bytes) -> Kept:
    """What was written. Raises ValueError if it is no mark, or one of another kind or version."""
    try:
        found, version, value = msgspec.msgpack.decode(mark, type=tuple[str, int, msgspec.Raw])
        if (found, version) != (kind, VERSION):
            raise ValueError(f"a mark of {found} in version {version}, not of {kind} in version {VERSION}")
        return msgspec.msgpack.decode(value, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a mark of {kind}: {error}") from error
