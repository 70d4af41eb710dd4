"""One question on the wire, in the resolver's own log and at the name server it asked: one visit, all as evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconwatch.pipeline import Replay
from tests.story import CATALOG, HOST, OTHER, RESOLVER, SITE, UPSTREAM

WIRE = (
    "#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tquery\tqtype\n"
    f"1795488645.100\tC1\t{HOST}\t40000\t{RESOLVER}\t53\tapi.shodan.io\t1\n"
    f"1795488645.102\tC2\t{RESOLVER}\t50000\t{UPSTREAM}\t53\tapi.shodan.io\t1\n"
)
AT_THE_RESOLVER = f"[1795488645] unbound[1:0] query: {HOST} api.shodan.io. A IN\n"
UPSTREAM_LOG = (
    f"2026-11-24T02:50:45.103Z client @0x1 {RESOLVER}#50000 (api.shodan.io): query: api.shodan.io IN A -E(0)D"
    f" ({UPSTREAM})\n"
)


@pytest.mark.parametrize("funnel", [True, False])
def test_the_same_query_everywhere_is_one(tmp_path: Path, funnel: bool) -> None:
    for name, content in (("dns.log", WIRE), ("unbound.log", AT_THE_RESOLVER), ("query.log", UPSTREAM_LOG)):
        (tmp_path / name).write_text(content)
    (notice,) = list(Replay([tmp_path], CATALOG, SITE, funnel=funnel).notices())
    assert (notice.actor.ip, notice.count, notice.counted) == (HOST, 1, "dns names")
    shown = sorted((e.src, e.source, e.detail) for e in notice.evidence)
    assert shown == [
        (RESOLVER, "zeek/dns+bind", "upstream: A api.shodan.io"),
        (HOST, "zeek/dns+unbound", "A api.shodan.io"),
    ]


def test_without_the_wire_the_resolver_s_log_names_the_client_of_the_upstream_question(tmp_path: Path) -> None:
    (tmp_path / "unbound.log").write_text(AT_THE_RESOLVER)
    (tmp_path / "query.log").write_text(UPSTREAM_LOG)
    (notice,) = list(Replay([tmp_path], CATALOG, SITE).notices())
    assert (notice.actor.ip, notice.count) == (HOST, 1)
    assert {e.source for e in notice.evidence} == {"unbound", "bind"}


def test_addresses_that_dnsmasq_gave_name_a_connection_of_another_log(tmp_path: Path) -> None:
    (tmp_path / "dnsmasq.log").write_text(
        f"2026-11-24T02:50:44+00:00 gw dnsmasq[7]: query[A] www.shodan.io from {HOST}\n"
        f"2026-11-24T02:50:44+00:00 gw dnsmasq[7]: reply www.shodan.io is <CNAME>\n"
        f"2026-11-24T02:50:44+00:00 gw dnsmasq[7]: reply edge.cdn.example is 198.18.4.2\n"
    )
    (tmp_path / "conn.log").write_text(
        "#separator \\x09\n#path\tconn\n"
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n"
        f"1795488645.1\tC1\t{HOST}\t40000\t198.18.4.2\t443\ttcp\tSF\n"
        f"1795488645.1\tC2\t{OTHER}\t40000\t198.18.4.2\t443\ttcp\tSF\n"
    )
    for funnel in (True, False):
        notices = list(Replay([tmp_path], CATALOG, SITE, funnel=funnel).notices())
        assert [(n.actor.ip, n.count, n.counted) for n in notices] == [(HOST, 1, "connections")]


def test_what_an_alias_leads_to_does_not_take_its_address_from_the_name_that_was_asked_for(tmp_path: Path) -> None:
    # Both logs teach the address, so each is read again for what the other one taught.
    (tmp_path / "dns.log").write_text(
        "#separator \\x09\n#path\tdns\n"
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tquery\tqtype\tanswers\tTTLs\n"
        f"1795488645.100\tC1\t{OTHER}\t40000\t{RESOLVER}\t53\twww.shodan.io\t1\t198.18.4.2\t60.0\n"
    )
    front = "2026-11-24T02:50:44+00:00 gw dnsmasq[7]: 1"
    (tmp_path / "dnsmasq.log").write_text(
        f"{front} {HOST}/40000 query[A] www.shodan.io from {HOST}\n"
        f"{front} {HOST}/40000 reply www.shodan.io is <CNAME>\n"
        f"{front} {HOST}/40000 reply zz.cdn.example is 198.18.4.2\n"
    )
    (tmp_path / "conn.log").write_text(
        "#separator \\x09\n#path\tconn\n"
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\n"
        f"1795488645.1\tC1\t{HOST}\t40001\t198.18.4.2\t443\ttcp\tSF\n"
    )
    for funnel in (True, False):
        notices = list(Replay([tmp_path], CATALOG, SITE, funnel=funnel).notices())
        assert (HOST, 1, "connections") in [(n.actor.ip, n.count, n.counted) for n in notices]
