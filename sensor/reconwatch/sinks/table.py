"""For people: the worst first, one line a notice, and under those that ask for action why and what to do."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Final

from reconwatch.notices import Notice, Verdict
from reconwatch.sightings import Actor
from reconwatch.sinks.outlet import Outlet, Stream
from reconwatch.sinks.times import utc
from reconwatch.sinks.wire_text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PLAIN_WIDTH: Final = 100
"""Columns for a file or a pipe, which have no width of their own."""
NARROWEST: Final = 60
"""Below this a line cannot hold verdict, note and id; a terminal wraps what is wider."""

_ORDER: Final[tuple[Verdict, ...]] = ("escalate", "investigate", "monitor")
_STYLE: Final[dict[Verdict, str]] = {"escalate": "bold red", "investigate": "yellow", "monitor": "dim"}
_DETAILED: Final = frozenset({"escalate", "investigate"})

_SCORE_WIDTH, _ID_WIDTH, _WHEN_WIDTH, _COUNT_WIDTH = 3, 19, 22, 19
_INDENT: Final = " " * 6
_MOST_TARGETS = 12
_ROOM_FOR_WHEN, _ROOM_FOR_COUNT = 120, 150


class TableSink:
    """Collects notices and writes them at `close()`, since the last one may be the worst. Keeps the highest rev."""

    def __init__(self, stream: Stream, *, width: int | None = None, colour: bool | None = None) -> None:
        self._outlet = Outlet(stream, machine=False)
        self._width = width
        self._colour = colour
        self._latest: dict[str, Notice] = {}

    def write(self, notice: Notice) -> None:
        """Keep the notice. Raises ValueError after `close()`."""
        self._outlet.require_open()
        known = self._latest.get(notice.id)
        if known is None or notice.rev >= known.rev:
            self._latest[notice.id] = notice

    def flush(self) -> None:
        """Nothing can be written before the order is known."""

    def close(self) -> None:
        """Write the table and flush. Raises ValueError for an absurd time."""
        if self._outlet.is_closed:
            return
        width, colour = self._page()
        self._outlet.put(_render(_sorted(self._latest.values()), width, colour))
        self._outlet.close()

    def _page(self) -> tuple[int, bool]:
        """Width and colour: as told, else as the terminal and its user (NO_COLOR, no-color.org) want them."""
        terminal = self._outlet.is_terminal
        colour = self._colour
        if colour is None:
            colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        width = self._width
        if width is None:
            width = _terminal_width() if terminal else PLAIN_WIDTH
        return max(width, NARROWEST), colour


def _terminal_width() -> int:
    from rich.console import Console

    return Console().width


def _sorted(notices: Iterable[Notice]) -> list[Notice]:
    return sorted(notices, key=lambda notice: (_ORDER.index(notice.verdict), notice.ts, notice.id))


def _render(notices: list[Notice], width: int, colour: bool) -> str:
    from rich.console import Console

    page = StringIO()
    console = Console(
        file=page,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    columns = _Columns.of(notices, width)
    after_details = False
    for notice in notices:
        detailed = notice.verdict in _DETAILED
        if after_details:
            console.print()
        console.print(_line(notice, columns), soft_wrap=True)
        if detailed:
            for text in _details(notice, console):
                console.print(text, soft_wrap=True)
        after_details = detailed
    if notices:
        console.print()
    console.print(_summary(notices), soft_wrap=True)
    return page.getvalue()


@dataclass(frozen=True)
class _Columns:
    """Widths of the line of a notice: as wide as these notices need, so that narrow terminals keep room for who."""

    verdict: int
    note: int
    page: int

    @classmethod
    def of(cls, notices: list[Notice], page: int) -> _Columns:
        return cls(
            verdict=max((len(notice.verdict) for notice in notices), default=0),
            note=max((len(visible(notice.note)) for notice in notices), default=0),
            page=page,
        )


def _line(notice: Notice, columns: _Columns) -> Text:
    """One line: verdict, score, note, id, and in what is left who looked up what. What is cut ends in `…`."""
    from rich.text import Text

    style = _STYLE[notice.verdict]
    cells = [
        (notice.verdict, columns.verdict, style),
        (f"{notice.score:>{_SCORE_WIDTH}}", _SCORE_WIDTH, style),
        (notice.note, columns.note, "bold" if notice.verdict in _DETAILED else ""),
        (notice.id, _ID_WIDTH, "cyan"),
    ]
    if columns.page >= _ROOM_FOR_WHEN:
        cells.append((_when_short(notice), _WHEN_WIDTH, ""))
    if columns.page >= _ROOM_FOR_COUNT:
        cells.append((_counted(notice), _COUNT_WIDTH, ""))
    left = columns.page - sum(cell_width + 1 for _, cell_width, _ in cells)
    cells.append((_who_did_what(notice), max(left, 1), ""))
    line = Text(no_wrap=True)
    for content, cell_width, cell_style in cells:
        # An id is never cut: it is what `explain` is asked for, and a longer one may push the line out instead.
        cell = Text(visible(content), style=cell_style)
        if content is not notice.id:
            cell.truncate(cell_width, overflow="ellipsis")
        cell.pad_right(max(cell_width - cell.cell_len, 0))
        line.append_text(cell).append(" ")
    line.rstrip()
    return line


def _who_did_what(notice: Notice) -> str:
    targets = ", ".join(target.value for target in notice.targets)
    services = ", ".join(notice.services)
    what = ": ".join(part for part in (services, targets) if part)
    return f"{_who(notice.actor)} → {what}" if what else _who(notice.actor)


NOBODY = "nobody seen"
"""Who asked for a certificate stands in no log."""


def _who(actor: Actor) -> str:
    marks = [role for role in actor.role if role != "host"]
    if actor.trusted is not None:
        marks.append("trusted")
    return f"{actor.ip} ({', '.join(marks)})" if marks else actor.ip or NOBODY


def _counted(notice: Notice) -> str:
    return f"{notice.count} {notice.counted.removesuffix('s') if notice.count == 1 else notice.counted}"


def _when_short(notice: Notice) -> str:
    """`2026-11-24 02:49-02:50`; with another day at the end `2026-11-24 - 11-26`."""
    first, last = utc(notice.first), utc(notice.last)
    if first.date() != last.date():
        return f"{first:%Y-%m-%d} - {last:%m-%d}"
    if f"{first:%H:%M}" == f"{last:%H:%M}":
        return f"{first:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M}-{last:%H:%M}"


def _when(notice: Notice) -> str:
    first, last = utc(notice.first), utc(notice.last)
    if first.replace(microsecond=0) == last.replace(microsecond=0):
        return f"{first:%Y-%m-%d %H:%M:%S} UTC"
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {end} UTC"


def _details(notice: Notice, console: Console) -> Iterable[Text]:
    """What happened, whom it concerns, why it scores, what to do: each folded, never cut."""
    from rich.text import Text

    yield from _folded(Text(visible(notice.msg)), console)
    facts = [("who", _who_in_full(notice.actor)), ("what", _services(notice))]
    facts += [("targets", _targets(notice)), ("seen", f"{_counted(notice)}, {_when(notice)}")]
    for label, fact in facts:
        if fact:
            yield from _folded(Text(visible(fact)), console, Text(f"{label:<9}", style="dim"))
    for reason in notice.reasons:
        yield from _folded(Text(visible(reason.why)), console, Text(f"{reason.points:>+7}  ", style="bold"))
    for step in notice.next:
        yield from _folded(Text(visible(step)), console, Text("next     ", style="dim"))


def _who_in_full(actor: Actor) -> str:
    parts = [f"{actor.ip} ({', '.join(actor.role)})" if actor.role != ("host",) else actor.ip or NOBODY]
    if actor.stands_for_others:
        parts.append("stands for its clients")
    named = (("user", actor.user), ("host", actor.host), ("mac", actor.mac), ("sensor", actor.sensor))
    parts += [f"{label} {value}" for label, value in named if value is not None]
    if actor.vlan is not None:
        parts.append(f"vlan {actor.vlan}")
    if actor.members:
        parts.append(f"members {', '.join(actor.members)}")
    if actor.trusted is not None:
        parts.append(f"trusted: {actor.trusted}")
    return "; ".join(parts)


def _services(notice: Notice) -> str:
    services, techniques = ", ".join(notice.services), ", ".join(notice.techniques)
    return f"{services} ({techniques})" if services and techniques else services or techniques


def _targets(notice: Notice) -> str:
    values = [target.value for target in notice.targets]
    if len(values) <= _MOST_TARGETS:
        return ", ".join(values)
    return f"{', '.join(values[:_MOST_TARGETS])}, … and {len(values) - _MOST_TARGETS} more"


def _folded(text: Text, console: Console, label: Text | None = None) -> Iterable[Text]:
    """`text` in as many lines as it needs, the first behind `label`, all under the notice they belong to."""
    from rich.text import Text as RichText

    margin = len(_INDENT) + (label.cell_len if label is not None else 0)
    lines = text.wrap(console, console.width - margin, overflow="fold")
    for number, line in enumerate(lines):
        line.rstrip()
        front = RichText(_INDENT)
        if label is not None:
            front.append_text(label if number == 0 else RichText(" " * label.cell_len))
        yield front.append_text(line)


def _summary(notices: list[Notice]) -> str:
    if not notices:
        return "No notices."
    by_verdict = Counter(notice.verdict for notice in notices)
    return ", ".join(f"{by_verdict[verdict]} {verdict}" for verdict in _ORDER if by_verdict[verdict])
