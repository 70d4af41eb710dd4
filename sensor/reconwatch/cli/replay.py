"""From inputs to what a person reads: replay, exposure, explain."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from reconwatch.cli.terminal import (
    EXIT_FAIL_ON,
    EXIT_UNREADABLE,
    FORMATS,
    VERDICTS,
    default_format,
    destination,
    input_of,
    intelligence_of,
    load_catalog,
    progress_over,
    say,
    site_of,
    stop,
    write_notices,
)
from reconwatch.prose import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconwatch.pipeline import Replay


@click.command()
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
    with replaying(paths, site_file, output, jobs=jobs, funnel=not no_funnel) as (run, stream):
        worst = write_notices(run.notices(), form or default_format(output), stream)
    if fail_on is not None and worst >= VERDICTS.index(fail_on):
        sys.exit(EXIT_FAIL_ON)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...|-")
@click.option("--site", "site_file", type=click.Path(path_type=Path), required=True, help="What we own.")
@click.option("--format", "form", type=click.Choice(FORMATS[:2]), help="Default: table on a terminal, else jsonl.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it there.")
@click.option("--jobs", type=click.IntRange(min=1), help="Read several inputs at once. Default: the cores there are.")
def exposure(paths: tuple[str, ...], site_file: Path, form: str | None, output: Path | None, jobs: int | None) -> None:
    """List what scan databases have collected of our addresses, and when: what a search about us would show."""
    from reconwatch.exposure import Exposures
    from reconwatch.sinks.exposure import write_exposures

    with replaying(paths, site_file, output, jobs=jobs) as (run, stream):
        found = Exposures({service.id: service.name for service in run.catalog.services.values()})
        run.watch_probe = found.observe
        for _ in run.notices():
            pass
        if not write_exposures(form or default_format(output), stream, found.exposures()) and not run.unreadable:
            say("no known crawler came to an address of ours in these inputs; what came earlier they cannot show")
        if found.left_out:
            say(f"{counted(found.left_out, 'probe')} of further ports had no room here: the list is not whole")


@contextlib.contextmanager
def replaying(
    paths: Sequence[str], site_file: Path | None, output: Path | None, *, jobs: int | None, funnel: bool = True
) -> Iterator[tuple[Replay, BinaryIO]]:
    """A run over the inputs, and where its results go; after it, its account, and the end if nothing could be read."""
    from reconwatch.pipeline import Replay

    inputs = [input_of(path) for path in paths]
    site = site_of(site_file)
    catalog, world = load_catalog()
    # What was loaded stays to the end, and what a run makes is freed by its counts: the collector would look through
    # all of it again and again for nothing, for a tenth of the time of a large capture.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        with destination(output, inputs) as stream, progress_over(inputs) as progress:
            run = Replay(
                inputs, catalog, site, world,
                funnel=funnel, warn=say, progress=progress, jobs=jobs or len(os.sched_getaffinity(0)),
                intelligence=intelligence_of(site),
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


@click.command()
@click.argument("notice_id", metavar="ID")
@click.option("--from", "source", metavar="FILE.jsonl", help="Notices as replay wrote them; - for stdin.")
@click.option("--store", metavar="FILE", help="The store of a service, which may be running.")
def explain(notice_id: str, source: str | None, store: str | None) -> None:
    """Print the evidence of one notice, its verdict, and what would change it."""
    from reconwatch import explanation

    if (source is None) == (store is None):
        stop("either --from FILE.jsonl or --store FILE is needed")
    try:
        with lines_of_store(store, notice_id) if store is not None else lines_of_file(source or "-") as lines:
            notice = explanation.find(lines, notice_id)
    except OSError as error:
        stop(f"{source}: {error.strerror}")
    except ValueError as error:
        stop(f"{source or store}: {error}")
    for line in explanation.render(explanation.explain(notice)):
        click.echo(line)


def lines_of_file(source: str) -> contextlib.AbstractContextManager[BinaryIO]:
    """Lines that replay wrote to a file, or those of standard input."""
    path = input_of(source)
    return path.open("rb") if isinstance(path, Path) else contextlib.nullcontext(path)


@contextlib.contextmanager
def lines_of_store(store: str, beginning: str) -> Iterator[Iterable[bytes]]:
    """What a store holds of the notices whose id begins so; ends the program if it cannot be read."""
    from reconwatch.store import Reader, StoreError

    try:
        with Reader.open(Path(store)) as reader:
            yield reader.lines(beginning)
    except StoreError as error:
        stop(str(error))
