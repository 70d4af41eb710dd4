"""Measures reconwatch beside other programs: `make bench`, or `python -m tests.bench --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.data import ROOT, Data, NoDataError, generated, given
from tests.bench.machine import machine
from tests.bench.measure import Measured, Usage, alternate
from tests.bench.programs import RECONWATCH, Program, looked_for, versions
from tests.bench.table import Result, put_into, section
from tests.bench.works import Work, works

RESULTS = Path(__file__).with_name("RESULTS.md")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="alternating runs of each program (5)")
    parser.add_argument("--records", type=int, default=10_000_000, help="records of the generated logs (10 million)")
    parser.add_argument("--data", type=Path, default=ROOT / "build" / "bench", help="where generated data are kept")
    parser.add_argument("--capture", type=Path, help="a capture to read instead of generated data")
    parser.add_argument("--logs", type=Path, help="an EVE file, or a folder of logs, to read instead")
    parser.add_argument("--only", default="", help="the works to do, by their keys, with commas between them")
    parser.add_argument("--results", type=Path, help="the file that takes the table (with generated data: RESULTS.md)")
    wanted = parser.parse_args(words)
    if wanted.runs < 1:
        parser.error("--runs must be at least 1")
    return wanted


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it down; the exit status."""
    wanted = _arguments(words)
    try:
        if wanted.capture or wanted.logs:
            data = given(wanted.capture, wanted.logs)
        else:
            data = generated(wanted.data, wanted.records, _tell)
        chosen = _chosen(data, wanted.only)
    except NoDataError as error:
        _tell(str(error))
        return 2
    names = looked_for()
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "names"
        listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        results = [Result(work, _measure(work, listed, wanted.runs)) for work in chosen]
    told = section(results, _facts(data, len(names), wanted.runs))
    print(told)
    # What was measured in part, or over somebody's own traffic, is not what the project is judged by.
    kept = wanted.results or (RESULTS if data.generated and not wanted.only else None)
    if kept is not None:
        put_into(kept, told)
    return 0


def _chosen(data: Data, only: str) -> list[Work]:
    there = list(works(data))
    keys = {work.key for work in there}
    asked = set(only.split(",")) if only else keys
    if unknown := asked - keys:
        raise NoDataError(f"no such work: {', '.join(sorted(unknown))} (there are {', '.join(sorted(keys))})")
    return [work for work in there if work.key in asked]


def _measure(work: Work, names: Path, runs: int) -> dict[str, Measured]:
    programs = [RECONWATCH, *(beside.program for beside in work.beside)]
    here = [program for program in programs if program.missing is None]
    _tell(f"{work.title}: {', '.join(program.name for program in here)}")
    # One run that does not count: its caches, and the input's in memory, are warm for all that follow.
    RECONWATCH.once(work.inputs, names, Path(tempfile.gettempdir()))
    measured = alternate({program.name: partial(_once, program, work, names) for program in here}, runs, _tell)
    return measured | {program.name: Measured(failure=program.missing) for program in programs if program.missing}


def _once(program: Program, work: Work, names: Path) -> tuple[Usage, str | None]:
    with tempfile.TemporaryDirectory() as folder:
        return program.once(work.inputs, names, Path(folder))


def _facts(data: Data, names: int, runs: int) -> list[str]:
    programs = "; ".join(f"{name} {version}" for name, version in versions().items())
    made = "Data as the project's generators make them."
    read = made if data.generated else "Data of somebody's own, for which no bar of speed is set."
    return [
        f"{machine()}.",
        f"{programs}.",
        f"{read} {names:,} names are looked for. Medians of {runs} alternating runs, and their span.",
    ]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
