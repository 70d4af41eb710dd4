"""One JSON object a line, decoded into a typed struct; text that is not UTF-8 is repaired, not lost."""

from __future__ import annotations

import codecs
from typing import TypeVar

import msgspec

T = TypeVar("T")


class NotJsonError(ValueError):
    """A line that is no JSON object: half of one, garbage, or nested without end."""


def decoded(decoder: msgspec.json.Decoder[T], line: bytes) -> T:
    """The line's object. Of a key that stands twice the last value counts, as in every common reader.

    Raises NotJsonError, or msgspec.ValidationError where a field has another type than the struct says.
    """
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        if line.lstrip()[:1] != b"{":
            raise NotJsonError from None
        raise
    except UnicodeDecodeError:
        return decoded(decoder, repaired(line))
    except (msgspec.DecodeError, RecursionError):
        # The decoder may stop at a byte that is no text before it finds that it is not UTF-8.
        fixed = repaired(line)
        if fixed == line:
            raise NotJsonError from None
        return decoded(decoder, fixed)


def _escape_in_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"\\\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("reconwatch-json", _escape_in_json)


def repaired(line: bytes) -> bytes:
    r"""A JSON line with its bytes that are not UTF-8 written as the text `\xNN`."""
    return line.decode("utf-8", "reconwatch-json").encode()
