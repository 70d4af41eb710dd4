"""The command line: the only file that prints and exits. The commands are a contract (DESIGN.md, section 6)."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import click

from reconwatch import __version__
from reconwatch.prose import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconwatch.canary import Place, Style
    from reconwatch.catalog import Catalog
    from reconwatch.catalog.world import World
    from reconwatch.document import Problem
    from reconwatch.intel import Intelligence
    from reconwatch.notices import Notice
    from reconwatch.pipeline import Replay
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="reconwatch %(version)s")
def main() -> None:
    """Notice who looks us up in open technical databases (ATT&CK T1596), and what follows."""


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--site", "site_file", type=click.Path(path_type=Path), help="What we own and whom we trust.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: table on a terminal, jsonl in a pipe.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the notices there.")
@click.option("--fail-on", type=click.Choice(VERDICTS), help="Exit with 1 on a notice of this verdict or above.")
@click.option("--no-funnel", is_flag=True, help="Decode everything instead of what a fast scan hits: slower, the same.")
@click.option("--jobs", type=click.IntRange(min=1), help="Read several inputs at once. Default: the cores there are.")
def replay(
    paths: tuple[str, ...],
    site_file: Path | None,
    form: str | None,
    output: Path | None,
    fail_on: str | None,
    no_funnel: bool,
    jobs: int | None,
) -> None:
    """Notices from captures, Zeek logs, EVE, logs of proxies and web servers: files and folders, told by content."""
    with _replay(paths, site_file, output, jobs=jobs, funnel=not no_funnel) as (run, stream):
        worst = _write(run.notices(), form or _default_format(output), stream)
    if fail_on is not None and worst >= VERDICTS.index(fail_on):
        sys.exit(EXIT_FAIL_ON)


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--site", "site_file", type=click.Path(path_type=Path), required=True, help="What we own.")
@click.option("--format", "form", type=click.Choice(FORMATS[:2]), help="Default: table on a terminal, else jsonl.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it there.")
@click.option("--jobs", type=click.IntRange(min=1), help="Read several inputs at once. Default: the cores there are.")
def exposure(paths: tuple[str, ...], site_file: Path, form: str | None, output: Path | None, jobs: int | None) -> None:
    """List what scan databases have collected of our addresses, and when: what a search about us would show."""
    from reconwatch.exposure import Exposures
    from reconwatch.sinks.exposure import write_exposures

    with _replay(paths, site_file, output, jobs=jobs) as (run, stream):
        found = Exposures({service.id: service.name for service in run.catalog.services.values()})
        run.watch_probe = found.observe
        for _ in run.notices():
            pass
        if not write_exposures(form or _default_format(output), stream, found.exposures()) and not run.unreadable:
            say("no known crawler came to an address of ours in these inputs; what came earlier they cannot show")
        if found.left_out:
            say(f"{counted(found.left_out, 'probe')} of further ports had no room here: the list is not whole")


@contextlib.contextmanager
def _replay(
    paths: Sequence[str], site_file: Path | None, output: Path | None, *, jobs: int | None, funnel: bool = True
) -> Iterator[tuple[Replay, BinaryIO]]:
    """A run over the inputs, and where its results go; after it, its account, and the end if nothing could be read."""
    from reconwatch.pipeline import Replay

    inputs = [_input(path) for path in paths]
    site = _site(site_file)
    catalog, world = _catalog()
    # What was loaded stays to the end, and what a run makes is freed by its counts: the collector would look through
    # all of it again and again for nothing, for a tenth of the time of a large capture.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        with _destination(output, inputs) as stream, _progress(inputs) as progress:
            run = Replay(
                inputs, catalog, site, world,
                funnel=funnel, warn=say, progress=progress, jobs=jobs or len(os.sched_getaffinity(0)),
                intelligence=_intelligence(site),
            )  # fmt: skip
            yield run, stream
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, here or where the temporary files lie
        stop(f"cannot go on: {error.strerror or error}")
    if run.intelligence is not None:
        run.intelligence.remember()
    for line in run.account():
        say(line)
    if run.unreadable:
        sys.exit(EXIT_UNREADABLE)


def _input(path: str) -> Path | BinaryIO:
    if path == "-":
        return sys.stdin.buffer
    try:
        Path(path).stat()
    except FileNotFoundError:
        stop(f"{path}: no such file or folder")
    except OSError as error:
        stop(f"{path}: {(error.strerror or str(error)).lower()}")
    return Path(path)


def _site(path: Path | None) -> Site:
    from reconwatch.site import Site, load_site

    if path is None:
        return Site.default()
    from reconwatch.detectors import default_thresholds
    from reconwatch.document import DocumentError

    try:
        site = load_site(path, thresholds=default_thresholds())
    except DocumentError as error:
        _tell(error.problems)
        sys.exit(EXIT_USAGE)
    _tell(site.warnings)
    return site


def _intelligence(site: Site) -> Intelligence | None:
    if not site.intel:
        return None
    from reconwatch.intel import Intelligence

    found = Intelligence.of(site)
    _tell(found.problems())
    return found


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        say(f"{'warning: ' if problem.severity == 'warning' else ''}{problem}")


def _chosen_catalog() -> Path | None:
    """The folder of the catalog that was last taken by `catalog update`; None: the one that ships."""
    from reconwatch.catalog.load import chosen
    from reconwatch.document import DocumentError

    try:
        return chosen()
    except DocumentError as error:
        _tell(error.problems)
        sys.exit(EXIT_USAGE)


def _catalog() -> tuple[Catalog, World]:
    from reconwatch.catalog.load import load, load_world
    from reconwatch.document import DocumentError

    folder = _chosen_catalog()
    try:
        catalog = load(folder)
        return catalog, load_world(catalog, folder)
    except DocumentError as error:
        _tell(error.problems)
        sys.exit(EXIT_USAGE)


def _default_format(output: Path | None) -> str:
    return "table" if output is None and sys.stdout.isatty() else "jsonl"


@contextlib.contextmanager
def _destination(output: Path | None, inputs: Sequence[Path | BinaryIO]) -> Iterator[BinaryIO]:
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


def _write(notices: Iterator[Notice], form: str, stream: BinaryIO) -> int:
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
def _progress(inputs: Sequence[Path | BinaryIO]) -> Iterator[Callable[[int], None]]:
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


@main.group()
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
        _tell(error.problems)
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
    _tell(problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_USAGE)
    click.echo(f"{path}: good" + (f", {counted(len(problems), 'warning')}" if problems else ""))


@main.command("check")
@click.option("--site", "site_file", type=click.Path(path_type=Path), help="Default: site.yaml, if there is one.")
def check_all(site_file: Path | None) -> None:
    """Say everything that is wrong with site, catalog and feeds, and which of it has grown old. Exit 2 on an error."""
    from reconwatch.catalog.lint import lint
    from reconwatch.detectors import default_thresholds
    from reconwatch.site import check

    problems = list(lint(_chosen_catalog()))
    told: list[str] = []
    if site_file is not None or Path("site.yaml").exists():
        path = site_file or Path("site.yaml")
        found = check(path, thresholds=default_thresholds())
        problems += found
        if not any(problem.severity == "error" for problem in found):
            told, wrong = _feeds(path)
            problems += wrong
    _tell(problems)
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


@main.group("catalog")
def catalog_group() -> None:
    """The open technical databases of the world, and who fills and reads them."""


@catalog_group.command("list")
@click.option("--technique", help="Only of this sub-technique, such as T1596.005.")
def catalog_list(technique: str | None) -> None:
    """Every service: id, sub-technique, how much a bare visit says, name, and first hosts."""
    catalog, _ = _catalog()
    for service in sorted(catalog.services.values(), key=lambda service: (service.technique, service.id)):
        if technique in (None, service.technique):
            hosts = ", ".join(service.hosts[:3]) + (f" and {len(service.hosts) - 3} more" if service.hosts[3:] else "")
            click.echo(
                f"{service.id:<28} {service.technique} {service.visit:<7} {service.name}: {hosts or 'any server'}"
            )


@catalog_group.command("lookup")
@click.argument("texts", nargs=-1, required=True, metavar="NAME|URL|WHOIS-LINE|IP...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def catalog_lookup(texts: tuple[str, ...], form: str) -> None:
    """Say which service claims a name, URL, WHOIS line or address, and what it asks about. Exit 1 if none does."""
    import msgspec

    from reconwatch.catalog.lookup import lookup

    catalog, world = _catalog()
    found = [lookup(catalog, text, world) for text in texts]
    for each in found:
        if form == "json":
            click.echo(msgspec.json.encode(each))
        else:
            click.echo("\n".join(each.lines()))
    if not any(each.claims for each in found):
        sys.exit(EXIT_FAIL_ON)


@catalog_group.command("lint")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
def catalog_lint(folder: Path | None) -> None:
    """Say everything that is wrong with the catalog, or with one in FOLDER, and what to write instead."""
    from reconwatch.catalog.lint import lint

    problems = lint(folder or _chosen_catalog())
    _tell(problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_FAIL_ON)
    click.echo("good" + (f", {counted(len(problems), 'warning')}" if problems else ""))


@catalog_group.command("coverage")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def catalog_coverage(files: tuple[Path, ...]) -> None:
    """Measure the catalog against lists of what tools contact (JSON lines); say what it misses, by kind."""
    from reconwatch.catalog.coverage import coverage

    catalog, world = _catalog()
    for line in coverage(catalog, files, world).lines():
        click.echo(line)


@catalog_group.command("update")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
def catalog_update(folder: Path) -> None:
    """Take the catalog in DIR for this user's, if it lints and has not shrunk by a third; else say why not."""
    from reconwatch.catalog.load import home
    from reconwatch.catalog.update import update

    destination = home()
    if destination is None:
        stop("there is no home folder to keep a catalog in; set XDG_DATA_HOME")
    told = update(folder, destination)
    for line in told.lines():
        (click.echo if told.taken else say)(line)
    if not told.taken:
        sys.exit(EXIT_FAIL_ON)


