"""Scanners by their agents and paths, and all who ask for something alike without being one."""

from __future__ import annotations

from typing import Any

import pytest
from tests.detectors.probes import assert_any_order, emitted, last_words, one
from tests.story import NOON, SITE, STRANGER, WEB, probe

from reconwatch.catalog.load import load, load_world
from reconwatch.detectors.service_probe import ServiceProbe
from reconwatch.events import HttpRequest
from reconwatch.probing import Probing
from reconwatch.sightings import Probe, Scanned, Sought

PROBING = Probing(SITE, load_world(load()))
CENSYS = Scanned("censys", "Censys", "Censys", ("censys",), "database", ("range",), True)

NSE = "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
STRONG = ("/.git/config", "/.env", "/.svn/entries", "/actuator/env", "/HNAP1", "/evox/about", "/.aws/credentials")
WEAK = ("/wp-login.php", "/phpmyadmin/", "/server-status", "/info.php", "/manager/html", "/.DS_Store", "/setup.cgi")


def asked(
    at: float, uri: str, agent: str | None = FIREFOX, client: str = STRANGER, server: str = WEB, **rest: Any
) -> Probe:
    """The probe that a real request is, with the catalog that ships."""
    event = HttpRequest(
        ts=NOON + at, client=client, client_port=40_000, server=server, server_port=80, source="capture",
        method="GET", host="www.acme-widgets.com", uri=uri, user_agent=agent, **rest,
    )  # fmt: skip
    return PROBING.probe(event)


def each(uris: tuple[str, ...], **facts: Any) -> list[Probe]:
    return [asked(n, uri, **facts) for n, uri in enumerate(uris)]


# What a request gives away


@pytest.mark.parametrize(
    ("agent", "tool", "wordlist"),
    [
        (NSE, "Nmap", False), ("Mozilla/5.0 zgrab/0.x", "ZGrab", False), ("gobuster/3.6", "gobuster", True),
        ("Fuzz Faster U Fool v2.1.0-dev", "ffuf", True), ("feroxbuster/2.10.1", "feroxbuster", True),
        ("httpx - Open-source project (github.com/projectdiscovery/httpx)", "httpx (ProjectDiscovery)", False),
        ("WPScan v3.8.22 (https://wpscan.com/wordpress-security-scanner)", "WPScan", False),
        (FIREFOX, None, False), ("curl/8.5.0", None, False), ("python-httpx/0.27.0", None, False), (None, None, False),
    ],
)  # fmt: skip
def test_an_agent_gives_a_tool_away(agent: str | None, tool: str | None, wordlist: bool) -> None:
    found = asked(0, "/", agent)
    assert (found.tool, found.wordlist) == (tool, wordlist)


def test_a_path_gives_a_tool_away_that_hides_its_agent() -> None:
    found = asked(0, "/nice%20ports%2C/Tri%6Eity.txt%2ebak", None)
    assert (found.tool, [path.test for path in found.paths]) == ("Nmap", [True])


def test_a_path_of_the_catalog_says_what_it_looks_for() -> None:
    assert asked(0, "/.git/config").paths == (Sought("git-repository", "a Git repository", True),)
    assert asked(0, "/wp-login.php?action=lostpassword").paths == (
        Sought("wordpress-login", "the login of WordPress", False),
    )


# What is said


def test_a_scanner_that_says_who_it_is_is_on_record() -> None:
    notice = one(ServiceProbe(), [asked(n, "/", NSE) for n in range(6)])
    assert (notice.verdict, notice.score, notice.count, notice.counted) == ("monitor", 25, 6, "http requests")
    assert notice.row == ("Service_Probe", STRANGER, (), (WEB,))
    assert (notice.direction, notice.techniques) == ("probe", ("T1595.002",))


def test_agent_and_path_together_are_investigated_with_both_named() -> None:
    notice = one(ServiceProbe(), [asked(0, "/", NSE), asked(1, "/.git/HEAD", NSE)])
    assert notice.verdict == "investigate"
    assert notice.msg == f"{STRANGER} probed 1 web server of ours with Nmap, looking for a Git repository"
    assert [reason.why for reason in notice.reasons] == [
        "2 requests with the agent or path of Nmap",
        "asked for what only a scanner asks for: a Git repository",
    ]
    assert notice.next


def test_one_request_for_secrets_falls_on_everybody_and_stays_on_record() -> None:
    assert one(ServiceProbe(), [asked(0, "/.env")]).verdict == "monitor"


