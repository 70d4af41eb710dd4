"""Why a rule did not alert: each reason with a real engine and a small capture, and the line that says it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap, wrpcap
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, suricata

from reconwatch.rules.against import QUIET_PCAP
from reconwatch.rules.engine import Engine
from reconwatch.rules.engine_config import Settings
from reconwatch.rules.rule import parse_rules
from reconwatch.rules.why import why

LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
"""fofa.info and pro.ip-api.com over http, five names over TLS, one WHOIS query, many DNS questions."""
Ask = Callable[..., tuple[str, ...]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return suricata(request.param)


@pytest.fixture
def ask(engine: Engine, tmp_path: Path) -> Ask:
    """Run rules over a capture as a test does, and ask why the last of them did not alert (as often as it might)."""

    def asked(text: str, capture: Path = LOOKUPS, alerts: int = 0, **settings: Any) -> tuple[str, ...]:
        path, out = tmp_path / "asked.rules", tmp_path / "out"
        path.write_text(text)
        out.mkdir()
        rules, _ = parse_rules(text, str(path))
        run = engine.run(capture, [path], out, Settings(**settings))
        assert run.alerts().get(rules[-1].sid, 0) == alerts
        return why(rules[-1], capture, engine, run, settings=Settings(**settings), others=rules)

    return asked


def packets() -> list[Packet]:
    return list(rdpcap(str(LOOKUPS)))


def kept(path: Path, wanted: Callable[[Packet], bool]) -> Path:
    """A copy of the capture with the packets that are wanted only."""
    wrpcap(str(path), [packet for packet in packets() if wanted(packet)], linktype=1)
    return path


def test_a_content_that_did_not_match_is_named_with_what_its_buffer_held(ask: Ask) -> None:
    said = ask('alert http any any -> any any (flow:to_server; http.uri; content:"/shodan/host"; sid:1;)')
    assert said[0].startswith('content:"/shodan/host" in http.uri did not match; http.uri was seen ')
    assert '"/json/203.0.113.10?key=***"' in said[0], "credentials are struck out here too"
    assert said[1].startswith("the header and 1 condition before it matched in 2 flows, such as 10.20.1.11:")


def test_the_first_condition_that_fails_is_told_and_not_the_last(ask: Ask) -> None:
    said = ask(
        'alert http any any -> any any (http.method; content:"GET"; http.uri; content:"/nowhere"; '
        'http.host; content:"fofa.info"; http.user_agent; content:"nobody"; sid:1;)'
    )
    assert said[0].startswith('content:"/nowhere" in http.uri did not match')
    assert said[-1].startswith("the header and 1 condition before it matched")


def test_a_content_of_another_case_would_match_with_nocase(ask: Ask) -> None:
    said = ask('alert tls any any -> any any (tls.sni; content:"WWW.Shodan.io"; sid:1;)')
    assert 'tls.sni was seen 5 times: "www.shodan.io"' in said[0]
    assert said[1] == "it would match with `nocase`: its case differs"


def test_a_content_at_another_place_is_there_but_not_where_it_is_asked_for(ask: Ask) -> None:
    said = ask('alert dns any any -> any any (dns.query; content:"www.shodan"; endswith; nocase; sid:1;)')
    assert said[1] == "it is there, but not where endswith asks for it"


def test_a_content_that_only_its_transform_hides_would_match_without(ask: Ask) -> None:
    said = ask('alert dns any any -> any any (dns.query; dotprefix; content:"www.shodan"; startswith; sid:1;)')
    assert "it would match without dotprefix" in said


def test_conditions_that_hold_in_different_requests_only_are_told_so(ask: Ask) -> None:
    said = ask('alert http any any -> any any (content:"/api/v1"; http_uri; content:"ip-api"; http_host; sid:1;)')
    assert said[0] == 'content:"ip-api" in http.host did not match; http.host was seen 2 times: "fofa.info"'
    assert "it matches without the conditions before it: in another packet, transaction or flow than they" in said


def test_a_pcre_is_relaxed_by_its_flag(ask: Ask) -> None:
    said = ask('alert dns any any -> any any (dns.query; pcre:"/^WWW\\.shodan/"; sid:1;)')
    assert said[0].startswith('pcre:"/^WWW\\.shodan/" in dns.query did not match; dns.query was seen')
    assert said[1] == "it would match with the flag i: its case differs"


def test_what_was_asked_to_be_absent_was_there(ask: Ask) -> None:
    said = ask('alert tls any any -> any any (tls.sni; content:!"."; sid:1;)')
    assert said[0].startswith('content:!"." in tls.sni did not hold: it was there; tls.sni was seen 5 times')


def test_a_payload_is_shown_and_what_it_holds_cannot_reach_the_terminal(ask: Ask, tmp_path: Path) -> None:
    capture = tmp_path / "esc.pcap"
    datagram = Ether() / IP(src="10.0.0.1", dst="192.0.2.1") / UDP(sport=9, dport=9) / Raw(b"\x1b[2Jhello\xe2\x80\xae")
    wrpcap(str(capture), [datagram])
    said = ask('alert udp any any -> any 9 (content:"bye"; sid:1;)', capture)
    assert said[0].startswith('content:"bye" in payload did not match; payload was seen 1 time: ')
    assert "hello" in said[0]
    assert all(line.isprintable() for line in said)


def test_a_buffer_that_nothing_filled_is_told_empty(ask: Ask) -> None:
    said = ask('alert http any any -> any any (http.cookie; content:"x"; sid:1;)')
    assert said[0].startswith("http.cookie was empty: nothing that matched so far had one")


def test_a_protocol_that_nobody_spoke_is_told_with_those_that_were(ask: Ask) -> None:
    (said,) = ask("alert smb any any -> any any (sid:1;)")
    assert said.startswith("no smb in this capture; recognised: dns (44 flows), tls (5 flows), http (2 flows)")


def test_a_header_that_met_no_packet_says_which_part_and_what_its_variable_stands_for(ask: Ask) -> None:
    said = ask("alert http $HOME_NET any -> $EXTERNAL_NET 8080 (sid:1;)", addresses={"HOME_NET": "[192.0.2.0/24]"})
    assert "nothing has source $HOME_NET ([192.0.2.0/24]) nor destination port 8080" in said[0]


@pytest.mark.parametrize(
    ("header", "exchanged"),
    [
        ("$EXTERNAL_NET 1024: -> $HOME_NET 43", "its addresses exchanged (and the ports as they are)"),
        ("198.18.17.203 43 -> 10.20.1.11 1024:", "its two sides exchanged"),
    ],
)
def test_a_header_whose_sides_are_exchanged_is_told_so(ask: Ask, tmp_path: Path, header: str, exchanged: str) -> None:
    one_way = kept(tmp_path / "c.pcap", lambda packet: TCP in packet and packet[TCP].dport == 43)
    said = ask(f"alert tcp {header} (sid:1;)", one_way)
    assert said[-1] == f"with {exchanged} it would: the traffic goes the other way"


def test_a_flow_in_the_other_direction_is_told_with_its_state(ask: Ask, tmp_path: Path) -> None:
    one_way = kept(tmp_path / "c.pcap", lambda packet: TCP in packet and packet[TCP].dport == 43)
    said = ask('alert tcp any any -> any any (flow:to_client; content:"inetnum"; sid:1;)', one_way)
    assert said[0].startswith("flow:to_client did not hold: to_client: only packets to the server are there")


def test_a_flow_is_not_to_blame_where_only_the_transaction_comes_after_the_protocol_is_known(
    ask: Ask, tmp_path: Path
) -> None:
    # The client's last packet is its request: only the answer's makes the engine see that it is HTTP.
    asked: set[int] = set()

    def wanted(packet: Packet) -> bool:
        if TCP not in packet or packet[TCP].dport != 80:
            return True
        done = packet[TCP].sport in asked
        if Raw in packet:
            asked.add(packet[TCP].sport)
        return not done

    capture = kept(tmp_path / "c.pcap", wanted)
    said = ask('alert http any any -> any any (flow:to_server; http.uri; content:"/shodan/host"; sid:1;)', capture)
    assert said[0].startswith('content:"/shodan/host" in http.uri did not match')


def test_a_flow_that_began_before_the_capture_is_told_first(ask: Ask, tmp_path: Path) -> None:
    late = kept(tmp_path / "late.pcap", lambda packet: not (TCP in packet and "S" in packet[TCP].flags))
    said = ask('alert http any any -> any any (flow:established,to_server; http.uri; content:"/api"; sid:1;)', late)
    assert said[0] == (
        "the flow began before the capture: with `stream.midstream: true` it matches (8 TCP flows without a SYN)"
    )
    assert said[1].startswith("no http in this capture")


def test_packets_with_wrong_checksums_are_told_where_the_engine_checks_them(ask: Ask, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pcap"
    offloaded = packets()
    for packet in offloaded:
        if TCP in packet and Raw in packet:
            packet[TCP].chksum ^= 0x1111
    wrpcap(str(wrong), offloaded)
    rule = 'alert http any any -> any any (http.uri; content:"/api"; sid:1;)'
    assert ask(rule, wrong, arguments=("-k", "all"))[0] == "dropped for its checksum: with `-k none` it matches"


def test_gaps_in_the_capture_are_told(ask: Ask, tmp_path: Path) -> None:
    answers = [packet for packet in packets() if TCP in packet and packet[TCP].sport == 443 and Raw in packet]
    capture = kept(tmp_path / "gap.pcap", lambda packet: bytes(packet) != bytes(answers[0]))
    said = ask('alert tcp any 443 -> any any (content:"no such answer"; sid:1;)', capture)
    assert any(line.startswith("packets are missing in the capture: 1 gap") for line in said)


def test_a_threshold_that_lets_nothing_through_is_told_with_numbers(ask: Ask) -> None:
    (said,) = ask(
        'alert dns any any -> any any (dns.query; content:"shodan"; '
        "detection_filter:track by_src, count 90, seconds 60; sid:1;)"
    )
    assert said.startswith("thresholded: it matches ")
    assert said.endswith("`detection_filter:track by_src, count 90, seconds 60` lets 0 of them be told")


def test_a_rule_that_alerts_less_often_than_it_matches_is_thresholded_too(ask: Ask) -> None:
    (said,) = ask(
        'alert tls any any -> any any (tls.sni; content:"."; '
        "threshold:type limit, track by_src, count 1, seconds 600; sid:1;)",
        alerts=1,
    )
    assert said.startswith("thresholded: it matches 5 times")


def test_a_rule_that_missed_nothing_says_so(ask: Ask) -> None:
    said = ask('alert tls any any -> any any (tls.sni; content:"crt.sh"; sid:1;)', alerts=1)
    assert said == ("nothing was missed: it matches 1 time, and alerted as often",)


def test_a_bit_that_no_rule_sets_and_one_whose_rule_did_not_match_are_told_apart(ask: Ask) -> None:
    waiting = "alert tls any any -> any any (flowbits:isset,crt; sid:1;)\n"
    assert ask(waiting)[0] == "flowbits:isset,crt did not hold: no loaded rule sets 'crt'"


def test_the_rule_that_would_set_a_bit_is_named(ask: Ask) -> None:
    setter = 'alert tls any any -> any any (msg:"first"; tls.sni; content:"crt.sx"; flowbits:set,crt; sid:2;)\n'
    said = ask(setter + "alert tls any any -> any any (flowbits:isset,crt; sid:1;)")
    assert said[0] == "flowbits:isset,crt did not hold: 'crt' was never set; 2 (first) would, and did not match either"


def test_a_bit_that_was_set_lets_the_inquiry_go_on_behind_it(ask: Ask) -> None:
    setter = 'alert tls any any -> any any (tls.sni; content:"crt.sh"; flowbits:set,crt; flowbits:noalert; sid:2;)\n'
    said = ask(setter + 'alert tls any any -> any any (flowbits:isset,crt; tls.sni; content:"other"; sid:1;)')
    assert said[0] == 'content:"other" in tls.sni did not match; tls.sni was seen 1 time: "crt.sh"'


def test_a_pass_rule_that_silenced_it_is_named(ask: Ask) -> None:
    said = ask(
        'pass tls any any -> any any (msg:"ours"; tls.sni; content:"crt"; sid:2;)\n'
        'alert tls any any -> any any (tls.sni; content:"crt.sh"; sid:1;)'
    )
    assert said[0].startswith("silenced: alone it alerts 1 time, beside the other rules 0; the pass rule 2 (ours)")


def test_a_rule_that_the_engine_refused_gives_the_engines_own_reason(ask: Ask) -> None:
    (said,) = ask('alert http any any -> any any (http.foo; content:"x"; sid:1;)')
    assert said.startswith("not loaded: unknown rule keyword 'http.foo'")


def test_a_protocol_that_the_configuration_disables_says_which_line_to_change(ask: Ask) -> None:
    protocols = {"http": {"enabled": "yes"}, "tls": {"enabled": "no"}}
    said = ask("alert tls any any -> any any (sid:1;)", overrides={"app-layer": {"protocols": protocols}})
    assert said[0].startswith("not loaded: ")
    assert "`app-layer.protocols.tls.enabled: yes`" in said[1]


def test_a_requirement_that_the_engine_does_not_meet_is_told(ask: Ask) -> None:
    (said,) = ask('alert tls any any -> any any (requires:version >= 99; tls.sni; content:"crt"; sid:1;)')
    assert "does not meet `requires:version >= 99`" in said


def test_a_rule_that_is_commented_out_or_never_alerts_is_told_without_a_run(ask: Ask) -> None:
    (said,) = ask("alert tls any any -> any any (sid:2;)\n# alert tls any any -> any any (sid:1;)")
    assert said.startswith("not loaded: it is commented out (")


@pytest.mark.parametrize("option", ["noalert;", "flowbits:noalert;"])
def test_noalert_is_told(ask: Ask, option: str) -> None:
    (said,) = ask(f"alert tls any any -> any any (flowbits:set,x; {option} sid:1;)")
    assert said == f"it never alerts: `{option.removesuffix(';')}` says so"


def test_a_capture_with_nothing_that_a_rule_can_look_at_is_told(ask: Ask, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.pcap"
    quiet.write_bytes(QUIET_PCAP)
    (said,) = ask("alert tcp any any -> any any (sid:1;)", quiet)
    assert said.startswith("no packet could be looked at: 1 packet read")
