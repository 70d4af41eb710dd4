"""What comes to our networks without being begun there: replies and backscatter are no scans, in any input.

The lines are written by hand, some after what the engines told of pcaps/gen/traffic, some after how they may be set up:
they do not agree on who began what they saw no beginning of. What they really tell, test_generated_probes.py asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconwatch.catalog.load import load
from reconwatch.detectors import default_thresholds
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.site import load_site
from tests.conftest import ROOT
from tests.story import NOON, STRANGER

HIGH = 40_000


class Line(NamedTuple):
    """One line of conn.log, whoever is its originator."""

    source: int
    """Port of the stranger."""
    target: int
    """Port of ours."""
    proto: str
    state: str
    history: str
    ours: bool = False
    """The originator is ours: Zeek has turned the sides."""


ZEEK_REPLIES = {
    "a SYN-ACK, its sides kept": Line(443, HIGH, "tcp", "OTH", "H"),
    "a SYN-ACK, turned": Line(443, HIGH, "tcp", "OTH", "^h", ours=True),
    "a SYN-ACK that we reset": Line(443, HIGH, "tcp", "OTH", "Hr"),
    "a reset": Line(80, HIGH, "tcp", "RSTOS0", "R"),
    "a reset, turned": Line(80, HIGH, "tcp", "RSTRH", "^r", ours=True),
    "a challenge ACK": Line(22, HIGH, "tcp", "OTH", "A"),
    "the rest of a connection": Line(443, HIGH, "tcp", "OTH", "DadAFfa"),
    "the rest of it, turned": Line(443, HIGH, "tcp", "OTH", "^dADafFA", ours=True),
    "unreachable": Line(3, 1, "icmp", "OTH", "-"),
    "too late": Line(11, 0, "icmp", "OTH", "-"),
    "an echo reply": Line(0, 8, "icmp", "OTH", "-"),
    "a flood of names": Line(53, HIGH, "udp", "S0", "D"),
    "a flood of names, turned": Line(53, HIGH, "udp", "SHR", "^d", ours=True),
    "time": Line(123, HIGH, "udp", "S0", "D"),
    "QUIC": Line(443, HIGH, "udp", "S0", "D"),
    "QUIC with answers of ours": Line(443, HIGH, "udp", "SF", "Dd"),
    "SSDP": Line(1900, HIGH, "udp", "S0", "D"),
    "LDAP": Line(389, HIGH, "udp", "S0", "D"),
    "memcached": Line(11211, HIGH, "udp", "S0", "D"),
    "a conference": Line(8801, HIGH, "udp", "SF", "Dd"),
}  # fmt: skip
ZEEK_SCANS = {
    "no answer": Line(HIGH, 443, "tcp", "S0", "S"),
    "refused": Line(HIGH, 443, "tcp", "REJ", "Sr"),
    "half open": Line(HIGH, 443, "tcp", "RSTO", "ShR"),
    "opened and left": Line(HIGH, 443, "tcp", "SF", "ShAFfa"),
    "a ping": Line(8, 0, "icmp", "OTH", "-"),
    "a datagram": Line(HIGH, 161, "udp", "S0", "D"),
    "a datagram that passes for an answer": Line(53, 161, "udp", "S0", "D"),
    "time asked as servers ask each other": Line(123, 123, "udp", "S0", "D"),
    "telephones asked from their own port": Line(5060, 5060, "udp", "S0", "D"),
    "discovery asked from its own port": Line(1900, 1900, "udp", "S0", "D"),
}  # fmt: skip

FIELDS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service conn_state history"
TYPES = "time string addr port addr port enum string string string"


def conn_log(line: Line) -> str:
    """The line for each of 200 addresses of ours."""

    def rows() -> Iterator[str]:
        for number in range(1, 201):
            sides = [(STRANGER, line.source), (f"203.0.113.{number}", line.target)]
            (orig, orig_port), (resp, resp_port) = reversed(sides) if line.ours else sides
            start = f"{NOON + number:.6f}"
            ends = (orig, str(orig_port), resp, str(resp_port))
            yield "\t".join((start, f"C{number}", *ends, line.proto, "-", line.state, line.history))

    head = [
        r"#separator \x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tconn",
        "\t".join(["#fields", *FIELDS.split()]), "\t".join(["#types", *TYPES.split()]),
    ]  # fmt: skip
    return "\n".join([*head, *rows()]) + "\n"


class Flow(NamedTuple):
    """One flow record, of which the stranger is the source: Suricata does not turn what it saw no beginning of."""

    source: int
    target: int
    proto: str
    flags: tuple[str, str] | None = None
    """Of all packets from the stranger, and of all from ours, in hexadecimal."""
    packets: tuple[int, int] = (1, 0)
    icmp: int | None = None


EVE_REPLIES = {
    "a SYN-ACK, followed midstream": Flow(443, HIGH, "TCP", ("12", "00"), (3, 0)),
    "a SYN-ACK, not followed": Flow(443, HIGH, "TCP", ("00", "00"), (3, 0)),
    "a SYN-ACK that we reset": Flow(443, HIGH, "TCP", ("12", "04"), (1, 1)),
    "a reset": Flow(80, HIGH, "TCP", ("14", "00")),
    "a bare reset": Flow(80, HIGH, "TCP", ("04", "00")),
    "the rest of a connection": Flow(443, HIGH, "TCP", ("19", "11"), (5, 4)),
    "a flood of names": Flow(53, HIGH, "UDP"),
    "time": Flow(123, HIGH, "UDP"),
    "QUIC": Flow(443, HIGH, "UDP"),
    "QUIC with answers of ours": Flow(443, HIGH, "UDP", None, (4, 4)),
    "SSDP": Flow(1900, HIGH, "UDP"),
    "SNMP": Flow(161, HIGH, "UDP"),
    "a conference": Flow(8801, HIGH, "UDP", None, (4, 4)),
    "unreachable": Flow(0, 0, "ICMP", icmp=3),
    "an echo reply": Flow(0, 0, "ICMP", icmp=0),
}
EVE_SCANS = {
    "no answer": Flow(HIGH, 443, "TCP", ("02", "00")),
    "refused": Flow(HIGH, 443, "TCP", ("02", "14"), (1, 1)),
    "half open": Flow(HIGH, 443, "TCP", ("06", "12"), (2, 1)),
    "opened and left": Flow(HIGH, 443, "TCP", ("13", "13"), (4, 3)),
    "a ping": Flow(0, 0, "ICMP", icmp=8),
    "a datagram": Flow(HIGH, 161, "UDP"),
    "a datagram that passes for an answer": Flow(53, 161, "UDP"),
    "telephones asked from their own port": Flow(5060, 5060, "UDP"),
}


def eve_json(flow: Flow) -> str:
    """The record for each of 200 addresses of ours."""

    def record(number: int) -> dict[str, Any]:
        start = datetime.fromtimestamp(NOON + number, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
        told: dict[str, Any] = {
            "timestamp": start, "flow_id": number, "event_type": "flow", "src_ip": STRANGER,
            "dest_ip": f"203.0.113.{number}", "proto": flow.proto,
            "flow": {
                "pkts_toserver": flow.packets[0], "pkts_toclient": flow.packets[1], "start": start, "end": start,
                "state": "established" if flow.packets[1] else "new", "reason": "shutdown", "alerted": False,
            },
        }  # fmt: skip
        if flow.icmp is None:
            told |= {"src_port": flow.source, "dest_port": flow.target}
        else:
            told |= {"icmp_type": flow.icmp, "icmp_code": 0}
        if flow.flags is not None:
            told["tcp"] = dict(zip(("tcp_flags_ts", "tcp_flags_tc"), flow.flags, strict=True))
        return told

    return "".join(json.dumps(record(number), separators=(",", ":")) + "\n" for number in range(1, 201))


def replayed(path: Path, text: str, *, funnel: bool) -> list[Notice]:
    path.write_text(text)
    site = load_site(ROOT / "pcaps" / "demo-site.yaml", thresholds=default_thresholds())
    run = Replay([path], load(), site, funnel=funnel)
    notices = list(run.notices())
    assert not run.unreadable
    assert sum(account.records for account in run.accounts) >= 200  # header lines are records too
    return notices


BOTH = pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])


@BOTH
@pytest.mark.parametrize("which", ZEEK_REPLIES)
def test_replies_are_no_scans_as_zeek_tells_them(which: str, funnel: bool, tmp_path: Path) -> None:
    assert replayed(tmp_path / "conn.log", conn_log(ZEEK_REPLIES[which]), funnel=funnel) == []


@BOTH
@pytest.mark.parametrize("which", ZEEK_SCANS)
def test_scans_are_as_zeek_tells_them(which: str, funnel: bool, tmp_path: Path) -> None:
    (scan,) = replayed(tmp_path / "conn.log", conn_log(ZEEK_SCANS[which]), funnel=funnel)
    assert (scan.note, scan.actor.ip, scan.count) == ("Address_Scan", STRANGER, 200)


@BOTH
@pytest.mark.parametrize("which", EVE_REPLIES)
def test_replies_are_no_scans_as_suricata_tells_them(which: str, funnel: bool, tmp_path: Path) -> None:
    assert replayed(tmp_path / "eve.json", eve_json(EVE_REPLIES[which]), funnel=funnel) == []


@BOTH
@pytest.mark.parametrize("which", EVE_SCANS)
def test_scans_are_as_suricata_tells_them(which: str, funnel: bool, tmp_path: Path) -> None:
    (scan,) = replayed(tmp_path / "eve.json", eve_json(EVE_SCANS[which]), funnel=funnel)
    assert (scan.note, scan.actor.ip, scan.count) == ("Address_Scan", STRANGER, 200)
