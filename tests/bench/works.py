"""The works, each with its programs and the bars it must reach (issue 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from tests.bench.data import ADDRESSES, NAMING_LOGS, ZEEK_FORMATS, Data, lines_in
from tests.bench.programs import (
    DUCKDB,
    GREP,
    GREP_BYTES,
    JQ,
    SURICATA_EVE,
    SURICATA_OFF,
    TSHARK,
    TSHARK_FIELDS,
    ZEEK,
    Program,
)

MOST_RESIDENT = 400e6
MOST_ANONYMOUS = 300e6
"""Bytes that reconwatch may hold, whatever the size of the input."""


@dataclass(frozen=True)
class Beside:
    """A program that does the same work, and the most of its CPU that reconwatch may take; None if no bar is set."""

    program: Program
    most: float | None = None


@dataclass(frozen=True)
class Work:
    """One work: what is read, what it is called, and how fast it must go."""

    key: str
    title: str
    inputs: tuple[Path, ...]
    unit: Literal["lines", "bytes"]
    least: float | None
    """Lines a second of CPU."""
    beside: tuple[Beside, ...] = ()

    @cached_property
    def amount(self) -> int:
        """How many lines, or bytes, the inputs have."""
        return sum(lines_in(path) if self.unit == "lines" else path.stat().st_size for path in self.inputs)


def works(data: Data) -> Iterator[Work]:
    """Every work for which there is something to read; bars of speed are for generated data only."""
    for work in _works(data):
        if not data.generated:
            work = replace(work, least=None, beside=tuple(Beside(each.program) for each in work.beside))
        yield work


def _works(data: Data) -> Iterator[Work]:
    if data.capture is not None:
        engines = (Beside(SURICATA_EVE, 0.5), Beside(SURICATA_OFF, 0.8), Beside(ZEEK, 0.10))
        beside = (*engines, Beside(TSHARK, 0.08), Beside(TSHARK_FIELDS, 0.08))
        yield Work("capture", "capture", (data.capture,), "bytes", None, beside)
    against_grep = (Beside(GREP, 0.4), Beside(GREP_BYTES, 0.4))
    for form in ZEEK_FORMATS:
        if logs := data.zeek_logs(form, *NAMING_LOGS):
            named = ", ".join(path.stem for path in logs)
            yield Work(f"zeek-{form}", f"Zeek {form.upper()} {named}", logs, "lines", 3.5e6, against_grep)
    if data.eve_without_flow is not None:
        inputs = (data.eve_without_flow,)
        yield Work("eve-without-flow", "EVE without flow records", inputs, "lines", 3.5e6, against_grep)
    greps = (Beside(GREP), Beside(GREP_BYTES))
    if data.eve is not None:
        matching = (*greps, Beside(JQ, 0.04), Beside(DUCKDB, 0.35))
        yield Work("eve", "EVE with flow records", (data.eve,), "lines", 2.0e6, matching)
    if data.eve_own is not None:
        yield Work("eve-own", "EVE, 30 % of it our own names", (data.eve_own,), "lines", 2.0e6, greps)
    if data.eve_gz is not None:
        yield Work("eve-gz", "EVE with flow records, gzip", (data.eve_gz,), "lines", 1.0e6)
    for form in ZEEK_FORMATS:
        if logs := data.zeek_logs(form, "conn.log"):
            yield Work(f"conn-{form}", f"Zeek {form.upper()} conn", logs, "lines", 1.0e6)
    if data.scans is not None:
        yield Work(
            "scans", f"Zeek TSV conn, scans of {ADDRESSES} addresses by each source", (data.scans,), "lines", None
        )
