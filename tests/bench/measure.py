"""What one command costs: the CPU of the whole process and its children, and the most memory they held at once."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BETWEEN_SAMPLES = 0.02
"""Seconds between two looks at the memory of a running command."""


@dataclass(frozen=True)
class Usage:
    """One finished run."""

    cpu: float
    """User and system seconds, start-up included, of the process and of every child that it waited for."""
    resident: int
    """Bytes: the most that process and children had in memory together; what they share counts once for each."""
    anonymous: int
    """Bytes of `resident` that no file stands behind: what a memory limit kills for. Sampled, so a lower bound."""
    status: int
    """As a shell tells it, but negative for the signal that ended the process."""
    output: bytes = b""
    complaint: bytes = b""


def run(command: Sequence[str], folder: Path, *, one_core: bool = False) -> Usage:
    """Run `command` in `folder`, to its end; it may be held to one core. Raises OSError if it cannot be started.

    Output goes to a file: a program may stop early when it goes to the null device (GNU grep does).
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    # As installed, which is compiled once; where this is set, a checkout is compiled anew at every start.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    cores = os.sched_getaffinity(0)
    allowed = {max(cores)} if one_core else cores
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        )
        try:
            status, used, peak = _watch(child.pid)
        except BaseException:
            child.kill()
            child.wait()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Usage(
            cpu=used.ru_utime + used.ru_stime,
            resident=max(peak.resident, _largest(used)),
            anonymous=peak.anonymous,
            status=child.returncode,
            output=out.read(),
            complaint=err.read(),
        )


@dataclass
class _Peak:
    resident: int = 0
    anonymous: int = 0

    def look(self, pid: int) -> None:
        held = [_memory(each) for each in _family(pid)]
        together = sum(memory.get("VmRSS", 0) for memory in held)
        single = max((memory.get("VmHWM", 0) for memory in held), default=0)
        self.resident = max(self.resident, together, single)
        self.anonymous = max(self.anonymous, sum(memory.get("RssAnon", 0) for memory in held))


def _watch(pid: int) -> tuple[int, resource.struct_rusage, _Peak]:
    peak = _Peak()
    while True:
        peak.look(pid)
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, used, peak
        time.sleep(BETWEEN_SAMPLES)


def _largest(used: resource.struct_rusage) -> int:
    """The peak of the largest process, in bytes, which misses nothing between samples; 0 if it cannot be told.

    Linux lets a process begin with the peak of the one that started it, so only more than our own says anything.
    """
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used.ru_maxrss * 1024 if used.ru_maxrss > own else 0


def _family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found, queue = [], [pid]
    while queue:
        each = queue.pop()
        found.append(each)
        for listed in Path(f"/proc/{each}/task").glob("*/children"):
            queue += [int(word) for word in _read(listed).split()]
    return found


def _memory(pid: int) -> dict[str, int]:
    """`VmRSS`, `VmHWM` and `RssAnon` of one process (proc(5)), in bytes; nothing of one that has ended."""
    told = {}
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        key, _, value = line.partition(":")
        if key in {"VmRSS", "VmHWM", "RssAnon"}:
            told[key] = int(value.split()[0]) * 1024
    return told


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Measured:
    """The runs of one command, or why there are none."""

    runs: list[Usage] = field(default_factory=list)
    failure: str | None = None

    @property
    def cpu(self) -> float:
        """The median of the runs, in seconds."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def resident(self) -> int:
        """The most of all runs, in bytes."""
        return max(run.resident for run in self.runs)

    @property
    def anonymous(self) -> int:
        """The most of all runs, in bytes."""
        return max(run.anonymous for run in self.runs)


def ratio(ours: Measured, theirs: Measured) -> float:
    """How many times their CPU ours takes: the median over the rounds, for a machine's speed drifts between them."""
    return statistics.median(mine.cpu / other.cpu for mine, other in zip(ours.runs, theirs.runs, strict=True))


Runner = Callable[[], tuple[Usage, str | None]]
"""Runs once; gives the cost and, if the run is no use, why."""


def alternate(runners: Mapping[str, Runner], runs: int, tell: Callable[[str], None]) -> dict[str, Measured]:
    """Each runner once, and again, `runs` times. One that fails is not asked again and has no runs."""
    measured = {name: Measured() for name in runners}
    for turn in range(1, runs + 1):
        for name, runner in runners.items():
            of = measured[name]
            if of.failure is not None:
                continue
            try:
                usage, of.failure = runner()
            except OSError as error:
                of.failure = f"it could not be started ({error.strerror})"
            if of.failure is not None:
                of.runs = []
                tell(f"  {name}: {of.failure}")
                continue
            of.runs.append(usage)
            tell(f"  round {turn} of {runs}: {name}: {usage.cpu:.2f} s, {usage.resident / 1e6:.0f} MB")
    return measured
