"""BIND, Unbound and dnsmasq as Debian has them write the logs that are read here: who asked, and what for.

With CI=true a server that is not installed is a failure; elsewhere its tests are skipped, and say so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sources.textlog.name_servers import ask, bind, dnsmasq, running, unbound

from reconwatch.account import Account
from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.inputs import Inputs, read_inputs

A, TXT, AAAA, HTTPS, IXFR, AXFR = 1, 16, 28, 65, 251, 252
HOST, OTHER = "127.0.0.11", "127.0.0.12"
INTEREST = Interest(names=frozenset({"shodan.example", "acme-widgets.example"}), networks=frozenset({"127.0.0.1/32"}))

ZONES = {
    "example": (
        "www.shodan IN CNAME edge.cdn\nedge.cdn IN A 198.18.4.9\nshodan IN A 198.18.4.2\n"
        "api.shodan IN A 198.18.4.3\napi.shodan IN A 198.18.4.4\napi.shodan IN AAAA 2001:db8::4\n",
        "",
    ),
    "acme-widgets.example": ("www IN A 203.0.113.10\n", f"allow-transfer {{ {HOST}; }};"),
}

ASKED = [
    (HOST, [b"API", b"Shodan", b"example"], A),
    (OTHER, [b"api", b"shodan", b"example"], AAAA),
    (HOST, [b"www", b"shodan", b"example"], A),
    (HOST, [b"nothing", b"shodan", b"example"], A),
    (OTHER, [b"shodan", b"example"], HTTPS),
    (OTHER, [b"a from 127.0.0.99", b"shodan", b"example"], A),
    (OTHER, [b"a is b from c", b"shodan", b"example"], A),
    (OTHER, [b"a\nb\xe4", b"shodan", b"example"], A),
    (OTHER, [b'x() IN A + "(9.9.9.9)', b"shodan", b"example"], TXT),
    (HOST, [b"unknown", b"example"], A),
]
WIRE = {
    b"a from 127.0.0.99": r"a\x20from\x20127\x2e0\x2e0\x2e99",
    b"a is b from c": r"a\x20is\x20b\x20from\x20c",
    b"a\nb\xe4": r"a\x0ab\xe4",
    b'x() IN A + "(9.9.9.9)': r'x()\x20in\x20a\x20+\x20"(9\x2e9\x2e9\x2e9)',
}
"""How events spell what the wire holds."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the logs of all of them, each asked the same, and ended."""
    folder = tmp_path_factory.mktemp("servers")
    for name in ("bind", "unbound", "replies", "dnsmasq", "extra"):
        (folder / name).mkdir()
    options = 'dnstap { client; auth; }; dnstap-output file "dnstap.out"; dnstap-identity "ns1";'
    command = bind(folder / "bind", ZONES, print="print-time yes; print-category yes;", options=options)
    with running(command, folder / "bind", int(command[-1])) as upstream:
        answers = ["log-queries: yes", "log-replies: yes", "log-tag-queryreply: yes"]
        resolvers = {
            "unbound": unbound(folder / "unbound", upstream, answers),
            "replies": unbound(folder / "replies", upstream, ["log-replies: yes", "log-time-ascii: yes"]),
            "dnsmasq": dnsmasq(folder / "dnsmasq", upstream, "--log-queries"),
            "extra": dnsmasq(folder / "extra", upstream, "--log-queries=extra"),
        }
        ask_all(upstream)
        for labels in ([b"acme-widgets", b"example"], [b"example"]):
            ask(HOST, upstream, labels, AXFR, tcp=True)
        for name, (command, port) in resolvers.items():
            with running(command, folder / name, port):
                ask_all(port)
    return folder


def ask_all(port: int) -> None:
    for client, labels, qtype in ASKED:
        assert ask(client, port, labels, qtype), f"no answer to {labels} from port {port}"


def read(path: Path, *, funnel: bool = True) -> tuple[list[AnyEvent], Account]:
    accounts: list[Account] = []
    told: list[str] = []
    shared = Inputs(Lookout(INTEREST), funnel, told.append, lambda done: None)
    events = list(read_inputs([path], shared, accounts))
    assert not accounts[0].skipped, told
    return events, accounts[0]


def asked_of(events: list[AnyEvent]) -> Counter[tuple[str, str, int | None]]:
    """The questions of the two clients, not what the servers asked one another."""
    clients = (HOST, OTHER, "127.0.0.99")
    return Counter((e.client, e.name, e.qtype) for e in events if isinstance(e, DnsQuery) and e.client in clients)


def wire_spelling(label: bytes) -> str:
    return WIRE.get(label, label.decode("latin-1").lower())


