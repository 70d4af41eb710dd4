"""What the owner of a program's log may say of it: which formats there are, their fields, Squid's `logformat` language.

A format that is written down once is compiled to a pattern here (`compiled`), where site.yaml is checked, and again
where the log is read. The language: https://wiki.squid-cache.org/Features/LogFormat, src/format/Token.cc of Squid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

LOG_FORMATS = ("bind", "combined", "dnsmasq", "haproxy", "json", "squid", "unbound", "w3c", "windows-dns")
"""Formats whose name may be said of a log; a log whose format is not said is told by its content."""

JSON_FIELDS = (
    "ts", "client", "client_port", "server", "server_port", "host", "method", "url", "uri", "user_agent", "status",
    "user", "sni", "forwarded",
)  # fmt: skip
"""What a key of a JSON log may be said to hold."""
EXTRA_FIELDS = ("host", "user_agent", "forwarded", "sni")
"""What an additional column may be said to hold: of what HAProxy captures of a request, and behind the user agent of a
web server's line."""
DATES = ("d/M/yyyy", "M/d/yyyy")
"""How Windows' DNS server may be said to write a `date`, by the settings of its host."""
WITH_EXTRA_FIELDS = ("combined", "haproxy")
"""Formats with additional columns, which are named by their number, from 1."""

Quoting = Literal["", '"', "[", "#", "/", "'"]

_CODE = re.compile(
    r"%(?P<quoting>[\"\[#/']?)(?P<left>-?)(?P<zero>0?)(?P<width>[1-9]\d{0,3})?(?:\.\d{1,6})?"
    r"(?:\{(?P<before>[^}]*)\})?(?P<code>(?:[a-z_]+::)?[<>]{0,2}[A-Za-z_]+)(?:\{(?P<after>[^}]*)\})?"
)
_NAME = re.compile(r"\s*logformat\s+\S+\s+")
"""What stands in front of a format in squid.conf."""

_FIELDS = {
    "ts": "seconds", "tu": "milliseconds", "tl": "stamp", "tg": "stamp", "tr": "elapsed",
    ">a": "client", ">p": "client_port", "la": "server", ">la": "server", "lp": "server_port", ">lp": "server_port",
    "un": "user", "ul": "user", "ue": "user", "us": "user", "ui": "ident",
    "rm": "method", ">rm": "method", "ru": "url", ">ru": "url", "rp": "path", ">rp": "path", ">rd": "domain",
    "rd": "domain", "Hs": "status", ">Hs": "status", "ssl::>sni": "sni",
}  # fmt: skip
_HEADERS = {"user-agent": "user_agent", "host": "host", "x-forwarded-for": "forwarded"}

_NUMBER = r"(?:-?\d+|-)"
_STAMP = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_NUMBERS = frozenset({"ts", "tu", "tr", "dt", ">p", "lp", ">lp", "<p", "<lp", "Hs", ">Hs", "<Hs", "st", "<st", ">st"})
_WORD = {"": r"\S*?", '"': r"[^\s\"]*?", "[": r"[^\s\]]*?"}
"""A value without blanks, by what stands around it: Squid encodes them in most values."""
_WORDS = {"": r".*?", '"': r"(?:[^\"\\]|\\.)*?", "[": r"[^\]]*?"}
"""A value that may have blanks."""
_USERS = frozenset({"un", "ul", "ue", "us", "ui"})
_PLAIN = frozenset({"rm", ">rm", "rv", ">rv", "rs", ">rs", "Ss", "Sh", "mt", "rd", ">rd"})
"""Codes whose values have no blanks however they are quoted."""
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class LogformatError(ValueError):
    """A format that cannot be read by; `write` says what to write instead."""

    def __init__(self, message: str, write: str) -> None:
        super().__init__(message)
        self.message = message
        self.write = write


@dataclass(frozen=True)
class Logformat:
    """A compiled format."""

    line: re.Pattern[str]
    quoting: dict[str, str]
    """How each of its fields is quoted."""

    def values(self, line: str) -> dict[str, str] | None:
        """The fields of a line, unquoted, without those that are `-`; None if it is not of this format."""
        found = self.line.fullmatch(line)
        if found is None:
            return None
        fields = {name: _unquoted(value, self.quoting[name]) for name, value in found.groupdict().items() if value}
        return {name: value for name, value in fields.items() if value != "-"}