def test_looking_for_many_such_things_is_investigated() -> None:
    assert one(ServiceProbe(), each(STRONG)).verdict == "investigate"


def test_a_scanner_with_everything_is_escalated() -> None:
    notice = one(ServiceProbe(), each(STRONG + WEAK, agent="Nikto/2.5.0"))
    assert notice.verdict == "escalate"


def test_many_things_that_people_use_too_are_on_record() -> None:
    notice = one(ServiceProbe(), each(WEAK))
    assert (notice.verdict, notice.score) == ("monitor", 20)


def test_word_lists_have_a_technique_of_their_own() -> None:
    assert one(ServiceProbe(), [asked(n, f"/word{n}", "gobuster/3.6") for n in range(9)]).techniques == ("T1595.003",)


def test_an_answer_with_success_is_told_and_changes_no_verdict() -> None:
    notice = one(ServiceProbe(), [asked(0, "/.env", status=200), asked(1, "/.git/config", status=404)])
    assert (notice.score, notice.reasons[-1].why) == (
        20, "was answered with success where it asked for a file of secrets: see what it got",
    )  # fmt: skip


def test_success_means_nothing_on_a_server_that_answers_everything_so() -> None:
    notice = one(ServiceProbe(), [asked(0, "/.env", status=200), asked(1, "/nmaplowercheck17954", status=200)])
    assert not any("success" in reason.why for reason in notice.reasons)


def test_a_trusted_scanner_is_kept_with_its_reason() -> None:
    (git,) = (asked(0, "/.git/config").paths,)
    notice = one(ServiceProbe(), [probe(kind="http", tool="Nessus", paths=git, trusted="yearly audit")])
    assert (notice.verdict, notice.reasons[-1].why) == ("monitor", "trusted: yearly audit")


# Hard negatives


@pytest.mark.parametrize(
    "uri",
    [
        "/",
        "/robots.txt",
        "/.well-known/security.txt",
        "/.well-known/acme-challenge/x",
        "/actuator/health",
        "/favicon.ico",
    ],
)
def test_ordinary_paths_say_nothing(uri: str) -> None:
    assert last_words(ServiceProbe(), [asked(n, uri) for n in range(100)]) == []


def test_who_writes_in_our_wordpress_and_administers_its_database_is_no_scanner() -> None:
    work = ("/wp-login.php", "/wp-admin/", "/phpmyadmin/index.php", "/phpmyadmin/sql.php") * 50
    assert last_words(ServiceProbe(), each(work)) == []


def test_a_monitor_of_our_web_server_s_state_is_no_scanner() -> None:
    assert (
        last_words(ServiceProbe(), [asked(n * 60, "/server-status?auto", "check_http/v2.3") for n in range(500)]) == []
    )


def test_a_sure_crawler_is_left_to_its_own_note() -> None:
    found = [probe(kind="http", tool="ZGrab", scanner=CENSYS)]
    assert last_words(ServiceProbe(), found) == []


def test_parties_that_forward_are_never_a_source() -> None:
    for role in ("balancer", "proxy", "nat"):
        assert last_words(ServiceProbe(), [probe(kind="http", tool="Nikto", role=role)]) == []


def test_our_own_side_and_strangers_servers_are_no_matter() -> None:
    assert last_words(ServiceProbe(), [probe(kind="http", tool="Nikto", inside=True)]) == []
    assert last_words(ServiceProbe(), [probe(kind="http", tool="Nikto", asset=None)]) == []


def test_five_thousand_visitors_raise_nothing_above_monitor() -> None:
    uris = ("/", "/index.html", "/wp-login.php", "/robots.txt", "/search?q=.git/config", "/api/v1/widgets?id=7")
    visits = [asked(n % 3000, uris[n % len(uris)], client=f"198.18.{n // 250}.{n % 250}") for n in range(5_000)]
    assert emitted(ServiceProbe(), visits) == []


# Order


def test_the_order_of_arrival_changes_nothing() -> None:
    probes = [
        *each(STRONG + WEAK, agent=NSE),
        *each(STRONG, client="192.0.2.7", status=200),
        *each(WEAK, client="192.0.2.8", server="203.0.113.11"),
        *(asked(n, f"/w{n}", "gobuster/3.6", client=f"2001:db8::{n % 5 + 1:x}") for n in range(40)),
        *(asked(n * 30_000, "/.env", client="192.0.2.9") for n in range(7)),
    ]
    assert_any_order(ServiceProbe(), probes)
