"""What the service says while it runs, a line each: words for journald and people, or one JSON object for collectors.

Three keys and no context that is carried along: a logging library would add nothing but itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from reconwatch.cli.terminal import EXIT_USAGE, say

if TYPE_CHECKING:
    from reconwatch.document import Problem

Level = Literal["info", "warning", "error"]


class Voice:
    """Writes to standard error, as `text` or `json`. What came from the wire can end neither line nor string."""

    def __init__(self, form: str) -> None:
        self._json = form == "json"

    def info(self, line: str) -> None:
        """Something went its way."""
        self._say("info", line)

    def warning(self, line: str) -> None:
        """Something to look at; the service goes on."""
        self._say("warning", line)

    def problems(self, problems: Sequence[Problem]) -> None:
        """What is wrong with a document, a line each."""
        for problem in problems:
            if self._json:
                self._say("warning" if problem.severity == "warning" else "error", str(problem))
            else:
                say(f"{'warning: ' if problem.severity == 'warning' else ''}{problem}")

    def stop(self, line: str) -> NoReturn:
        """Say why the service ends."""
        self._say("error", line if self._json else f"reconwatch: {line}")
        sys.exit(EXIT_USAGE)

    def _say(self, level: Level, line: str) -> None:
        if not self._json:
            say(line)
            return
        from reconwatch.sinks.times import rfc3339
        from reconwatch.sinks.wire_text import json_line

        click.echo(json_line({"ts": rfc3339(time.time()), "level": level, "event": line}), err=True)
