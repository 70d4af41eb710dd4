"""Feeds: read once, judged, and kept; a feed that went bad is refused, and the last good one goes on.

What is kept lies in the user's cache folder, one file a feed, under a digest of its path. It holds the compiled
indicators and a digest of what they were made of, so that a feed which has not changed is not read again. Files are
replaced whole, so runs at the same time see either the old or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from reconwatch import cache
from reconwatch.document import Problem
from reconwatch.intel.compiled import Builder, Compiled
from reconwatch.intel.intake import Intake, Place
from reconwatch.intel.recognise import FORMATS, HEAD, Format, read, recognise
from reconwatch.prose import counted
from reconwatch.site import Feed

BLOCK = 1 << 20
MANIFESTS = frozenset({"manifest.json", "hashes.csv"})
"""What a MISP feed's folder holds beside its events."""


class _Kept(msgspec.Struct, array_like=True):
    """What is kept of a feed that was good."""

    made_of: str
    """A digest of the files, what site.yaml says of them, and our own code."""
    form: str
    at: float
    """When it was read, in UTC epoch seconds."""
    passed: tuple[Problem, ...]
    patterns: list[tuple[str, str]]
    size: int
    """Bytes of the files."""


@dataclass
class LoadedFeed:
    """A feed as it is used in this run."""

    feed: Feed
    indicators: Compiled
    form: str = ""
    read_at: float | None = None
    """When what is used was taken from its file, in UTC epoch seconds; None: there is nothing to use."""
    changed_at: float | None = None
    """When the file was last changed; None if it cannot be looked at."""
    size: int = 0
    """Bytes of the files that it was made of."""
    refused: Problem | None = None
    """Why the file was not taken."""
    passed: tuple[Problem, ...] = ()
    """What stands in it and is no indicator."""
    patterns: list[tuple[str, str]] = field(default_factory=list)

    @property
    def benign(self) -> bool:
        """Whether it says what is no indicator."""
        return self.feed.benign or self.form == "misp-warninglist"


def load_feed(feed: Feed, site_file: str | None = None) -> LoadedFeed:
    """A feed from its file, from what was kept of the same file, or, if the file went bad, from the last good one.

    Nothing is raised: what is wrong is in `refused`, located in `site_file`.
    """
    kept, indicators = _last_good(feed)
    loaded = LoadedFeed(feed, indicators)
    if kept is not None:
        loaded.form, loaded.read_at, loaded.size = kept.form, kept.at, kept.size
        loaded.passed, loaded.patterns = kept.passed, kept.patterns
    try:
        files = _files(Path(feed.path))
        loaded.changed_at = max(file.stat().st_mtime for file in files)
        made_of, size = _digest(feed, files)
        if kept is not None and kept.made_of == made_of:
            return loaded
        intake, form = _read(feed, files)
    except OSError as error:
        return _refused(loaded, f"cannot be read: {(error.strerror or str(error)).lower()}", site_file)
    except _UnknownError as error:
        return _refused(loaded, str(error), site_file)
    fresh = intake.builder.finish()
    intake.builder = Builder()  # as large as what was made of it
    count = len(fresh) + len(intake.patterns)
    if not count:
        what = "; ".join(problem.message for problem in intake.passed[:3])
        return _refused(loaded, "holds no indicator" + (f" ({what})" if what else ""), site_file)
    before = len(indicators) + len(loaded.patterns)
    if kept is not None and 2 * count < before and not feed.may_shrink:
        message = f"shrank from {before:,} to {counted(count, 'entry', 'entries')}"
        return _refused(loaded, message, site_file, "may_shrink: true if that is right")
    loaded.indicators, loaded.form, loaded.read_at, loaded.size = fresh, form, time.time(), size
    loaded.passed, loaded.patterns = intake.passed, intake.patterns
    _keep(feed, _Kept(made_of, form, loaded.read_at, loaded.passed, loaded.patterns, size), fresh)
    return loaded


class _UnknownError(ValueError):
    """Content that is in no format of a feed; the text is the reason."""


