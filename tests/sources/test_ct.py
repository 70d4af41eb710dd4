"""Entries of certificate transparency logs as crt.sh, Cert Spotter and certstream give them."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.opener import open_source

CRTSH = {
    "issuer_ca_id": 295819, "issuer_name": "C=US, O=Let's Encrypt, CN=R11", "common_name": "dev.acme-widgets.com",
    "name_value": "dev.acme-widgets.com\n*.dev.acme-widgets.com\nadmin@acme-widgets.com", "id": 1,
    "entry_timestamp": "2026-11-24T04:00:01.123", "not_before": "2026-11-24T03:01:30",
    "not_after": "2027-02-22T03:01:29", "serial_number": "03ab00ff", "result_count": 2,
}  # fmt: skip
SPOTTER = {
    "id": "6731", "tbs_sha256": "ab" * 32, "cert_sha256": "cd" * 32, "dns_names": ["dev.acme-widgets.com"],
    "pubkey_sha256": "ef" * 32, "issuer": {"friendly_name": "Let's Encrypt", "name": "C=US, O=Let's Encrypt, CN=R11"},
    "not_before": "2026-11-24T03:01:30Z", "not_after": "2027-02-22T03:01:29Z", "revoked": False,
}  # fmt: skip
STREAM = {
    "data": {
        "cert_index": 7, "cert_link": "https://ct.example/log/ct/v1/get-entries?start=7&end=7", "seen": 1795492801.5,
        "leaf_cert": {
            "all_domains": ["DEV.acme-widgets.com", "*.dev.acme-widgets.com"], "serial_number": "3AB00FF",
            "subject": {"CN": "dev.acme-widgets.com", "aggregated": "/CN=dev.acme-widgets.com"},
            "issuer": {"aggregated": "/C=US/CN=R11/O=Let's Encrypt", "CN": "R11"}, "not_before": 1795489290,
        },
        "source": {"name": "Some log", "url": "ct.example/log"}, "update_type": "PrecertLogEntry",
    },
    "message_type": "certificate_update",
}  # fmt: skip
PUBLISHED = 1795492801.123


def read(content: bytes) -> tuple[list[AnyEvent], Account, list[str]]:
    told: list[str] = []
    account = Account("entries.json", told.append)
    source = open_source(io.BytesIO(content), Lookout(Interest()), account)
    return list(source) if source is not None else [], account, told


def names(content: bytes) -> list[tuple[str, ...]]:
    return [event.names for event in read(content)[0]]


def test_an_entry_of_crt_sh_is_told_with_the_time_at_which_the_log_took_it() -> None:
    (event,), account, told = read(json.dumps([CRTSH]).encode())
    assert event.names == ("*.dev.acme-widgets.com", "dev.acme-widgets.com")
    assert (event.ts, event.serial, event.issuer) == (PUBLISHED, "3AB00FF", "Let's Encrypt, R11")
    assert (event.published, event.client, event.server, event.source) == (True, "", None, "crt.sh")
    assert (account.records, account.unit, told) == (1, "entries", [])


def test_cert_spotter_gives_no_time_of_the_entry_so_it_is_that_of_the_certificate() -> None:
    ((event), _, _) = read(json.dumps([SPOTTER]).encode())
    assert (event[0].names, event[0].ts, event[0].source) == (("dev.acme-widgets.com",), 1795489290.0, "certspotter")


def test_certstream_is_read_by_the_line_and_its_heartbeats_tell_nothing() -> None:
    lines = [json.dumps(STREAM), '{"message_type": "heartbeat", "timestamp": 1795492801.5}', json.dumps(STREAM)]
    events, account, told = read("\n".join(lines).encode())
    assert [event.names for event in events] == [("*.dev.acme-widgets.com", "dev.acme-widgets.com")] * 2
    assert (events[0].ts, events[0].serial, events[0].issuer) == (
        1795492801.5,
        "3AB00FF",
        "Let's Encrypt, R11",
    )
    assert (told, account.skipped) == ([], {})


@pytest.mark.parametrize(
    "spell",
    [
        lambda entries: json.dumps(entries),
        lambda entries: json.dumps(entries, indent=2),
        lambda entries: "\ufeff" + json.dumps(entries),
        lambda entries: "\r\n".join(map(json.dumps, entries)),
        lambda entries: "".join(map(json.dumps, entries)),
    ],
    ids=["an array", "in many lines", "behind a byte order mark", "a line each", "without anything between"],
)
def test_however_the_entries_are_put_together(spell: Any) -> None:
    assert len(names(spell([CRTSH] * 3).encode())) == 3
    assert len(names(gzip.compress(spell([SPOTTER] * 3).encode()))) == 3


def test_damage_is_located_and_the_rest_is_read() -> None:
    good = json.dumps(CRTSH)
    content = f"[{good},{good[:-40]},{good},{{}},{good},{good[:50]}"
    events, account, told = read(content.encode())
    assert len(events) == 3
    assert told == [
        "entries.json: behind entry 1: not an entry of a log",
        "entries.json: entry 3: an entry without names or time",
    ]
    assert account.skipped == {"not an entry of a log": 2, "an entry without names or time": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"name_value": None},
        {"name_value": 7},
        {"entry_timestamp": "soon", "not_before": None},
        {"entry_timestamp": {"at": 1}},
    ],
)
def test_an_entry_with_values_of_another_type_is_counted(change: dict[str, Any]) -> None:
    events, account, _ = read(json.dumps([CRTSH | change, CRTSH]).encode())
    assert (len(events), account.skipped) == (1, {"an entry without names or time": 1})


def test_hostile_names_are_none() -> None:
    entry = CRTSH | {
        "name_value": "a b.acme-widgets.com\n\x1b[31m.com\n" + "x" * 300 + ".com\n\ud800.com",
        "common_name": "x",
    }
    assert names(json.dumps([entry]).encode()) == []


def test_a_file_that_is_one_long_string_is_not_kept_whole() -> None:
    content = (
        json.dumps([CRTSH])[:-1].encode() + b',{"name_value":"' + b"a" * 9_000_000 + b'"},' + json.dumps(CRTSH).encode()
    )
    assert len(names(content)) == 2


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_nothing_that_is_cut_or_changed_ends_the_reading(data: st.DataObject) -> None:
    content = bytearray(json.dumps([CRTSH, SPOTTER, STREAM, CRTSH]).encode())
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    events, account, _ = read(bytes(content))
    assert len(events) <= 4
    assert account.failed or account.records >= len(events)
