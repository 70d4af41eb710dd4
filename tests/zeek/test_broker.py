"""A running Zeek with `@load reconwatch/broker`: notices raised in it once each, rows out of it as in its log."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconwatch.broker.connection import AwayError, Connection, Login
from reconwatch.broker.frames import Event, Trouble
from reconwatch.broker.values import Value, count, text
from reconwatch.notices import NOTES, Notice
from reconwatch.pipeline import Replay
from reconwatch.sightings import Actor
from reconwatch.sources.live.zeek_feed import ZeekFeed
from reconwatch.store.output import Refused, Unreachable
from reconwatch.store.zeek import RAISE, RAISED, ZeekOutput, raising
from tests.conftest import ROOT
from tests.sources.live.taking import Clock, Service
from tests.store.conftest import notice
from tests.zeek.test_logs import rooms
from tests.zeek_server import until

PACKAGE = ROOT / "zeek-scripts"
SIGHTING = """
global made = 0;
event one_more() {
    local c = conn_id($orig_h=10.1.1.1, $orig_p=5/tcp, $resp_h=[2001:db8::1], $resp_p=443/tcp);
    local rec = ReconWatch::Info($ts=double_to_time(1795521600.123456 + made), $uid=cat("C", made), $id=c,
        $direction="lookup", $kind="http", $actor=10.1.1.1, $actor_role=set("proxy", "host"), $technique="T1596.005",
        $service="shodan", $targets=vector("ip:203.0.113.10", "domain:x"), $status_code=200,
        $uri="/" + cat(made) + "\\xe4\\x00\\x1b\\x0b\\"\\\\ü\\x7f\\n,", $host="");
    ++made;
    ReconWatch::sight(rec);
    ReconWatch::sight(ReconWatch::Info($ts=double_to_time(1795521600.0 + made), $direction="probe", $kind="conn",
        $actor=198.51.100.7, $actor_role=set("outside"), $technique="T1595.001", $host="grüße"));
    if ( made < 20 )
        schedule 10msec { one_more() };
}
event Cluster::websocket_client_added(endpoint: Cluster::EndpointInfo, topics: string_vec) {
    if ( "/zeek/reconwatch/sighted" in cat(topics) ) schedule 200msec { one_more() };
}
redef LogAscii::use_json = T;
"""

LONG = """
redef LogAscii::use_json = T;
event Cluster::websocket_client_added(endpoint: Cluster::EndpointInfo, topics: string_vec) {
    local text = string_fill(6000000, "\\xc3\\xbc ");
    local rec = ReconWatch::Info($ts=double_to_time(1.0), $direction="lookup", $kind="http", $actor=10.1.1.1,
        $actor_role=set("host"), $technique="T1596.005", $host=text, $method=text, $uri="/" + text, $user_agent=text,
        $query=text, $server_name=text);
    rec$targets += text;
    local i = 0;
    while ( ++i <= 200 )
        rec$targets += cat("ip:", i);
    ReconWatch::sight(copy(rec));
    rec$uri = "/short";
    ReconWatch::sight(rec);
}
"""


class Zeek:
    """A Zeek, without packets or with those of a capture, in a folder of its own for each of its lives."""

    def __init__(self, folder: Path, script: str, capture: Path | None = None) -> None:
        found = shutil.which("zeek")
        if found is None:
            pytest.skip("NO ZEEK HERE: what is said over its WebSocket API was tried on a small server only")
        self._zeek = found
        self._folder = folder
        self._reads = ["-r", str(capture)] if capture is not None else []
        self._lives = 0
        self._running: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        (folder / "local.zeek").write_text(
            f"@load {PACKAGE}\n@load {PACKAGE}/broker.zeek\n"
            f"redef ReconWatch::broker_listen_port = {self.port}/tcp;\n"
            f'redef ReconWatch::raised_file = "{folder}/raised.sqlite";\n'
            "redef exit_only_after_terminate = T;\n" + script
        )

    def starts(self) -> None:
        self._lives += 1
        life = self._folder / str(self._lives)
        life.mkdir()
        with (life / "output").open("wb") as output:
            self._running = subprocess.Popen(
                [self._zeek, "-C", *self._reads, str(self._folder / "local.zeek")],
                cwd=life,
                stdout=output,
                stderr=output,
            )
        running = self._running
        assert until(lambda: self._listens() or running.poll() is not None)
        assert running.poll() is None, (life / "output").read_text()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def ends(self, how: int = signal.SIGTERM) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.send_signal(how)
            running.wait(60)

    def log(self, name: str) -> list[dict[str, object]]:
        """The rows of a log over all lives, so far as they are written whole."""
        texts = [path.read_text() for path in sorted(self._folder.glob(f"*/{name}.log"))]
        return [json.loads(line) for text in texts for line in text[: text.rfind("\n") + 1].splitlines()]

    def told(self) -> Counter[tuple[str, ...]]:
        """How often each notice of ours stands in notice.log, as the words of `sub` up to rev."""
        return Counter(
            tuple(str(row["sub"]).split()[:3])
            for row in self.log("notice")
            if str(row["sub"]).startswith("reconwatch id=")
        )


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[str], Zeek]]:
    made: list[Zeek] = []

    def start(script: str = "redef LogAscii::use_json = T;\n") -> Zeek:
        made.append(Zeek(tmp_path, script))
        made[-1].starts()
        return made[-1]

    yield start
    for each in made:
        each.ends(signal.SIGKILL)


@pytest.fixture
def zeek(started: Callable[..., Zeek]) -> Zeek:
    return started()


def sends(output: ZeekOutput, notices: list[Notice]) -> None:
    """As the delivery does: again until all is taken."""
    left = list(notices)

    def step() -> bool:
        try:
            output.send(left)
        except Unreachable as away:
            del left[: away.taken]
            return False
        left.clear()
        return True

    assert until(step)


def names(notices: list[Notice]) -> Counter[tuple[str, ...]]:
    return Counter({("reconwatch", f"id={each.id}", f"rev={each.rev}"): 1 for each in notices})


def test_every_note_is_raised_with_its_actor_score_and_technique(zeek: Zeek) -> None:
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    notices = [notice(number, note=note) for number, note in enumerate(NOTES, 1)]
    notices.append(notice(99, note="Campaign", actor=Actor(ip="")))
    output.send(notices)
    output.close()
    assert until(lambda: len(zeek.log("notice")) == len(notices))
    rows = zeek.log("notice")
    assert [row["note"] for row in rows] == [f"ReconWatch::{each.note}" for each in notices]
    assert rows[0]["src"] == "10.20.1.11"
    assert rows[0]["uid"] == "C1"
    assert rows[0]["sub"] == (
        f"reconwatch id={notices[0].id} rev=1 state=open score=65 technique=T1596.005 verdict=escalate"
        " services=shodan targets=203.0.113.10"
    )
    assert "src" not in rows[-1]
    assert zeek.log("reconwatch") == []  # what was raised is not a sighting: nothing comes back
    assert [row for row in zeek.log("reporter") if row["level"] != "Reporter::INFO"] == []


def test_what_reconwatch_raised_does_not_come_back_as_a_finding(zeek: Zeek, tmp_path: Path) -> None:
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    output.send([notice(number, note=note) for number, note in enumerate(NOTES, 1)])
    output.close()
    log = tmp_path / "1" / "notice.log"
    assert until(lambda: len(zeek.log("notice")) == len(NOTES))
    assert list(Replay([log], *rooms()).notices()) == []
    log.write_text(log.read_text().replace('"sub":"reconwatch id=', '"sub":"technique=T1596 score=40 services= x='))
    assert list(Replay([log], *rooms()).notices()) != []  # of others it would have been read


def test_what_is_asked_twice_is_raised_once_and_a_new_rev_is_another(zeek: Zeek) -> None:
    notices = [notice(1), notice(2), notice(2, rev=2)]
    for _ in range(2):
        output = ZeekOutput(Login(zeek.url), lambda each: True)
        output.send(notices)
        output.send(notices)
        output.close()
    assert until(lambda: zeek.told() == names(notices)), zeek.told()


def test_over_an_orderly_restart_every_notice_is_raised_exactly_once(zeek: Zeek) -> None:
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    notices = [notice(number) for number in range(1, 61)]
    sends(output, notices[:20])
    for notice_ in notices[20:40]:  # asked for, and Zeek ends before anybody heard of it
        connection = Connection(Login(zeek.url), []) if notice_ is notices[20] else connection  # noqa: F821
        connection.send(raising(notice_))
    assert until(lambda: len(zeek.told()) == 40)
    zeek.ends()
    connection.close()
    with pytest.raises(Unreachable):
        output.send(notices[20:])
    zeek.starts()
    sends(output, notices)
    output.close()
    assert until(lambda: zeek.told() == names(notices)), zeek.told()


def test_a_kill_loses_no_notice_and_what_may_be_told_twice_says_so(zeek: Zeek) -> None:
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    notices = [notice(number) for number in range(1, 41)]
    sends(output, notices[:20])
    assert until(lambda: len(zeek.told()) == 20)
    connection = Connection(Login(zeek.url), [])
    for each in notices[20:]:
        connection.send(raising(each))
    assert until(lambda: len(zeek.told()) > 20)
    zeek.ends(signal.SIGKILL)
    connection.close()
    zeek.starts()
    sends(output, notices)
    output.close()
    assert until(lambda: set(zeek.told()) == set(names(notices)))
    told = zeek.told()
    assert all(told[key] == 1 for key in names(notices[:20]))  # acknowledged before
    doubled = {key for key, number in told.items() if number > 1}
    marked = {
        tuple(str(row["sub"]).split()[:3]) for row in zeek.log("notice") if "perhaps-told-before=T" in str(row["sub"])
    }
    assert doubled <= marked


@pytest.mark.parametrize(("changed", "reason"), [
    ({"note": "Unheard_Of"}, "knows no such note"),
    ({"id": "rw-1' or 1=1"}, "its id is none"),
    ({"ts": 1e30}, "its time is none"),
    ({"state": "ajar"}, "its state is unknown"),
])  # fmt: skip
def test_what_zeek_cannot_raise_is_refused_for_good_and_told_why(
    zeek: Zeek, changed: dict[str, object], reason: str
) -> None:
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    with pytest.raises(Refused, match=reason) as refused:
        output.send([notice(1), notice(2, **changed), notice(3)])
    output.close()
    assert (refused.value.taken, refused.value.final) == (1, True)
    assert until(lambda: zeek.told() == names([notice(1), notice(3)])), zeek.told()


def test_a_flood_of_notices_is_refused_beyond_its_bound(started: Callable[..., Zeek]) -> None:
    zeek = started("redef LogAscii::use_json = T;\nredef ReconWatch::raised_most = 5;\n")
    output = ZeekOutput(Login(zeek.url), lambda each: True)
    with pytest.raises(Refused, match="more than 5 notices") as refused:
        output.send([notice(number) for number in range(1, 10)])
    output.close()
    assert (refused.value.taken, refused.value.final) == (5, False)
    assert until(lambda: sum(zeek.told().values()) == 5)


def test_a_hostile_peer_crashes_nothing(zeek: Zeek) -> None:
    connection = Connection(Login(zeek.url), [RAISED])
    for event in (
        Event(RAISE, "ReconWatch::raise", (text("x"),)),
        Event(RAISE, "ReconWatch::raise", (Value("none"),) * 11),
        Event(RAISE, "ReconWatch::settled", (text("rw-0000000000000001"), count(1))),
    ):
        connection.send(event)
    connection.send(raising(notice(1, msg="\x1b]0;x\x07" * 2000)))
    heard: list[object] = []

    def answered() -> bool:
        heard.append(connection.receive(0.1))
        return any(isinstance(each, Event) and each.name == "ReconWatch::raised" for each in heard)

    assert until(answered)
    assert any(isinstance(each, Trouble) for each in heard)
    connection.close()


def test_rows_come_as_the_log_holds_them_value_for_value_hostile_text_too(started: Callable[..., Zeek]) -> None:
    zeek = started(SIGHTING)
    clock = Clock()
    service = Service(lambda: ZeekFeed(Login(zeek.url), clock), clock)

    def step() -> bool:
        service.step()
        return len(service.lines) >= 40

    assert until(step)
    service.killed()
    got = [json.loads(line) for data in service.streams.values() for line in bytes(data).splitlines()]
    assert all(row.pop("_path") == "reconwatch" for row in got)
    assert until(lambda: len(zeek.log("reconwatch")) == 40)
    logged = zeek.log("reconwatch")
    for each in (*got, *logged):
        each["actor_role"] = sorted(each["actor_role"])  # type: ignore[call-overload]  # a set has no order
    assert [json.dumps(each) for each in got] == [json.dumps(each) for each in logged]
    assert service.told == []


def test_a_text_as_long_as_a_frame_is_cut_as_in_the_log_and_ends_no_connection(started: Callable[..., Zeek]) -> None:
    zeek = started(LONG)
    clock = Clock()
    service = Service(lambda: ZeekFeed(Login(zeek.url), clock), clock)

    def step() -> bool:
        service.step()
        return len(service.lines) >= 2

    try:
        assert until(step), service.problems
    finally:
        service.killed()
    assert service.told == []
    assert until(lambda: len(zeek.log("reconwatch")) == 2)
    rows = zeek.log("reconwatch")
    assert [len(str(row["uri"]).encode()) for row in rows] == [4096, len("/short")]
    came = [json.loads(line) for data in service.streams.values() for line in bytes(data).splitlines()]
    assert came == [{"_path": "reconwatch"} | row for row in rows]


def test_a_killed_zeek_is_one_gap(zeek: Zeek) -> None:
    clock = Clock()
    service = Service(lambda: ZeekFeed(Login(zeek.url), clock, jitter=lambda: -1.0), clock)
    feed = service.feed
    assert isinstance(feed, ZeekFeed)

    def connected() -> bool:
        service.step()
        return feed._number == 1

    assert until(connected)
    zeek.ends(signal.SIGKILL)
    clock.passes(100)
    zeek.starts()

    def back() -> bool:
        service.step()
        return bool(service.gaps)

    assert until(back)
    service.killed()
    assert len(service.gaps) == 1
    assert service.gaps[0][1] - service.gaps[0][0] >= 100


def test_a_zeek_without_its_backend_is_told_as_what_it_is(tmp_path: Path) -> None:
    zeek = Zeek(tmp_path, "")
    (tmp_path / "local.zeek").write_text(
        "redef exit_only_after_terminate = T;\n@load base/frameworks/cluster\n"
        f"event zeek_init() {{ Cluster::listen_websocket([$listen_addr=127.0.0.1, $listen_port={zeek.port}/tcp]); }}\n"
    )
    zeek.starts()
    try:
        with pytest.raises(AwayError, match="does not acknowledge"):
            Connection(Login(zeek.url), [RAISED], patience=2.0)
    finally:
        zeek.ends(signal.SIGKILL)
