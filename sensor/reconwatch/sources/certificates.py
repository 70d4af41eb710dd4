"""What every input's certificates have in common: their names, numbers and times."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconwatch.sources.spelling import dns_name

MOST_NAMES = 1_000
"""Names of one certificate that are kept; authorities issue for a hundred, some for a few hundred."""

_COMMON_NAME = re.compile(r"(?:^|[,/+]\s*)CN\s?=\s?((?:\\.|[^,/+\\])+)", re.IGNORECASE)
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_NO_HEX = re.compile("[^0-9A-F]")


def host_names(names: Iterable[str | None]) -> tuple[str, ...]:
    """The host names among names of a certificate, each once, sorted; e-mail addresses and titles are none."""
    found = {dns_name(name.strip()) for name in names if name}
    return tuple(sorted(name for name in found if len(name) <= 253 and _HOST.fullmatch(name)))[:MOST_NAMES]


def common_name(subject: str | None) -> str | None:
    """The CN of a distinguished name as text (RFC 4514, or with slashes as OpenSSL once wrote it)."""
    found = _COMMON_NAME.search(subject) if subject else None
    return found[1].strip() if found else None


def serial(text: str | None) -> str | None:
    """A serial number in hexadecimal, with or without colons, as events carry it."""
    return _NO_HEX.sub("", text.upper()).lstrip("0") or None if text else None
