"""24 hours of event time through the service, from noon to noon: whether memory and state stay what they are.

`make soak`, or `SOAK_SECONDS=600 python -m tests.soak`: as many lines an hour as go through in about so many seconds.
Each half ends twelve hours after it began, so that what is kept by the day (one midnight lies between) is alike at both
ends: the second half may be larger than the first only by what never leaves.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reconwatch.catalog.load import load, load_world
from reconwatch.live import Live
from reconwatch.said_of_itself import Diary
from reconwatch.self_test import self_test
from reconwatch.service import Service
from reconwatch.sources.live.files import FilesFeed
from reconwatch.store import Delivery, Retention, Store
from reconwatch.store.outputs import FileOutput
from tests.story import NOON, SITE

HOURS = 24
STEPS = 12
"""Looks that the service has at its log in an hour of events: each may end with a commit, which waits for the disk."""
MOST_MEMORY = 300_000_000
"""Bytes that belong to the process alone."""
MOST_GROWTH = 0.25
"""Of memory and of state, in the second half: a leak of everything is 1."""
LEAST_GROWTH = 32_000_000
"""Bytes that are no growth of memory: caches of bounded size that fill, and what an allocator takes at once."""
MOST_AN_HOUR = 50_000
"""Lines: 14 a second, those of a small site."""
WARM_UP = 4_000
"""Lines that tell how fast this machine is."""
SHARE = 0.6
"""Of the time that is given for reading; the rest is for writing the lines."""

HOSTS = ("www.shodan.io", "api.shodan.io", "search.censys.io", "crt.sh", "www.virustotal.com", "dnsdumpster.com")
STRANGERS, CLIENTS, NAMES = 3_000, 400, 5_000
"""How many there are of each: as in life, most come back."""


class Hour(msgspec.Struct, frozen=True):
    """What was measured at the end of one."""

    hour: int
    anonymous: int
    state: int
    events: int
    lines: int


def anonymous() -> int:
    """Bytes of memory that belong to this process alone (proc_pid_status(5))."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def record(ts: float, number: int, chance: random.Random) -> bytes:
    """One line: noise mostly, some strangers, few lookups."""
    event = {
        "timestamp": datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000"), "flow_id": number,
        "src_ip": f"10.20.{chance.randrange(CLIENTS) // 200}.{chance.randrange(10, 210)}",
        "src_port": 1024 + number % 60_000, "dest_ip": "198.18.4.2", "dest_port": 443, "proto": "TCP",
    }  # fmt: skip
    draw = chance.random()
    if draw < 0.20:
        stranger = chance.randrange(STRANGERS)
        event |= {"event_type": "flow", "src_ip": f"192.0.{stranger // 250}.{1 + stranger % 250}"}
        event |= {"dest_ip": f"203.0.113.{chance.randrange(1, 255)}", "dest_port": chance.randrange(20, 1_000)}
        event["flow"] = {"start": event["timestamp"], "pkts_toserver": 1, "pkts_toclient": 0, "state": "new"}
        event["tcp"] = {"tcp_flags_ts": "02", "tcp_flags_tc": "00", "syn": True}
        return json.dumps(event).encode() + b"\n"
    name = chance.choice(HOSTS) if draw < 0.23 else f"host{chance.randrange(NAMES)}.example.net"
    if draw < 0.5:
        event |= {"event_type": "dns", "dest_port": 53, "proto": "UDP", "dest_ip": "10.20.0.53"}
        event["dns"] = {"type": "query", "id": number % 65_536, "rrname": name, "rrtype": "A", "tx_id": 0}
    elif draw < 0.8 or draw >= 0.99:
        event |= {"event_type": "tls", "tls": {"sni": name, "version": "TLS 1.3"}}
    else:
        event |= {"event_type": "http", "dest_port": 80}
        event["http"] = {"hostname": name, "url": f"/{number}", "http_method": "GET", "http_user_agent": "curl/8"}
    if 0.2 <= draw < 0.21:  # a lookup that names what is ours
        event = {key: value for key, value in event.items() if key != "dns"} | {"event_type": "http", "dest_port": 80}
        uri = f"/shodan/host/203.0.113.{chance.randrange(1, 255)}"
        event |= {"proto": "TCP", "dest_ip": "198.18.4.2"}
        event["http"] = {"hostname": "api.shodan.io", "url": uri, "http_method": "GET", "http_user_agent": "curl/8"}
    return json.dumps(event).encode() + b"\n"


