"""What was measured, as Markdown, each figure beside its bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Measured, ratio
from tests.bench.programs import RECONWATCH, Program
from tests.bench.works import MOST_ANONYMOUS, MOST_RESIDENT, Work

BEGIN = "<!-- `make bench` writes from here -->"
END = "<!-- to here -->"

HEAD = """\
| work | program | CPU, s | a CPU second | reconwatch / it | bar | found | resident / anonymous, MB |
|---|---|---|---|---|---|---|---|"""

MET, MISSED = "met", "**not met**"


@dataclass(frozen=True)
class Result:
    """One work and the runs of each program that was asked to do it, by the program's name."""

    work: Work
    measured: dict[str, Measured]


def at_most(value: float, bound: float) -> str:
    """Whether a bar is reached that must not be passed."""
    return MET if value <= bound else MISSED


def at_least(value: float, bound: float) -> str:
    """Whether a bar is reached that must be passed."""
    return MET if value >= bound else MISSED


def section(results: Sequence[Result], facts: Sequence[str]) -> str:
    """The facts as paragraphs, and the table."""
    rows = [row for result in results for row in _rows(result)]
    text = "\n".join([HEAD, *rows])
    met, missed, unmeasured = (text.count(told) for told in (f": {MET}", f": {MISSED}", "not measured"))
    tally = f"Bars met: {met}; not met: {missed}; rows not measured: {unmeasured}."
    return "\n\n".join([*facts, tally, text])


def _rows(result: Result) -> list[str]:
    work = result.work
    ours = result.measured[RECONWATCH.name]
    rows = [_ours(f"{work.title}, {_amount(work.amount, work)}", work, ours)]
    for beside in work.beside:
        bar = "" if beside.most is None else f"<= {beside.most:g}"
        theirs = result.measured[beside.program.name]
        if theirs.failure is not None or ours.failure is not None:
            why = theirs.failure or "nothing to compare it with"
            rows.append(_row("", beside.program.name, f"not measured: {why}", bar=bar))
            continue
        times = ratio(ours, theirs)
        if beside.most is not None:
            bar += f": {at_most(times, beside.most)}"
        rows.append(_measured("", beside.program, work, theirs, times=f"{times:.3g}", bar=bar))
    return rows


def _ours(title: str, work: Work, ours: Measured) -> str:
    bar = "" if work.least is None else f">= {_amount(work.least, work)}"
    if ours.failure is not None:
        return _row(title, RECONWATCH.name, f"not measured: {ours.failure}", bar=bar)
    if work.least is not None:
        bar += f": {at_least(work.amount / ours.cpu, work.least)}"
    memory = (
        f" (<= {MOST_RESIDENT / 1e6:.0f}: {at_most(ours.resident, MOST_RESIDENT)}"
        f" / <= {MOST_ANONYMOUS / 1e6:.0f}: {at_most(ours.anonymous, MOST_ANONYMOUS)})"
    )
    return _measured(title, RECONWATCH, work, ours, bar=bar, memory=memory)


def _measured(
    title: str, program: Program, work: Work, of: Measured, *, times: str = "", bar: str = "", memory: str = ""
) -> str:
    spread = [run.cpu for run in of.runs]
    found = program.found(of.runs[-1])
    return _row(
        title,
        program.name,
        f"{of.cpu:.2f} ({min(spread):.2f} to {max(spread):.2f})",
        _amount(work.amount / of.cpu, work),
        times,
        bar,
        "" if found is None else f"{found:,}",
        f"{of.resident / 1e6:.0f} / {of.anonymous / 1e6:.0f}{memory}",
    )


def _row(title: str, name: str, cpu: str, speed: str = "", times: str = "", bar: str = "", *rest: str) -> str:
    found, memory = rest or ("", "")
    return "| " + " | ".join([title, name, cpu, speed, times, bar, found, memory]) + " |"


def _amount(amount: float, work: Work) -> str:
    return f"{amount / 1e6:,.1f} MB" if work.unit == "bytes" else f"{amount / 1e6:.3g} M lines"


def put_into(path: Path, told: str) -> None:
    """Replace what stands between the markers of a file, or append it with them; all else stays."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Measured\n"
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        before, after = text.rstrip() + "\n\n", "\n"
    path.write_text(f"{before}{BEGIN}\n\n{told}\n\n{END}{after}", encoding="utf-8")
