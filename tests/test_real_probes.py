"""The stranger of the real captures: every input tells the same name probe, service probe and touched canary."""

from __future__ import annotations

from functools import lru_cache

import pytest

from reconwatch.catalog.load import load, load_world
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.conftest import SHARED

pytestmark = pytest.mark.usefixtures("shared_captures")

INPUTS = ("capture.pcap", "zeek-tsv", "zeek-json", "suricata7", "suricata8")
NOTES = ("Canary_Touched", "Name_Probe", "Service_Probe")
STRANGER, WEB, OTHER = "192.0.2.66", "203.0.113.10", "203.0.113.11"
BAIT = "staging-7f3k2q.acme-widgets.com"

CATALOG = load()
WORLD = load_world(CATALOG)


@lru_cache(maxsize=16)
def told(capture: str, *inputs: str, funnel: bool = True) -> dict[str, Notice]:
    """Note -> notice, of the three."""
    folder = SHARED / "captures" / capture
    run = Replay(
        [folder / each for each in inputs], CATALOG, load_site(SHARED / "captures" / "site.yaml"), WORLD, funnel=funnel
    )
    notices = [notice for notice in run.notices() if notice.note in NOTES]
    assert len({notice.note for notice in notices}) == len(notices)
    return {notice.note: notice for notice in notices}


@pytest.mark.parametrize("inputs", [*((each,) for each in INPUTS), INPUTS])
def test_the_stranger_is_told_alike_by_every_input_and_by_all_together(inputs: tuple[str, ...]) -> None:
    notices = told("outside", *inputs)
    assert {notice.row for notice in notices.values()} == {
        ("Canary_Touched", STRANGER, (), (BAIT,)),
        ("Name_Probe", STRANGER, (), (WEB, OTHER)),
        ("Service_Probe", STRANGER, (), (WEB,)),
    }
    assert {note: (n.count, n.counted, n.verdict, n.score) for note, n in notices.items()} == {
        "Canary_Touched": (1, "connections", "escalate", 70),
        "Name_Probe": (10, "names", "investigate", 35),
        "Service_Probe": (5, "http requests", "investigate", 45),
    }
    assert "planted: certificate transparency" in notices["Canary_Touched"].msg
    assert notices["Service_Probe"].msg == (
        f"{STRANGER} probed 1 web server of ours with Nmap,"
        " looking for a VMware server and the test path of Nmap's scripts"
    )


def test_the_funnel_and_the_oracle_tell_the_same() -> None:
    assert told("outside", "capture.pcap") == told("outside", "capture.pcap", funnel=False)


@pytest.mark.parametrize("each", INPUTS)
@pytest.mark.parametrize("capture", ["benign", "proxy", "modern", "cli"])
def test_the_other_captures_raise_none_of_the_three(capture: str, each: str) -> None:
    assert told(capture, each) == {}
