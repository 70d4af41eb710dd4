"""One notice a line of JSON: the contract of DESIGN.md section 6, written and read back."""

from __future__ import annotations

from typing import Any

import msgspec

from reconwatch.notices import SCHEMA, Direction, Notice, Reason, State, Verdict
from reconwatch.sightings import Actor, Evidence, Target
from reconwatch.sinks.outlet import Outlet, Stream
from reconwatch.sinks.times import epoch, rfc3339
from reconwatch.sinks.wire_text import json_line, visible


def contract(notice: Notice) -> dict[str, Any]:
    """The notice as the outside world knows it, in the order of the contract. Raises ValueError for an absurd time."""
    return {
        "schema": SCHEMA,
        "id": notice.id,
        "rev": notice.rev,
        "state": notice.state,
        "ts": rfc3339(notice.ts),
        "note": notice.note,
        "direction": notice.direction,
        "actor": _actor(notice.actor),
        "service": _only(notice.services),
        "services": list(notice.services),
        "technique": _only(notice.techniques),
        "techniques": list(notice.techniques),
        "targets": [{"kind": target.kind, "value": target.value, "asset": target.asset} for target in notice.targets],
        "first": rfc3339(notice.first),
        "last": rfc3339(notice.last),
        "count": notice.count,
        "counted": notice.counted,
        "score": notice.score,
        "verdict": notice.verdict,
        "reasons": [_reason(reason) for reason in notice.reasons],
        "evidence": [_evidence(n, item) for n, item in enumerate(notice.evidence, 1)],
        "evidence_total": notice.evidence_total,
        "kinds": list(notice.kinds),
        "msg": notice.msg,
        "next": list(notice.next),
    }


def _only(values: tuple[str, ...]) -> str | None:
    return values[0] if len(values) == 1 else None


def _actor(actor: Actor) -> dict[str, Any]:
    return {
        "ip": actor.ip or None,
        "role": list(actor.role),
        "trusted": actor.trusted,
        "user": actor.user,
        "host": actor.host,
        "mac": actor.mac,
        "sensor": actor.sensor,
        "vlan": actor.vlan,
        "members": list(actor.members),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    said = {"points": reason.points, "why": reason.why, "evidence": list(reason.evidence)}
    return said if reason.notice is None else said | {"notice": reason.notice}


def _evidence(n: int, item: Evidence) -> dict[str, Any]:
    return {
        "n": n,
        "ts": rfc3339(item.ts),
        "kind": item.kind,
        "source": item.source,
        "uid": item.uid,
        "src": item.src,
        "dst": item.dst,
        "host": item.host,
        "detail": item.detail,
    }


class JsonlSink:
    """Writes `contract` a line. An (id, rev) that is handed over twice is written twice: readers keep one."""

    def __init__(self, stream: Stream) -> None:
        self._outlet = Outlet(stream, machine=True)

    def write(self, notice: Notice) -> None:
        """Write one line. Raises ValueError after `close()` or for an absurd time."""
        self._outlet.put(json_line(contract(notice)) + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._outlet.flush()

    def close(self) -> None:
        """Flush the stream; there is no trailer."""
        self._outlet.close()


class _EvidenceLine(msgspec.Struct, frozen=True):
    n: int
    ts: str
    kind: str
    source: str
    uid: str | None
    src: str | None
    dst: str | None
    host: str | None
    detail: str


class _ActorLine(msgspec.Struct, frozen=True):
    """An `Actor`, whose address is null if nobody was seen."""

    ip: str | None
    role: tuple[str, ...] = ("host",)
    trusted: str | None = None
    user: str | None = None
    host: str | None = None
    mac: str | None = None
    sensor: str | None = None
    vlan: int | None = None
    members: tuple[str, ...] = ()


class _NoticeLine(msgspec.Struct, frozen=True):
    """What `contract` wrote. Fields that a later writer added are passed over; `kinds` and `next` may be missing."""

    id: str
    rev: int
    state: State
    ts: str
    note: str
    direction: Direction
    actor: _ActorLine
    services: tuple[str, ...]
    techniques: tuple[str, ...]
    targets: tuple[Target, ...]
    first: str
    last: str
    count: int
    counted: str
    score: int
    verdict: Verdict
    reasons: tuple[Reason, ...]
    evidence: tuple[_EvidenceLine, ...]
    evidence_total: int
    msg: str
    kinds: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


class _SchemaLine(msgspec.Struct, frozen=True):
    schema: int


_schema_of = msgspec.json.Decoder(_SchemaLine).decode
_fields_of = msgspec.json.Decoder(_NoticeLine).decode


def read_jsonl(line: str | bytes, number: int = 1) -> Notice:
    """The notice that `JsonlSink` wrote as this line; `number` is the line's, for the error.

    Raises:
        ValueError: not such a line, as `line 12: what is wrong; what to do`.
    """
    try:
        _check_schema(line)
        return _notice(_fields_of(line))
    except msgspec.ValidationError as error:
        # The error may quote the line, and a line that someone else wrote may hold anything.
        advice = "only lines written by --format jsonl can be read"
        raise ValueError(f"line {number}: not a notice: {visible(str(error))}; {advice}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"line {number}: not JSON: {error}; the line may be cut short") from None
    except _BadField as error:
        raise ValueError(f"line {number}: {error}") from None


class _BadField(Exception):
    """The types are right, a value is not."""


def _check_schema(line: str | bytes) -> None:
    schema = _schema_of(line).schema
    if schema != SCHEMA:
        raise _BadField(f"schema {schema}, this reconwatch reads {SCHEMA}; use the reconwatch that wrote it")


def _time(where: str, text: str) -> float:
    try:
        return epoch(text)
    except ValueError as error:
        raise _BadField(f"{where}: {error}") from None


def _notice(line: _NoticeLine) -> Notice:
    if [item.n for item in line.evidence] != list(range(1, len(line.evidence) + 1)):
        raise _BadField("evidence is not numbered 1, 2, 3 ...; keep every piece of evidence, in its order")
    return Notice(
        id=line.id,
        rev=line.rev,
        state=line.state,
        ts=_time("ts", line.ts),
        note=line.note,
        direction=line.direction,
        actor=Actor(**{**msgspec.structs.asdict(line.actor), "ip": line.actor.ip or ""}),
        services=line.services,
        techniques=line.techniques,
        targets=line.targets,
        first=_time("first", line.first),
        last=_time("last", line.last),
        count=line.count,
        counted=line.counted,
        kinds=line.kinds,
        score=line.score,
        verdict=line.verdict,
        reasons=line.reasons,
        evidence=tuple(
            Evidence(
                ts=_time(f"evidence {item.n}: ts", item.ts),
                kind=item.kind,
                source=item.source,
                uid=item.uid,
                src=item.src,
                dst=item.dst,
                host=item.host,
                detail=item.detail,
            )
            for item in line.evidence
        ),
        evidence_total=line.evidence_total,
        msg=line.msg,
        next=line.next,
    )
