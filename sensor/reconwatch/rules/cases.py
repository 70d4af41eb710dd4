"""The cases that a command line names: folders with a test.yaml or case.yaml, trees of them, captures alone."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reconwatch.document import DocumentError, Problem
from reconwatch.rules.case_file import CaseFile, load_case, rules_beside
from reconwatch.rules.engine_config import Settings
from reconwatch.rules.outcome import Alerted, Miss, Outcome, Verdict
from reconwatch.rules.testbench import Missed
from reconwatch.rules.verify import VerifyCase
from reconwatch.rules.verify_file import load_verify

if TYPE_CHECKING:
    from reconwatch.rules.engine import Rejection, Run
    from reconwatch.rules.testbench import Bench

VERIFY, OWN = "test.yaml", "case.yaml"
CAPTURES = (".pcap", ".pcapng", ".cap", ".dmp", ".trace")
"""How captures that lie in a folder are called; one that is named may be called anything."""


NO_RULES = "there are no rules: none by --rules, no *.rules beside it"


class Case(Protocol):
    """What can be run and judged."""

    @property
    def name(self) -> str:
        """What it is called in every report; no two of a run have one name."""

    @property
    def file(self) -> Path:
        """The case file, or the capture that stands alone."""

    def inputs(self) -> Iterator[Path]:
        """The files whose change changes the outcome."""

    def run(self, bench: Bench, folder: Path) -> Outcome:
        """Run it; `folder` is empty and the case's alone. Raises EngineError, OSError."""


@dataclass(frozen=True, slots=True)
class OwnCase:
    """A case.yaml."""

    name: str
    content: CaseFile

    @property
    def file(self) -> Path:
        """The case.yaml."""
        return self.content.path

    def inputs(self) -> Iterator[Path]:
        """The case, its capture and its rules."""
        yield from (self.content.path, self.content.capture, *self.content.rules)

    def run(self, bench: Bench, folder: Path) -> Outcome:
        """Run the engine once over the capture, and compare what alerted with what was expected."""
        if reason := self._does_not_concern(bench):
            return Outcome(self.name, self.file, Verdict.SKIP, reason=reason)
        rules = bench.rules or self.content.rules
        if not rules:
            return self._wrong(f"{NO_RULES}, none in 'rules'")
        if not self.content.judges and not bench.show_unjudged:
            return self._wrong("it says nothing to expect; write 'expect: {SID: COUNT}', or run with --update")
        variables = {"CASE_DIR": str(self.file.parent.absolute())}
        settings = Settings(
            addresses=self.content.addresses,
            ports=self.content.ports,
            arguments=[string.Template(each).safe_substitute(variables) for each in self.content.arguments],
            events="all" if bench.explain is not None else "alerts",
        )
        run = bench.engine.run(self.content.capture, rules, folder, settings, limit=bench.limit)
        return self._judged(run, Missed(self.content.capture, tuple(rules), settings, run), bench)

    def _wrong(self, message: str) -> Outcome:
        return Outcome(self.name, self.file, Verdict.ERROR, misses=(Miss(message, self.file, 1, kind="case"),))

    def _does_not_concern(self, bench: Bench) -> str:
        content, version = self.content, bench.engine.version
        if content.least_version is not None and version < _parts(content.least_version):
            return f"requires {content.least_version} or newer"
        if content.version_below is not None and version >= _parts(content.version_below):
            return f"for versions before {content.version_below}"
        missing = [each for each in content.features if each not in bench.engine.features]
        return f"requires feature {missing[0]}" if missing else ""

    def _judged(self, run: Run, missed: Missed, bench: Bench) -> Outcome:
        alerts = alerts_of(run)
        misses = list(self._misses({alert.sid: alert.count for alert in alerts}))
        why = [line for miss in misses for line in bench.explained(missed, miss)]
        unaccepted = run.loading.rejected
        rejected = tuple(_rejected(each) for each in unaccepted if each.sid not in self.content.rejected)
        refused = {each.sid for each in unaccepted}
        misses += [
            Miss(f"sid {sid}: expected to be rejected, and was accepted", self.file, self.content.rejected_line, sid)
            for sid in self.content.rejected
            if sid not in refused
        ]
        if run.exit != 0:
            misses.append(Miss(_ended(run), self.file, None, kind="engine"))
        named = {each.sid for each in self.content.expected}
        broken = run.exit != 0 or any(each.sid in named for each in rejected)
        fine = Verdict.PASS if self.content.judges else Verdict.SHOWN
        verdict = Verdict.ERROR if broken else Verdict.FAIL if misses else fine
        return Outcome(
            self.name, self.file, verdict, misses=tuple(misses), rejected=rejected, alerts=alerts,
            notes=(*run.loading.warnings, *run.loading.errors), why=tuple(why), cpu=run.cpu,
        )  # fmt: skip

    def _misses(self, counts: dict[int, int]) -> Iterator[Miss]:
        for each in self.content.expected:
            if not each.holds(found := counts.get(each.sid, 0)):
                message = f"sid {each.sid}: expected {each} alerts, got {found}"
                message = message.replace("expected 1 alerts", "expected 1 alert")
                yield Miss(message, self.file, each.line, each.sid, too_few=found < each.least)
        if self.content.only:
            for sid in sorted(counts.keys() - {each.sid for each in self.content.expected}):
                message = f"sid {sid}: expected to be silent as all others, got {counts[sid]}"
                yield Miss(message, self.file, self.content.only_line, sid)


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture alone: nothing is expected, what alerted is shown."""

    name: str
    file: Path

    def inputs(self) -> Iterator[Path]:
        """The capture."""
        yield self.file

    def run(self, bench: Bench, folder: Path) -> Outcome:
        """Run the engine once over it."""
        rules = bench.rules or rules_beside(self.file.parent)
        if not rules:
            wrong = Miss(NO_RULES, self.file, kind="case")
            return Outcome(self.name, self.file, Verdict.ERROR, misses=(wrong,))
        run = bench.engine.run(self.file, rules, folder, limit=bench.limit)
        misses = (Miss(_ended(run), self.file, None, kind="engine"),) if run.exit != 0 else ()
        return Outcome(
            self.name, self.file, Verdict.ERROR if misses else Verdict.SHOWN, misses=misses,
            rejected=tuple(map(_rejected, run.loading.rejected)), alerts=alerts_of(run),
            notes=(*run.loading.warnings, *run.loading.errors), cpu=run.cpu,
        )  # fmt: skip


def alerts_of(run: Run) -> tuple[Alerted, ...]:
    """What alerted in a run, by sid."""
    counts: dict[int, int] = {}
    messages: dict[int, str] = {}
    for event in run.events("alert"):
        alert = event["alert"]
        sid = alert["signature_id"]
        counts[sid] = counts.get(sid, 0) + 1
        messages.setdefault(sid, alert.get("signature", ""))
    return tuple(Alerted(sid, messages[sid], counts[sid]) for sid in sorted(counts))


def _rejected(each: Rejection) -> Miss:
    named = f"sid {each.sid}: " if each.sid is not None else ""
    return Miss(f"{named}not accepted: {each.reason}", Path(each.file), each.line, each.sid, kind="rule")


def _ended(run: Run) -> str:
    return f"the engine ended with status {run.exit}" + "".join(f"\n    {line}" for line in run.log)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a command line names."""

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    """What is wrong with cases that are not among them, and warnings about those that are."""

    @property
    def wrong(self) -> bool:
        """Some case could not be read."""
        return any(problem.severity == "error" for problem in self.problems)


