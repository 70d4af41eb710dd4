"""What databases have collected of us: told from probes, written for people and for programs."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from reconwatch import exposure
from reconwatch.cli import main
from reconwatch.exposure import Exposure, Exposures
from reconwatch.sightings import Identity, Probe, Scanned, Shown
from reconwatch.sinks.exposure import write_exposures
from tests.conftest import ROOT, SHARED
from tests.story import NOON, probe

CRAWLER, ANOTHER = "66.240.205.34", "71.6.146.185"
SHODAN = Scanned("shodan", "Shodan", "Shodan", ("shodan",), "database", ("range",), sure=True)
RENTED = msgspec.structs.replace(SHODAN, sure=False)
CLAIMED = msgspec.structs.replace(SHODAN, by=("agent",), sure=False)
FUTURE = Scanned("future", "Inventory Crawler", "Future", ("trails",), "database", ("range",), sure=True)
SURVEY = Scanned("stretchoid", "Stretchoid", "unknown", (), "survey", ("range",), sure=True)


def opening(
    at: float = 0, *, answered: bool | None = True, spoke: bool = False, scanner: Scanned = SHODAN, **more: object
) -> Probe:
    facts = {"client": CRAWLER, "proto": "tcp", "opening": True, "answered": answered, "spoke": spoke} | more
    return probe(at, scanner=scanner, **facts)


def request(at: float = 0, *, scanner: Scanned = SHODAN, **more: object) -> Probe:
    return probe(at, kind="http", scanner=scanner, **{"client": CRAWLER, "port": 80, "proto": "tcp"} | more)


def collected(*probes: Probe) -> list[Exposure]:
    exposures = Exposures({"shodan": "Shodan", "trails": "Trails"})
    for each in probes:
        exposures.observe(each)
    return list(exposures.exposures())


def written(form: str, *probes: Probe) -> str:
    stream = io.StringIO()
    write_exposures(form, stream, collected(*probes))
    return stream.getvalue()


def test_a_port_holds_what_was_got_from_it() -> None:
    (found,) = collected(
        opening(0, port=80, spoke=True),
        request(1, status=301, name="www.acme-widgets.com"),
        request(2, status=200, name="203.0.113.10"),
    )
    (port,) = found.ports
    assert (port.opened, port.answered, port.http_statuses) == (True, True, (200, 301))
    assert port.server_names == ("203.0.113.10", "www.acme-widgets.com")
    assert (found.first, found.last, found.sources) == (NOON, NOON + 2, (CRAWLER,))
    assert found.databases == (("shodan", "Shodan"),)


@pytest.mark.parametrize(
    ("told", "opened", "answered"),
    [
        (opening(spoke=True), True, True),
        (opening(), False, True),
        (opening(answered=False), False, False),
        (opening(answered=None), False, None),
        (opening(proto="udp", opening=None), None, True),
        (opening(proto="udp", opening=None, answered=None), None, None),
    ],
)
def test_what_the_input_does_not_know_stays_unknown(told: Probe, opened: bool | None, answered: bool | None) -> None:
    ((port,),) = (found.ports for found in collected(told))
    assert (port.opened, port.answered, port.http_statuses, port.server_names) == (opened, answered, None, None)


def test_once_answered_stays_answered() -> None:
    for probes in ([opening(), opening(1, answered=False)], [opening(0, answered=False), opening(1)]):
        assert collected(*probes)[0].ports[0].answered is True


def test_a_hello_without_a_name_asked_for_none() -> None:
    hello = probe(0, kind="tls", client=CRAWLER, proto="tcp", scanner=SHODAN)
    assert collected(hello)[0].ports[0].server_names == ()


def test_addresses_come_in_the_order_of_numbers_and_databases_first() -> None:
    found = collected(
        opening(0, server="203.0.113.100"), opening(0, server="203.0.113.9"),
        opening(0, scanner=SURVEY), opening(0, scanner=FUTURE), opening(0, scanner=CLAIMED),
    )  # fmt: skip
    assert [(each.address, each.scanner, each.listed) for each in found] == [
        ("203.0.113.9", "shodan", True), ("203.0.113.10", "future", True), ("203.0.113.10", "stretchoid", True),
        ("203.0.113.10", "shodan", False), ("203.0.113.100", "shodan", True),
    ]  # fmt: skip


def test_one_doubtful_address_makes_the_whole_doubtful_until_its_agent_agrees() -> None:
    assert not collected(opening(0), opening(1, client=ANOTHER, scanner=RENTED))[0].sure
    assert collected(opening(0, scanner=RENTED), request(1, scanner=SHODAN))[0].sure


def test_others_and_addresses_that_are_not_ours_are_passed_over() -> None:
    assert collected(probe(0, proto="tcp", opening=True), opening(0, asset=None), opening(0, opening=False)) == []


@given(
    st.lists(
        st.builds(
            opening, st.floats(0, 9), answered=st.sampled_from([None, False, True]), spoke=st.booleans(),
            scanner=st.sampled_from([SHODAN, RENTED, CLAIMED]), status=st.sampled_from([None, 200, 301, 404]),
            client=st.sampled_from([CRAWLER, ANOTHER, "2001:db8::1"]), port=st.integers(1, 3),
        ),
        max_size=30,
    ),
    st.integers(0, 1000),
)  # fmt: skip
def test_the_order_of_the_probes_does_not_matter(probes: list[Probe], seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposure, "MOST_TOLD", 2)
        assert collected(*probes) == collected(*random.Random(seed).sample(probes, len(probes)))


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "MOST_ROWS", 2)
    exposures = Exposures()
    for port in (1, 2, 3, 1, 3):
        exposures.observe(opening(port=port))
    assert [port.port for found in exposures.exposures() for port in found.ports] == [1, 2]
    assert exposures.left_out == 2


def test_the_table_reads_like_what_a_search_would_show() -> None:
    assert written(
        "table",
        opening(0, port=80, spoke=True), request(60, status=200, name="www.acme-widgets.com"),
        opening(1, port=21, answered=False), opening(1, port=22, answered=False),
        opening(0, port=161, proto="udp", opening=None),
        opening(2, scanner=FUTURE), opening(2, scanner=SURVEY, port=None, proto="icmp"),
        request(3, scanner=CLAIMED, client="192.0.2.66"),
        opening(4, scanner=RENTED, server="203.0.113.11"),
    ) == """\
