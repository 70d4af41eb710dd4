"""Follows a log while it is written, and says how far behind it fell: `python -m tests.bench.live EVE [--rate N]`.

A second process appends the lines of an EVE file at a steady rate; this one runs the service over it, with the full
catalog and all detectors. Printed: the lines a second of CPU, and the most that waited to be read, in seconds of the
writer's time.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import tempfile
import time
from pathlib import Path

from reconwatch.live import Live
from reconwatch.service import Service
from reconwatch.settings import settings
from reconwatch.sources.live.files import FilesFeed
from reconwatch.store import Delivery, Store
from reconwatch.store.outputs import FileOutput

SITE = Path(__file__).with_name("site.yaml")
PIECES = 50
"""Appends a second: engines write a buffer at a time."""
WARM = 1.0
"""Seconds at the start that do not count: what is compiled then is compiled once."""


def _write(source: Path, target: Path, rate: int, seconds: float) -> None:
    """Append lines of `source` at `rate` a second."""
    with source.open("rb") as lines, target.open("ab", buffering=0) as log:
        begun = time.monotonic()
        for number in range(int(seconds * PIECES)):
            piece = b"".join(itertools.islice(lines, rate // PIECES))
            if not piece:
                return
            log.write(piece)
            time.sleep(max(0.0, begun + (number + 1) / PIECES - time.monotonic()))


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("eve", type=Path, help="the EVE whose lines are written")
    parser.add_argument("--rate", type=int, default=400_000, help="lines a second (400,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long (20)")
    wanted = parser.parse_args()
    found = settings(SITE)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "eve.json"
        log.touch()
        with Store.open(Path(folder) / "store.db") as store:
            delivery = Delivery(store, [FileOutput(Path(folder) / "notices.jsonl", "jsonl")])
            live = Live(found.catalog, found.site, found.world, now=time.time)
            service = Service(live, [FilesFeed("eve", [str(log)])], store, delivery, say=print)
            service.begin()
            writer = multiprocessing.get_context("spawn").Process(
                target=_write, args=(wanted.eve, log, wanted.rate, wanted.seconds)
            )
            writer.start()
            waited, size, cpu = _followed(service, log, writer)
            lines = sum(reading.account.records for reading in live.readings.values())
    behind = waited * lines / max(size, 1) / wanted.rate
    print(
        f"{lines:,} lines at {wanted.rate:,} a second; {lines / cpu:,.0f} lines a second of CPU;"
        f" at most {behind:.2f} s behind; {service.counts.notices.total():,} notices"
    )


def _followed(service: Service, log: Path, writer: multiprocessing.process.BaseProcess) -> tuple[int, int, float]:
    """Run the service to the writer's end: (most bytes that waited, bytes in all, seconds of CPU)."""
    most, begun, used = 0, time.monotonic(), time.process_time()
    while True:
        more = service.turn()
        waiting = log.stat().st_size - service.counts.bytes
        if time.monotonic() - begun > WARM:
            most = max(most, waiting)
        if not more:
            if not writer.is_alive() and not waiting:
                return most, service.counts.bytes, time.process_time() - used
            time.sleep(0.05)


if __name__ == "__main__":
    main()
