"""What is told of the crawlers that fill scan databases, and of those who only say that they are one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import SHARED
from tests.story import SITE, connection, get, probe
from tests.story import hello as hello_event

from reconwatch.catalog import Catalog
from reconwatch.catalog.world import Facts, Phrase, Scanner, World, with_table
from reconwatch.desk import Desk
from reconwatch.detectors import scanner_crawl
from reconwatch.detectors.runner import Runner
from reconwatch.detectors.scanner_crawl import ScannerCrawl
from reconwatch.notices import Notice
from reconwatch.partitioned import PartitionedRunner
from reconwatch.pipeline import Replay
from reconwatch.probing import Probing
from reconwatch.sightings import Probe, Scanned

CRAWLER, ANOTHER = "66.240.205.34", "71.6.146.185"
SHODAN = Scanned("shodan", "Shodan", "Shodan", ("shodan",), "database", ("range",), sure=True)
RENTED = msgspec.structs.replace(SHODAN, sure=False)
CLAIMED = msgspec.structs.replace(SHODAN, by=("agent",), sure=False)
SURVEY = Scanned("stretchoid", "Stretchoid", "unknown", (), "survey", ("range",), sure=True)
ASKED = Scanned("ssl-labs", "SSL Labs", "Qualys", (), "on-demand", ("range",), sure=True)


def opening(
    at: float = 0, *, answered: bool = True, spoke: bool = False, scanner: Scanned = SHODAN, **more: Any
) -> Probe:
    """A TCP connection of a crawler."""
    facts = {"client": CRAWLER, "proto": "tcp", "opening": True, "answered": answered, "established": spoke} | more
    return probe(at, scanner=scanner, spoke=spoke, **facts)


def request(at: float = 0, *, scanner: Scanned = SHODAN, **more: Any) -> Probe:
    facts = {"client": CRAWLER, "port": 80, "proto": "tcp", "method": "GET", "uri": "/"} | more
    return probe(at, kind="http", scanner=scanner, **facts)


def hello(at: float = 0, *, name: str | None = None, proto: str = "tcp", **more: Any) -> Probe:
    return probe(at, kind="tls", client=CRAWLER, scanner=SHODAN, proto=proto, name=name, **more)


def told(probes: Iterable[Probe], runner: Any = None) -> list[Notice]:
    """The last words, by id."""
    runner, desk = runner or Runner([ScannerCrawl()]), Desk()
    findings = [finding for each in probes for finding in runner.observe(each)] + list(runner.close())
    emitted = [notice for finding in findings if (notice := desk.consider(finding)) is not None]
    return sorted((notice for notice in emitted if notice.state == "closed"), key=lambda notice: notice.id)


def only(probes: Iterable[Probe]) -> Notice:
    (notice,) = told(probes)
    return notice


def whys(notice: Notice) -> list[str]:
    return [reason.why for reason in notice.reasons]


def test_what_was_collected_and_what_was_only_tried_are_told_apart() -> None:
    notice = only([
        opening(0, port=80, spoke=True), opening(1, server="203.0.113.11"),
        *(opening(2, port=port, answered=False) for port in (21, 22, 23)),
    ])  # fmt: skip
    assert notice.msg == f"Shodan ({CRAWLER}) collected 203.0.113.10 and 203.0.113.11: ports 80, 443; tried 3 more"
    assert notice.row == ("Scanner_Crawl", CRAWLER, ("shodan",), ("203.0.113.10", "203.0.113.11"))
    assert (notice.count, notice.counted, notice.techniques) == (2, "answering ports", ("T1596.005",))
    assert (notice.verdict, notice.score) == ("monitor", 5)
    assert notice.last - notice.first == 2


def test_a_crawler_that_nothing_answered_collected_nothing() -> None:
    assert told([opening(0, answered=False), opening(1, port=80, answered=False)]) == []


def test_an_address_that_was_only_tried_is_no_target() -> None:
    assert only([opening(0), opening(1, server="203.0.113.99", answered=False)]).row[3] == ("203.0.113.10",)


@pytest.mark.parametrize("facts", [{"opening": False}, {"opening": None}])
def test_a_reply_or_backscatter_from_a_crawler_s_address_is_none_of_its_doing(facts: dict[str, Any]) -> None:
    assert told([opening(0, **facts)]) == []


def test_a_datagram_collects_only_if_it_was_answered() -> None:
    silent = opening(0, port=161, proto="udp", opening=None, answered=False)
    assert told([silent, hello(1, proto="udp"), probe(2, client=CRAWLER, port=53, kind="dns", scanner=SHODAN)]) == []
    assert only([opening(0, port=161, proto="udp", opening=None)]).msg.endswith("203.0.113.10: port 161/udp")
    assert only([probe(2, client=CRAWLER, port=53, kind="answer", scanner=SHODAN)]).msg.endswith("port 53/udp")


def test_an_answered_ping_says_that_the_address_lives() -> None:
    assert only([opening(0, port=None, proto="icmp")]).msg == f"Shodan ({CRAWLER}) collected 203.0.113.10: ping"


def test_a_ping_whose_answer_no_input_tells_is_a_try() -> None:
    ping = opening(0, port=None, proto="icmp", answered=None)
    assert told([ping]) == []
    assert only([ping, opening(1)]).msg.endswith("port 443; tried 1 more")
    assert only([opening(2, port=None, proto="icmp"), opening(1), opening(1, port=80)]).msg.endswith("80, 443 and ping")


def test_a_request_collects_though_no_connection_was_told() -> None:
    notice = only([request(0, status=200), request(1, status=301, port=8080)])
    assert whys(notice)[1] == "HTTP 200 from port 80, HTTP 301 from port 8080"


def test_many_ports_are_counted_not_listed() -> None:
    assert "203.0.113.10: 12 ports; tried 1 more" in only(
        [opening(0, port=port, answered=port > 1) for port in range(1, 14)]
    ).msg  # fmt: skip


def test_several_crawlers_of_one_operator_are_one_notice_under_the_lowest_address() -> None:
    notice = only([opening(0, client=ANOTHER), opening(1), opening(2, client="2001:db8::1")])
    assert notice.actor.ip == CRAWLER
    assert notice.actor.members == (CRAWLER, ANOTHER, "2001:db8::1")
    assert notice.msg.startswith(f"Shodan ({CRAWLER} and 2 others) collected")


def test_each_line_of_the_site_and_each_day_has_its_own_notice() -> None:
    elsewhere = opening(0, server="198.51.100.1", asset="198.51.100.0/24")
    assert len(told([opening(0), elsewhere, opening(86_400)])) == 3


def test_an_impostor_is_kept_apart_from_the_crawler_and_scores_more() -> None:
    notices = told([opening(0), request(1, client="192.0.2.66", scanner=CLAIMED)])
    assert {(n.actor.ip, n.score, n.verdict) for n in notices} == {
        (CRAWLER, 5, "monitor"),
        ("192.0.2.66", 15, "monitor"),
    }
    (impostor,) = [notice for notice in notices if notice.score == 15]
    assert impostor.msg == "192.0.2.66 claims to be Shodan and collected 203.0.113.10: port 80"
    assert "somebody pretends, or the list is old" in impostor.reasons[0].why


def test_a_listed_address_that_changes_hands_is_told_with_its_doubt() -> None:
    assert "its address may have changed hands" in whys(only([opening(0, scanner=RENTED)]))[1]
    assert "1 of its 2 addresses" in whys(only([opening(0, scanner=RENTED), opening(0, client=ANOTHER)]))[1]


def test_the_doubt_is_gone_when_its_agent_agrees() -> None:
    agreed = msgspec.structs.replace(SHODAN, by=("range", "agent"))
    notice = only([opening(0, scanner=RENTED, port=80), request(1, scanner=agreed)])
    assert not [why for why in whys(notice) if "changed hands" in why]


def test_a_trusted_crawler_has_a_notice_of_its_own_with_the_reason() -> None:
    notices = told([opening(0), opening(1, client=ANOTHER, trusted="our own subscription")])
    assert {(n.actor.ip, n.actor.trusted, n.score) for n in notices} == {
        (CRAWLER, None, 5), (ANOTHER, "our own subscription", 0),
    }  # fmt: skip


def test_a_survey_and_one_that_somebody_asked_for_are_active_scanning() -> None:
    survey, asked = only([opening(scanner=SURVEY)]), only([opening(scanner=ASKED)])
    assert (survey.techniques, asked.techniques) == (("T1595.001",), ("T1595.001",))
    assert (survey.services, asked.services) == ((), ())
    assert asked.msg == f"SSL Labs ({CRAWLER}) looked at 203.0.113.10: port 443"
    assert asked.reasons[0].why == "SSL Labs comes only when somebody asks it to look at us"


def test_it_says_whether_the_crawler_knows_our_names() -> None:
    nameless = only([hello(0), hello(1, server="203.0.113.11")])
    assert "asked for no name at 2 of our addresses" in whys(nameless)
    knowing = only([hello(0, name="www.acme-widgets.com", zone="acme-widgets.com")])
    assert "knows our names: asked for www.acme-widgets.com" in whys(knowing)


def test_a_strangers_probe_and_one_of_no_address_of_ours_are_none() -> None:
    assert told([probe(0, proto="tcp", opening=True, answered=True), opening(0, asset=None)]) == []


def test_most_probes_of_a_long_crawl_say_nothing_new() -> None:
    runner = Runner([ScannerCrawl()])
    assert [len(list(runner.observe(opening(at)))) for at in range(5)] == [1, 0, 0, 0, 0]


crawls = st.builds(
    opening,
    st.floats(0, 200_000),
    answered=st.booleans(),
    spoke=st.booleans(),
    scanner=st.sampled_from([SHODAN, RENTED, CLAIMED, SURVEY]),
    client=st.sampled_from([CRAWLER, ANOTHER, "2001:db8::1", "9.9.9.9"]),
    server=st.sampled_from(["203.0.113.9", "203.0.113.10", "203.0.113.100"]),
    port=st.integers(1, 6),
    proto=st.sampled_from(["tcp", "tcp", "udp"]),
    trusted=st.sampled_from([None, None, "team", "team, reworded"]),
    status=st.sampled_from([None, 200, 404]),
)


@pytest.mark.parametrize("bounds", [{}, {"MOST_ANSWERS": 3, "MOST_PORTS": 2, "MOST_SOURCES": 2, "MOST_STATUSES": 1}])
@given(st.lists(crawls, max_size=30), st.integers(0, 1000), st.integers(1, 5))
def test_order_and_partitions_change_nothing(bounds: dict[str, int], items: list[Probe], seed: int, parts: int) -> None:
    shuffled = random.Random(seed).sample(items, len(items))
    with pytest.MonkeyPatch.context() as patch:
        for name, most in bounds.items():
            patch.setattr(scanner_crawl, name, most)
        first = told(items)
        again, apart = told(shuffled), told(shuffled, PartitionedRunner([ScannerCrawl()], parts))

    def compared(notices: list[Notice]) -> list[Notice]:
        return [msgspec.structs.replace(notice, rev=0, ts=0.0) for notice in notices]

    assert compared(first) == compared(again) == compared(apart)


# From events


WORLD = World(
    with_table(
        Facts(
            scanners=(
                Scanner("censys", "Censys", "Censys", "database", ("censys",), ranges="162.142.125.0/24"),
                Scanner(
                    "shodan", "Shodan", "Shodan", "database", ("shodan",), rented=True, ranges="66.240.205.34/32",
                    agents=(Phrase("Shodan"),),
                ),
            )
        )
    )
)  # fmt: skip


def test_events_of_listed_and_pretended_crawlers_become_their_notices() -> None:
    probing = Probing(SITE, WORLD)
    events = [
        connection(0, 443, "162.142.125.10", server="203.0.113.10"),
        get(1, "203.0.113.10", "/", "66.240.205.34", server="203.0.113.10"),
        msgspec.structs.replace(
            get(2, "203.0.113.10", "/", "192.0.2.66", server="203.0.113.10"), user_agent="Mozilla/5.0 Shodan"
        ),
    ]
    events[0] = msgspec.structs.replace(events[0], opening=True, answered=True, spoke=True)
    assert {notice.msg for notice in told(probing.probes(events))} == {
        "Censys (162.142.125.10) collected 203.0.113.10: port 443",
        "Shodan (66.240.205.34) collected 203.0.113.10: port 80",
        "192.0.2.66 claims to be Shodan and collected 203.0.113.10: port 80",
    }


def test_a_quic_hello_is_a_try_and_a_tls_hello_is_none() -> None:
    probing = Probing(SITE, WORLD)
    quic, tls = (
        hello_event(at, None, "162.142.125.10", server="203.0.113.10", transport=transport)
        for at, transport in enumerate(("quic", "tls"))
    )
    assert told(probing.probes([quic])) == []
    assert only(probing.probes([tls])).msg.endswith("203.0.113.10: port 443")


def test_what_a_crawler_s_address_sends_in_reply_is_no_crawl(tmp_path: Path) -> None:
    flow = {
        "timestamp": "2026-11-24T12:00:05.000000+0000", "flow_id": 7, "event_type": "flow", "proto": "UDP",
        "src_ip": "162.142.125.10", "src_port": 53, "dest_ip": "203.0.113.10", "dest_port": 40000,
        "flow": {"pkts_toserver": 1, "pkts_toclient": 1, "start": "2026-11-24T12:00:00.000000+0000"},
    }  # fmt: skip
    log = tmp_path / "eve.json"
    asked = flow | {"flow_id": 8, "src_port": 40001, "dest_port": 161}
    log.write_text("".join(json.dumps(each) + "\n" for each in (flow, asked)))
    run = Replay([log], Catalog([]), SITE, WORLD)
    assert [notice.msg for notice in run.notices()] == ["Censys (162.142.125.10) collected 203.0.113.10: port 161/udp"]


# The captures of real clients

INPUTS = ("capture.pcap", "zeek-tsv", "zeek-json", "suricata7/eve.json", "suricata8/eve.json")


def crawls_in(capture: str, each: str) -> list[Notice]:
    from reconwatch.catalog.load import load, load_world
    from reconwatch.site import load_site

    path = SHARED / "captures" / capture / each
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    catalog = load()
    run = Replay([path], catalog, load_site(SHARED / "captures" / "site.yaml"), load_world(catalog))
    return [notice for notice in run.notices() if notice.note == "Scanner_Crawl"]


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("each", INPUTS)
def test_every_input_tells_what_both_crawlers_collected(each: str) -> None:
    both = ("203.0.113.10", "203.0.113.11")
    notices = crawls_in("outside", each)
    assert {notice.row for notice in notices} == {
        ("Scanner_Crawl", "66.240.205.34", ("shodan",), both),
        ("Scanner_Crawl", "162.142.125.10", ("censys",), both),
    }
    assert {notice.msg for notice in notices} == {
        "Shodan (66.240.205.34) collected 203.0.113.10 and 203.0.113.11: ports 80, 443; tried 6 more",
        "Censys (162.142.125.10) collected 203.0.113.10 and 203.0.113.11: ports 80, 443",
    }
    assert {notice.verdict for notice in notices} == {"monitor"}
    described = "self-signed, serial 357513CDD057FE254C72E4F9284F35145467203"
    shown = f"was shown the certificate of www.acme-widgets.com ({described}) at port 443"
    assert all(shown in whys(notice) for notice in notices)


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("capture", ["benign", "proxy", "modern", "cli"])
def test_captures_without_a_crawler_tell_of_none(capture: str) -> None:
    assert [notice.msg for each in INPUTS for notice in crawls_in(capture, each)] == []
