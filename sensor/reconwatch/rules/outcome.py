"""What became of a case: the one value from which table, JUnit and SARIF are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconwatch.document import Problem


class Verdict(StrEnum):
    """In the order in which a summary names them."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    """It could not be judged: the case is wrong, a rule was not accepted, the engine crashed or hung."""
    SKIP = "skip"
    """It does not concern this engine or machine, or it wants what was not allowed."""
    SHOWN = "shown"
    """A capture alone: there was nothing to judge, only to show."""


@dataclass(frozen=True, slots=True)
class Miss:
    """One thing that was not as expected."""

    message: str
    file: Path
    """Where it was expected: the case file; for a rule that was not accepted the rule file."""
    line: int | None = None
    """Counted from 1; None when the file as a whole is meant."""
    sid: int | None = None
    too_few: bool = False
    """The rule `sid` alerted less often than expected: something kept it from alerting (`testbench.Bench.explain`)."""
    kind: str = "expectation"
    """`expectation`, `check`, `rule`, `engine` or `case`: SARIF's rule ids are made of it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line is not None else f"{self.file}: {self.message}"


@dataclass(frozen=True, slots=True)
class Alerted:
    """How often a rule alerted."""

    sid: int
    message: str
    """The rule's `msg`: hostile text as far as rules are."""
    count: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case's result."""

    name: str
    file: Path
    """The case file, or the capture that stands alone."""
    verdict: Verdict
    reason: str = ""
    """Of a skip: why; of a pass: what was left out of it."""
    misses: tuple[Miss, ...] = ()
    rejected: tuple[Miss, ...] = ()
    """Rules that the engine did not accept, whether the case expects something of them or not."""
    alerts: tuple[Alerted, ...] = ()
    """What alerted, by sid; empty for suricata-verify's cases, which look at events themselves."""
    notes: tuple[str, ...] = ()
    """What the engine warned of."""
    why: tuple[str, ...] = ()
    """For each missed sid, lines that explain it (`testbench.Bench.explain`)."""
    cpu: float = 0.0
    """CPU seconds of the engine."""


def exit_status(outcomes: list[Outcome]) -> int:
    """0 if all is as expected, 1 if something is not, 2 if something could not be judged or there was nothing."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if not outcomes or Verdict.ERROR in verdicts or any(outcome.rejected for outcome in outcomes):
        return 2
    return 1 if Verdict.FAIL in verdicts else 0


def unreadable(problems: Iterable[Problem]) -> list[Outcome]:
    """What became of cases that could not be read: one error a file, with all its problems."""
    by_file: dict[str, list[Miss]] = {}
    for problem in problems:
        if problem.severity == "error":
            told = problem.message + (f"; write {problem.advice}" if problem.advice else "")
            by_file.setdefault(problem.file, []).append(Miss(told, Path(problem.file), problem.line, kind="case"))
    return [Outcome(file, Path(file), Verdict.ERROR, misses=tuple(misses)) for file, misses in by_file.items()]


def summary(outcomes: list[Outcome]) -> dict[Verdict, int]:
    """How many of each verdict there are, without those there are none of."""
    counts = {verdict: sum(outcome.verdict is verdict for outcome in outcomes) for verdict in Verdict}
    return {verdict: count for verdict, count in counts.items() if count}
