"""Crawlers told by their reverse names, which mostly become known when they have come and gone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reconwatch import reverse_names
from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load, load_world
from reconwatch.catalog.world import Facts, Scanner, World, with_table
from reconwatch.events import DnsAnswer
from reconwatch.live import Live
from reconwatch.notices import Notice
from reconwatch.pipeline import Replay
from reconwatch.reverse_names import Called, ReverseNames, reversed_address
from reconwatch.sources.live import Chunk
from tests.sources.pcap.wire import ACK, SYN, Talk, Timed, name, pcap, question, record, response, udp
from tests.sources.pcap.wire import START as CAPTURED
from tests.sources.test_zeek import header
from tests.story import HOST, NOON, RESOLVER, SITE

CRAWLER, STRANGER = "9.9.9.7", "192.0.2.66"
WEB, MAIL = "203.0.113.10", "203.0.113.25"
HOURS = 3_600.0

WORLD = World(
    with_table(
        Facts(
            scanners=(
                Scanner("censys", "Censys", "Censys", "database", ("censys",), ranges="162.142.125.0/24",
                        rdns=("censys-scanner.com",)),
                Scanner("shodan", "Shodan", "Shodan", "database", ("shodan",), rented=True, ranges="66.240.205.34/32",
                        rdns=("shodan.io",)),
                Scanner("michigan", "Michigan", "Michigan", "survey", rdns=("researchscan*.eecs.umich.edu",)),
            )
        )
    )
)  # fmt: skip


# What happened, in the words of three inputs


class Visit(NamedTuple):
    """A request over one connection, or an opening that nothing follows."""

    after: float
    client: str
    server: str = WEB
    port: int = 80
    asks: bool = True
    answered: bool = True


class Resolved(NamedTuple):
    """An answer to one of our hosts."""

    after: float
    name: str
    qtype: str
    data: str


Story = list[Visit | Resolved]


def called(after: float, ip: str, text: str) -> Resolved:
    return Resolved(after, ip_address(ip).reverse_pointer, "PTR", text)


def given(after: float, text: str, ip: str) -> Resolved:
    return Resolved(after, text, "A", ip)


NUMBERS = {"A": 1, "PTR": 12}


def zeek_tsv(story: Story, folder: Path) -> None:
    ends = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
    logs = {
        "conn": (ends + "proto service conn_state history").split(),
        "dns": (ends + "proto trans_id query qtype rcode answers TTLs").split(),
        "http": (ends + "trans_depth method host uri status_code").split(),
    }
    text = {log: header(log, " ".join(fields)) for log, fields in logs.items()}

    def row(log: str, **values: Any) -> None:
        text[log] += "\t".join(str(values.get(field.replace(".", "_"), "-")) for field in logs[log]) + "\n"

    for n, step in enumerate(story):
        facts = {"ts": NOON + step.after, "uid": f"C{n}"}
        if isinstance(step, Resolved):
            facts |= {"id_orig_h": HOST, "id_orig_p": 40000 + n, "id_resp_h": RESOLVER, "id_resp_p": 53, "proto": "udp"}
            asked = {"trans_id": n, "query": step.name, "qtype": NUMBERS[step.qtype]}
            row("dns", **facts, **asked, rcode=0, answers=step.data, TTLs="60.0")
            continue
        facts |= {"id_orig_h": step.client, "id_orig_p": 50000 + n, "id_resp_h": step.server, "id_resp_p": step.port}
        state = "SF" if step.asks else "RSTO" if step.answered else "S0"
        history = "ShADadFf" if step.asks else "ShR" if step.answered else "S"
        row("conn", **facts, proto="tcp", service="http" if step.asks else "-", conn_state=state, history=history)
        if step.asks:
            row("http", **facts, trans_depth=1, method="GET", host=step.server, uri="/", status_code=200)
    for log, content in text.items():
        (folder / f"{log}.log").write_text(content)


def eve(version: int) -> Callable[[Story, Path], None]:
    def write(story: Story, folder: Path) -> None:
        lines = []
        for n, step in enumerate(story):
            stamp = datetime.fromtimestamp(NOON + step.after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
            if isinstance(step, Resolved):
                answers = [{"rrname": step.name, "rrtype": step.qtype, "ttl": 60, "rdata": step.data}]
                dns: dict[str, Any] = {"version": version, "id": n, "rcode": "NOERROR", "answers": answers}
                if version == 3:
                    dns |= {"type": "response", "queries": [{"rrname": step.name, "rrtype": step.qtype}]}
                else:
                    dns |= {"type": "answer", "rrname": step.name, "rrtype": step.qtype}
                    dns["grouped"] = {step.qtype: [dns.pop("answers")[0]["rdata"]]}
                ends = {"src_ip": HOST, "src_port": 40000 + n, "dest_ip": RESOLVER, "dest_port": 53}
                if version == 3:
                    ends = {"src_ip": RESOLVER, "src_port": 53, "dest_ip": HOST, "dest_port": 40000 + n}
                lines.append(
                    {"timestamp": stamp, "event_type": "dns", "flow_id": n, "proto": "UDP", **ends, "dns": dns}
                )
                continue
            facts = {
                "timestamp": stamp, "flow_id": n, "proto": "TCP", "src_ip": step.client, "src_port": 50000 + n,
                "dest_ip": step.server, "dest_port": step.port,
            }  # fmt: skip
            if step.asks:
                lines.append(facts | {"event_type": "http", "http": {
                    "hostname": step.server, "url": "/", "http_method": "GET", "protocol": "HTTP/1.1", "status": 200,
                }})  # fmt: skip
            tcp = {"tcp_flags_ts": "1b" if step.asks else "06", "tcp_flags_tc": "1b" if step.asks else "12"}
            if not step.answered:
                tcp = {"tcp_flags_ts": "02", "tcp_flags_tc": "00"}
            flow = {"start": stamp, "pkts_toserver": 5, "pkts_toclient": 5 if step.answered else 0}
            lines.append(facts | {"event_type": "flow", "flow": flow, "tcp": tcp})
        (folder / "eve.json").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))

    return write


def capture(story: Story, folder: Path) -> None:
    frames: list[Timed] = []
    for n, step in enumerate(story):
        after = NOON - CAPTURED + step.after
        if isinstance(step, Resolved):
            data = name(step.data) if step.qtype == "PTR" else ip_address(step.data).packed
            qtype = NUMBERS[step.qtype]
            frames.append((after - 0.01, udp(question(step.name, qtype, n), 40000 + n, 53, HOST, RESOLVER)))
            answer = response(step.name, [record(b"\xc0\x0c", qtype, data)], qtype, n)
            frames.append((after, udp(answer, 53, 40000 + n, RESOLVER, HOST)))
            continue
        talk = Talk(step.port, 50000 + n, step.client, step.server)
        if step.asks:
            talked = talk.whole(f"GET / HTTP/1.1\r\nHost: {step.server}\r\n\r\n".encode())
        elif step.answered:
            talked = [talk.up(flags=SYN), talk.down(flags=SYN | ACK), talk.up(flags=4)]
        else:
            talked = [talk.up(flags=SYN)]
        frames += [(after + number / 1000, frame) for number, frame in enumerate(talked)]
    (folder / "capture.pcap").write_bytes(pcap(sorted(frames)))


WRITERS = {"zeek": zeek_tsv, "eve 2": eve(2), "eve 3": eve(3), "capture": capture}


@pytest.fixture(params=WRITERS)
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Story], list[Notice]]:
    """The crawls that an input of one kind tells, with the funnel as without."""

    def tell(story: Story) -> list[Notice]:
        WRITERS[request.param](story, tmp_path)
        found = [
            [each for each in Replay([tmp_path], Catalog([]), SITE, WORLD, funnel=funnel).notices()
             if each.note == "Scanner_Crawl"]
            for funnel in (True, False)
        ]  # fmt: skip
        assert found[0] == found[1]
        return found[0]

    return tell


CRAWL: Story = [
    Visit(0, CRAWLER),
    Visit(1, CRAWLER, port=443, asks=False),
    Visit(2, CRAWLER, port=8080, asks=False, answered=False),
]


def test_a_name_that_nothing_confirms_is_what_it_calls_itself(told: Callable[[Story], list[Notice]]) -> None:
    (notice,) = told([*CRAWL, called(60, CRAWLER, "Census1.shodan.io")])
    assert notice.msg == (
        f"{CRAWLER} calls itself census1.shodan.io (Shodan) and collected {WEB}: ports 80, 443; tried 1 more"
    )
    assert (notice.score, notice.verdict, notice.services) == (10, "monitor", ("shodan",))
    whys = [reason.why for reason in notice.reasons]
    assert whys[0].startswith("only its reverse name says that it is Shodan")
    assert "called census1.shodan.io in reverse DNS; no input shows whether the name gives it back" in whys


@pytest.mark.parametrize("first", [-HOURS, 60, 20 * HOURS])
def test_a_name_that_gives_the_address_back_is_the_crawler_s(
    told: Callable[[Story], list[Notice]], first: float
) -> None:
    (notice,) = told([*CRAWL, called(first, CRAWLER, "census1.shodan.io"), given(30, "census1.shodan.io", CRAWLER)])
    assert notice.msg == f"Shodan ({CRAWLER}) collected {WEB}: ports 80, 443; tried 1 more"
    assert notice.score == 5
    assert "called census1.shodan.io in reverse DNS, and the name was seen to give the address back" in [
        reason.why for reason in notice.reasons
    ]


def test_a_name_that_gives_another_address_confirms_nothing(told: Callable[[Story], list[Notice]]) -> None:
    (notice,) = told([*CRAWL, called(9, CRAWLER, "a.shodan.io"), given(9, "a.shodan.io", "66.240.205.34")])
    assert "calls itself a.shodan.io" in notice.msg


def test_a_name_agrees_with_a_listed_address_that_changes_hands(told: Callable[[Story], list[Notice]]) -> None:
    listed = "66.240.205.34"
    (notice,) = told([Visit(0, listed), called(9, listed, "census2.shodan.io")])
    whys = [reason.why for reason in notice.reasons]
    assert notice.msg.startswith("Shodan (66.240.205.34) collected")
    assert not [why for why in whys if "changed hands" in why]
    assert [why for why in whys if "called census2.shodan.io" in why]


@pytest.mark.parametrize(
    "others",
    [
        [called(9, CRAWLER, "census1.shodan.io.example.org")],
        [called(9, STRANGER, "census1.shodan.io")],
        [called(49 * HOURS, CRAWLER, "census1.shodan.io")],
        [given(9, "census1.shodan.io", CRAWLER)],
        [called(9, CRAWLER, "web1.eecs.umich.edu")],
        [],
    ],
)
def test_whoever_is_called_otherwise_is_a_stranger(told: Callable[[Story], list[Notice]], others: Story) -> None:
    assert told([*CRAWL, *others]) == []


def test_a_pattern_is_a_name_too(told: Callable[[Story], list[Notice]]) -> None:
    (notice,) = told([*CRAWL, called(9, CRAWLER, "researchscan7.eecs.umich.edu")])
    assert "calls itself researchscan7.eecs.umich.edu (Michigan)" in notice.msg
    assert notice.techniques == ("T1595.001",)


def test_mail_from_a_crawler_s_operator_is_no_crawl(told: Callable[[Story], list[Notice]]) -> None:
    mail = Visit(0, CRAWLER, MAIL, 25, asks=False)
    assert told([mail, called(9, CRAWLER, "mx.shodan.io"), given(9, "mx.shodan.io", CRAWLER)]) == []


def test_who_resolves_the_names_of_visitors_looked_nothing_up(tmp_path: Path) -> None:
    zeek_tsv([*CRAWL, called(9, CRAWLER, "a.shodan.io")], tmp_path)
    catalog = load()
    assert {notice.note for notice in Replay([tmp_path], catalog, SITE, load_world(catalog)).notices()} == {
        "Scanner_Crawl"
    }


def live_run(path: Path, cuts: int) -> Iterator[Notice]:
    """The crawls that a service tells of an EVE log, stopped and gone on with at each of some cuts."""
    lines = path.read_bytes().splitlines(keepends=True)
    live, offset = Live(Catalog([]), SITE, WORLD), 0
    for start in range(0, len(lines), max(1, len(lines) // cuts)):
        piece = lines[start : start + max(1, len(lines) // cuts)]
        data = b"".join(piece)
        live.read(Chunk("eve.json", "eve.json", data, offset, start + 1, lines[0], last=piece[-1] is lines[-1]))
        offset += len(data)
        yield from live.notices()
        state, live = live.state(), Live(Catalog([]), SITE, WORLD)
        live.restore(state)
    yield from live.finish()


@pytest.mark.parametrize("cuts", [1, 2, 9])
@pytest.mark.parametrize("first", [-600, 600])
def test_a_service_tells_the_same_crawl_in_the_end(tmp_path: Path, cuts: int, first: float) -> None:
    story = [*CRAWL, called(first, CRAWLER, "a.shodan.io"), given(first, "a.shodan.io", CRAWLER)]
    eve(3)(sorted(story, key=lambda step: step.after), tmp_path)
    log = tmp_path / "eve.json"
    said = [notice for notice in live_run(log, cuts) if notice.note == "Scanner_Crawl"]
    (replayed,) = Replay([log], Catalog([]), SITE, WORLD).notices()
    assert (said[-1].row, said[-1].msg) == (replayed.row, replayed.msg)


# The names by themselves


def pointer(ip: str, *names: str, at: float = 0) -> DnsAnswer:
    return DnsAnswer(
        ts=at, client=HOST, server=RESOLVER, source="zeek/dns", name=ip_address(ip).reverse_pointer, addresses=(),
        pointers=names,
    )  # fmt: skip


def forward(text: str, ip: str, at: float = 0) -> DnsAnswer:
    return DnsAnswer(ts=at, client=HOST, server=RESOLVER, source="zeek/dns", name=text, addresses=((ip, 60.0),))


def learned(answers: Iterable[DnsAnswer]) -> ReverseNames:
    names = ReverseNames(lambda name: name.endswith(".shodan.io"))
    for answer in answers:
        names.learn(answer)
    return names


def test_of_several_names_the_confirmed_one_is_told() -> None:
    names = learned([pointer(CRAWLER, "a.shodan.io", "b.shodan.io", "c.example.org"), forward("b.shodan.io", CRAWLER)])
    assert names.at(CRAWLER, 0) == Called("b.shodan.io", confirmed=True)


def test_an_answer_is_taken_to_be_true_for_a_day_before_and_after() -> None:
    names = learned([pointer(CRAWLER, "a.shodan.io", at=day * 86_400) for day in (10, 12, 20)])
    valid = [hour / 2 for hour in range(50) if names.at(CRAWLER, hour / 2 * 86_400) is not None]
    assert valid == [9, 9.5, 10, 10.5, 11, 11.5, 12, 12.5, 13, 19, 19.5, 20, 20.5, 21]


def test_what_was_true_long_ago_is_let_go() -> None:
    names = learned([pointer(CRAWLER, "a.shodan.io"), pointer("9.9.9.8", "b.shodan.io", at=5 * 86_400)])
    names.forget(3 * 86_400)
    assert names.called() == ["9.9.9.8"]


def test_which_names_are_kept_does_not_depend_on_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse_names, "MOST_ADDRESSES", 5)
    monkeypatch.setattr(reverse_names, "MOST_NAMES", 2)
    addresses = [f"192.0.2.{n}" for n in range(40)]
    answers = [pointer(ip, f"{n}.shodan.io") for ip in addresses for n in range(4)]
    expected = learned(answers)
    assert expected.called() == sorted(addresses)[:5]
    for seed in range(5):
        names = learned(random.Random(seed).sample(answers, len(answers)))
        assert names.called() == expected.called()
        assert [names.at(ip, 0) for ip in addresses] == [expected.at(ip, 0) for ip in addresses]


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("7.9.9.9.in-addr.arpa", "9.9.9.7"),
        (ip_address("2001:db8::1").reverse_pointer, "2001:db8::1"),
        ("9.9.9.in-addr.arpa", None),
        ("b._dns-sd._udp.0.2.0.192.in-addr.arpa", None),
        ("www.acme-widgets.com", None),
    ],
)
def test_only_a_whole_address_has_a_reverse_name(text: str, ip: str | None) -> None:
    assert reversed_address(text) == ip
