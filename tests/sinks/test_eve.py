import io
import json
import re

import pytest
from msgspec.structs import replace as but

from reconwatch.notices import NOTES
from reconwatch.sightings import Actor
from reconwatch.sinks import open_sink
from reconwatch.sinks.eve import SIGNATURES
from reconwatch.sinks.jsonl import contract

# What etc/schema.json of Suricata 7.0.17 allows, of what we might write; nothing else may stand at these two levels.
TOP = {"timestamp", "flow_id", "event_type", "vlan", "src_ip", "dest_ip", "alert", "host"}
ALERT = {"action", "gid", "signature_id", "rev", "signature", "category", "severity", "metadata"}


def event_of(notice):
    stream = io.StringIO()
    sink = open_sink("eve", stream)
    sink.write(notice)
    sink.close()
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    require_schema(event)
    return event


def require_schema(event):
    assert event.keys() <= TOP
    assert event["alert"].keys() <= ALERT
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+[+\-]\d+", event["timestamp"])
    for key in event.keys() & {"src_ip", "dest_ip", "host"}:
        assert isinstance(event[key], str)
    for name, values in event["alert"]["metadata"].items():
        if name != "reconwatch":
            assert values
            assert all(isinstance(value, str) for value in values)


def test_a_notice_is_an_alert_that_suricata_could_have_written(search):
    event = event_of(search)
    assert event["alert"]["metadata"].pop("reconwatch") == contract(search)
    assert event == {
        "timestamp": "2026-11-24T02:49:10.123456+0000",
        "event_type": "alert",
        "src_ip": "10.20.1.11",
        "dest_ip": "198.18.4.2",
        "alert": {
            "action": "allowed",
            "gid": 1596,
            "signature_id": 1596002,
            "rev": 1,
            "signature": "ReconWatch Targeted Search",
            "category": "Attempted Information Leak",
            "severity": 1,
            "metadata": {
                "mitre_tactic_id": ["TA0043"],
                "mitre_technique_id": ["T1596.005"],
                "signature_severity": ["Major"],
                "reconwatch_id": ["rw-1f3c5a7b9d0e2f46"],
                "reconwatch_rev": ["3"],
                "reconwatch_state": ["closed"],
                "reconwatch_verdict": ["escalate"],
                "reconwatch_score": ["65"],
                "reconwatch_service": ["shodan"],
                "reconwatch_target": ["203.0.113.10"],
            },
        },
    }


def test_what_is_not_known_is_left_out(lookup):
    event = event_of(lookup)
    assert "dest_ip" not in event
    assert "mitre_technique_id" not in event["alert"]["metadata"]
    assert "reconwatch_target" not in event["alert"]["metadata"]


@pytest.mark.parametrize(("verdict", "severity"), [("escalate", 1), ("investigate", 2), ("monitor", 3)])
def test_the_verdict_gives_the_severity(search, verdict, severity):
    assert event_of(but(search, verdict=verdict))["alert"]["severity"] == severity


def test_every_note_of_the_design_has_its_own_id():
    assert tuple(SIGNATURES) == NOTES
    assert [sid for sid, _ in SIGNATURES.values()] == list(range(1596001, 1596024))


def test_a_note_without_an_id_is_still_written(search):
    alert = event_of(but(search, note="Something_New"))["alert"]
    assert (alert["signature_id"], alert["signature"]) == (1596000, "ReconWatch Something New")


def test_a_flow_id_is_suricatas_or_absent(search, http):
    assert "flow_id" not in event_of(search)
    suricata = but(http, source="capture+eve/http", uid="1234567890")
    assert event_of(but(search, evidence=(http, suricata)))["flow_id"] == 1234567890


def test_sensor_and_vlan_have_suricatas_names(search):
    event = event_of(but(search, actor=Actor(ip="10.20.1.11", sensor="tap-1", vlan=7)))
    assert (event["host"], event["vlan"]) == ("tap-1", [7])


def test_hostile_text_stays_one_line_of_json(search):
    hostile = but(search, msg="a\n\x1b[31m\u202e\x00")
    assert event_of(hostile)["alert"]["metadata"]["reconwatch"]["msg"] == "a\n\x1b[31m\u202e\x00"
