"""Outcomes for people: a line a case with its verdict, under it what was not as expected, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from reconwatch.prose import counted
from reconwatch.rules.outcome import Miss, Outcome, Verdict, summary
from reconwatch.sinks.wire_text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES: Final = {
    Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.ERROR: "bold magenta", Verdict.SKIP: "dim",
    Verdict.SHOWN: "cyan",
}  # fmt: skip

MOST_MISSES: Final = 20
"""Misses of one case that are told; a case with a thousand has one fault."""
MOST_ALERTS: Final = 50
"""Rules that a capture alone is shown with."""
WIDEST_NAME: Final = 44
"""Columns for names, beyond which a reason stands wherever a longer name ends."""
WIDTH: Final = 5
"""Columns of the longest verdict."""


def told(outcome: Outcome, column: int = 0) -> Iterator[Text]:
    """The lines of one outcome, its reason beside its name from `column` characters on."""
    from rich.text import Text

    line = Text().append(f"{outcome.verdict:<{WIDTH}}", style=STYLES[outcome.verdict]).append("  ")
    line.append(visible(outcome.name), style="bold" if outcome.misses else "")
    if outcome.reason:
        line.pad_right(max(WIDTH + 2 + column - line.cell_len, 0))
        line.append(f"  {visible(outcome.reason)}", style="dim")
    yield line
    for miss in outcome.misses[:MOST_MISSES]:
        yield from _indented(str(miss))
    if len(outcome.misses) > MOST_MISSES:
        yield from _indented(f"and {counted(len(outcome.misses) - MOST_MISSES, 'more miss', 'more misses')}")
    for each in outcome.why:
        yield from _indented(each, style="yellow", by=4)
    if outcome.verdict is Verdict.SHOWN:
        yield from _alerts(outcome)


def _alerts(outcome: Outcome) -> Iterator[Text]:
    for alert in outcome.alerts[:MOST_ALERTS]:
        yield from _indented(f"{alert.count:>7,}  {alert.sid}  {alert.message}")
    if len(outcome.alerts) > MOST_ALERTS:
        yield from _indented(f"and {counted(len(outcome.alerts) - MOST_ALERTS, 'more rule')}")
    if not outcome.alerts:
        yield from _indented("nothing alerted")


def _indented(told: str, style: str = "", by: int = 2) -> Iterator[Text]:
    from rich.text import Text

    for line in told.split("\n"):
        yield Text(" " * (WIDTH + by) + visible(line), style=style)


def rejections(outcomes: Iterable[Outcome]) -> list[Miss]:
    """The rules that were not accepted, each once, in the order of their files."""
    found = dict.fromkeys(miss for outcome in outcomes for miss in outcome.rejected)
    return sorted(found, key=lambda miss: (str(miss.file), miss.line or 0))


def warnings(outcomes: Iterable[Outcome]) -> list[str]:
    """What the engine warned of, each once."""
    return list(dict.fromkeys(note for outcome in outcomes for note in outcome.notes))


def write_table(outcomes: list[Outcome], console: Console, *, every: bool = True) -> None:
    """Write the outcomes, the rejected rules and the engine's warnings, and a last line that counts.

    Without `every` those that passed or were skipped are only counted.
    """
    quiet = () if every else (Verdict.PASS, Verdict.SKIP)
    column = min(max((len(visible(each.name)) for each in outcomes), default=0), WIDEST_NAME)
    for outcome in outcomes:
        for line in told(outcome, column) if outcome.verdict not in quiet else ():
            console.print(line, soft_wrap=True)
    for miss in rejections(outcomes):
        console.print(visible(f"rule   {miss}"), style=STYLES[Verdict.ERROR], soft_wrap=True)
    for note in warnings(outcomes):
        console.print(visible(f"engine warns: {note}"), style="yellow", soft_wrap=True)
    console.print(last_line(outcomes), soft_wrap=True)


def last_line(outcomes: list[Outcome]) -> str:
    """`3 pass, 1 fail, 1 rule not accepted`."""
    parts = [f"{count:,} {verdict}" for verdict, count in summary(outcomes).items()]
    if refused := rejections(outcomes):
        parts.append(f"{counted(len(refused), 'rule')} not accepted")
    return ", ".join(parts) or "no cases"
