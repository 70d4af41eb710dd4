"""Many names tried on our addresses, and all those who use many names without trying any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from tests.detectors.probes import assert_any_order, emitted, last_words, one
from tests.story import NOON, SITE, STRANGER, WEB, probe

from reconwatch.detectors.name_probe import MOST_NAMES, NameProbe
from reconwatch.events import Hello
from reconwatch.probing import Probing
from reconwatch.sightings import Probe, Scanned

WORDS = ("admin", "dev", "test", "git", "jenkins", "vpn", "portal", "staging", "mail", "www")
CENSYS = Scanned("censys", "Censys", "Censys", ("censys",), "database", ("range",), True)


def names(count: int, zone: str = "acme-widgets.com") -> list[str]:
    return [f"{WORDS[n] if n < len(WORDS) else f'host{n}'}.{zone}" for n in range(count)]


def hello(at: float, name: str | None, **facts: Any) -> Probe:
    zone = "acme-widgets.com" if name and name.endswith("acme-widgets.com") else None
    return probe(at, **{"kind": "tls", "name": name, "zone": zone} | facts)


def tried(words: Iterable[str], step: float = 0.02, **facts: Any) -> list[Probe]:
    return [hello(n * step, name, **facts) for n, name in enumerate(words)]


def test_ten_names_in_one_breath_are_investigated() -> None:
    notice = one(NameProbe(), tried(names(10), server="203.0.113.11"))
    assert (notice.verdict, notice.count, notice.counted) == ("investigate", 10, "names")
    assert notice.row == ("Name_Probe", STRANGER, (), ("203.0.113.11",))
    assert (notice.direction, notice.techniques) == ("probe", ("T1595.003",))
    assert notice.reasons[0].why == "tried 10 names on 1 address of ours; visitors use one to three"
    assert notice.next


def test_the_same_names_over_most_of_an_hour_stay_on_record() -> None:
    assert one(NameProbe(), tried(names(10), step=300)).verdict == "monitor"


def test_a_word_list_is_told_before_the_day_is_over() -> None:
    notices = emitted(NameProbe(), tried(names(50)))
    assert [(n.state, n.count) for n in notices] == [("open", 40), ("closed", 50)]
    assert notices[-1].score == 50


@pytest.mark.parametrize("kind", ["tls", "quic", "http", "http2"])
def test_every_way_to_say_a_name_counts(kind: str) -> None:
    assert one(NameProbe(), tried(names(10), kind=kind)).kinds == (kind,)


def test_the_same_name_by_tls_and_http_is_one_name() -> None:
    both = [*tried(names(5)), *tried(names(5), kind="http", port=80)]
    assert last_words(NameProbe(), both) == []


def test_names_that_are_not_ours_among_ours_are_a_reason() -> None:
    notice = one(NameProbe(), tried([*names(6), "google.example", "mail.example", "router.example"]))
    assert notice.reasons[-1].why == (
        "3 of them are no names of ours (google.example, mail.example and router.example)"
    )


def test_who_changes_its_address_within_a_64_is_one_source() -> None:
    probes = [
        hello(
            n, name, client=f"2001:db8:bad:1::{n + 1:x}", server="2001:db8:acc:113::10", asset="2001:db8:acc:113::/64"
        )
        for n, name in enumerate(names(10))
    ]
    notice = one(NameProbe(), probes)
    assert notice.actor.ip == "2001:db8:bad:1::/64"
    assert len(notice.actor.members) == 10


def test_a_trusted_source_is_kept_with_its_reason() -> None:
    notice = one(NameProbe(), tried(names(60), trusted="uptime checks"))
    assert (notice.verdict, notice.reasons[-1].why) == ("monitor", "trusted: uptime checks")


def test_numbers_instead_of_names_on_several_addresses_are_on_record() -> None:
    servers = [f"203.0.113.{n}" for n in range(10, 16)]
    visits = [hello(n, None, server=server) for n, server in enumerate(servers)]
    visits += [hello(9 + n, server, server=server) for n, server in enumerate(servers)]
    notice = one(NameProbe(), visits)
    assert (notice.verdict, notice.count, notice.counted) == ("monitor", 6, "addresses")
    assert notice.row[3] == tuple(servers)
    assert (notice.first, notice.last, notice.ts) == (NOON, NOON + 14, NOON + 14)


def test_when_names_were_tried_is_not_when_addresses_were_visited() -> None:
    notice = one(NameProbe(), [hello(0, None), *(hello(100 + n, name) for n, name in enumerate(names(10)))])
    assert (notice.first, notice.last) == (NOON + 100, NOON + 109)


# Hard negatives


def test_a_visit_by_address_or_two_is_no_probe() -> None:
    assert last_words(NameProbe(), [hello(n, None, server=f"203.0.113.{10 + n % 2}") for n in range(50)]) == []
    assert last_words(NameProbe(), [hello(n, "[2001:db8::1]", kind="http") for n in range(50)]) == []


def test_an_office_at_home_uses_six_names() -> None:
    assert last_words(NameProbe(), tried(names(6), step=5)) == []


def test_a_balancer_or_proxy_of_ours_is_never_a_source() -> None:
    for role in ("balancer", "proxy", "nat", "resolver"):
        assert last_words(NameProbe(), tried(names(60), role=role)) == []


def test_a_certificate_authority_validates_all_our_names() -> None:
    validated = [
        hello(n, name, kind="http", port=80, method="GET", uri=f"/.well-known/acme-challenge/token{n}")
        for n, name in enumerate(names(60))
    ]
    followed = [hello(n + 0.5, name) for n, name in enumerate(names(60))]  # it follows a redirect to HTTPS
    assert last_words(NameProbe(), validated + followed) == []
    assert last_words(NameProbe(), tried(names(60), alpn=("acme-tls/1",))) == []


def test_a_hello_tells_its_probe_what_it_is_for() -> None:
    event = Hello(
        ts=0, client=STRANGER, server=WEB, server_port=443, source="capture", name="www.acme-widgets.com",
        alpn=("acme-tls/1",),
    )  # fmt: skip
    assert NameProbe().keys(Probing(SITE).probe(event)) == ()
    assert NameProbe().keys(Probing(SITE).probe(msgspec.structs.replace(event, alpn=("h2",)))) != ()


def test_what_was_told_before_the_challenges_arrived_is_taken_back() -> None:
    hellos = tried(names(45))
    challenges = [hello(n, name, kind="http", uri="/.well-known/acme-challenge/x") for n, name in enumerate(names(45))]
    notices = emitted(NameProbe(), hellos + challenges)
    assert [(n.state, n.verdict) for n in notices] == [("open", "investigate"), ("closed", "monitor")]
    assert emitted(NameProbe(), challenges + hellos) == []


def test_one_challenge_does_not_excuse_the_other_names() -> None:
    challenge = hello(0, names(1)[0], kind="http", uri="/.well-known/acme-challenge/x")
    assert one(NameProbe(), [challenge, *tried(names(12))]).count == 11


def test_an_uptime_check_comes_back_to_its_names() -> None:
    checks = [hello(minute * 60 + n, name) for minute in range(0, 180, 5) for n, name in enumerate(names(15))]
    assert emitted(NameProbe(), checks) == []


def test_mail_servers_greet_all_of_ours() -> None:
    assert last_words(NameProbe(), [p for port in (25, 465, 587) for p in tried(names(60), port=port)]) == []


def test_a_sure_crawler_is_left_to_its_own_note() -> None:
    assert last_words(NameProbe(), tried(names(60), client="162.142.125.10", scanner=CENSYS)) == []


def test_our_own_staff_and_strangers_servers_are_no_matter() -> None:
    assert last_words(NameProbe(), tried(names(60), client="203.0.113.9", inside=True)) == []
    assert last_words(NameProbe(), tried(names(60), asset=None)) == []


def test_questions_and_connections_are_none_of_its_business() -> None:
    assert last_words(NameProbe(), tried(names(60), kind="dns") + tried(names(60), kind="conn")) == []


def test_five_thousand_visitors_raise_nothing() -> None:
    visits = [
        hello(n % 3000, f"{WORDS[(n + m) % 10]}.acme-widgets.com", client=f"198.18.{n // 250}.{n % 250}", server=WEB)
        for n in range(5_000)
        for m in range(3)
    ]
    assert emitted(NameProbe(), visits) == []


# Bounds and order


def test_a_list_without_end_is_bounded_and_says_so() -> None:
    notice = one(NameProbe(), tried(names(2 * MOST_NAMES)))
    assert notice.count == MOST_NAMES
    assert "at least 1000 names" in notice.msg


def test_the_order_of_arrival_changes_nothing() -> None:
    probes = [
        *tried(names(MOST_NAMES + 200), client="192.0.2.1"),
        *tried(names(12), step=1800, client="192.0.2.2"),
        *tried(names(12), client="192.0.2.3"),
        *(hello(n * 1800, name, client="192.0.2.3") for n in range(4) for name in names(3)),
        *(hello(n, None, server=f"203.0.113.{n}", client="192.0.2.4") for n in range(20)),
        *(hello(n, name, client=f"2001:db8::{n % 3 + 1}") for n, name in enumerate(names(45))),
        *(
            hello(n, names(1)[0], kind="http", uri="/.well-known/acme-challenge/x", client="192.0.2.3")
            for n in range(2)
        ),
    ]
    assert_any_order(NameProbe(), probes)
