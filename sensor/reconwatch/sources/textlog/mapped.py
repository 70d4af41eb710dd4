"""JSON lines whose keys their owner has named: nginx (`log_format ... escape=json`), Envoy, a script of mitmproxy's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from reconwatch.events import AnyEvent
from reconwatch.sources.spelling import plausible
from reconwatch.sources.textlog.asked import Asked, endpoint, number, told
from reconwatch.sources.textlog.line import BadLineError, LineFormat

_NOT_UTF8 = re.compile(r"(?<!\\)((?:\\\\)*)\\(?=x[0-9a-f]{2})")
r"""The `\xNN` that stands where a byte was not UTF-8; JSON knows no such escape."""
_LARGEST = 1e17
"""A larger number is no time in any unit."""

_objects = msgspec.json.Decoder(dict[str, Any])


class MappedFormat(LineFormat):
    """Never told by content: only its owner knows what a key means."""

    name = "json"
    holds = frozenset({"http", "tls"})

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        return False

    def begin(self, lines: Sequence[str]) -> None:
        """See `LineFormat.begin`: a whole URL is a proxy's word, and so is the mere name of a server."""
        fields, declared, ours = self.context.declared.fields, self.context.declared, self.context.lookout.ours
        first = next(filter(None, map(_record, lines)), {})
        said = _found(first, fields["server"]) if "server" in fields else None
        server = endpoint(said)[0] if isinstance(said, str) else None
        if not fields.keys() & {"url", "sni"}:
            self.note_owner(server)
        if not any(ours(each) for each in (declared.server, server) if each is not None):
            super().begin(lines)

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        record = _record(line) if self.context.declared.fields else None
        if record is None:
            return None
        values = {name: _found(record, key) for name, key in self.context.declared.fields.items()}
        ts = self._time(values.get("ts"))
        if ts is None:
            raise BadLineError("no usable time")
        text = {name: str(value) for name, value in values.items() if _is_text(value)}
        target = text.get("url") or text.get("uri") or ""
        named = text.get("sni") or text.get("host")
        method = text.get("method", "GET" if target else "")
        asked = Asked(
            ts=ts,
            client=text.get("client", ""),
            client_port=number(text.get("client_port")),
            method=method,
            target=target or (named or "" if method == "CONNECT" else ""),
            host=text.get("host"),
            server=text.get("server"),
            server_port=number(text.get("server_port")),
            agent=text.get("user_agent"),
            status=number(text.get("status")),
            user=text.get("user"),
            forwarded=text.get("forwarded"),
            sni=named if method in ("", "CONNECT") else text.get("sni"),
        )
        return told(self, asked)

    def _time(self, value: object) -> float | None:
        """Seconds or milliseconds since the epoch, as a number or as text, or a stamp of `Clock.epoch`."""
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return self.context.clock.epoch(str(value))
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:
            return plausible(float(value))
        return None


def _is_text(value: object) -> bool:
    """Whether a value says something; `-` is what many write where there is none."""
    return (isinstance(value, str) and value not in ("", "-")) or (
        isinstance(value, int) and not isinstance(value, bool)
    )


def _record(line: str) -> dict[str, Any] | None:
    try:
        return _objects.decode(line)
    except (ValueError, RecursionError):
        repaired = _NOT_UTF8.sub(r"\1\\\\", line)
    if repaired == line:
        return None
    try:
        return _objects.decode(repaired)
    except (ValueError, RecursionError):
        return None


def _found(record: dict[str, Any], key: str) -> object:
    """What a key holds: the key itself, or keys and places of lists within each other, joined by dots."""
    if key in record:
        return record[key]
    value: Any = record
    for step in key.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
