"""The checked-in samples, which a clone has without any server: each tells who asked for what."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sources.textlog.name_logs import answered, asked, read_bytes

from reconwatch.interest import Interest

SAMPLES = Path(__file__).parent / "name_log_samples"
INTEREST = Interest(names=frozenset({"shodan.example", "acme-widgets.example"}))
HOST, OTHER = "127.0.0.11", "127.0.0.12"
WIRE_NAMES = 9
"""Questions for names of interest that each server was asked (`test_real_name_servers.py`)."""


@pytest.mark.parametrize("funnel", [True, False])
@pytest.mark.parametrize(
    ("sample", "dialect", "questions"),
    [
        ("bind.log", "bind", WIRE_NAMES + 1),
        ("bind.dnstap", "dnstap", WIRE_NAMES + 1),
        ("unbound.log", "unbound", WIRE_NAMES),
        ("unbound-replies.log", "unbound", WIRE_NAMES),
        ("dnsmasq.log", "dnsmasq", WIRE_NAMES - 3),
        ("dnsmasq-extra.log", "dnsmasq", WIRE_NAMES - 3),
        ("windows-dns.log", "windows-dns", 3),
    ],
)
def test_each_sample_tells_who_asked(sample: str, dialect: str, questions: int, funnel: bool) -> None:
    events, account, _ = read_bytes((SAMPLES / sample).read_bytes(), funnel=funnel, interest=INTEREST)
    assert account.dialect == dialect
    assert not account.skipped
    told = [each for each in asked(events) if each[0] in (HOST, OTHER)]
    assert len(told) == questions
    assert (HOST, "api.shodan.example", 1) in told


@pytest.mark.parametrize("sample", ["dnsmasq.log", "dnsmasq-extra.log", "bind.dnstap"])
def test_some_give_addresses_too(sample: str) -> None:
    events, _, _ = read_bytes((SAMPLES / sample).read_bytes(), interest=INTEREST)
    given = {address for event in answered(events) for address, _ in event.addresses}
    assert {"198.18.4.3", "198.18.4.4", "198.18.4.9", "2001:db8::4"} <= given
