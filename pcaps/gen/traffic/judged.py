"""Replays generated captures with reconwatch, and says by kind what is right and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconwatch.catalog.load import load, load_world
from reconwatch.detectors import default_thresholds
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site

SITE = Path(__file__).resolve().parents[2] / "demo-site.yaml"
COLUMNS = "{:14} {:>8} {:>8} {:>7} {:>5} {:>5} {:>6} {:>9} {:>6}  {}"

Row = tuple[str, str]
"""(note, actor): what makes a notice right or wrong here; the tests also compare what was counted."""


def table(folder: Path, truth: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a table: a kind each, then all captures as one time-line."""
    yield COLUMNS.format(
        "kind", "packets", "sources", "notices", "right", "wrong", "missed", "precision", "recall", "what was told"
    )
    for kind, about in truth.items():
        yield _line(kind, about, _replayed([folder / str(about["file"])]))
    if len(truth) > 1:
        together: dict[str, Any] = {
            "packets": sum(about["packets"] for about in truth.values()),
            "sources": sum(about["sources"] for about in truth.values()),
            "shows": [row for about in truth.values() for row in about["shows"]],
        }
        yield _line("all together", together, _replayed([folder / str(about["file"]) for about in truth.values()]))


def _replayed(paths: Sequence[Path]) -> list[Notice]:
    catalog = load()
    site = load_site(SITE, thresholds=default_thresholds())
    return list(Replay(paths, catalog, site, load_world(catalog)).notices())


def _line(kind: str, about: Mapping[str, Any], notices: Sequence[Notice]) -> str:
    wanted = Counter((row["note"], row["actor"]) for row in about["shows"])
    told: Counter[Row] = Counter((notice.note, notice.actor.ip) for notice in notices)
    right = (wanted & told).total()
    wrong, missed = told.total() - right, wanted.total() - right
    words = Counter(f"{notice.note} {notice.verdict}" for notice in notices)
    return COLUMNS.format(
        kind, f"{about['packets']:,}", f"{about['sources']:,}", told.total(), right, wrong, missed,
        f"{right / told.total():.0%}" if told else "-", f"{right / wanted.total():.0%}" if wanted else "-",
        ", ".join(f"{count} {what}" for what, count in sorted(words.items())) or "nothing",
    ).rstrip()  # fmt: skip