@lru_cache(maxsize=32)
def compiled(text: str) -> Logformat:
    """A format, with or without `logformat NAME` in front.

    Raises LogformatError for one that does not tell who asked, when, and for what, or not surely so.
    """
    text = text.strip().removeprefix(named[0].strip() if (named := _NAME.match(text)) else "").strip()
    compiler = _Compiler()
    at = 0
    while at < len(text):
        at = compiler.take(text, at)
    return compiler.whole()


class _Compiler:
    """Reads a format from left to right. Literal quotes and brackets say how what stands between them is quoted."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._quoting: dict[str, str] = {}
        self._free: list[bool] = []
        """Of each code whether its value may hold blanks that nothing marks."""
        self._client: int | None = None
        self._between = ""

    def take(self, text: str, at: int) -> int:
        """Read the part that begins at a place; return where the next one does."""
        if text.startswith("%%", at):
            self._parts.append("%")
            return at + 2
        if text[at] == "%":
            found = _CODE.match(text, at)
            if found is None:
                raise LogformatError(f"no format code begins with '{text[at : at + 4]}'", "%% for a percent sign")
            self._code(found)
            return found.end()
        if text[at] == " ":
            end = len(text) - len(text[at:].lstrip(" "))
            self._parts.append(" +")
            return end
        if text[at] in '"[]':
            self._between = "" if self._between else text[at].replace("]", "")
        self._parts.append(re.escape(text[at]))
        return at + 1

    def _code(self, found: re.Match[str]) -> None:
        code = found["code"].removeprefix("http::")
        argument = found["after"] if found["after"] is not None else found["before"]
        quoting = found["quoting"] or self._between
        field = _HEADERS.get((argument or "").lower()) if code == ">h" else _FIELDS.get(code)
        # A URL has blanks with `uri_whitespace allow`, a user's name as it is.
        blanks = quoting in ('"', "'", "[") or code in ("ru", ">ru") or code in _USERS
        pattern = (_WORDS if blanks and code not in _PLAIN else _WORD)[self._between]
        free = blanks and code not in _PLAIN and not self._between
        if code in _NUMBERS:
            pattern, free = _NUMBER, False
        elif code in ("tl", "tg"):
            pattern, free = _stamp(argument), False
        if field == "client":
            self._client, pattern, free = len(self._free), r"[^\s\"]+?", False
        self._free.append(free)
        if field is not None and field not in self._quoting:
            self._quoting[field] = quoting
            pattern = f"(?P<{field}>{pattern})"
        else:
            pattern = f"(?:{pattern})"
        if found["width"]:
            pattern = f"{pattern} *" if found["left"] else f" *{pattern}"
        self._parts.append(pattern)

    def whole(self) -> Logformat:
        """What was read. Raises LogformatError."""
        known = self._quoting.keys()
        if self._client is None:
            raise LogformatError("the pattern does not tell who asked", "%>a in it")
        if not known & {"seconds", "stamp"}:
            raise LogformatError("the pattern does not tell when", "%ts.%03tu or [%tl] in it")
        if not known & {"url", "sni", "host", "domain"}:
            raise LogformatError("the pattern does not tell what was asked for", "%ru in it")
        if any(self._free[: self._client]) and any(self._free[self._client :]):
            message = "%>a stands between two values that may hold blanks, so that a client could write another's"
            raise LogformatError(message, "%>a in front of them")
        return Logformat(re.compile("".join(self._parts)), dict(self._quoting))


def _stamp(argument: str | None) -> str:
    """A pattern for `%tl` and `%tg`; an argument is one of strftime."""
    if not argument:
        return _STAMP
    return re.sub(r"%.|.", lambda found: r"\S+?" if found[0][0] == "%" else re.escape(found[0]), argument)


def _unquoted(value: str, quoting: str) -> str:
    if quoting == '"' or quoting == "/":
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), value)
    return value


def percent_decoded(value: str) -> str:
    """A value that Squid wrote with its blanks and the like percent-encoded. Never a name: a client writes that."""
    return unquote(value, errors="backslashreplace")
