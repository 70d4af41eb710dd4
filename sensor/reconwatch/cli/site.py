"""What is told the program: site.yaml, and the check of all that it is set up with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import EXIT_USAGE, chosen_catalog, stop, tell
from reconwatch.prose import counted

if TYPE_CHECKING:
    from reconwatch.document import Problem


@click.group()
def site() -> None:
    """What we own and whom we trust: site.yaml."""


@site.command("init")
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it there; an existing file is kept.")
def site_init(sources: tuple[Path, ...], output: Path | None) -> None:
    """Print a first site.yaml, from Zeek's networks.cfg or suricata.yaml if given."""
    from reconwatch.document import DocumentError
    from reconwatch.site_init import draft

    try:
        text = draft(sources)
    except DocumentError as error:
        tell(error.problems)
        sys.exit(EXIT_USAGE)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        stop(f"{output}: {error.strerror}")


@site.command("check")
@click.argument("path", type=click.Path(path_type=Path), default=Path("site.yaml"))
def site_check(path: Path) -> None:
    """Say everything that is wrong with a site.yaml, with the line and what to write instead."""
    from reconwatch.detectors import default_thresholds
    from reconwatch.site import check

    problems = check(path, thresholds=default_thresholds())
    tell(problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_USAGE)
    click.echo(f"{path}: good" + (f", {counted(len(problems), 'warning')}" if problems else ""))


@click.command("check")
@click.option("--site", "site_file", type=click.Path(path_type=Path), help="Default: site.yaml, if there is one.")
def check_all(site_file: Path | None) -> None:
    """Say everything that is wrong with site, catalog and feeds, and which of it has grown old. Exit 2 on an error."""
    from reconwatch.catalog.lint import lint
    from reconwatch.detectors import default_thresholds
    from reconwatch.site import check

    problems = list(lint(chosen_catalog()))
    told: list[str] = []
    if site_file is not None or Path("site.yaml").exists():
        path = site_file or Path("site.yaml")
        found = check(path, thresholds=default_thresholds())
        problems += found
        if not any(problem.severity == "error" for problem in found):
            told, wrong = _feeds(path)
            problems += wrong
    tell(problems)
    for line in told:
        click.echo(line)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_USAGE)
    click.echo("good" + (f", {counted(len(problems), 'warning')}" if problems else ""))


def _feeds(path: Path) -> tuple[list[str], list[Problem]]:
    """A line for each feed of a site, and what is wrong with them."""
    from reconwatch.site import load_site

    site = load_site(path)
    if not site.intel:
        return [], []
    import time

    from reconwatch.intel.coverage import coverage

    return coverage(site, time.time())