def gather(paths: Sequence[Path]) -> Gathered:
    """The cases in files, folders and trees, in order; whatever is wrong with some leaves the others."""
    found: dict[str, Case] = {}
    problems: list[Problem] = []
    seen: set[Path] = set()
    for path in paths:
        for file, name in _files(path, problems):
            if file.resolve() in seen:  # named twice
                continue
            seen.add(file.resolve())
            try:
                case = _load(file, name, problems)
            except DocumentError as error:
                problems.extend(error.problems)
                continue
            if (other := found.setdefault(case.name, case)) is not case:
                message = f"this case is called '{case.name}', as is {other.file}"
                problems.append(Problem(str(file), 1, message, "another name (name: ...), or a folder above both"))
    return Gathered(tuple(found.values()), tuple(problems))


def _files(path: Path, problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    """The case files at a path, or the captures if it holds no case; each with a name."""
    if path.is_file():
        yield path, _name(path)
        return
    if not path.is_dir():
        problems.append(Problem(str(path), None, "no such file or folder"))
        return
    captures: list[Path] = []
    none = True
    for folder in _folders(path):
        files = [folder / name for name in (VERIFY, OWN) if (folder / name).is_file()]
        relative = folder.relative_to(path)
        for file in files:
            none = False
            yield file, str(relative) if relative.parts else _name(file)
        captures += sorted(each for each in folder.iterdir() if each.suffix in CAPTURES and each.is_file())
    if none and not captures:
        problems.append(Problem(str(path), None, f"holds no {VERIFY}, no {OWN} and no capture"))
    if none:
        yield from ((each, str(each.relative_to(path))) for each in captures)


def _folders(top: Path) -> Iterator[Path]:
    """A folder and those below, in order; not below a folder that is a case; a loop of links is walked once."""
    walked: set[str] = set()
    for folder, below, files in os.walk(top, followlinks=True):
        real = os.path.realpath(folder)
        if real in walked:
            below.clear()
            continue
        walked.add(real)
        below.sort()
        if VERIFY in files or OWN in files:
            below.clear()
        yield Path(folder)


def _name(file: Path) -> str:
    """The name of a file that was named itself: its folder's for a case, its own for a capture."""
    return file.absolute().parent.name if file.name in (VERIFY, OWN) else file.name


def _load(file: Path, name: str, problems: list[Problem]) -> Case:
    """Raises DocumentError."""
    if file.name == VERIFY:
        verify = load_verify(file)
        problems.extend(verify.warnings)
        return VerifyCase(name, verify)
    if file.suffix in (".yaml", ".yml"):
        content = load_case(file)
        return OwnCase(content.name or name, content)
    return Capture(name, file)
