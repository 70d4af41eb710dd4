"""What is read: captures and logs made once by the project's generators, or those that one is given."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATORS = ROOT.parent / "shared" / "tools"
CAPTURE_MEGABYTES = 1000
OWN_SHARE = 0.3
"""The share of records that name our own domain, as staff do all day."""
RECORDS_A_SOURCE = 10
"""As many records of the generated logs, as there is one source of scans: a million with the usual ten million."""
ADDRESSES = 8
"""Addresses that each source tries: fewer than make a scan, so that the memory of sources is measured and not the
telling of a million notices. What is remembered of a source does not grow with more (see RESULTS.md), while the file
does: with 254 it would have 25 GB."""
BLOCK = 1 << 20

ZEEK_FORMATS = ("tsv", "json")
NAMING_LOGS = ("dns.log", "ssl.log", "http.log")


class NoDataError(Exception):
    """There is nothing to measure with; says what to give."""


@dataclass(frozen=True)
class Data:
    """What there is to read; None for what there is not."""

    generated: bool
    """By the generators for which the bars are set; otherwise somebody's own."""
    capture: Path | None = None
    eve: Path | None = None
    eve_without_flow: Path | None = None
    eve_own: Path | None = None
    eve_gz: Path | None = None
    scans: Path | None = None
    """A conn.log of many sources that each try some of our addresses."""
    zeek: Path | None = None
    """A folder with `zeek-tsv/` or `zeek-json/`, each with `conn.log` and what there is of NAMING_LOGS."""

    def zeek_logs(self, form: str, *names: str) -> tuple[Path, ...]:
        """Those of the named logs that there are, in one of ZEEK_FORMATS."""
        if self.zeek is None:
            return ()
        paths = [self.zeek / f"zeek-{form}" / name for name in names]
        return tuple(path for path in paths if path.is_file())


def given(capture: Path | None, logs: Path | None) -> Data:
    """Somebody's own: a capture; an EVE file, or a folder that holds `eve.json`, `zeek-tsv/` or `zeek-json/`."""
    for path in (capture, logs):
        if path is not None and not path.exists():
            raise NoDataError(f"{path} is not there")
    # Programs run in folders of their own, where a relative path would lead nowhere.
    capture, logs = (path and path.absolute() for path in (capture, logs))
    if logs is None or logs.is_file():
        return Data(generated=False, capture=capture, eve=logs)
    eve = logs / "eve.json"
    data = Data(generated=False, capture=capture, eve=eve if eve.is_file() else None, zeek=logs)
    if data.eve is None and not any(data.zeek_logs(form, "conn.log", *NAMING_LOGS) for form in ZEEK_FORMATS):
        raise NoDataError(f"{logs} holds neither eve.json nor zeek-tsv/ or zeek-json/ with dns.log, ssl.log, ...")
    return data


def generated(cache: Path, records: int, tell: Callable[[str], None]) -> Data:
    """What the generators make, kept in `cache`: what is there is taken as it is, the rest is made, which takes long.

    Raises NoDataError if something must be made and the generators are not beside this checkout.
    """
    cache = cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    logs, own = cache / f"logs-{records}", cache / f"own-{records}"
    capture = cache / f"capture-{CAPTURE_MEGABYTES}.pcap"
    without_flow, packed = cache / f"eve-without-flow-{records}.json", cache / f"eve-{records}.json.gz"
    sources = records // RECORDS_A_SOURCE
    eve, scans = logs / "eve.json", cache / f"scans-{sources}.log"
    _once(capture, lambda part: _generate("load_capture.py", str(CAPTURE_MEGABYTES), str(part)), tell)
    _once(logs, lambda part: _generate("load_logs.py", str(records), str(part)), tell)
    _once(own, lambda part: _generate_own(records, part), tell)
    _once(without_flow, lambda part: leave_out_flows(eve, part), tell)
    _once(packed, lambda part: _pack(eve, part), tell)
    _once(scans, lambda part: write_scans(sources, part), tell)
    return Data(
        generated=True,
        capture=capture,
        eve=eve,
        eve_without_flow=without_flow,
        eve_own=own / "eve.json",
        eve_gz=packed,
        scans=scans,
        zeek=logs,
    )


def _once(path: Path, make: Callable[[Path], None], tell: Callable[[str], None]) -> None:
    """Make `path` if it is not there; it appears only when it is whole."""
    if path.exists():
        return
    tell(f"making {path.name}, once")
    part = path.with_name(f"part-{path.name}")
    make(part)
    part.rename(path)


def _generate(script: str, *arguments: str) -> None:
    path = GENERATORS / script
    if not path.is_file():
        raise NoDataError(
            "no data to measure with, and the generators are not beside this checkout: "
            "give a capture (make bench CAPTURE=file.pcap), or a folder with eve.json (make bench LOGS=folder), or both"
        )
    subprocess.run([sys.executable, str(path), *arguments], check=True)


def _generate_own(records: int, part: Path) -> None:
    _generate("load_logs.py", str(records), str(part), "--own", str(OWN_SHARE))
    for form in ZEEK_FORMATS:
        shutil.rmtree(part / f"zeek-{form}")


def leave_out_flows(eve: Path, target: Path) -> None:
    """A copy of an EVE file without its flow records."""
    with eve.open("rb") as lines, target.open("wb") as kept:
        kept.writelines(line for line in lines if b'"event_type":"flow"' not in line)


def write_scans(sources: int, target: Path) -> None:
    """A conn.log in which every source tries ADDRESSES of our addresses in vain, all taking turns, within a day."""
    with target.open("w", encoding="ascii") as log:
        fields = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto")
        log.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n")
        log.write("\t".join(("#fields", *fields, "service", "conn_state", "history")) + "\n")
        step = 80_000 / (sources * ADDRESSES)
        for turn in range(ADDRESSES):
            for source in range(sources):
                number = turn * sources + source
                client = f"{20 + (source >> 16)}.{source >> 8 & 255}.{source & 255}.{source * 7 % 251 + 1}"
                server = f"203.0.113.{1 + (source + turn) % 254}"
                log.write(
                    f"{1_795_478_400 + number * step:.6f}\tC{number:x}\t{client}\t40000\t{server}\t22\ttcp\t-\tS0\tS\n"
                )


def _pack(path: Path, target: Path) -> None:
    with path.open("rb") as plain, gzip.open(target, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, BLOCK)


def lines_in(path: Path) -> int:
    """How many lines a plain or gzip file has."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))