def expected(spell: Callable[[bytes], str] = wire_spelling) -> Counter[tuple[str, str, int]]:
    told = [(client, ".".join(map(spell, labels)), qtype) for client, labels, qtype in ASKED]
    return Counter(each for each in told if "shodan" in each[1])


@pytest.mark.parametrize("funnel", [True, False])
def test_bind_s_log_tells_who_asked_for_what_and_where(logs: Path, funnel: bool) -> None:
    events, account = read(logs / "bind/named.log", funnel=funnel)
    asked = asked_of(events)
    transfers = {(HOST, "acme-widgets.example", AXFR): 1, (HOST, "example", AXFR): 1}
    everything = Counter(transfers) + expected() + Counter({(HOST, "unknown.example", A): 1})
    assert asked == everything
    assert account.dialect == "bind"
    assert {(event.server, event.server_port) for event in events} == {("127.0.0.1", 53)}
    assert all(event.client_port for event in events)


@pytest.mark.parametrize("funnel", [True, False])
def test_bind_s_log_tells_which_transfer_was_given_and_which_refused(logs: Path, funnel: bool) -> None:
    events, _ = read(logs / "bind/named.log", funnel=funnel)
    outcomes = [event for event in events if isinstance(event, DnsAnswer) and event.qtype == AXFR]
    # A transfer's end is logged by another thread, at leisure.
    assert sorted((e.name, e.client, e.rcode, e.records) for e in outcomes) == [
        ("acme-widgets.example", HOST, 0, 5),
        ("example", HOST, 5, 0),
    ]
    questions = [event for event in events if isinstance(event, DnsQuery) and event.qtype == AXFR]
    assert {(e.name, e.client_port) for e in outcomes} == {(e.name, e.client_port) for e in questions}


def test_bind_s_dnstap_tells_the_same_as_its_log(logs: Path) -> None:
    tapped, account = read(logs / "bind/dnstap.out")
    logged, _ = read(logs / "bind/named.log")
    assert account.dialect == "dnstap"
    assert asked_of(tapped) == asked_of(logged)
    ports = {(e.client, e.client_port, e.name) for e in logged if isinstance(e, DnsQuery)}
    assert {(e.client, e.client_port, e.name) for e in tapped if isinstance(e, DnsQuery)} == ports
    answers = {(e.name, e.rcode): sorted(a for a, _ in e.addresses) for e in tapped if isinstance(e, DnsAnswer)}
    assert answers["nothing.shodan.example", 3] == []
    assert answers["www.shodan.example", 0] == ["198.18.4.9"]


def unbound_spelling(label: bytes) -> str:
    """Unbound writes what is neither letter nor digit as a question mark."""
    return re.sub("[^a-z0-9_*-]", "?", label.decode("latin-1").lower())


@pytest.mark.parametrize("folder", ["unbound", "replies"])
@pytest.mark.parametrize("funnel", [True, False])
def test_unbound_s_log_tells_each_question_once(logs: Path, folder: str, funnel: bool) -> None:
    events, account = read(logs / folder / "unbound.log", funnel=funnel)
    assert account.dialect == "unbound"
    assert asked_of(events) == expected(unbound_spelling)


@pytest.mark.parametrize("folder", ["dnsmasq", "extra"])
@pytest.mark.parametrize("funnel", [True, False])
def test_dnsmasq_s_log_tells_who_asked_and_which_addresses_they_were_given(
    logs: Path, folder: str, funnel: bool
) -> None:
    events, account = read(logs / folder / "dnsmasq.log", funnel=funnel)
    assert account.dialect == "dnsmasq"
    # It does not print names with control characters, or with dots inside a label.
    told = Counter({key: n for key, n in expected().items() if not re.search(r"\\x(?:0a|2e)", key[1])})
    assert asked_of(events) == told
    given = {(event.client, event.name, address) for event in events if isinstance(event, DnsAnswer)
             for address, _ in event.addresses}  # fmt: skip
    assert given == {
        (HOST, "api.shodan.example", "198.18.4.3"),
        (HOST, "api.shodan.example", "198.18.4.4"),
        (OTHER, "api.shodan.example", "2001:db8::4"),
        (HOST, "www.shodan.example", "198.18.4.9"),
    }
    ports = {event.client_port for event in events}
    assert (ports == {None}) == (folder == "dnsmasq")


def test_what_one_server_after_the_other_was_asked_is_one_question_with_all_as_evidence(logs: Path) -> None:
    accounts: list[Account] = []
    shared = Inputs(Lookout(INTEREST), True, lambda line: None, lambda done: None)
    paths = [logs / "unbound/unbound.log", logs / "bind/named.log", logs / "bind/dnstap.out"]
    events = list(read_inputs(paths, shared, accounts))
    assert {account.dialect for account in accounts} == {"unbound", "bind", "dnstap"}
    assert {event.source for event in events} == {"unbound", "bind", "dnstap"}
