"""Who searches our zones, and who only relays what many ask."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.story import NAMESERVER, STRANGER, dns_probe

from reconwatch.desk import Desk
from reconwatch.detectors import probe_detectors
from reconwatch.detectors.dns_enumeration import MOST_NAMES
from reconwatch.detectors.runner import Runner
from reconwatch.detectors.wordlists import GUESSES
from reconwatch.notices import Notice
from reconwatch.partitioned import PartitionedRunner
from reconwatch.sightings import Probe, Scanned, Target

ZONE = "acme-widgets.com"
RANGE = "203.0.113.0/24"
GOOGLE = "172.253.1.9"
A, PTR, TXT, AAAA, NSEC, ANY = 1, 12, 16, 28, 47, 255
HOUR = 3600.0

LISTED = sorted(f"{letter}{word}" for letter in "abcdefghijklmnop" for word in ("dm", "pp", "x", "zone"))
"""64 labels as dictionaries have them, in their order."""


def lookup(
    after: float, name: str, rcode: int = 3, records: int | None = None, *, qtype: int = A, walked: bool = False,
    **facts: object,
) -> Iterator[Probe]:  # fmt: skip
    """A question below our zone, and its answer."""
    records = (rcode == 0) if records is None else records
    yield dns_probe(after, name=name, zone=ZONE, qtype=qtype, **facts)
    yield dns_probe(
        after + 0.001, "answer", name=name, zone=ZONE, qtype=qtype, rcode=rcode, records=int(records), walked=walked,
        **facts,
    )  # fmt: skip


def lookups(labels: Iterable[str], *, start: float = 0, step: float = 0.1, **facts: object) -> list[Probe]:
    """One after the other, names that do not exist."""
    return [
        each for n, label in enumerate(labels) for each in lookup(start + n * step, f"{label}.{ZONE}", **facts)  # type: ignore[arg-type]
    ]  # fmt: skip


def found(labels: Iterable[str], **facts: object) -> list[Probe]:
    """Names that exist."""
    return lookups(labels, rcode=0, **facts)


def reverse(octet: int, after: float, rcode: int = 3, **facts: object) -> Iterator[Probe]:
    name, target = f"{octet}.113.0.203.in-addr.arpa", Target("ip", f"203.0.113.{octet}", RANGE)
    yield dns_probe(after, name=name, reverse=target, qtype=PTR, **facts)
    yield dns_probe(
        after + 0.001, "answer", name=name, reverse=target, qtype=PTR, rcode=rcode, records=int(rcode == 0), **facts
    )


def reverses(octets: Iterable[int], *, start: float = 0, step: float = 0.1, **facts: object) -> list[Probe]:
    return [each for n, octet in enumerate(octets) for each in reverse(octet, start + n * step, **facts)]  # type: ignore[arg-type]


def told(probes: Iterable[Probe], runner: Runner | PartitionedRunner | None = None) -> list[Notice]:
    """The last words, sorted by target."""
    runner, desk = runner or Runner(probe_detectors()), Desk()
    findings = [finding for each in probes for finding in runner.observe(each)] + list(runner.close())
    notices = [notice for finding in findings if (notice := desk.consider(finding)) is not None]
    closed = [n for n in notices if n.state == "closed" and n.note == "DNS_Enumeration"]
    return sorted(closed, key=lambda n: (n.targets[0].value, n.actor.ip, n.id))


def shuffled(labels: Iterable[str], seed: int = 1) -> list[str]:
    return random.Random(seed).sample(mixed := list(labels), len(mixed))


# by dictionary


def test_a_sorted_dictionary_is_told_with_what_it_tried_and_found() -> None:
    (notice,) = told(lookups(LISTED) + found(["mail", "www"], start=7))
    assert (notice.verdict, notice.score, notice.count, notice.counted) == ("investigate", 40, 66, "names")
    assert notice.msg == f"{STRANGER} tried 66 names under {ZONE}, 64 of which do not exist"
    assert notice.reasons[0].why == (
        "64 of 64 names asked for within an hour do not exist, and 100% of them came in alphabetical order"
    )
    assert notice.reasons[1].why == "found 2 names that exist"
    assert notice.row == ("DNS_Enumeration", STRANGER, (), (ZONE,))
    assert notice.techniques == ("T1590.002",)
    assert notice.next


def test_one_asked_in_parallel_is_still_in_order() -> None:
    jitter = random.Random(3)
    probes = [each for n, label in enumerate(LISTED) for each in lookup(n + jitter.uniform(0, 6), f"{label}.{ZONE}")]
    assert told(probes)[0].verdict == "investigate"


def test_one_in_another_order_is_known_by_its_words() -> None:
    words = shuffled(sorted(GUESSES)[:30] + [f"word{n * 37 % 101}" for n in range(30)])
    (notice,) = told(lookups(words))
    assert "30 of them are words of the lists" in notice.reasons[0].why


def test_it_is_judged_by_its_busiest_hour() -> None:
    assert told(lookups(LISTED, step=100)) == []
    assert told(lookups(LISTED, step=60))[0].count == 64


def test_a_dictionary_longer_than_memory_is_at_least_as_long() -> None:
    (notice,) = told(lookups((f"{n:06}" for n in range(3 * MOST_NAMES)), step=0.01))
    assert f"tried at least {MOST_NAMES:,} names" in notice.msg


def test_a_run_tells_of_it_before_its_end() -> None:
    runner, desk = Runner(probe_detectors()), Desk()
    seen = [desk.consider(f) for each in lookups(LISTED * 1) for f in runner.observe(each)]
    opened = [notice for notice in seen if notice is not None]
    assert [notice.state for notice in opened][:1] == ["open"]


# what resolvers relay


def test_what_a_resolver_relays_for_many_is_nothing() -> None:
    everyday = found(["www", "mail", "shop", "vpn"], actor=GOOGLE, step=900)
    typos = lookups(["wwww", "ww", "mial", "wwe", "mailto"], actor=GOOGLE, step=700)
    assert told(everyday + typos) == []


SUFFIXED = ["www.foo.com", "mail.bar.org", "wpad", "isatap", "_ldap._tcp.dc._msdcs", "sip.example.net", "printer.local"]
MAIL = ["_dmarc", "s1._domainkey", "google._domainkey", "_mta-sts", "default._bimi", "autodiscover", "autoconfig"]
MINIMISED = ["com", "org", "net", "de", "uk", "fr", "_", "_tcp", "_udp", "_msdcs", "local", "lan", "home", "arpa", "br"]


@pytest.mark.parametrize(
    "labels",
    [
        SUFFIXED * 20,
        MAIL * 20,
        MINIMISED * 20,
        [f"{n}.2.0.192.dnsbl" for n in range(200)],
        [f"host{n}.corp" for n in range(200)],
        [f"_{word}" for word in LISTED],
    ],
)
def test_leaks_mail_minimised_and_block_list_names_are_nothing(labels: list[str]) -> None:
    assert told(lookups(labels, actor=GOOGLE)) == []


def test_the_same_names_again_and_again_are_few_names() -> None:
    assert told(lookups(LISTED[:40] * 10)) == []


def rare(count: int, seed: int = 7) -> list[str]:
    letters = random.Random(seed)
    return ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(7, 15))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_the_random_names_of_browsers_and_of_floods_are_nothing(seed: int) -> None:
    assert told(lookups(rare(60, seed), actor=GOOGLE, step=50)) == []
    assert told(lookups(rare(3_000, seed), actor=GOOGLE, step=0.01)) == []


def test_the_names_of_an_inside_that_leaks_are_nothing() -> None:
    inside = [f"{what}{n}" for what in ("web", "db", "app", "srv", "dc", "fs", "print", "nas") for n in range(1, 8)]
    words = [
        "jira",
        "wiki",
        "git",
        "gitlab",
        "jenkins",
        "intranet",
        "vpn",
        "mail",
        "smtp",
        "imap",
        "owa",
        "sso",
        "adfs",
    ]
    assert told(lookups(shuffled(inside + words), actor=GOOGLE, step=30)) == []


def test_aliases_of_what_is_gone_exist() -> None:
    assert told(lookups(LISTED, rcode=3, records=1)) == []


@pytest.mark.parametrize("rcode", [1, 2, 4, 5])
def test_what_was_refused_says_nothing_of_names(rcode: int) -> None:
    assert told(lookups(LISTED, rcode=rcode)) == []


def test_a_list_of_names_that_mostly_exist_is_no_dictionary() -> None:
    assert told(lookups(LISTED) + found(f"customer{n}" for n in range(40))) == []


def test_more_names_than_memory_holds_hide_no_share() -> None:
    many = found((f"{n}.customers" for n in range(3 * MOST_NAMES)), step=0.5, actor=GOOGLE)
    late = lookups(LISTED, start=3 * MOST_NAMES * 0.5 - 10, actor=GOOGLE)
    assert told(many + late) == []


@pytest.mark.parametrize(
    ("sign", "why"),
    [
        (lookups(["www.foo.com", "mx.bar.org", "imap.baz.net"], start=9, actor=GOOGLE), "also relays names of others"),
        (found(["www"] * 5, start=9, step=HOUR, actor=GOOGLE), "in 5 hours of the day"),
    ],
)
def test_a_dictionary_through_a_resolver_is_on_record_and_no_more(sign: list[Probe], why: str) -> None:
    (notice,) = told(lookups(LISTED, actor=GOOGLE) + sign)
    assert (notice.verdict, notice.score) == ("monitor", 20)
    assert why in notice.reasons[-1].why
    assert "stands for its clients" in notice.reasons[-1].why


def test_our_own_resolvers_outside_stand_for_their_clients() -> None:
    assert told(lookups(LISTED, role="resolver")) == []


# by address


def test_a_prefix_asked_address_by_address_is_a_reverse_sweep() -> None:
    (notice,) = told(reverses(range(31)) + list(reverse(10, 9, 0)))
    assert (notice.verdict, notice.count, notice.counted) == ("investigate", 31, "names")
    assert notice.reasons[0].why == f"asked for the names of 31 addresses of {RANGE} one after the other"
    assert notice.reasons[1].why == "was told the names of 1 of them"
    assert notice.targets == (Target("range", RANGE, RANGE),)


def test_in_parallel_downwards_or_by_share_too() -> None:
    assert told(reverses([0, 1, 3, 2, 5, 4, 6, 8, 7, 9, 11, 10, 12, 13, 15, 14]))[0].count == 16
    assert told(reverses(range(60, 30, -1)))[0].count == 30
    octets = random.Random(5).sample(range(256), 70)
    assert "70 of the 256 addresses" in told(reverses(octets))[0].reasons[0].why


def test_our_few_hosts_asked_for_by_everybody_s_logs_are_none() -> None:
    assert told(reverses([10, 11, 53, 25, 10, 11, 80, 12, 13, 14], step=300, actor=GOOGLE)) == []
    used = random.Random(2).choices(range(10, 50), k=400)
    assert told(reverses(used, step=100, actor=GOOGLE)) == []


def test_a_resolver_that_asks_all_day_for_a_busy_prefix_is_on_record_and_no_more() -> None:
    used = random.Random(2).choices(range(256), k=2_000)
    (notice,) = told(reverses(used, step=15, actor=GOOGLE))
    assert notice.verdict == "monitor"
    assert "again in another hour" in notice.reasons[-1].why


def test_in_ipv6_a_prefix_is_the_last_octet_s() -> None:
    def walked(n: int) -> Probe:
        about = Target("ip", f"2001:db8:acc:113::{n:x}", "2001:db8:acc:113::/64")
        return dns_probe(n, name=f"{n:x}.ip6.arpa", reverse=about, qtype=PTR)

    (notice,) = told(map(walked, range(1, 20)))
    assert notice.targets[0].value == "2001:db8:acc:113::/120"


# record by record


@pytest.mark.parametrize(
    "walk",
    [
        lookups((f"\\x00.{label}" for label in LISTED[:9]), walked=True),
        lookups((f"{label}-" for label in LISTED[:9]), walked=True),
        lookups(LISTED[:9], rcode=0, qtype=NSEC),
    ],
)
def test_a_zone_walked_by_its_nsec_records(walk: list[Probe]) -> None:
    (notice,) = told(walk)
    assert (notice.verdict, notice.count) == ("investigate", 9)
    assert notice.msg == f"{STRANGER} walked {ZONE} by 9 names"


def test_a_validating_resolver_that_meets_absent_names_walks_nothing() -> None:
    assert told(lookups(rare(40), walked=True, actor=GOOGLE)) == []
    assert told(lookups(["wwww-", "ww-"], walked=True, actor=GOOGLE)) == []
    assert told(lookups(LISTED[:5], rcode=0, qtype=NSEC, actor=GOOGLE)) == []


# by fingerprint


def chaos(name: str, after: float = 0, **facts: object) -> Probe:
    return dns_probe(after, name=name, qtype=TXT, **facts)  # type: ignore[arg-type]


def test_a_fingerprint_alone_is_one_low_notice() -> None:
    (notice,) = told([chaos("version.bind"), chaos("id.server", 1), chaos("version.bind", 2)])
    assert (notice.verdict, notice.score, notice.count, notice.counted) == ("monitor", 10, 2, "names")
    assert notice.msg == f"{STRANGER} asked our name server for id.server and version.bind"
    assert notice.targets == (Target("ip", NAMESERVER, RANGE),)
    (notice,) = told(lookup(0, ZONE, rcode=0, qtype=ANY))
    assert (notice.verdict, notice.score, notice.targets[0].value) == ("monitor", 10, ZONE)


def test_with_an_enumeration_it_adds_to_it() -> None:
    (notice,) = told([*lookups(LISTED), *lookup(30, ZONE, rcode=0, qtype=ANY)])
    assert (notice.score, notice.reasons[-1].points) == (40, 5)


def test_what_known_crawlers_ask_of_everybody_is_told_as_their_crawl() -> None:
    shodan = Scanned("shodan", "Shodan", "Shodan", ("shodan",), "database", ("range",), sure=True)
    assert told([chaos("version.bind", scanner=shodan)]) == []


@pytest.mark.parametrize("name", ["whoami.akamai.net", "example.com", "bind"])
def test_other_names_that_are_not_ours_are_nothing(name: str) -> None:
    assert told([chaos(name)]) == []


# who


def test_a_trusted_party_stays_on_record_and_a_secondary_is_none() -> None:
    (notice,) = told(lookups(LISTED, trusted="auditor"))
    assert (notice.verdict, notice.actor.trusted) == ("monitor", "auditor")
    assert told(lookups(LISTED, secondary=True)) == []


def test_in_ipv6_a_source_is_its_network() -> None:
    probes = [
        each for n, label in enumerate(LISTED) for each in lookup(n, f"{label}.{ZONE}", actor=f"2001:db8:bad::{n % 5}")
    ]
    (notice,) = told(probes)
    assert notice.reasons[0].why.startswith("64 of 64")
    assert notice.actor.ip == "2001:db8:bad::/64"
    assert notice.actor.members == tuple(f"2001:db8:bad::{n}" for n in range(5))
    (notice,) = told(lookups(LISTED, actor="2001:db8:bad::1"))
    assert (notice.actor.ip, notice.actor.members) == ("2001:db8:bad::1", ())


def test_a_list_shared_out_among_many_is_told_once() -> None:
    probes = [
        each for n, label in enumerate(LISTED) for each in lookup(n, f"{label}.{ZONE}", actor=f"198.51.100.{n % 8 + 1}")
    ]
    (notice,) = told([*probes, *lookups(rare(6), actor=GOOGLE, step=9)])
    assert notice.verdict == "investigate"
    assert notice.actor.ip in notice.actor.members
    assert {f"198.51.100.{n + 1}" for n in range(8)} <= set(notice.actor.members)
    assert notice.reasons[0].why.endswith("in alphabetical order: one list, shared out")


def test_what_many_resolvers_meet_by_chance_is_not_shared_out() -> None:
    labels = rare(400) + MINIMISED + SUFFIXED
    probes = [
        each
        for n, label in enumerate(shuffled(labels))
        for each in lookup(n, f"{label}.{ZONE}", actor=f"198.51.100.{n % 50}")
    ]
    assert told(probes) == []


def test_the_order_of_arrival_does_not_matter() -> None:
    probes = lookups(LISTED) + found(["www", "mail"]) + reverses(range(40)) + lookups(rare(200), actor=GOOGLE)
    probes += lookups((f"{label}-" for label in LISTED[:9]), walked=True, start=50)
    probes.append(chaos("version.bind"))
    probes += [
        each for n, label in enumerate(LISTED) for each in lookup(n, f"{label}q.{ZONE}", actor=f"2001:db8:{n}::1")
    ]
    probes += lookups((f"{n:05}" for n in range(3 * MOST_NAMES)), step=0.01, actor="192.0.2.7")
    probes += list(lookup(70_000, ZONE, rcode=0, qtype=ANY))

    def compared(notices: list[Notice]) -> list[Notice]:
        return [msgspec.structs.replace(notice, rev=0, ts=0.0) for notice in notices]

    expected = compared(told(probes))
    assert len(expected) >= 5
    for seed in range(2):
        random.Random(seed).shuffle(probes)
        assert compared(told(probes)) == expected
    few = [each for each in probes if each.actor.ip != "192.0.2.7"]
    assert compared(told(few, PartitionedRunner(probe_detectors(), 3))) == compared(told(few))


# the capture of real tools


INPUTS = ("capture.pcap", "zeek-tsv", "zeek-json", "suricata7", "suricata8")


def replayed(shared: Path, capture: str, each: str) -> dict[tuple[str, str, str], Notice]:
    from reconwatch.catalog.load import load
    from reconwatch.pipeline import Replay
    from reconwatch.site import load_site

    run = Replay([shared / capture / each], load(), load_site(shared / "site.yaml"))
    notices = [n for n in run.notices() if n.note in ("DNS_Enumeration", "Zone_Transfer")]
    return {(n.note, n.actor.ip, n.targets[0].value): n for n in notices}


@pytest.mark.parametrize("each", INPUTS)
def test_the_stranger_of_the_capture_asked_for_everything(shared_captures: Path, each: str) -> None:
    notices = replayed(shared_captures, "outside", each)
    assert {key: (n.count, n.verdict) for key, n in notices.items()} == {
        ("Zone_Transfer", STRANGER, ZONE): (2, "investigate"),
        ("DNS_Enumeration", STRANGER, ZONE): (3_223, "investigate"),
        ("DNS_Enumeration", STRANGER, RANGE): (31, "investigate"),
        ("DNS_Enumeration", STRANGER, NAMESERVER): (1, "monitor"),
    }
    assert [reason.points for reason in notices["DNS_Enumeration", STRANGER, ZONE].reasons] == [35, 5, 5]


@pytest.mark.parametrize("capture", ["benign", "proxy", "modern", "cli"])
def test_the_other_captures_hold_none(shared_captures: Path, capture: str) -> None:
    assert [each for each in INPUTS if replayed(shared_captures, capture, each)] == []