def _read(feed: Feed, files: list[Path]) -> tuple[Intake, Format]:
    intake = Intake(feed.kind, feed.confidence, feed.name, benign=feed.benign)
    forms: list[Format] = []
    for file in files:
        with file.open("rb") as stream:
            head = stream.read(HEAD)
            stream.seek(0)
            form = next((each for each in FORMATS if each == feed.format), None) or _told(head, feed)
            if form is None and len(files) == 1:
                raise _UnknownError(_unknown(head))
            if form is None:
                intake.skip("a file that is no feed", Place(str(file)))
                continue
            forms.append(form)
            read(stream, str(file), form, intake, feed.kind, dict(feed.columns))
    if not forms:
        raise _UnknownError("holds no file that is a feed")
    return intake, forms[0]


def _told(head: bytes, feed: Feed) -> Format | None:
    told = recognise(head, dict(feed.columns))
    if told is None and feed.kind == "agent" and head.strip() and b"\0" not in head and head.lstrip()[:1] not in b"<{[":
        return "list"  # user agents look like anything: that site.yaml says so must do
    return told


def _unknown(head: bytes) -> str:
    if not head.strip():
        return "is empty"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "is UTF-16; save it as UTF-8"
    if head[:2] == b"\x1f\x8b":
        return "is compressed; unpack it first"
    return f"is in no format that is known ({', '.join(FORMATS)}); declare it with 'format:'"


def _refused(loaded: LoadedFeed, why: str, site_file: str | None, write: str = "") -> LoadedFeed:
    feed = loaded.feed
    if loaded.read_at is None:
        goes_on = "nothing is kept of it, so nothing of it is looked for"
    else:
        day = time.strftime("%Y-%m-%d", time.gmtime(loaded.read_at))
        goes_on = f"the last good one goes on ({counted(len(loaded.indicators), 'entry', 'entries')}, read {day})"
    loaded.refused = Problem(
        site_file or feed.path, feed.line if site_file else None, f"feed {feed.name}: {feed.path} {why}; {goes_on}",
        write, "warning",
    )  # fmt: skip
    return loaded


def _files(path: Path) -> list[Path]:
    """The file of a feed, or those in its folder, sorted. Raises OSError."""
    if not path.is_dir():
        path.stat()
        return [path]
    files = [each for each in sorted(path.rglob("*")) if each.is_file() and each.name not in MANIFESTS]
    if not files:
        raise OSError("the folder is empty")
    return files


def _digest(feed: Feed, files: list[Path]) -> tuple[str, int]:
    """(of all that the compiled form depends on, bytes of the files)."""
    digest = hashlib.sha256(msgspec.msgpack.encode((cache.code(), msgspec.structs.replace(feed, line=None))))
    size = 0
    for file in files:
        digest.update(f"\0{file}\0".encode("utf-8", "surrogateescape"))
        with file.open("rb") as stream:
            for block in _blocks(stream):
                digest.update(block)
                size += len(block)
    return digest.hexdigest(), size


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def kept_file(feed: Feed, ending: str) -> Path | None:
    """Where something of a feed is kept; None without a home."""
    folder = cache.folder()
    digest = hashlib.sha256(feed.path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return folder / f"intel-{digest}.{ending}" if folder is not None else None


def _last_good(feed: Feed) -> tuple[_Kept | None, Compiled]:
    file = kept_file(feed, "feed")
    if file is not None:
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            raw = memoryview(cache.ours(file))
            size = int.from_bytes(raw[:4], "little")
            kept = msgspec.msgpack.decode(raw[4 : 4 + size], type=_Kept)
            return kept, Compiled.unpacked(raw[4 + size :])
    return None, Builder().finish()


def _keep(feed: Feed, kept: _Kept, indicators: Compiled) -> None:
    file = kept_file(feed, "feed")
    if file is not None:
        header = msgspec.msgpack.encode(kept)
        with contextlib.suppress(OSError):
            cache.replace_whole(file, b"".join([len(header).to_bytes(4, "little"), header, *indicators.packed()]))
