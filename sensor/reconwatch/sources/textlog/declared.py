"""What only the owner of a text log can say of it; every part may be missing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath

import msgspec


class Declared(msgspec.Struct, frozen=True):
    """What site.yaml says of logs whose path fits `files`."""

    files: str = "*"
    """A shell pattern: of the whole path if it holds a slash, else of the file's name."""
    format: str | None = None
    """`LineFormat.name`; None: told by content."""
    server: str | None = None
    """The canonical address of the host that wrote it."""
    zone: str | None = None
    """IANA name of the time zone of stamps that name none; None: nobody said, so UTC is assumed, and that told."""
    pattern: str | None = None
    """How the program was told to write its lines, in its own language (Squid's `logformat`, see `logformat.py`)."""
    fields: dict[str, str] = {}
    """What is where: of JSON lines the key, dotted where nested; of an additional column its number, from 1.

    Of Windows' DNS server how it writes a `date`.
    """

    def fits(self, path: str) -> bool:
        """Whether it is about the file at a path."""
        return fnmatchcase(path if "/" in self.files else PurePath(path).name, self.files)


def declared_for(path: str, declarations: tuple[Declared, ...]) -> Declared | None:
    """The first declaration that is about a file; None if nobody said anything of it."""
    return next((each for each in declarations if each.fits(path)), None)
