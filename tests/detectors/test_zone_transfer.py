"""Who asks for a whole zone, and what it is given."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from tests.story import NAMESERVER, NOON, SITE, STRANGER, dns_probe

from reconwatch.desk import Desk
from reconwatch.detectors import probe_detectors
from reconwatch.detectors.runner import Runner
from reconwatch.events import DnsAnswer, DnsQuery
from reconwatch.notices import Notice
from reconwatch.partitioned import PartitionedRunner
from reconwatch.probing import Probing
from reconwatch.sightings import Probe, Target

ZONE = "acme-widgets.com"
IXFR, AXFR = 251, 252


def asked(after: float = 0, qtype: int = AXFR, name: str = ZONE, **facts: Any) -> Probe:
    return dns_probe(after, name=name, zone=ZONE if name == ZONE else None, qtype=qtype, **facts)


def answered(after: float = 0, rcode: int = 5, records: int = 0, qtype: int = AXFR, **facts: Any) -> Probe:
    return dns_probe(after, "answer", name=ZONE, zone=ZONE, qtype=qtype, rcode=rcode, records=records, **facts)


def told(probes: Iterable[Probe], runner: Runner | PartitionedRunner | None = None) -> list[Notice]:
    """The last words."""
    runner, desk = runner or Runner(probe_detectors()), Desk()
    findings = [finding for each in probes for finding in runner.observe(each)] + list(runner.close())
    notices = [notice for finding in findings if (notice := desk.consider(finding)) is not None]
    return sorted((n for n in notices if n.state == "closed" and n.note == "Zone_Transfer"), key=lambda n: n.id)


def test_a_refused_transfer_is_for_the_first_line() -> None:
    (notice,) = told([asked(), answered(rcode=5), asked(1), answered(1, rcode=9)])
    assert (notice.verdict, notice.score, notice.count, notice.counted) == ("investigate", 30, 2, "requests")
    assert notice.msg == f"{STRANGER} asked for the zone {ZONE} and was refused"
    assert notice.row == ("Zone_Transfer", STRANGER, (), (ZONE,))
    assert notice.techniques == ("T1590.002",)
    assert "owned.secondaries" in notice.next[0]


def test_one_without_an_answer_too() -> None:
    (notice,) = told([asked()])
    assert notice.msg == f"{STRANGER} asked for the zone {ZONE} and got no answer that was seen"
    assert notice.verdict == "investigate"


def test_a_served_transfer_is_grave_and_says_that_the_zone_is_known() -> None:
    (notice,) = told([asked(), answered(rcode=0, records=412)])
    assert (notice.verdict, notice.score) == ("escalate", 70)
    assert "is now known" in notice.reasons[0].why
    assert notice.msg == f"{STRANGER} was given the zone {ZONE}"


def test_an_ixfr_that_brings_nothing_new_serves_nothing() -> None:
    (notice,) = told([asked(qtype=IXFR), answered(qtype=IXFR, rcode=0, records=1)])
    assert notice.verdict == "investigate"
    assert notice.msg.endswith("was told that nothing is new")
    (notice,) = told([asked(qtype=IXFR), answered(qtype=IXFR, rcode=0, records=4)])
    assert notice.verdict == "escalate"


def test_an_axfr_that_begins_with_its_soa_alone_is_served() -> None:
    # Old servers send a message a record, and the first holds nothing but the SOA (RFC 5936 section 2.2).
    (notice,) = told([asked(), *(answered(after, rcode=0, records=1) for after in range(30))])
    assert (notice.verdict, notice.count) == ("escalate", 1)


def test_an_answer_without_records_serves_nothing() -> None:
    assert told([asked(), answered(rcode=0, records=0)])[0].verdict == "investigate"


def test_a_listed_secondary_is_no_probe() -> None:
    assert told([asked(secondary=True), answered(rcode=0, records=412, secondary=True)]) == []


def test_the_transfers_of_a_trusted_party_stay_on_record() -> None:
    (notice,) = told([asked(trusted="auditor"), answered(rcode=0, records=412, trusted="auditor")])
    assert (notice.verdict, notice.actor.trusted) == ("monitor", "auditor")


@pytest.mark.parametrize("qtype", [1, 2, 6, 15, 16, 28, 43, 48, 255, None])
def test_no_other_question_is_a_transfer(qtype: int | None) -> None:
    assert told([asked(qtype=qtype), answered(qtype=qtype, rcode=0, records=3)]) == []


def test_each_of_our_assets_has_a_notice_of_its_own_and_strange_zones_have_one_low_one() -> None:
    ours = Target("range", "203.0.113.0/24", "203.0.113.0/24")
    strange = [asked(at, name=f"zone{at}.example") for at in range(200)]
    notices = told([asked(), asked(1, name="113.0.203.in-addr.arpa", reverse=ours), *strange])
    by_target = {n.targets[0]: n for n in notices}
    elsewhere = by_target.pop(Target("domain", "zone0.example", "203.0.113.0/24"))
    assert by_target.keys() == {Target("domain", ZONE, ZONE), ours}
    assert {n.verdict for n in by_target.values()} == {"investigate"}
    assert (elsewhere.verdict, elsewhere.score, elsewhere.count, len(elsewhere.targets)) == ("monitor", 10, 200, 200)
    assert elsewhere.reasons[0].why.endswith("and many more, none of them ours")


def test_the_order_of_arrival_does_not_matter() -> None:
    probes = [asked(at, actor=f"192.0.2.{at % 3}") for at in range(30)]
    probes += [answered(at, rcode=0 if at == 7 else 5, records=at, actor=f"192.0.2.{at % 3}") for at in range(30)]
    expected = [msgspec.structs.replace(n, rev=0, ts=0.0) for n in told(probes)]
    assert [n.verdict for n in expected].count("escalate") == 1
    for seed in range(5):
        random.Random(seed).shuffle(probes)
        for runner in (None, PartitionedRunner(probe_detectors(), 3)):
            assert [msgspec.structs.replace(n, rev=0, ts=0.0) for n in told(probes, runner)] == expected


def question(name: str, client: str = STRANGER) -> DnsQuery:
    return DnsQuery(ts=NOON, client=client, server=NAMESERVER, source="capture", name=name, qtype=AXFR)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("113.0.203.in-addr.arpa", "203.0.113.0/24"),
        ("10.113.0.203.in-addr.arpa", "203.0.113.10"),
        ("0.203.in-addr.arpa", "203.0.0.0/16"),
        ("203.in-addr.arpa", None),
        ("114.0.203.in-addr.arpa", None),
        ("3.1.1.0.2.0.3.0.2.ip6.arpa", None),
        ("113.0.203.ip6.arpa", None),
        ("www.acme-widgets.com", None),
    ],
)
def test_a_reverse_name_stands_for_our_address_or_range(name: str, value: str | None) -> None:
    reverse = Probing(SITE).probe(question(name)).reverse
    assert (reverse.value if reverse else None) == value
    assert reverse is None or reverse.asset == "203.0.113.0/24"


def test_the_site_says_who_is_a_secondary() -> None:
    site = msgspec.structs.replace(SITE.owned, secondaries=SITE.owned.ranges)
    probing = Probing(type(SITE)(owned=site))
    assert probing.probe(question(ZONE, "203.0.113.99")).secondary
    assert not probing.probe(question(ZONE)).secondary


def test_what_only_one_of_two_inputs_shows_of_an_answer_is_not_lost() -> None:
    facts = {"client": STRANGER, "server": NAMESERVER, "name": f"www-.{ZONE}", "qtype": 1, "rcode": 3, "records": 0}
    zeek = DnsAnswer(ts=NOON, source="zeek/dns", addresses=(), **facts)
    capture = DnsAnswer(ts=NOON + 0.1, source="capture", input=1, addresses=(), walked=True, **facts)
    suricata = DnsAnswer(ts=NOON + 0.1, source="eve/dns", input=2, addresses=(), walked=True, **facts)
    assert [probe.walked for probe in Probing(SITE).probes([zeek, capture, suricata])] == [False, True]
