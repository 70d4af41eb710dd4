"""Takes a new catalog in place of the present one, or declines it and says why: `catalog update`.

It fails closed. A set is taken only if it lints without an error, is not older than the present one and has not lost
more than `MOST_LOST` of any list: a truncated download, or a list that somebody emptied, must not blind a sensor.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from reconwatch.catalog.lint import Shelf, lint_texts, texts_of
from reconwatch.catalog.load import newest
from reconwatch.catalog.world import Facts
from reconwatch.document import Problem

MOST_LOST = 30
"""Percent. Databases die one by one; a third of a list at once is an accident or a hand."""


class Update(msgspec.Struct, frozen=True):
    """What became of a new set."""

    taken: bool
    why: tuple[str, ...] = ()
    """Why it was declined."""
    problems: tuple[Problem, ...] = ()
    """What lint says of it; if it was taken, warnings only."""
    before: dict[str, int] = {}
    """List -> entries of the present set."""
    after: dict[str, int] = {}

    def lines(self) -> Iterator[str]:
        """For people."""
        for problem in self.problems:
            yield f"{'warning: ' if problem.severity == 'warning' else ''}{problem}"
        for reason in self.why:
            yield f"not taken: {reason}"
        if self.taken:
            changed = [
                f"{name} {self.before.get(name, 0)} -> {count}"
                for name, count in self.after.items()
                if count != self.before.get(name, 0)
            ]
            yield "taken: " + (", ".join(changed) or "as many entries as before in every list")


def update(folder: Path, destination: Path, today: datetime.date | None = None) -> Update:
    """Take the catalog in `folder` as the one at `destination`, whole or not at all.

    It is measured against the one at `destination`, or against what ships if there is none. `destination` becomes a
    link to a folder beside it, replaced in one step; the set before the present one is removed.
    """
    try:
        new = texts_of(folder)
        present = texts_of(destination if destination.exists() else None)
    except OSError as error:
        return Update(taken=False, why=(_told(error),))
    problems = tuple(lint_texts(new, today))
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        return Update(taken=False, why=(f"{errors} error{'s' if errors > 1 else ''}",), problems=problems)
    before, after = _sizes(present), _sizes(new)
    if before is None or after is None:
        return Update(
            taken=False, why=(f"{destination} does not read, so nothing can be compared; remove it",), problems=problems
        )
    why = tuple(_losses(before, after))
    if newest(new.values()) < newest(present.values()):
        why += ("it is older than the present one (as_of)",)
    if destination.exists() and not destination.is_symlink():
        why += (f"{destination} was not made by an update; move it away",)
    if not why:
        try:
            _install(new, destination)
        except OSError as error:
            why = (_told(error),)
    return Update(taken=not why, why=why, problems=problems, before=before, after=after)


def _told(error: OSError) -> str:
    return f"{error.filename or 'the catalog'}: {error.strerror or error}"


def _losses(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for name, count in before.items():
        left = after.get(name, 0)
        if left * 100 < count * (100 - MOST_LOST):
            yield f"{name}: {left} entries instead of {count}, more than {MOST_LOST} % fewer"


def _sizes(texts: Mapping[str, bytes]) -> dict[str, int] | None:
    """List -> entries; None if the set does not read."""
    shelf = Shelf(texts, datetime.date.min)
    world = shelf.world
    if shelf.unread or not isinstance(world, Facts):
        return None
    services = list(shelf.catalog.services.values())
    registries = world.registries
    return {
        "services": len(services),
        "hosts": sum(len(service.hosts) for service in services),
        "query forms": sum(len(service.queries) for service in services),
        **{document.name: len(model.services) for document, model in shelf.services},
        "scanners": len(world.scanners),
        "ranges of scanners": sum(len(scanner.ranges.split()) for scanner in world.scanners),
        "tools": len(world.tools),
        "paths": len(world.paths),
        "actors": len(world.actors),
        "WHOIS servers": len(registries.whois),
        "RDAP servers": len(registries.rdap),
        "certificate logs": len(registries.ct_logs),
        "DNS-over-HTTPS resolvers": len(registries.doh),
    }


def _install(texts: Mapping[str, bytes], destination: Path) -> None:
    """Write the files into a new folder beside `destination`, then point `destination` to it in one step."""
    destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    prefix = f".{destination.name}-"
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=destination.parent))
    try:
        for name, content in texts.items():
            _write(made / name, content)
        made.chmod(0o755)
        link = made.with_name(made.name + ".link")
        link.symlink_to(made.name)
        former = destination.resolve() if destination.is_symlink() else None
        link.replace(destination)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        with contextlib.suppress(OSError):
            made.with_name(made.name + ".link").unlink()
        raise
    # A process that is reading the former set now may finish; what lay there before it has no reader left.
    for path in destination.parent.glob(prefix + "*"):
        if path not in (made, former) and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
