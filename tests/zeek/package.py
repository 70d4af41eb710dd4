"""Runs the package inside Zeek, and reads what it noticed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "zeek-scripts"

NOT_OF_LOOKUPS = frozenset({"Unusual_Use", "Campaign", "Certificate_Exposed", "Exposed_Name_Probed"})
"""Notes that Zeek does not raise: they need history, all that others noticed, or certificate transparency."""
LOOKUPS = frozenset(
    {
        "Database_Lookup", "Targeted_Search", "Bulk_Search", "Enumeration_Sweep", "CT_Log_Scraping", "Reverse_Sweep",
        "Recon_Tool",
    }
)  # fmt: skip

Row = tuple[str, str, tuple[str, ...]]
"""Note, actor, services."""


def zeek() -> str:
    """A Zeek on the path; without one the test is skipped, in CI too: no registry of packages has it."""
    found = shutil.which("zeek")
    if found is None:
        pytest.skip("NO ZEEK HERE: the package is parsed only, none of what it notices was seen")
    return found


def run(folder: Path, scripts: Sequence[Path | str], capture: Path | None = None) -> None:
    """Run Zeek in a folder with the package and further scripts; fails if it says anything against them."""
    read = [] if capture is None else ["-C", "-r", str(capture)]
    ran = subprocess.run(
        [zeek(), *read, str(PACKAGE), *map(str, scripts)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "error" not in ran.stderr, ran.stderr
    told = folder / "reporter.log"
    assert not told.exists(), told.read_text()


def log(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of a log that Zeek wrote; none if it wrote none."""
    path = folder / f"{name}.log"
    fields: list[str] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        cells = line.split("\t")
        if cells[0] == "#fields":
            fields = cells[1:]
        elif not line.startswith("#"):
            yield dict(zip(fields, cells, strict=True))


def noticed(folder: Path) -> list[Row]:
    """The notices of the package, as (note, actor, services), in the order of the log."""
    found = []
    for row in log(folder, "notice"):
        module, _, note = row["note"].partition("::")
        if module == "ReconWatch":
            said = dict(word.split("=", 1) for word in row["sub"].split(" ") if "=" in word)
            found.append((note, row["src"], tuple(filter(None, said["services"].split(",")))))
    return found
