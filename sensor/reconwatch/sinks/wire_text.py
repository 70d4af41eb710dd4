r"""Text from the wire is hostile until it is spelled for its output: names, paths and WHOIS lines are chosen by others.

A character that a terminal obeys or hides instead of showing must not leave as itself: controls (they move the cursor,
end a line, end a log field), bidirectional overrides (they make `exe.txt` of `txt.exe`), invisible format characters,
private use. A byte that was no UTF-8 arrives as a lone surrogate and leaves as `\xNN`, for no encoder takes it.
"""

from __future__ import annotations

import re

import msgspec

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u061c\u180e\u200b-\u200f\u2060-\u206f\ufeff"  # soft hyphen, zero width, bidi marks and isolates
    "\u2028-\u202e"  # line and paragraph separators, bidi embeddings and overrides
    "\ue000-\uf8ff\ufff0-\uffff"  # private use and specials: Zeek refuses them as well (src/util.cc, check_ok_utf8)
    "\U000e0000-\U000e007f"  # tags: invisible ASCII
)
_SURROGATE = "\ud800-\udfff"
_find_unseen = re.compile(f"[{_UNSEEN}{_SURROGATE}]")
_find_surrogate = re.compile(f"[{_SURROGATE}]")
_find_unseen_in_json = re.compile(f"[{_UNSEEN}]")
_find_unprintable_byte = re.compile(rb"[^\x20-\x7e]")


def _spell(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # what errors="surrogateescape" makes of a byte
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    r"""One line of text for a person: `\x1b`, `\x0a`, `\u202e` stand for what must not reach the terminal.

    For eyes, not for parsing: a backslash that came over the wire stays one backslash.
    """
    return _find_unseen.sub(_spell, text)


def json_line(value: object) -> str:
    r"""`value` as one line of JSON, without the newline.

    Nothing is lost: what must not be shown is written as JSON's own `\u202e`, which every parser turns back. Lone
    surrogates are the exception: they become the text `\xNN` or `\udNNN`, since most parsers refuse them.
    """
    try:
        encoded = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_without_surrogates(value)).decode()
    if encoded.isascii() and encoded.isprintable():  # most lines, in half the search's time
        return encoded
    # Outside of its strings JSON is printable ASCII, so that every hit is inside one.
    return _find_unseen_in_json.sub(_json_escape, encoded)


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _without_surrogates(value: object) -> object:
    match value:
        case str():
            return _find_surrogate.sub(_spell, value)
        case dict():
            return {key: _without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
    return value


def zeek_string(text: str, *, in_set: bool = False) -> str:
    r"""A string or enum value as Zeek's ASCII writer spells it (src/threading/formatters/Ascii.cc, src/Desc.cc).

    Empty is `(empty)`; a real `-` or `(empty)` has its first byte escaped; a backslash is doubled; tab (and the comma,
    inside a set) and everything unprintable is `\xNN` by byte; UTF-8 stays, unless the same run of text holds an
    unprintable byte: then Zeek escapes all of that run. One difference, which reads back the same: Zeek lets
    bidirectional overrides and zero-width characters through, this does not.
    """
    if not text:
        return "(empty)"
    if text in {"-", "(empty)"}:
        return f"\\x{ord(text[0]):02x}{text[1:]}"
    runs = re.split(rb"([\\\t,])" if in_set else rb"([\\\t])", _wire_bytes(text))
    return "".join(_zeek_run(run) if i % 2 == 0 else _zeek_separator(run) for i, run in enumerate(runs))


def _zeek_separator(byte: bytes) -> str:
    return "\\\\" if byte == b"\\" else f"\\x{byte[0]:02x}"


def _zeek_run(run: bytes) -> str:
    try:
        text = run.decode()
    except UnicodeDecodeError:
        text = ""
    if text and not _find_unseen.search(text):
        return text
    return _find_unprintable_byte.sub(_byte_escape, run).decode()


def _byte_escape(found: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % found[0][0]


def _wire_bytes(text: str) -> bytes:
    """The bytes behind `text`; a surrogate that stands for a byte is that byte again."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