@main.command()
@click.argument("notice_id", metavar="ID")
@click.option(
    "--from", "source", required=True, metavar="FILE.jsonl", help="Notices as replay wrote them; - for stdin."
)
def explain(notice_id: str, source: str) -> None:
    """Print the evidence of one notice, its verdict, and what would change it."""
    from reconwatch import explanation

    path = _input(source)
    try:
        with path.open("rb") if isinstance(path, Path) else contextlib.nullcontext(path) as lines:
            notice = explanation.find(lines, notice_id)
    except OSError as error:
        stop(f"{source}: {error.strerror}")
    except ValueError as error:
        stop(f"{source}: {error}")
    for line in explanation.render(explanation.explain(notice)):
        click.echo(line)


@main.group("canary")
def canary_group() -> None:
    """Baits that only a database can have given away."""


@canary_group.command("new")
@click.option("--planted", type=click.Choice(["ct", "dns", "whois", "ptr"]), required=True, help="Where it will leak.")
@click.option("--domain", required=True, help="Your domain that the name is to be under.")
@click.option("--name-style", "style", type=click.Choice(["environment", "service", "host"]), default="environment")
def canary_new(planted: Place, domain: str, style: Style) -> None:
    """Make up a bait name that nobody can guess, and say where to plant it and what to add to site.yaml."""
    from reconwatch import canary
    from reconwatch.document import Refused

    try:
        bait = canary.new(domain, planted, style)
    except Refused as refusal:
        stop(f"--domain: {refusal.message}; write {refusal.write}")
    for line in canary.instructions(bait):
        click.echo(line)


def run() -> None:
    """Entry point: a closed pipe downstream ends the program quietly, an interrupt with 130 as shells expect."""
    try:
        main(standalone_mode=True)
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this the interpreter complains at exit.
        sys.stdout = io.TextIOWrapper(io.BytesIO())
        sys.exit(EXIT_RAN)
