"""One JSON object a line, decoded into a typed struct; text that is not UTF-8 is repaired, not lost."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from reconwatch.sources.lines import Block

T = TypeVar("T")

PIECE = 64 * 1024
"""Bytes of lines that are decoded at once where only their being readable is asked for."""


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


def suspects(decoder: msgspec.json.Decoder[T], block: Block, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Of the lines in `data[start:stop]` those that the decoder does not take at once: good ones may be among them."""
    while start < stop:
        # By the piece, so that the objects made stay few.
        end = block.data.find(b"\n", min(start + PIECE, stop), stop) + 1 or stop
        if not _all_read(decoder, block, start, end):
            for line_start, line_end in block.lines(start, end):
                try:
                    decoder.decode(block.data[line_start:line_end])
                except (ValueError, RecursionError):
                    yield line_start, line_end
        start = end


def _all_read(decoder: msgspec.json.Decoder[T], block: Block, start: int, stop: int) -> bool:
    """Whether every line is one object. All at once is twice as fast as one by one.

    The decoder minds no newlines, neither missing nor too many.
    """
    newlines = block.data.count(b"\n", start, stop)
    if block.data.count(b"}\n{", start, stop) != newlines - 1:
        return False
    try:
        with memoryview(block.data) as whole, whole[start:stop] as piece:
            return len(decoder.decode_lines(piece)) == newlines
    except (ValueError, RecursionError):
        return False


def _escape_in_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"\\\\x{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("reconwatch-json", _escape_in_json)


def repaired(line: bytes) -> bytes:
    r"""A JSON line with its bytes that are not UTF-8 written as the text `\xNN`."""
    return line.decode("utf-8", "reconwatch-json").encode()
