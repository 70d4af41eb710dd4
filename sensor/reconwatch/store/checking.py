"""What `reconwatch db check` tells of a store, whether or not a service writes to it now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from reconwatch.prose import counted
from reconwatch.sinks.jsonl import read_jsonl
from reconwatch.sinks.times import rfc3339
from reconwatch.store.contract import StoreError
from reconwatch.store.reading import Reader

_MOST_FAULTS = 10
"""That are told one by one."""


class Report(msgspec.Struct, frozen=True):
    """What was found, a line each, and what of it is wrong."""

    facts: tuple[str, ...]
    faults: tuple[str, ...]


def checked(path: Path, now: float | None = None) -> Report:
    """Look through a store. Raises StoreError if it cannot be opened; what is wrong within it is in the report."""
    with Reader.open(path) as reader:
        try:
            return Report(tuple(_facts(reader, time.time() if now is None else now)), tuple(_faults(reader)))
        except StoreError as error:
            if error.reason != "corrupt":
                raise
            return Report((), (str(error),))


def _facts(reader: Reader, now: float) -> Iterator[str]:
    path = reader.path
    version = reader.rows("PRAGMA user_version")[0][0]
    page, pages, free = (reader.rows(f"PRAGMA {name}")[0][0] for name in ("page_size", "page_count", "freelist_count"))
    beside = Path(f"{path}-wal")
    log = beside.stat().st_size if beside.exists() else 0
    free_of = f"{_size(page * pages)} of which {_size(page * free)} free"
    yield f"file       {path}, version {version}, {free_of}; log {_size(log)}"
    sums = reader.rows("SELECT min(stored), max(stored), count(*), sum(length(body)) FROM notices")
    first, last, count, size = sums[0]
    span = f", told from {rfc3339(first)} to {rfc3339(last)}" if count else ""
    yield f"notices    {count:,}, {_size(size or 0)} with their evidence{span}"
    snapshot = reader.rows("SELECT version, taken FROM snapshot")
    if snapshot:
        form, taken = snapshot[0]
        parts = reader.rows("SELECT name, length(body) FROM parts ORDER BY length(body) DESC")
        yield f"snapshot   {_ago(now - taken)}, form {form}, {_size(sum(length for _, length in parts))}"
        yield from (f"  part     {name}: {_size(length)}" for name, length in parts)
        yield from (f"  feed     {feed}" for (feed,) in reader.rows("SELECT feed FROM marks ORDER BY feed"))
    else:
        yield "snapshot   none yet"
    newest = reader.rows("SELECT ifnull(max(seq), 0) FROM notices")[0][0]
    dead = dict(reader.rows("SELECT sink, count(*) FROM dead GROUP BY sink"))
    for name, position in reader.positions().items():
        more = "SELECT count(*), ifnull(sum(length(body)), 0) FROM notices WHERE seq > ?"
        behind, size = reader.rows(more, (position.seq,))[0]
        told = [f"has {position.seq:,} of {newest:,}", f"{behind:,} ({_size(size)}) wait"]
        if position.dropped:
            told.append(f"{position.dropped:,} were dropped")
        if dead.get(name):
            told.append(f"{counted(dead[name], 'dead letter')}")
        yield f"sink       {name}: {', '.join(told)}"


def _faults(reader: Reader) -> Iterator[str]:
    found = reader.rows(f"PRAGMA integrity_check({_MOST_FAULTS})")
    if found != [("ok",)]:
        yield from (f"{reader.path}: damaged: {' '.join(str(each).split())}" for (each,) in found)
        return
    told = 0
    before: tuple[int, int] | None = None
    seq = 0
    next_few = "SELECT seq, through, id, rev, body FROM notices WHERE seq > ? ORDER BY seq LIMIT 200"
    while rows := reader.rows(next_few, (seq,)):
        for seq, through, id_, rev, body in rows:
            wrong = _wrong(id_, rev, body)
            if before is not None and (seq, through) != (before[0] + 1, before[1] + len(body)):
                wrong = f"does not follow number {before[0]:,}"
            before = seq, through
            if wrong:
                told += 1
                if told <= _MOST_FAULTS:
                    yield f"{reader.path}: notice number {seq:,} {wrong}"
    if told > _MOST_FAULTS:
        yield f"{reader.path}: and {told - _MOST_FAULTS:,} more"


def _wrong(id_: str, rev: int, body: bytes) -> str:
    try:
        notice = read_jsonl(body)
    except ValueError as error:
        return f"cannot be read: {error}"
    return "" if (notice.id, notice.rev) == (id_, rev) else f"is kept as {id_} rev {rev} and says otherwise"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _ago(seconds: float) -> str:
    return f"{int(seconds):,} s ago" if seconds < 7200 else f"{seconds / 3600:,.1f} h ago"