203.0.113.0/24
  203.0.113.10
    Inventory Crawler (operated by Future), searched in Trails
      2026-11-24 12:00:02 UTC, from 66.240.205.34
      443       found open
    Shodan
      2026-11-24 12:00:00 to 2026-11-24 12:01:00 UTC, from 66.240.205.34
      80        opened, HTTP 200, asked for www.acme-widgets.com
      161/udp   answered
      tried     ports 21, 22: no answer seen
    Stretchoid, a survey
      2026-11-24 12:00:02 UTC, from 66.240.205.34
      ping      answered
    somebody who claims to be Shodan, from addresses not known as its
      2026-11-24 12:00:03 UTC, from 192.0.2.66
      80        opened, asked for no name
  203.0.113.11
    Shodan; its addresses change hands, and nothing else says that it was
      2026-11-24 12:00:04 UTC, from 66.240.205.34
      443       found open

2 databases show something of 2 addresses of ours
"""  # fmt: skip


def test_a_name_from_the_wire_cannot_drive_the_terminal() -> None:
    hostile = request(0, name="a\x1b[2J\u202e")
    assert "\x1b" not in written("table", hostile)
    assert "\u202e" not in written("jsonl", hostile)
    assert json.loads(written("jsonl", hostile))["ports"][0]["server_names"] == ["a\x1b[2J\u202e"]


def test_what_was_only_tried_or_claimed_shows_in_no_search() -> None:
    for told in (opening(answered=False), request(scanner=CLAIMED), opening(scanner=SURVEY)):
        assert written("table", told).endswith("\nnothing that a search in a scan database would show\n")


def test_jsonl_has_null_for_what_is_not_known() -> None:
    assert json.loads(written("jsonl", opening(0, port=None, proto="icmp"))) == {
        "schema": 1, "asset": "203.0.113.0/24", "address": "203.0.113.10", "scanner": "shodan", "name": "Shodan",
        "operator": "Shodan", "kind": "database", "databases": [{"id": "shodan", "name": "Shodan"}],
        "listed": True, "sure": True, "sources": [CRAWLER],
        "first": "2026-11-24T12:00:00.000000Z", "last": "2026-11-24T12:00:00.000000Z",
        "ports": [{
            "proto": "icmp", "port": None, "first": "2026-11-24T12:00:00.000000Z",
            "last": "2026-11-24T12:00:00.000000Z", "opened": None, "answered": True, "http_statuses": None,
            "banners": None, "server_names": None, "certificates": None,
        }],
    }  # fmt: skip


def test_the_page_of_outputs_explains_every_field() -> None:
    page = (ROOT / "docs" / "output.md").read_text().partition("## exposure")[2]
    identity = Identity("www.acme-widgets.com", "", "0A", own=True, sha256="")
    shown = probe(0, kind="presented", client=CRAWLER, scanner=SHODAN, proto="tcp", certificate=Shown(identity))
    record = json.loads(written("jsonl", opening(), shown))
    (port,) = record["ports"]
    assert [name for name in (*record, *port, *port["certificates"][0]) if f"`{name}`" not in page] == []


# The command


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["exposure", *(str(argument) for argument in arguments)])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text("owned:\n  domains: [acme-widgets.com]\n  ranges: [203.0.113.0/24]\n")
    return path


EVE = (
    '{"timestamp":"2026-11-24T12:00:05.000000+0000","flow_id":7,"event_type":"http","src_ip":"162.142.125.10",'
    '"src_port":41000,"dest_ip":"203.0.113.10","dest_port":80,"proto":"TCP","http":{"hostname":"203.0.113.10",'
    '"url":"/","http_method":"GET","protocol":"HTTP/1.1","status":200}}\n'
)


def test_the_command_writes_results_to_standard_output_and_the_account_to_standard_error(site: Path) -> None:
    log = site.with_name("eve.json")
    log.write_text(EVE)
    told = run(log, "--site", site)
    assert told.exit_code == 0
    (found,) = map(json.loads, told.stdout.splitlines())
    assert (found["name"], found["address"], found["ports"][0]["http_statuses"]) == ("Censys", "203.0.113.10", [200])
    assert told.stderr.startswith("read 1 ")
    assert run(log, "--site", site, "-o", site.with_name("out.txt"), "--format", "table").exit_code == 0
    assert "1 database shows something of 1 address of ours" in site.with_name("out.txt").read_text()


def test_an_empty_result_is_one_honest_sentence(site: Path) -> None:
    log = site.with_name("eve.json")
    log.write_text(EVE.replace("162.142.125.10", "192.0.2.66"))
    told = run(log, "--site", site)
    assert (told.exit_code, told.stdout) == (0, "")
    assert told.stderr.startswith("no known crawler came to an address of ours in these inputs; what came earlier")


def test_exit_statuses_are_those_of_replay(site: Path) -> None:
    assert run(site.with_name("nothing.pcap"), "--site", site).exit_code == 2
    assert run(site).exit_code == 2
    unreadable = site.with_name("noise.bin")
    unreadable.write_bytes(bytes(range(256)) * 4)
    told = run(unreadable, "--site", site)
    assert told.exit_code == 3
    assert "no known crawler" not in told.stderr


# The captures of real clients


@pytest.mark.usefixtures("shared_captures")
@pytest.mark.parametrize("each", ["capture.pcap", "zeek-tsv", "zeek-json", "suricata7", "suricata8"])
def test_every_input_shows_what_both_databases_collected(each: str) -> None:
    told = run(SHARED / "captures" / "outside" / each, "--site", SHARED / "captures" / "site.yaml")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(one["address"], one["name"], one["sure"], one["sources"]) for one in found] == [
        (address, name, sure, [source])
        for address in ("203.0.113.10", "203.0.113.11")
        for name, sure, source in (("Censys", True, "162.142.125.10"), ("Shodan", False, "66.240.205.34"))
    ]
    for one in found:
        answered = {port["port"]: port for port in one["ports"] if port["answered"]}
        assert set(answered) == {80, 443}
        assert answered[80]["http_statuses"] == [200]
        told = answered[80]["banners"]
        assert (
            told is None
            if each != "capture.pcap"
            else all(banner.startswith("HTTP/1.1 200 OK, nginx") for banner in told)
        )
        assert answered[80]["server_names"] == [one["address"]]
        assert answered[443]["server_names"] == []
        assert answered[80]["certificates"] is None
        (shown,) = answered[443]["certificates"]
        assert (shown["subject"], shown["self_signed"]) == ("www.acme-widgets.com", True)
        assert shown["serial"] == "357513CDD057FE254C72E4F9284F35145467203"
        silent = [port["port"] for port in one["ports"] if port["answered"] is False]
        assert silent == ([] if one["name"] == "Censys" else [21, 22, 23, 8080, 8443, 9200])
