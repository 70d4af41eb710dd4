"""What is wrong with an input now: told once, and again only when it is over or has become something else."""

from __future__ import annotations


class Troubles:
    """Standing troubles, each at a place, and the lines to tell about them."""

    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], str] = {}
        self._lines: list[str] = []

    def stands(self, where: str, what: str, advice: str = "", about: str = "") -> None:
        """Something is wrong at a place until `heals` says that it is over; told if it is new.

        `about` keeps apart what may be wrong at one place at the same time.
        """
        if self._standing.get((where, about)) != what:
            self._standing[where, about] = what
            self.once(where, what, advice)

    def heals(self, where: str, about: str = "") -> None:
        """Nothing is wrong at a place any more; told if something was."""
        what = self._standing.pop((where, about), None)
        if what is not None:
            self.once(where, f"is well again (was: {what})")

    def once(self, where: str, what: str, advice: str = "") -> None:
        """Tell something that has no duration."""
        self._lines.append(printable(f"{where}: {what}" + (f"; {advice}" if advice else "")))

    def told(self) -> list[str]:
        """The lines since this was last asked."""
        lines, self._lines = self._lines, []
        return lines


def why(error: OSError) -> str:
    """What the system says of a failure, in lower case."""
    return (error.strerror or str(error)).lower()


def printable(text: str) -> str:
    r"""A line with `\x1b` and the like for what a terminal would obey: names of files are chosen by others."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