class Soak:
    """A log that is rotated each hour, and a service over it, whose clock is that of the log."""

    def __init__(self, folder: Path) -> None:
        self.log, self.folder, self.now, self.read = folder / "eve.json", folder, NOON, 0.0
        self.chance, self.number = random.Random(24), 0
        self.said: list[str] = []
        (folder / "old").mkdir()
        self.log.write_bytes(record(NOON, 0, self.chance))
        catalog = load()
        world = load_world(catalog)
        self.store = Store.open(folder / "reconwatch.db")
        looks = itertools.count(int(time.time()))  # the feed waits for nothing
        feed = FilesFeed("eve", [str(self.log)], [f"{folder}/old/*"], clock=lambda: float(next(looks)))
        delivery = Delivery(self.store, [FileOutput(folder / "notices.jsonl", "jsonl")])
        live = Live(catalog, SITE, world, warn=self.said.append, now=lambda: self.now)
        diary = Diary(1, lambda: self_test(catalog, world))
        self.service = Service(
            live, [feed], self.store, delivery, say=self.said.append, snapshot_every=1.0, diary=diary,
            clock=lambda: self.now, retention=Retention(400, 2_000_000_000),
        )  # fmt: skip
        self.service.begin()

    def hour(self, lines: int) -> None:
        """One hour of traffic: written, read, rotated."""
        for step in range(STEPS):
            count = lines * (step + 1) // STEPS - lines * step // STEPS
            with self.log.open("ab") as log:
                for place in range(count):
                    self.number += 1
                    log.write(record(self.now + 3_600 / STEPS * place / count, self.number, self.chance))
            self.now += 3_600 / STEPS
            begun = time.perf_counter()
            while self.service.turn():
                pass
            self.read += time.perf_counter() - begun
        self.log.rename(self.folder / "old" / f"eve.json-{self.now:.0f}")
        self.log.touch()
        for _ in range(3):
            self.service.turn()
        for old in sorted((self.folder / "old").iterdir())[:-2]:
            old.unlink()

    def measured(self, hour: int) -> Hour:
        """What it holds now."""
        self.service.snapshot()
        return Hour(hour, anonymous(), self.service.last_snapshot[1], self.service.live.events, self.number)

    def end(self) -> None:
        self.service.end()
        self.store.close()


def speed(folder: Path) -> float:
    """Lines a second that go through here."""
    soak = Soak(folder)
    soak.hour(WARM_UP)
    soak.end()
    return WARM_UP / soak.read


def hours(folder: Path, an_hour: int) -> Iterator[Hour]:
    """A day, hour by hour."""
    soak = Soak(folder)
    for hour in range(1, HOURS + 1):
        soak.hour(an_hour)
        yield soak.measured(hour)
    soak.end()
    if soak.said:
        raise AssertionError(f"the service complained: {soak.said[:5]}")


def findings(measured: list[Hour]) -> list[str]:
    """What is not as it should be."""
    middle, last = measured[len(measured) // 2 - 1], measured[-1]
    told = []
    if (most := max(each.anonymous for each in measured)) > MOST_MEMORY:
        told.append(f"memory came to {most / 1e6:.0f} MB; {MOST_MEMORY / 1e6:.0f} are allowed")
    if last.anonymous - middle.anonymous > max(LEAST_GROWTH, MOST_GROWTH * middle.anonymous):
        told.append(
            f"memory grew from {middle.anonymous / 1e6:.0f} to {last.anonymous / 1e6:.0f} MB in the second half"
        )
    if last.state > (1 + MOST_GROWTH) * middle.state:
        told.append(f"the state grew from {middle.state:,} to {last.state:,} bytes in the second half")
    return told


def main() -> int:
    """Run it, and print each hour. 1 if something grows."""
    seconds = float(os.environ.get("SOAK_SECONDS", "120"))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        rate = speed(Path(one))
        an_hour = max(60, min(MOST_AN_HOUR, int(SHARE * seconds * rate / HOURS)))
        sys.stdout.write(f"{rate:,.0f} lines/s here: {an_hour:,} lines an hour for {HOURS} hours\n")
        measured = []
        for each in hours(Path(other), an_hour):
            measured.append(each)
            told = f"{each.anonymous / 1e6:6.1f} MB anonymous, {each.state / 1e6:6.2f} MB state, {each.events:,} events"
            sys.stdout.write(f"hour {each.hour:2}: {told}\n")
            sys.stdout.flush()
    wrong = findings(measured)
    sys.stdout.write("\n".join(wrong or ["flat"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
