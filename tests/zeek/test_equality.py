"""Zeek with the package sees the lookups that Python sees, event for event, in every capture of this repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from reconwatch.site import load_site
from tests.conftest import ROOT
from tests.zeek.lookups_seen import Row, by_python, by_zeek, run_zeek
from tests.zeek.test_btest import zeek

CAPTURES = sorted((ROOT / "pcaps").glob("*.pcap"))

NO_ANALYZER = {"quic": "a Zeek without Spicy does not read QUIC", "http2": "Zeek's core does not read HTTP/2"}
"""What Zeek cannot read stands as a connection that DNS named."""

BY_ADDRESS = {
    ("modern.pcap", "quic", "shodan"): NO_ANALYZER["quic"],
    ("modern.pcap", "http", "viewdns"): NO_ANALYZER["http2"],
}


def _matched(ours: Counter[Row], theirs: Counter[Row]) -> tuple[list[Row], list[Row]]:
    """What only one side saw; times may differ by the rounding to a millisecond."""
    left, right = sorted((ours - theirs).elements(), key=repr), sorted((theirs - ours).elements(), key=repr)
    for row in list(left):
        same = next((r for r in right if (r[0], r[2:]) == (row[0], row[2:]) and abs(r[1] - row[1]) <= 1), None)
        if same is not None:
            left.remove(row)
            right.remove(same)
    return left, right


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize("capture", CAPTURES, ids=[path.name for path in CAPTURES])
def test_zeek_sees_the_lookups_that_python_sees(capture: Path, funnel: bool, tmp_path: Path) -> None:
    site = load_site(ROOT / "pcaps" / "demo-site.yaml")
    run_zeek(zeek(), capture, site, tmp_path)
    assert (tmp_path / "conn.log").exists(), "Zeek read nothing"
    assert not (tmp_path / "reporter.log").exists(), (tmp_path / "reporter.log").read_text()
    missed, told = _matched(by_python(capture, site, funnel=funnel), by_zeek(tmp_path))
    # Each event that Zeek has no analyzer for is told as a connection of the same client to the same server.
    for row in list(missed):
        if (capture.name, row[0], row[6]) in BY_ADDRESS:
            by_address = next(r for r in told if r[0] == "conn" and r[2:8] == row[2:8])
            missed.remove(row)
            told.remove(by_address)
    assert (missed, told) == ([], [])
