"""The bench: cases run side by side, each in a folder of its own that goes away with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from reconwatch.rules.engine import LIMIT, Engine, EngineError, stop_all
from reconwatch.rules.engine_config import Settings, configuration
from reconwatch.rules.outcome import Miss, Outcome, Verdict
from reconwatch.rules.verify import stand_in

if TYPE_CHECKING:
    from reconwatch.rules.cases import Case
    from reconwatch.rules.engine import Run


@dataclass(frozen=True, slots=True)
class Missed:
    """What there is to explain a missed expectation by, while it still lies there."""

    capture: Path
    rules: tuple[Path, ...]
    settings: Settings
    run: Run


Explain = Callable[[Missed, Miss], Sequence[str]]
"""Why the rule `Miss.sid` did not alert as often as expected, in lines. Raises EngineError."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases of a run share."""

    engine: Engine
    source: Path
    """What `${SRCDIR}` is for suricata-verify's cases (`verify.stand_in`)."""
    rules: tuple[Path, ...] = ()
    """Rules instead of those of each case.yaml; the only ones for a capture alone."""
    limit: float = LIMIT
    """Seconds for one run of the engine."""
    allow_shell: bool = False
    """Cases may have a shell do things."""
    show_unjudged: bool = False
    """A case.yaml that expects nothing is no error: it is shown what alerted, as a capture alone is."""
    explain: Explain | None = None
    """Asked about each rule that alerted less often than its case expects. The one place where a miss is explained."""

    def explained(self, missed: Missed, miss: Miss) -> Sequence[str]:
        """The lines that explain a miss; none if nobody explains it, or there is no rule to ask about."""
        if self.explain is None or not miss.too_few:
            return ()
        try:
            return self.explain(missed, miss)
        except EngineError as error:
            return (f"no explanation: {error}",)

    def explained_anew(
        self, capture: Path, rules: Sequence[Path], misses: Sequence[Miss], folder: Path
    ) -> tuple[str, ...]:
        """The lines that explain misses of a case that ran with a configuration of its own: by a run with ours.

        `folder` is made for it. Raises EngineError.
        """
        if self.explain is None or not any(miss.too_few for miss in misses):
            return ()
        folder.mkdir()
        settings = Settings(events="all")
        run = self.engine.run(capture, rules, folder, settings, limit=self.limit)
        missed = Missed(capture, tuple(rules), settings, run)
        return tuple(line for miss in misses for line in self.explained(missed, miss))


@contextmanager
def bench_of(engine: Engine, source: Path | None = None) -> Iterator[Bench]:
    """A bench for an engine; `source` is a Suricata source tree to take `${SRCDIR}`'s files from. Raises OSError."""
    with TemporaryDirectory(prefix="reconwatch-") as folder:
        default = configuration(engine.version, engine.config_folder, (), Settings(events="all"))
        yield Bench(engine, stand_in(Path(folder) / "source", engine.path, engine.config_folder, source, default))


def run_case(case: Case, bench: Bench) -> Outcome:
    """Run one case; whatever stops it is its outcome."""
    try:
        with TemporaryDirectory(prefix="reconwatch-", ignore_cleanup_errors=True) as folder:
            return case.run(bench, Path(folder))
    except EngineError as error:
        return _stopped(case, str(error), "engine")
    except OSError as error:
        return _stopped(case, f"cannot be run: {error.filename or ''}: {error.strerror or error}", "case")


def _stopped(case: Case, message: str, kind: str) -> Outcome:
    return Outcome(case.name, case.file, Verdict.ERROR, misses=(Miss(message, case.file, kind=kind),))


def run_cases(
    cases: Sequence[Case], bench: Bench, jobs: int, done: Callable[[Outcome], None] = lambda outcome: None
) -> list[Outcome]:
    """Run cases, `jobs` at a time (each is one process of the engine), and return their outcomes in the cases' order.

    `done` is told of each as it ends, in this thread. An interrupt kills the engines that run.
    """
    outcomes: dict[int, Outcome] = {}
    with ThreadPoolExecutor(max_workers=jobs) as workers:
        numbers = {workers.submit(run_case, case, bench): number for number, case in enumerate(cases)}
        try:
            for future in as_completed(numbers):
                outcome = future.result()
                outcomes[numbers[future]] = outcome
                done(outcome)
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise
    return [outcomes[number] for number in range(len(cases))]
