"""Suricata EVE: each notice as an `alert` event that Suricata's own schema accepts.

Checked against etc/schema.json of Suricata 7.0.17, 8.0.0 and 8.0.6. Its top level takes no further
key, and `alert.context` is new in 8; `alert.metadata` is open in all of them. So the whole notice is the object
`alert.metadata.reconwatch`.
"""

from __future__ import annotations

from typing import Any, Final

from reconwatch.notices import Notice, Verdict
from reconwatch.sinks.endpoints import address, first_flow_id, only_destination
from reconwatch.sinks.jsonl import contract
from reconwatch.sinks.outlet import Outlet, Stream
from reconwatch.sinks.times import eve_time
from reconwatch.sinks.wire_text import json_line

GID: Final = 1596
"""Suricata's own rules are gid 1: these ids never meet theirs."""

_LEAK: Final = "Attempted Information Leak"
_SCAN: Final = "Detection of a Network Scan"
_MISC: Final = "Misc activity"

SIGNATURES: Final[dict[str, tuple[int, str]]] = {
    "Database_Lookup": (1596001, _LEAK),
    "Targeted_Search": (1596002, _LEAK),
    "Bulk_Search": (1596003, _LEAK),
    "Enumeration_Sweep": (1596004, _LEAK),
    "CT_Log_Scraping": (1596005, _LEAK),
    "Reverse_Sweep": (1596006, _LEAK),
    "Recon_Tool": (1596007, _LEAK),
    "Indicator_Match": (1596008, _MISC),
    "Unusual_Use": (1596009, _MISC),
    "Scanner_Crawl": (1596010, _SCAN),
    "Address_Scan": (1596011, _SCAN),
    "Port_Scan": (1596012, _SCAN),
    "Zone_Transfer": (1596013, _LEAK),
    "DNS_Enumeration": (1596014, _LEAK),
    "Name_Probe": (1596015, _SCAN),
    "Service_Probe": (1596016, _SCAN),
    "Certificate_Exposed": (1596017, _MISC),
    "Exposed_Name_Probed": (1596018, _SCAN),
    "Canary_Touched": (1596019, _LEAK),
    "Campaign": (1596020, _LEAK),
    "Heartbeat": (1596021, _MISC),
    "Input_Gap": (1596022, _MISC),
    "Self_Test_Failed": (1596023, _MISC),
}
"""signature_id and category of each note. An id is never given to another note, even when its note is gone.

Categories are descriptions of Suricata's classification.config, so that a reader's filters already know them.
"""
_UNLISTED: Final = (1596000, _MISC)

_SEVERITY: Final[dict[Verdict, tuple[int, str]]] = {
    "escalate": (1, "Major"),
    "investigate": (2, "Minor"),
    "monitor": (3, "Informational"),
}


def event(notice: Notice) -> dict[str, Any]:
    """The alert of a notice. Raises ValueError for an absurd time.

    A notice rests on many connections, so that ports and `proto` are left out; `dest_ip` is there when all kept
    evidence went to one address, `flow_id` when Suricata told the evidence: it is that flow's, never invented.
    """
    signature_id, category = SIGNATURES.get(notice.note, _UNLISTED)
    found: dict[str, Any] = {
        "timestamp": eve_time(notice.ts),
        "flow_id": first_flow_id(notice),
        "event_type": "alert",
        "vlan": None if notice.actor.vlan is None else [notice.actor.vlan],
        "src_ip": address(notice.actor.ip),
        "dest_ip": only_destination(notice),
        "alert": {
            "action": "allowed",
            "gid": GID,
            "signature_id": signature_id,
            "rev": 1,
            "signature": f"ReconWatch {notice.note.replace('_', ' ')}",
            "category": category,
            "severity": _SEVERITY[notice.verdict][0],
            "metadata": _metadata(notice),
        },
        "host": notice.actor.sensor,
    }
    return {key: value for key, value in found.items() if value is not None}


def _metadata(notice: Notice) -> dict[str, Any]:
    """Lists of text, as Suricata writes a rule's metadata (its schema refuses empty ones), and the whole notice."""
    lists = {
        "mitre_tactic_id": ["TA0043"] if notice.direction != "sensor" else [],
        "mitre_technique_id": list(notice.techniques),
        "signature_severity": [_SEVERITY[notice.verdict][1]],
        "reconwatch_id": [notice.id],
        "reconwatch_rev": [str(notice.rev)],
        "reconwatch_state": [notice.state],
        "reconwatch_verdict": [notice.verdict],
        "reconwatch_score": [str(notice.score)],
        "reconwatch_service": list(notice.services),
        "reconwatch_target": [target.value for target in notice.targets],
    }
    return {key: values for key, values in lists.items() if values} | {"reconwatch": contract(notice)}


class EveSink:
    """Writes `event` a line."""

    def __init__(self, stream: Stream) -> None:
        self._outlet = Outlet(stream, machine=True)

    def write(self, notice: Notice) -> None:
        """Write one line. Raises ValueError after `close()` or for an absurd time."""
        self._outlet.put(json_line(event(notice)) + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self._outlet.flush()

    def close(self) -> None:
        """Flush the stream; there is no trailer."""
        self._outlet.close()
