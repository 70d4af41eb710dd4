"""The store of a service, looked at from outside: it may be running."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import EXIT_FAIL_ON, say, stop
from reconwatch.prose import counted
from reconwatch.site_outlets import STORE_FILE

if TYPE_CHECKING:
    from reconwatch.store.contract import Dead

_file = click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default=Path(STORE_FILE))


@click.group("db")
def db_group() -> None:
    """The store of a service: what it holds, and whether it is sound. FILE is site.yaml's `store.file`."""


@db_group.command("check")
@_file
def db_check(path: Path) -> None:
    """Look through a store: its soundness, version, sizes, snapshot, and where each sink stands. Exit 1 on a fault."""
    from reconwatch.store import StoreError
    from reconwatch.store.checking import checked

    try:
        report = checked(path)
    except StoreError as error:
        stop(str(error))
    for line in report.facts:
        _tell(line)
    for line in report.faults:
        say(line)
    if report.faults:
        sys.exit(EXIT_FAIL_ON)
    _tell("sound")


@db_group.command("dead")
@_file
@click.option("--retry", is_flag=True, help="Have the service send them once more.")
@click.option("--sink", help="Only those of this sink.")
def db_dead(path: Path, retry: bool, sink: str | None) -> None:
    """List the notices that a sink has refused for good, and why."""
    from reconwatch.store import Reader, StoreError
    from reconwatch.store.sinkbook import ask_again

    try:
        with Reader.open(path) as reader:
            dead = [letter for letter in reader.dead() if sink in (None, letter.sink)]
        asked = ask_again(path, sink) if retry and dead else 0
    except StoreError as error:
        stop(str(error))
    for letter in dead:
        _tell(_line(letter))
    if retry:
        say(f"{counted(asked, 'notice')} will be sent once more by the service; it says what comes of it")
    elif not dead:
        say("no sink has refused a notice for good")


def _line(letter: Dead) -> str:
    from reconwatch.sinks.times import rfc3339

    asked = "; to be sent once more" if letter.again else ""
    return (
        f"{letter.sink}  {letter.id} rev {letter.rev}  given up {rfc3339(letter.died)} after"
        f" {counted(letter.failures, 'refusal')}: {letter.reason}{asked}"
    )


def _tell(line: str) -> None:
    from reconwatch.sinks.wire_text import visible

    click.echo(visible(line))
