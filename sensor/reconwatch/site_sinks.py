"""`sinks` and `store` of site.yaml: pydantic models, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, model_validator

from reconwatch.document import Refused, nearest
from reconwatch.document_errors import shown
from reconwatch.notices import NOTES
from reconwatch.site_live import read_one_place, read_websocket, refuse_ca_without_tls
from reconwatch.site_outlets import BACKLOG, STORE_DAYS, STORE_FILE, STORE_MEGABYTES, Keeping, SinkSetting
from reconwatch.site_section import Section, Text

if TYPE_CHECKING:
    from reconwatch.document import Document, Problem

SYSLOG_PORT = 514
_SYSLOGS = "/dev/log, udp://host:514 or tcp://host:514"
MOST_DAYS = 36_500
LEAST_BACKLOG = 100
"""Fewer would be dropped while a collector restarts."""


def read_absolute(value: Any, folder: str = "/var/log/reconwatch") -> str:
    """The path of a file of the service's. Raises Refused: a relative one, whose folder nobody could tell."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{shown(value)} is not the path of a file", write="one like /var/log/reconwatch/notices.jsonl")
    path = value.strip()
    if re.match(r"[a-z][a-z0-9+.-]*://", path, re.IGNORECASE):
        raise Refused(f"'{path}' is a URL, not a file", write="the path of a file")
    if not path.startswith("/"):
        raise Refused(f"'{path}' depends on where the service is started", write=f"'{folder}/{path}'")
    if path.endswith("/") or "\0" in path:
        raise Refused(f"{shown(path)} is not the path of a file", write=f"'{path.rstrip('/')}/notices.jsonl'")
    return path


def read_store_file(value: Any) -> str:
    """The path of a database. Raises Refused."""
    return read_absolute(value, "/var/lib/reconwatch")


def read_syslog(value: Any) -> str:
    """Where a syslog listens. Raises Refused."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{shown(value)} is not where a syslog listens", write=_SYSLOGS)
    text = value.strip()
    if text.startswith("/"):
        return read_absolute(text)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or SYSLOG_PORT
    except ValueError:
        raise Refused(f"'{text}' is not where a syslog listens", write=_SYSLOGS) from None
    beside = parts.username or parts.password or parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("udp", "tcp") or not host or beside or re.search(r"[^!-~]", text):
        raise Refused(f"'{text}' is not where a syslog listens", write=_SYSLOGS)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def read_note(value: Any) -> str:
    """The name of a note. Raises Refused."""
    if value not in NOTES:
        close = nearest(value, NOTES) if isinstance(value, str) else None
        write = f"'{close}'" if close else f"one of {', '.join(NOTES)}"
        raise Refused(f"no notice is called {shown(value)}", write=write)
    return str(value)


def _whole(value: Any, least: int, most: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"{shown(value)} is not {what}", write=f"a whole number from {least} to {most}")
    return value


def read_backlog(value: Any) -> int:
    """A number of notices. Raises Refused."""
    return _whole(value, LEAST_BACKLOG, 10_000_000, "a number of notices that may wait")


def read_days(value: Any) -> int:
    """A number of days. Raises Refused."""
    return _whole(value, 1, MOST_DAYS, "a number of days")


def read_megabytes(value: Any) -> int:
    """A number of megabytes. Raises Refused."""
    return _whole(value, 10, 1_000_000, "a number of megabytes")


class SinkModel(Section):
    """An item of `sinks`."""

    file: Annotated[str, BeforeValidator(read_absolute)] | None = None
    syslog: Annotated[str, BeforeValidator(read_syslog)] | None = None
    zeek: Annotated[str, BeforeValidator(read_websocket)] | None = None
    ca_file: Annotated[str, BeforeValidator(read_one_place)] | None = None
    format: Literal["jsonl", "notice-log", "eve"] | None = None
    name: Text | None = None
    verdict: Literal["monitor", "investigate", "escalate"] = "monitor"
    notes: list[Annotated[str, BeforeValidator(read_note)]] = []
    backlog: Annotated[int, BeforeValidator(read_backlog)] = BACKLOG

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = [place for place in ("file", "syslog", "zeek") if getattr(self, place) is not None]
        if len(places) != 1:
            found = f"with {' and '.join(places)}" if places else "without a place"
            write = "file: /path, syslog: /dev/log or zeek: ws://127.0.0.1:27759, an item for each"
            raise Refused(f"a sink {found}", write=write)
        if self.file is None and self.format is not None:
            raise Refused(f"a {places[0]} has a format of its own", write="no format")
        if self.ca_file is not None and self.zeek is None:
            raise Refused("'ca_file' is for a zeek with wss://", write="the sink without ca_file")
        refuse_ca_without_tls(self.zeek, self.ca_file)
        return self

    @property
    def _place(self) -> str:
        """Its name, if it was not given one."""
        return next(f"{key}:{place}" for key in ("file", "syslog", "zeek") if (place := getattr(self, key)) is not None)

    def plain(self) -> SinkSetting:
        """Its plain value."""
        return SinkSetting(
            file=self.file,
            syslog=self.syslog,
            zeek=self.zeek,
            ca_file=self.ca_file,
            format=self.format or "jsonl",
            name=self.name or self._place,
            verdict=self.verdict,
            notes=tuple(dict.fromkeys(self.notes)),
            backlog=self.backlog,
        )


class StoreModel(Section):
    """`store`: where and how long notices are kept."""

    file: Annotated[str, BeforeValidator(read_store_file)] = STORE_FILE
    days: Annotated[int, BeforeValidator(read_days)] = STORE_DAYS
    megabytes: Annotated[int, BeforeValidator(read_megabytes)] = STORE_MEGABYTES

    def plain(self) -> Keeping:
        """Its plain value."""
        return Keeping(self.file, self.days, self.megabytes)


def repeated_sinks(document: Document, sinks: Any) -> Iterator[Problem]:
    """Two sinks that write one file, or have one name: their positions would be each other's."""
    seen: dict[tuple[str, str], int] = {}
    for index, sink in enumerate(sinks if isinstance(sinks, list) else ()):
        for key in ("file", "syslog", "zeek", "name"):
            value = sink.get(key) if isinstance(sink, dict) else None
            if not isinstance(value, str):
                continue
            if (key, value.strip()) in seen:
                line = document.line(("sinks", seen[key, value.strip()]))
                yield document.problem(
                    ("sinks", index, key), f"the sink of line {line} has this {key}, too", f"another {key}"
                )
            seen.setdefault((key, value.strip()), index)
