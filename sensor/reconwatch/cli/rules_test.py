"""`reconwatch rules test`: any Suricata rules over captures, and whether they alert as expected."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.rules_against import compare_rules
from reconwatch.cli.terminal import EXIT_USAGE, say, stop, tell
from reconwatch.prose import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconwatch.rules.cases import Case, Gathered
    from reconwatch.rules.outcome import Outcome
    from reconwatch.rules.testbench import Bench

PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for besides the cases."""

    bench: Bench
    jobs: int
    junit: Path | None
    sarif: Path | None
    quiet: bool


@click.command("test")
@click.argument("cases", nargs=-1, required=True, type=PATH, metavar="CASES...")
@click.option(
    "--rules", "rules", type=PATH, multiple=True, help="Rules instead of those of each case.yaml. Repeatable."
)
@click.option("--engine", type=PATH, help="The Suricata to run. Default: the one on PATH.")
@click.option("--source", type=PATH, help="Suricata source tree: ${SRCDIR} of suricata-verify's cases.")
@click.option("--jobs", type=click.IntRange(min=1), help="Cases at a time. Default: the cores there are.")
@click.option("--junit", type=PATH, help="Write the outcomes there as JUnit XML.")
@click.option("--sarif", type=PATH, help="Write what is not as expected there as SARIF 2.1.0.")
@click.option("--update", is_flag=True, help="Write what alerted as the first expectation, after showing it.")
@click.option("--yes", is_flag=True, help="With --update: do not ask.")
@click.option("--watch", is_flag=True, help="Run again whenever a case, rule file or capture changes.")
@click.option("--allow-shell", is_flag=True, help="Let cases run commands of a shell. Only for cases that you trust.")
@click.option("--against", type=PATH, multiple=True, help="Compare with these older rules instead. Repeatable.")
@click.option("--runs", type=click.IntRange(min=1), default=3, help="With --against: pairs of runs. Default: 3.")
@click.option("--json", type=PATH, help="With --against: write the comparison there as JSON.")
@click.option("--no-why", is_flag=True, help="Do not explain misses, for which the engine is run again.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for one run. Default: 300.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only what is not as expected.")
def test_rules(
    cases: tuple[Path, ...], rules: tuple[Path, ...], engine: Path | None, source: Path | None, jobs: int | None,
    junit: Path | None, sarif: Path | None, update: bool, yes: bool, watch: bool, allow_shell: bool,
    against: tuple[Path, ...], runs: int, json: Path | None, no_why: bool, timeout: float | None, quiet: bool,
) -> None:  # fmt: skip
    """Run Suricata rules over captures and check what alerts.

    CASES are folders with a case.yaml or suricata-verify's test.yaml, trees of them, or captures, which are only shown.
    Ends with 0 if all is as expected, 1 if something is not, 2 if something could not be judged.
    """
    import os

    from reconwatch.rules.engine import LIMIT, EngineError, find
    from reconwatch.rules.outcome import exit_status
    from reconwatch.rules.testbench import bench_of
    from reconwatch.rules.why import explaining

    if update and watch:
        stop("--update writes once; leave out --watch")
    for path in (*rules, *against):
        if not path.is_file():
            stop(f"{path}: no such rule file")
    try:
        found = find(engine)
        with bench_of(found, source) as plain:
            bench = replace(
                plain, rules=rules, limit=timeout or LIMIT, allow_shell=allow_shell, show_unjudged=update,
                explain=None if no_why else explaining(found),
            )  # fmt: skip
            if against:
                sys.exit(compare_rules(cases, against, bench, runs=runs, json=json))
            wanted = _Wanted(bench, jobs or len(os.sched_getaffinity(0)), junit, sarif, quiet)
            if watch:
                _watch(cases, wanted)
            outcomes = _once(cases, wanted, update=update, yes=yes)
    except EngineError as error:
        stop(str(error))
    except OSError as error:  # a full disk, a report that cannot be written, a source tree that is none
        stop(f"cannot go on: {error.filename or ''}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(exit_status(outcomes))


def _once(paths: Sequence[Path], wanted: _Wanted, *, update: bool, yes: bool) -> list[Outcome]:
    from reconwatch.rules.cases import gather

    gathered = gather(paths)
    outcomes = _run(gathered, gathered.cases, wanted)
    if update:
        _update(gathered.cases, outcomes, wanted, yes=yes)
    return outcomes


def _watch(paths: Sequence[Path], wanted: _Wanted) -> None:
    from reconwatch.rules.watch import rounds

    for gathered, concerned in rounds(paths, wanted.bench.rules):
        _run(gathered, concerned, wanted)
        say(f"watching {counted(len(gathered.cases), 'case')}; Ctrl-C ends it")


def _run(gathered: Gathered, cases: Sequence[Case], wanted: _Wanted) -> list[Outcome]:
    """Run cases, tell and write their outcomes; those of the cases come first, in their order."""
    from rich.console import Console

    from reconwatch.rules.outcome import unreadable
    from reconwatch.rules.report_table import write_table
    from reconwatch.rules.testbench import run_cases

    tell([problem for problem in gathered.problems if problem.severity == "warning"])
    with progress(len(cases)) as advance:
        outcomes = run_cases(cases, wanted.bench, wanted.jobs, lambda outcome: advance())
    outcomes += unreadable(gathered.problems)
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    write_table(outcomes, console, every=not wanted.quiet)
    _reports(outcomes, wanted)
    return outcomes


def _reports(outcomes: list[Outcome], wanted: _Wanted) -> None:
    """Raises OSError."""
    if wanted.junit is not None:
        from reconwatch.rules.report_junit import junit

        wanted.junit.write_bytes(junit(outcomes))
    if wanted.sarif is not None:
        from reconwatch.rules.report_sarif import sarif

        wanted.sarif.write_bytes(sarif(outcomes))


def _update(cases: Sequence[Case], outcomes: list[Outcome], wanted: _Wanted, *, yes: bool) -> None:
    """Show and write the first expectations. What is not written is said."""
    from reconwatch.rules.update import proposed

    for case, outcome in zip(cases, outcomes, strict=False):
        proposal = proposed(case, outcome, wanted.bench.rules, str(wanted.bench.engine))
        if isinstance(proposal, str):
            say(proposal)
            continue
        say(f"{proposal.file}: {'new' if proposal.new else 'to be added at its end'}:")
        for line in proposal.text.splitlines():
            say(f"  {line}")
        if not yes and not sys.stdin.isatty():
            stop(f"{proposal.file}: not written; there is no terminal to ask at: confirm by --yes", EXIT_USAGE)
        if yes or click.confirm("Write it?", err=True):
            proposal.write()
            say(f"{proposal.file}: written")


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, for people, over the cases."""
    if not sys.stderr.isatty() or total < 2:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cases", total=total)
        yield lambda: bar.advance(task)
