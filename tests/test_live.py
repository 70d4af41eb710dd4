"""A run that never ends says what a replay says, however its input is cut, and wherever it was stopped."""

from __future__ import annotations

import gzip
import json
import pickle
import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from reconwatch.catalog.load import load
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import Site, load_site
from reconwatch.snapshot import SnapshotError
from reconwatch.sources.live import Chunk
from tests.conftest import ROOT, SHARED

CATALOG = load()
CAPTURES = ("cli", "modern", "benign", "proxy", "outside")


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(SHARED / "captures" / "site.yaml")


def eve(capture: str) -> Path:
    return next((SHARED / "captures" / capture / "suricata7").glob("eve.json*"))


def chunks(path: Path, cuts: Iterable[int]) -> Iterator[Chunk]:
    """The lines of a file, cut into as many chunks as there are cuts and one more."""
    packed = path.read_bytes()
    lines = (gzip.decompress(packed) if path.suffix == ".gz" else packed).splitlines(keepends=True)
    borders = sorted({0, len(lines), *(cut for cut in cuts if cut < len(lines))})
    offset = 0
    for start, stop in pairwise(borders):
        data = b"".join(lines[start:stop])
        yield Chunk(path.name, str(path), data, offset, start + 1, b"".join(lines[:20]), last=stop == len(lines))
        offset += len(data)


def told(live: Live, given: Iterable[Chunk]) -> list[Notice]:
    notices: list[Notice] = []
    for chunk in given:
        live.read(chunk)
        notices += live.notices()
    return notices


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("capture", CAPTURES)
def test_the_last_words_of_a_live_run_are_those_of_a_replay(capture: str, site: Site) -> None:
    path = eve(capture)
    live = Live(CATALOG, site)
    said = [*told(live, chunks(path, [])), *live.finish()]
    last = {notice.id: notice.row for notice in said}
    assert last == {notice.id: notice.row for notice in Replay([path], CATALOG, site).notices()}
    assert live.late == 0


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("capture", CAPTURES)
def test_however_the_input_is_cut_the_same_is_said(capture: str, site: Site) -> None:
    path = eve(capture)
    whole = Live(CATALOG, site)
    expected = [*told(whole, chunks(path, [])), *whole.finish()]
    chance = random.Random(capture)
    for _ in range(3):
        live = Live(CATALOG, site)
        cuts = [chance.randrange(10_000) for _ in range(chance.randrange(1, 60))]
        assert [*told(live, chunks(path, cuts)), *live.finish()] == expected


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("capture", CAPTURES)
def test_a_run_that_was_killed_goes_on_from_its_last_snapshot_and_says_the_same(capture: str, site: Site) -> None:
    path = eve(capture)
    whole = Live(CATALOG, site)
    expected = {(n.id, n.rev): n for n in [*told(whole, chunks(path, [])), *whole.finish()]}
    chance = random.Random(capture)
    for _ in range(3):
        pieces = list(chunks(path, [chance.randrange(10_000) for _ in range(40)]))
        live, state, at, since = Live(CATALOG, site), None, 0, 0
        said: dict[tuple[str, int], Notice] = {}
        while at < len(pieces):
            for notice in told(live, [pieces[at]]):
                assert said.setdefault((notice.id, notice.rev), notice) == notice
            at += 1
            if chance.random() < 0.3:
                state, since = live.state(), at
            if chance.random() < 0.3:  # killed: all since the snapshot is read again
                live, at = Live(CATALOG, site), since
                if state is not None:
                    live.restore(state)
        said |= {(notice.id, notice.rev): notice for notice in live.finish()}
        assert said == expected


def test_a_snapshot_that_names_anything_but_our_own_types_is_refused() -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (print, ("never",))

    live = Live(CATALOG, Site.default())
    with pytest.raises(SnapshotError, match=r"names builtins\.print"):
        live.restore(pickle.dumps((1, {"live": Hostile()})))
    with pytest.raises(SnapshotError, match="damaged"):
        live.restore(b"\x80\x05cut")
    with pytest.raises(SnapshotError, match="version 999"):
        live.restore(pickle.dumps((999, {})))


LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
"""From 09:02 on."""


def dropped(path: Path) -> Chunk:
    return Chunk(path.name, str(path), b"", 0, 1, b"", last=True, capture=path)


def asked(hour: int) -> Chunk:
    """One question at an hour of the day of `lookups.pcap`."""
    record = {
        "timestamp": f"2026-11-24T{hour:02}:00:00.000000+0000", "flow_id": hour, "event_type": "dns", "proto": "UDP",
        "src_ip": "10.20.1.99", "src_port": 4_000, "dest_ip": "10.20.0.53", "dest_port": 53,
        "dns": {"type": "query", "id": 1, "rrname": "api.shodan.io", "rrtype": "A", "tx_id": 0},
    }  # fmt: skip
    line = json.dumps(record).encode() + b"\n"
    return Chunk("eve", "eve.json", line, 1 if hour else 0, 1, line)


@pytest.mark.parametrize("before", [8, 20])
def test_a_dropped_capture_says_what_a_replay_says_of_it_be_it_old_or_new(before: int) -> None:
    """What is followed stands at an hour before, or long after, the capture's."""
    site, warned = load_site(ROOT / "pcaps" / "demo-site.yaml"), []
    live = Live(CATALOG, site, warn=warned.append)
    said = [*told(live, [asked(before)])]
    live.wait_for(())
    said += told(live, [dropped(LOOKUPS)])
    said += live.finish()
    last = {notice.id: notice.row for notice in said if notice.actor.ip != "10.20.1.99"}
    assert last == {notice.id: notice.row for notice in Replay([LOOKUPS], CATALOG, site).notices()}
    assert (live.late, live.sightings["lookup"] > 5) == (0, True)
    assert [line for line in warned if "judged by itself" in line] == (
        [f"{LOOKUPS}: is older than what is followed, and judged by itself"] if before == 20 else []
    )


def test_while_a_capture_is_read_somebody_is_told_that_nothing_hangs() -> None:
    live, signs = Live(CATALOG, Site.default()), []
    live.alive = lambda: signs.append(1)
    live.read(dropped(LOOKUPS))
    assert signs


def test_a_state_that_does_not_fit_leaves_a_run_as_if_nothing_had_been_read() -> None:
    live = Live(CATALOG, load_site(ROOT / "pcaps" / "demo-site.yaml"))
    told(live, [dropped(LOOKUPS)])
    live.wait_for(())
    assert list(live.notices())
    version, state = pickle.loads(live.state())
    state["lookups"]["states"] = [(1.0, 0, b"key", b"\xc1")]
    fresh = Live(CATALOG, Site.default())
    with pytest.raises(SnapshotError, match=r"lookups\.states does not fit"):
        fresh.restore(pickle.dumps((version, state)))
    assert (fresh.waiting, fresh.state()) == (0, Live(CATALOG, Site.default()).state())
