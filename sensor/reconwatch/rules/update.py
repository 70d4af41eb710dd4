"""The first expectation of a case, from what alerted: written only where there is none yet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconwatch.rules.case_file import rules_beside
from reconwatch.rules.cases import CAPTURES, OWN, Capture, Case, OwnCase
from reconwatch.rules.outcome import Alerted, Outcome, Verdict
from reconwatch.sinks.wire_text import visible


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written."""

    file: Path
    text: str
    """The whole of a new file, or what is put at the end of the one that is there."""
    new: bool

    def write(self) -> None:
        """Write it. Raises OSError; FileExistsError if a file appeared meanwhile."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("x" if self.new else "a", encoding="utf-8") as file:
            file.write(self.text)


def proposed(case: Case, outcome: Outcome, rules: Sequence[Path], engine: str) -> Proposal | str:
    """The expectation that a run gives a case; or why it gives none, in one line.

    `rules` are those of the command line, `engine` is what alerted ("Suricata 7.0.10").
    """
    match case:
        case _ if outcome.verdict is Verdict.ERROR:
            return f"{outcome.file}: no expectation is written from a run that went wrong"
        case OwnCase() if case.content.judges:
            told = "as it is" if outcome.verdict is Verdict.PASS else "although it does not hold"
            return f"{case.file}: has an expectation, which is left {told}"
        case OwnCase():
            ended = case.file.read_bytes().endswith(b"\n")
            return Proposal(case.file, ("" if ended else "\n") + _expectation(outcome.alerts, engine), new=False)
        case Capture():
            return _first(case, outcome, rules, engine)
        case _:
            return f"{case.file}: suricata-verify's cases are written by hand"


def _first(case: Capture, outcome: Outcome, rules: Sequence[Path], engine: str) -> Proposal | str:
    file = _beside(case.file)
    if file.exists():
        return f"{case.file}: {file} is there already and is left as it is"
    content = _new(file, case.file, rules or rules_beside(case.file.parent)) + _expectation(outcome.alerts, engine)
    return Proposal(file, content, new=True)


def _beside(capture: Path) -> Path:
    """Where a capture's case goes: beside it if it is the only one there, else into a folder of its name."""
    others = [each for each in capture.parent.iterdir() if each.suffix in CAPTURES and each.name != capture.name]
    return capture.parent / capture.stem / OWN if others else capture.parent / OWN


def _new(file: Path, capture: Path, rules: Sequence[Path]) -> str:
    def path(to: Path) -> str:
        return json.dumps(os.path.relpath(to, file.parent), ensure_ascii=False)

    return f"capture: {path(capture)}\nrules: [{', '.join(map(path, rules))}]\n"


def _expectation(alerts: Sequence[Alerted], engine: str) -> str:
    return "".join(f"{line}\n" for line in _lines(alerts, engine))


def _lines(alerts: Sequence[Alerted], engine: str) -> Iterator[str]:
    yield f"# What {engine} alerted on; written by `reconwatch rules test --update`."
    if alerts:
        yield "expect:"
    for alert in alerts:
        yield f"  {alert.sid}: {alert.count}  # {visible(alert.message)}"
    yield "silent: all"
