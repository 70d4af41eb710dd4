"""Rows of Zeek's notice.log and intel.log to events: what was raised inside Zeek, and what its feeds list."""

from __future__ import annotations

import re
from typing import Any, Final

from reconwatch.events import AnyEvent, Listed, Raised
from reconwatch.interest import SECRET_PARAMETERS, mask_parameters
from reconwatch.sources.spelling import canonical
from reconwatch.sources.zeek.row import Row
from reconwatch.sources.zeek.sighted import UnusableRowError

OURS: Final = "ReconWatch::"
"""The module of the package inside Zeek (zeek-scripts/main.zeek)."""

RAISED_BY_US: Final = "reconwatch id="
"""What the `sub` of a notice begins with that reconwatch itself had Zeek raise: no news."""

LONGEST_MESSAGE: Final = 512
"""Characters kept of a message: other packages quote what their clients sent."""

_TARGETS: Final = " targets="
_FACTS: Final = frozenset({"technique", "score", "services"})
_find_written = re.compile(r"\bid=rw-[0-9a-f]{16}\b")
_between_targets = re.compile(r",(?=(?:domain|ip|range|asn|brand):)")


def raised(row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
    """The notice of a row; none if it is about no party, or our own. Raises UnusableRowError."""
    if not row.note:
        raise UnusableRowError("no note")
    ours = row.note.startswith(OURS)
    if ours and _is_told_by_us(row.sub or ""):
        return []
    actor = canonical(row.src) if row.src else facts["client"]
    if actor is None:
        if ours or row.src:
            raise UnusableRowError("no usable address")
        return []  # of a sensor, a certificate, a file
    ends: dict[str, Any] = facts | {
        "client": actor,
        "server": (canonical(row.dst) if row.dst else None) or facts["server"],
    }
    if actor != facts["client"]:
        # Of the other side of the connection, or of no connection at all.
        ends |= {"client_port": None, "server_port": None}
        if ends["server"] == actor:
            ends["server"] = facts["client"]
    ends |= {"note": row.note, "msg": _struck(row.msg or "")[:LONGEST_MESSAGE], "count": row.n}
    if not ours:
        return [Raised(**ends)]
    found, targets = _facts(row.sub or "")
    return [Raised(
        **ends,
        score=int(found["score"]),
        techniques=_listed(found["technique"]),
        services=_listed(found["services"]),
        assets=tuple(filter(None, _between_targets.split(targets))),
    )]  # fmt: skip


def listed(row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
    """What a row of intel.log says is listed; none if it is about no connection. Raises UnusableRowError."""
    if not row.seen_indicator or not row.seen_indicator_type:
        raise UnusableRowError("no indicator")
    if facts["client"] is None:
        if row.orig_h:
            raise UnusableRowError("no usable address")
        return []
    sources = tuple(sorted(filter(None, row.sources or ())))
    return [Listed(
        indicator=_struck(row.seen_indicator), type=row.seen_indicator_type, where=row.seen_where or "",
        sources=sources, **facts,
    )]  # fmt: skip


def _struck(text: str) -> str:
    """Without the credentials of a URL that it is, or quotes."""
    return mask_parameters(text, SECRET_PARAMETERS) if "=" in text or "@" in text else text


def _is_told_by_us(sub: str) -> bool:
    """Whether reconwatch had it raised, or wrote the row itself (sinks/notice_log.py)."""
    return sub.startswith(RAISED_BY_US) or _find_written.search(sub) is not None


def _facts(sub: str) -> tuple[dict[str, str], str]:
    """What `raise_finding` of main.zeek has written, the last of it apart: brands have blanks in them."""
    head, last, targets = sub.partition(_TARGETS)
    found = dict(word.partition("=")[::2] for word in head.split(" ") if "=" in word)
    score = found.get("score", "")
    if not last or not found.keys() >= _FACTS or not (score.isascii() and score.isdigit() and len(score) <= 4):
        raise UnusableRowError("a sub that is not as the package inside Zeek writes it")
    return found, targets.strip()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(sorted(filter(None, text.split(","))))
