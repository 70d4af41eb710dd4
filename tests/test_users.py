"""User names that logs tell become the actor's, whoever else saw what he did; and whom a proxy acts for."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from reconwatch.catalog.load import load, load_world
from reconwatch.cli import main
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.sightings import MOST_USERS, joined_users
from reconwatch.site import Log, Roles, Site
from reconwatch.sources.textlog.asked import user_name
from reconwatch.witnesses import Witnesses
from tests.conftest import ROOT
from tests.story import SITE, get, hello

CATALOG = load()
CLIENT = "10.20.1.11"


def squid(after: int, url: str, user: str = "-", client: str = CLIENT) -> str:
    method = "CONNECT" if url.endswith(":443") else "GET"
    return f"{1795488541 + after}.320      3 {client} TCP_MISS/200 239 {method} {url} {user} HIER_NONE/- -\n"


def replayed(tmp_path: Path, site: Site = SITE, /, **logs: str) -> tuple[list[Notice], list[str]]:
    """(notices, account) of logs by name; the same notices with and without the funnel."""
    for name, content in logs.items():
        (tmp_path / name).write_text(content)
    runs = [Replay([tmp_path], CATALOG, site, load_world(CATALOG), funnel=funnel) for funnel in (True, False)]
    told = [list(run.notices()) for run in runs]
    assert told[0] == told[1]
    return told[0], runs[0].account()


def test_the_user_of_a_proxy_s_log_is_the_actor_s_and_in_the_evidence(tmp_path: Path) -> None:
    notices, _ = replayed(tmp_path, squid=squid(0, "http://crt.sh/?q=acme-widgets.com", "alice"))
    assert {notice.note for notice in notices} >= {"Database_Lookup", "Targeted_Search"}
    assert {notice.actor.user for notice in notices} == {"alice"}
    assert {each.detail for notice in notices for each in notice.evidence} == {"GET /?q=acme-widgets.com (user alice)"}


def test_every_output_says_the_user(tmp_path: Path) -> None:
    search, log, saved = "http://crt.sh/?q=acme-widgets.com", tmp_path / "squid", tmp_path / "notices.jsonl"
    log.write_text(squid(0, search, "alice%20smith") + squid(99, search, "bob"))
    told = {}
    for form in ("jsonl", "table", "notice-log", "eve"):
        command = ["replay", str(log), "--site", str(ROOT / "pcaps/demo-site.yaml"), "--format", form]
        told[form] = CliRunner().invoke(main, command).stdout
    assert '"user":"alice smith, bob"' in told["jsonl"]
    assert "user alice smith, bob" in told["table"]
    assert "user=alice_smith,_bob" in told["notice-log"]
    assert '"user":"alice smith, bob"' in told["eve"]
    saved.write_text(told["jsonl"])
    command = ["explain", json.loads(told["jsonl"].splitlines()[0])["id"], "--from", str(saved)]
    assert "user       alice smith, bob" in CliRunner().invoke(main, command).stdout


def test_several_users_of_one_address_are_all_named_whatever_their_order(tmp_path: Path) -> None:
    lines = [squid(n, "http://crt.sh/?q=acme-widgets.com", user) for n, user in enumerate(("bob", "alice", "-", "bob"))]
    for order in itertools.permutations(lines):
        notices, _ = replayed(tmp_path, squid="".join(order))
        assert {notice.actor.user for notice in notices} == {"alice, bob"}


def test_users_are_joined_alike_in_any_grouping_and_not_without_end() -> None:
    names = [f"u{n:02}" for n in range(MOST_USERS + 3)]
    assert joined_users(names[:3]) == "u00, u01, u02"
    every = joined_users(names)
    assert every == ", ".join([*names[:MOST_USERS], "..."])
    assert joined_users([joined_users(names[5:]), joined_users(names[:7]), None]) == every
    assert joined_users([None, None]) is None


@pytest.mark.parametrize(("written", "name"), [
    ("alice", "alice"), ("-", None), ("", None), (" ", None), ("Smith, Alice", "Smith,Alice"), ("x" * 999, "x" * 128),
])  # fmt: skip
def test_a_name_is_spelt_so_that_names_can_be_joined(written: str, name: str | None) -> None:
    assert user_name(written) == name


def test_a_witness_that_knows_the_user_lends_his_name_to_the_capture_s_event() -> None:
    seen = hello(0, "crt.sh", transport="connect")
    log = msgspec.structs.replace(seen, ts=seen.ts + 0.1, client_port=None, server=None, server_port=None,
                                  source="squid", input=7, user="alice")  # fmt: skip
    for first, second in ((seen, log), (msgspec.structs.replace(log, ts=seen.ts - 0.1), seen)):
        witnesses = Witnesses()
        observation = witnesses.observe(first, "")
        assert witnesses.observe(second, "") is None
        assert observation is not None
        assert (observation.event.user, observation.event.client_port) == ("alice", seen.client_port)
        assert {observation.event.source, *observation.also} == {seen.source, "squid"}


def test_two_users_are_two_requests_and_so_are_two_ports() -> None:
    seen = get(0, "crt.sh", "/")
    one = msgspec.structs.replace(
        seen, server=None, server_port=None, client_port=None, source="a", input=1, user="alice"
    )
    for other in (
        msgspec.structs.replace(one, source="b", input=2, user="bob"),
        msgspec.structs.replace(one, source="b", input=2, client_port=4711),
    ):
        witnesses = Witnesses()
        assert witnesses.observe(seen, "") is not None
        assert witnesses.observe(one, "") is None
        assert witnesses.observe(other, "") is not None


def test_a_web_server_s_log_that_names_no_host_tells_of_the_same_request() -> None:
    seen = get(0, "www.acme-widgets.com", "/.env")
    log = msgspec.structs.replace(
        seen, ts=seen.ts + 0.5, host="", client_port=None, server_port=None, source="x", input=1
    )
    witnesses = Witnesses()
    assert witnesses.observe(seen, "") is not None
    assert witnesses.observe(log, "") is None
    elsewhere = msgspec.structs.replace(log, ts=seen.ts + 0.6, server="203.0.113.99", source="y", input=2)
    assert witnesses.observe(elsewhere, "") is not None


FORWARDED = {"ts": "t", "client": "c", "url": "u", "forwarded": "x"}
SITE_WITH_LOGS = Site(
    owned=SITE.owned,
    inside=SITE.inside,
    roles=Roles(proxies=SITE.roles.proxies),
    logs=(
        Log("app.json", "json", fields=FORWARDED),
        Log("web.log", server="203.0.113.10"),
    ),
)


def test_what_a_declared_proxy_passes_on_is_its_client_s_and_what_anybody_else_says_is_not(tmp_path: Path) -> None:
    def line(client: str, forwarded: str) -> str:
        return (
            json.dumps({"t": 1795488541, "c": client, "u": "http://crt.sh/?q=acme-widgets.com", "x": forwarded}) + "\n"
        )

    behind, _ = replayed(tmp_path, SITE_WITH_LOGS, **{"app.json": line("10.20.0.80", "10.9.9.9, 10.20.1.11")})
    assert {notice.actor.ip for notice in behind} == {"10.20.1.11"}
    forged, _ = replayed(tmp_path, SITE_WITH_LOGS, **{"app.json": line("10.20.1.12", "10.9.9.9")})
    assert {notice.actor.ip for notice in forged} == {"10.20.1.12"}


PROBES = "".join(
    f'192.0.2.66 - - [24/Nov/2026:02:49:{n:02} +0000] "GET {path} HTTP/1.1" 404 9 "-" "{agent}"\n'
    for n, (path, agent) in enumerate([("/.env", "Nuclei"), ("/.git/config", "Nuclei"), ("/wp-login.php", "Nuclei")])
)


def test_what_a_stranger_asks_of_a_server_of_ours_is_a_probe_of_it(tmp_path: Path) -> None:
    notices, account = replayed(tmp_path, SITE_WITH_LOGS, **{"web.log": PROBES})
    (probe,) = [notice for notice in notices if notice.note == "Service_Probe"]
    assert (probe.direction, probe.actor.ip) == ("probe", "192.0.2.66")
    assert [target.value for target in probe.targets] == ["203.0.113.10"]
    assert not [line for line in account if "nobody said whose" in line]


def test_whose_server_it_is_nobody_guesses(tmp_path: Path) -> None:
    notices, account = replayed(tmp_path, SITE, **{"web.log": PROBES, "web.log.1": PROBES})
    assert notices == []
    assert [line for line in account if "nobody said whose" in line] == [
        "not seen: logs of web servers that nobody said whose they are (`logs` of site.yaml): what came to them is told"
        " of none of ours: 2"
    ]
    assert "not seen: no HTTP requests: what was searched for is not seen" in account


def test_a_web_server_s_log_does_not_show_whether_a_resolved_name_was_used(tmp_path: Path) -> None:
    """Else a resolver's log beside it would lose its lookups: it seems as if no connection had followed."""
    zeek = (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype\n"
        "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\n"
        "1795488541.0\tC1\t10.20.1.11\t40000\t10.20.0.53\t53\tudp\tapi.shodan.io\t1\n"
    )
    alone, _ = replayed(tmp_path, SITE_WITH_LOGS, **{"dns.log": zeek})
    beside, _ = replayed(tmp_path, SITE_WITH_LOGS, **{"dns.log": zeek, "web.log": PROBES})
    assert {notice.row for notice in alone} <= {notice.row for notice in beside}
    assert [notice.note for notice in alone] == ["Database_Lookup"]
