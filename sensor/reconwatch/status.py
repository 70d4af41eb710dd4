"""A small file beside the store that says how the service does, for `reconwatch status` and `reconwatch reload`.

It is replaced whole every few seconds, and read by anybody in the service's group. What it says of the process is
checked before a signal is sent there: it may be left from another boot, and its number another's by now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from reconwatch.prose import counted
from reconwatch.sinks.times import rfc3339
from reconwatch.sinks.wire_text import json_line, visible
from reconwatch.vitals import Vitals

EVERY: Final = 5.0
"""Seconds between two of them."""
STALE: Final = 60.0
"""Seconds from which one is too old: only a large capture that is read whole takes longer."""
LONGEST: Final = 1 << 20
"""Bytes; ours have some thousands."""


class Reload(msgspec.Struct, frozen=True):
    """What came of the last one."""

    number: int = 0
    """How many there were since the process began."""
    at: float = 0.0
    refused: tuple[str, ...] = ()
    """Why it was not taken; empty if it was."""


class Status(msgspec.Struct, frozen=True):
    """What is in the file."""

    vitals: Vitals
    reload: Reload
    process: str
    """What tells this process from a later one with its number; see `process_of`."""


class StatusError(Exception):
    """There is no status to be had; the text says why and what to do."""


def status_file(store: str | Path) -> Path:
    """Where it lies: beside the store's file."""
    return Path(f"{store}.status")


def process_of(pid: int) -> str | None:
    """The boot and the start time of a process (proc_pid_stat(5), field 22); None if there is none of this number."""
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None
    # The second field is a name in brackets, that may hold anything.
    fields = told[told.rfind(b")") + 2 :].split()
    return f"{boot} {fields[19].decode('ascii')}"


def write(path: Path, status: Status) -> None:
    """Replace the file: whole, readable by its group, never through a link. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(handle, 0o640)  # whatever the umask
        file.write(json_line(msgspec.to_builtins(status)) + "\n")
    beside.replace(path)


def read(path: Path) -> Status:
    """What stands in the file. Raises StatusError."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(LONGEST), type=Status)
    except FileNotFoundError:
        raise StatusError(f"{path}: no service has run here; start it by `reconwatch run`") from None
    except OSError as error:
        raise StatusError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        what = visible(str(error))
        raise StatusError(f"{path}: is no status of this version ({what}); is another version running?") from None


def is_alive(status: Status) -> bool:
    """Whether the process that wrote it is there."""
    return process_of(status.vitals.pid) == status.process


def process_to_signal(path: Path, status: Status) -> int:
    """The number of the process, if it is the one that wrote the file. Raises StatusError.

    It must run as the owner of the file, too: who owns it could name any process there, and it may be root who asks.
    """
    pid = status.vitals.pid
    if not is_alive(status):
        raise StatusError(f"process {pid}, which wrote {path}, has ended; start the service by `reconwatch run`")
    try:
        runs_as, owner = Path(f"/proc/{pid}").stat().st_uid, path.stat().st_uid
    except OSError as error:
        raise StatusError(f"process {pid}: {(error.strerror or str(error)).lower()}") from None
    if runs_as != owner:
        raise StatusError(f"process {pid} is of user {runs_as}, but {path} of user {owner}: it is not signalled")
    return pid


def faults(status: Status, now: float) -> list[str]:
    """What is wrong with the service, a line each."""
    vitals, told = status.vitals, []
    if not is_alive(status):
        told.append(f"NOT RUNNING: process {vitals.pid} has ended; last heard of {_ago(now - vitals.at)}")
    elif now - vitals.at > STALE:
        told.append(f"STALE: process {vitals.pid} is there, but last said something {_ago(now - vitals.at)}")
    if vitals.trouble is not None:
        told.append(f"TROUBLE: {vitals.trouble}; nothing is read until that is well")
    told += [f"SINK DOWN: {sink.problem or sink.name}" for sink in vitals.sinks if sink.failures]
    refused = (each.name for each in vitals.made.lists if each.refused)
    told += [f"INDICATORS: {name} was refused; the last good one goes on" for name in refused]
    return told


def lines(status: Status, now: float) -> Iterator[str]:
    """The status for a person: one fact a line."""
    vitals = status.vitals
    yield f"running    since {_moment(vitals.began)}, process {vitals.pid}, reconwatch {vitals.version}"
    yield f"heard of   {_ago(now - vitals.at)}"
    read = f"{counted(vitals.events, 'event')} looked at, {vitals.bytes / 1e6:,.1f} MB read"
    yield f"input      {read}, {'all there was' if vitals.caught_up else _size(vitals.lag) + ' wait'}"
    yield from (f"  feed     {feed.name}: {_size(feed.lag)} behind" for feed in vitals.feeds)
    yield from _losses(vitals)
    told = sum(count for _, _, count in vitals.notices)
    yield f"notices    {told:,} kept in {vitals.store}"
    if vitals.last is not None:
        last = vitals.last
        yield f"  last     {_moment(last.ts)} {last.verdict} {last.note} {last.id} rev {last.rev}: {last.msg}"
    for sink in vitals.sinks:
        lost = f", {sink.dropped:,} passed over" if sink.dropped else ""
        yield f"  sink     {sink.name}: {sink.sent:,} sent, {sink.waiting:,} wait{lost}"
    took = f"{vitals.snapshot_bytes / 1e6:,.1f} MB in {vitals.snapshot_took:.2f} s"
    yield f"state      {took}, {_ago(now - vitals.snapshot_at)}; {vitals.resident / 1e6:,.0f} MB of memory"
    yield f"catalog    of {vitals.made.catalog or 'an unknown day'}"
    for each in vitals.made.lists:
        when = _moment(each.changed) if each.changed is not None else "nobody knows when"
        yield f"  list     {each.name}: changed {when}"
    if status.reload.number:
        outcome = f"refused: {'; '.join(status.reload.refused)}" if status.reload.refused else "taken"
        yield f"reload     {_moment(status.reload.at)} {outcome}"


def _losses(vitals: Vitals) -> Iterator[str]:
    late = ((vitals.disordered, "out of order"), (vitals.late, "too late"), (vitals.ahead, "ahead of time"))
    parts = [f"{count:,} {what}" for count, what in late if count]
    if parts:
        yield f"  events   {', '.join(parts)}"
    yield from (f"  skipped  {count:,}: {reason}" for reason, count in sorted(vitals.skipped.items()))
    if vitals.last_gap is not None:
        feed, start, end = vitals.last_gap
        more = f"{counted(vitals.gaps, 'gap')}, {vitals.gap_seconds:,.0f} s in all"
        yield f"  lost     {more}; last {feed} from {_moment(start)} to {_moment(end)}"


def _moment(ts: float) -> str:
    try:
        return f"{rfc3339(ts)[:19]}Z"
    except ValueError:
        return f"second {ts:.0f}"


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1e6:,.1f} MB"


def _ago(seconds: float) -> str:
    if seconds < 0:
        return f"{-seconds:,.0f} s ahead of this clock"
    if seconds < 7_200:
        return f"{seconds:,.0f} s ago"
    return f"{seconds / 3_600:,.0f} h ago" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days ago"
