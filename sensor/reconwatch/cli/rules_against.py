"""`reconwatch rules test --against`: the same captures with two rule sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import EXIT_USAGE, say, stop, tell

if TYPE_CHECKING:
    from reconwatch.rules.against import Played
    from reconwatch.rules.testbench import Bench


def compare_rules(
    cases: Sequence[Path], old: Sequence[Path], bench: Bench, *, runs: int, json: Path | None
) -> int:  # fmt: skip
    """Run what the cases play with both sets, tell the difference; the exit status: 2 if some rule was not accepted.

    Raises EngineError, OSError.
    """
    from reconwatch.cli.rules_test import progress
    from reconwatch.rules.against import compare
    from reconwatch.rules.report_against import lines
    from reconwatch.sinks.wire_text import json_line

    subjects = _subjects(cases)
    if not subjects:
        stop("there is no capture to compare on")
    for subject in subjects:
        if not bench.rules and not subject.rules:
            stop(f"{subject.name}: has no rules to compare with the old ones; name the new ones by --rules")
    with progress((len(subjects) + 1) * runs) as advance:
        found = compare(subjects, bench.rules, old, bench.engine, runs=runs, limit=bench.limit, done=advance)
    for line in lines(found):
        click.echo(line)
    if json is not None:
        json.write_text(json_line(found) + "\n")
    return EXIT_USAGE if any(found.rejected.values()) else 0


def _subjects(paths: Sequence[Path]) -> list[Played]:
    from reconwatch.rules.against import played
    from reconwatch.rules.cases import gather

    gathered = gather(paths)
    tell(gathered.problems)
    if gathered.wrong:
        stop("what cannot be read is not compared either")
    found = []
    for case in gathered.cases:
        if (subject := played(case)) is not None:
            found.append(subject)
        else:
            say(f"{case.file}: left out: it does not say which one capture it plays")
    return found
