"""What the commands share: what they read, where they write, what they say and with which status they end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconwatch.catalog import Catalog
    from reconwatch.catalog.world import World
    from reconwatch.document import Problem
    from reconwatch.intel import Intelligence
    from reconwatch.notices import Notice
    from reconwatch.site import Site


EXIT_RAN = 0
EXIT_FAIL_ON = 1
"""A notice at or above `--fail-on`; for a check, something is wrong."""
EXIT_USAGE = 2
"""Bad usage or configuration; a named path that does not exist."""
EXIT_UNREADABLE = 3
"""Not one input could be read."""

LONG_WORK = 20_000_000
"""Bytes of input from which a progress bar is worth its 60 ms."""

FORMATS = ("table", "jsonl", "notice-log", "eve")
VERDICTS = ("monitor", "investigate", "escalate")


def say(line: str) -> None:
    """One line to standard error; standard output carries results only."""
    from reconwatch.sinks.wire_text import visible

    click.echo(visible(line), err=True)


def stop(line: str, status: int = EXIT_USAGE) -> NoReturn:
    """Say why, and end with `status`."""
    say(f"reconwatch: {line}")
    sys.exit(status)


def input_of(path: str) -> Path | BinaryIO:
    """A named file or folder, or standard input for `-`; ends the program if there is none."""
    if path == "-":
        return sys.stdin.buffer
    try:
        Path(path).stat()
    except FileNotFoundError:
        stop(f"{path}: no such file or folder")
    except OSError as error:
        stop(f"{path}: {(error.strerror or str(error)).lower()}")
    return Path(path)


def site_of(path: Path | None) -> Site:
    """The site in a file, or what holds without one; ends the program with every error of it at once."""
    from reconwatch.site import Site, load_site

    if path is None:
        return Site.default()
    from reconwatch.detectors import default_thresholds
    from reconwatch.document import DocumentError

    try:
        site = load_site(path, thresholds=default_thresholds())
    except DocumentError as error:
        tell(error.problems)
        sys.exit(EXIT_USAGE)
    tell(site.warnings)
    return site


def intelligence_of(site: Site) -> Intelligence | None:
    """The indicators of a site's feeds, None if it names no feed."""
    if not site.intel:
        return None
    from reconwatch.intel import Intelligence

    found = Intelligence.of(site)
    tell(found.problems())
    return found


def tell(problems: Sequence[Problem]) -> None:
    """Say each problem, a line each."""
    for problem in problems:
        say(f"{'warning: ' if problem.severity == 'warning' else ''}{problem}")


def chosen_catalog() -> Path | None:
    """The folder of the catalog that was last taken by `catalog update`; None: the one that ships."""
    from reconwatch.catalog.load import chosen
    from reconwatch.document import DocumentError

    try:
        return chosen()
    except DocumentError as error:
        tell(error.problems)
        sys.exit(EXIT_USAGE)


def load_catalog() -> tuple[Catalog, World]:
    """The catalog in use and what is known of the world; ends the program with every error at once."""
    from reconwatch.catalog.load import load, load_world
    from reconwatch.document import DocumentError

    folder = chosen_catalog()
    try:
        catalog = load(folder)
        return catalog, load_world(catalog, folder)
    except DocumentError as error:
        tell(error.problems)
        sys.exit(EXIT_USAGE)


def default_format(output: Path | None) -> str:
    """A table for a person at a terminal, JSON lines for a program."""
    return "table" if output is None and sys.stdout.isatty() else "jsonl"


@contextlib.contextmanager
def destination(output: Path | None, inputs: Sequence[Path | BinaryIO]) -> Iterator[BinaryIO]:
    """Where the notices go; a file is opened before the run, so that a bad path costs no replay."""
    if output is None:
        yield sys.stdout.buffer
        return
    if any(isinstance(path, Path) and output.exists() and path.samefile(output) for path in inputs):
        stop(f"{output}: is an input of this run; write the notices to another file")
    try:
        stream = output.open("wb")
    except OSError as error:
        stop(f"{output}: {error.strerror}")
    with stream:
        yield stream


def write_notices(notices: Iterator[Notice], form: str, stream: BinaryIO) -> int:
    """Write all notices; return the worst verdict as an index of `VERDICTS`, -1 if there was none."""
    from reconwatch.sinks import open_sink

    worst = -1
    sink = open_sink(form, stream)
    for notice in notices:
        sink.write(notice)
        worst = max(worst, VERDICTS.index(notice.verdict))
    sink.close()
    return worst


@contextlib.contextmanager
def progress_over(inputs: Sequence[Path | BinaryIO]) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, for people, over the bytes of the inputs.

    It begins with the first of them that are read: its thread must not be there when worker processes are forked.
    """
    total = sum(_size(path) for path in inputs if isinstance(path, Path))
    if not sys.stderr.isatty() or total < LONG_WORK:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("replay", total=total)

    def advance(done: int) -> None:
        bar.start()  # nothing, the second time
        bar.advance(task, done)

    try:
        yield advance
    finally:
        bar.stop()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in files if file.is_file())
    return 0
