"""Where the files of a feed lie: those that are written now, and those that were put away."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconwatch.sources.live.troubles import Troubles, why

LISTED_AGAIN = 60.0
"""Seconds after which a folder is listed whether it seems to have changed or not: a clock of a file server may jump."""

_MAGIC = "*?["


@dataclass(frozen=True, slots=True)
class Found:
    """A file that lies there."""

    path: Path
    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds since the epoch."""
    live: bool
    """It bears the name of a file that is written."""

    @property
    def node(self) -> tuple[int, int]:
        """What the system knows it by."""
        return self.device, self.inode


class Pattern:
    """Files by a shell pattern of paths. A folder is listed only when it has changed."""

    def __init__(self, pattern: str, live: bool) -> None:
        folder, self._name = os.path.split(pattern)
        self._folder = folder or "."
        self._live = live
        self._listed: dict[str, tuple[int, bool, float, list[str]]] = {}
        """By folder: its time of change, whether it had that at the listing before too, when it was listed, names."""

    def folders(self) -> list[str]:
        """The folders whose files may fit, as they exist now, sorted."""
        if not any(sign in self._folder for sign in _MAGIC):
            return [self._folder]
        return sorted(each.rstrip("/") for each in glob.glob(f"{self._folder}/"))  # noqa: PTH207  # a pattern that is no Path

    def files(self, now: float, not_before: int, troubles: Troubles) -> Iterator[Found]:
        """The files that fit; of folders that last changed before a time (nanoseconds), none.

        `not_before` 0: of all.
        """
        folders = self.folders()
        for gone in self._listed.keys() - set(folders):
            del self._listed[gone]
        for folder in folders:
            try:
                changed = os.stat(folder).st_mtime_ns  # noqa: PTH116  # hundreds a second
                if changed < not_before:
                    continue
                names = self._names(folder, changed, now)
            except OSError as error:
                advice = "is it mounted, and may this user read it? it is looked for every second"
                troubles.stands(folder, why(error), advice)
                continue
            troubles.heals(folder)
            for name in names:
                found = self._found(os.path.join(folder, name))  # noqa: PTH118
                if found is not None:
                    yield found

    def _names(self, folder: str, changed: int, now: float) -> list[str]:
        before, sure, when, names = self._listed.get(folder, (-1, False, now, []))
        if changed == before and sure and now - when < LISTED_AGAIN:
            return names
        names = sorted(n for n in fnmatch.filter(os.listdir(folder), self._name) if not n.startswith("."))  # noqa: PTH208
        # Two changes within one tick of the file system's clock look like one: sure is what is so twice.
        self._listed[folder] = (changed, changed == before, now, names)
        return names

    def _found(self, path: str) -> Found | None:
        try:
            told = os.stat(path)  # noqa: PTH116
        except OSError:
            return None  # renamed or deleted since, or a link to nothing
        if not stat.S_ISREG(told.st_mode):
            return None
        return Found(Path(path), told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, self._live)


def archive_of(live: str, archive: str | None = None) -> list[str]:
    """The patterns of where files of a live pattern are put away.

    Without an archive: beside them, under the names that logrotate (`eve.json.1`, `eve.json-20261124.gz`,
    `eve-20261124.json`) and Zeek without its control (`conn.2026-11-24-18-00-00.log`) give. An archive is a folder, and
    the folders in it, as zeekctl fills them by day (`conn.18:00:00-19:00:00.log.gz`), or itself a pattern of files.
    """
    folder, name = os.path.split(live)
    stem, dot, ends = name.partition(".")
    rotated = [f"{stem}.[0-9][0-9]*", f"{stem}[-_][0-9]*{dot}{ends}*", f"{stem}__*"]
    if archive is None:
        return [os.path.join(folder, each) for each in (f"{name}[.-]*", *rotated)]  # noqa: PTH118
    if is_folder(archive):
        where = archive.rstrip("/")
        return [f"{place}/{each}" for place in (where, f"{where}/*") for each in (f"{name}*", *rotated)]
    return [archive]


def is_folder(path: str) -> bool:
    """Whether a path is meant as a folder: by how it is spelled, for it may not be there yet."""
    last = path.rsplit("/", 1)[-1]
    return not last or not any(sign in last for sign in (*_MAGIC, "."))
