"""`reconwatch rules coverage`: what rules cover of the catalog, and whether engines agree on captures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import EXIT_FAIL_ON, EXIT_RAN, load_catalog, say, site_of, stop, tell

if TYPE_CHECKING:
    from reconwatch.rules.against import Played
    from reconwatch.rules.engine import Engine
    from reconwatch.rules.rule import Rule

PATH = click.Path(path_type=Path)


@click.command("coverage")
@click.option("--rules", "rules", type=PATH, multiple=True, help="Rules to judge. Repeatable.")
@click.option(
    "--cases", type=PATH, multiple=True, help="Cases, or trees of them, whose captures are played. Repeatable."
)
@click.option("--captures", type=PATH, multiple=True, help="Captures, or trees of them. Repeatable.")
@click.option("--site", "site_file", type=PATH, help="What we own and whom we trust.")
@click.option("--engine", type=PATH, help="The Suricata to run. Default: the one on PATH.")
@click.option("--zeek", type=PATH, help="The Zeek to run. Default: the one on PATH.")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", help="Default: table.")
def rules_coverage(
    rules: tuple[Path, ...], cases: tuple[Path, ...], captures: tuple[Path, ...], site_file: Path | None,
    engine: Path | None, zeek: Path | None, form: str,
) -> None:  # fmt: skip
    """Tell which services and techniques have rules, which captures prove them, and whether three engines agree.

    The engines are reconwatch itself, Suricata with the rules, and reconwatch on Zeek's logs. Ends with 1 if one of
    them gave up on a capture or a rule was not accepted.
    """
    import sys

    from reconwatch.rules.coverage import Lookers, coverage
    from reconwatch.rules.engine_config import Settings
    from reconwatch.rules.report_coverage import lines
    from reconwatch.sinks.wire_text import json_line

    parsed = _parsed(rules)
    subjects = _subjects((*cases, *captures))
    site, (catalog, world) = site_of(site_file), load_catalog()
    missing: list[str] = []
    found = _suricata(engine, missing) if rules else None
    if not rules:
        missing.append("Suricata: there are no rules to run; name them by --rules")
    lookers = Lookers(
        catalog, world, site, found, parsed, rules, Settings(), zeek=_zeek(zeek, missing), warn=say
    )  # fmt: skip
    try:
        seen = [lookers.look(subject.capture, subject.name) for subject in subjects]
    except OSError as error:
        stop(f"cannot go on: {error.filename or ''}: {error.strerror or error}")
    told = coverage(catalog, parsed, seen, missing, lookers.rejected)
    for line in [json_line(told)] if form == "json" else lines(told):
        click.echo(line)
    sys.exit(EXIT_FAIL_ON if told.failed else EXIT_RAN)


def _parsed(paths: Sequence[Path]) -> list[Rule]:
    from reconwatch.rules.rule import read_rules

    rules: list[Rule] = []
    for path in paths:
        try:
            read, problems = read_rules(path)
        except OSError as error:
            stop(f"{path}: {error.strerror or error}")
        tell(problems)
        rules += read
    return rules


def _subjects(paths: Sequence[Path]) -> list[Played]:
    from reconwatch.rules.against import played
    from reconwatch.rules.cases import gather

    gathered = gather(paths)
    tell(gathered.problems)
    if gathered.wrong:
        stop("what cannot be read proves nothing")
    found = [subject for case in gathered.cases if (subject := played(case)) is not None]
    if len(found) < len(gathered.cases):
        say(f"{len(gathered.cases) - len(found)} cases left out: they do not say which one capture they play")
    return found


def _suricata(path: Path | None, missing: list[str]) -> Engine | None:
    """The engine; one that was named must be there."""
    from reconwatch.rules.engine import EngineMissing, find

    try:
        return find(path)
    except EngineMissing as error:
        if path is not None:
            stop(str(error))
        missing.append(f"Suricata: {error}")
        return None


def _zeek(path: Path | None, missing: list[str]) -> str | None:
    """The program; one that was named must be there."""
    import shutil

    found = shutil.which(str(path or "zeek"))
    if found is None and path is not None:
        stop(f"{path}: no program there")
    if found is None:
        missing.append("Zeek: no zeek on PATH; name one by --zeek")
    return found
