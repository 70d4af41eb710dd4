"""What Prometheus is told, and who is answered over HTTP: the format holds whatever the names are."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import msgspec
import pytest

from reconwatch.answering import HEALTHY_WITHIN, Answering, Board
from reconwatch.metrics import exposition, families
from reconwatch.vitals import FeedVitals
from tests.vitals import VITALS

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{{LABEL}(?:,{LABEL})*\}})? (-?[0-9.e+-]+|NaN|[+-]Inf)")


def samples(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_every_line_is_one_of_the_format_and_every_sample_belongs_to_the_family_above_it() -> None:
    family = ""
    seen = []
    for line in exposition(VITALS).decode().splitlines():
        if told := re.fullmatch(rf"# HELP ({NAME}) [^\n]+", line):
            family = told[1]
            seen.append(family)
        elif line.startswith("#"):
            assert re.fullmatch(rf"# TYPE {family} (counter|gauge)", line)
        else:
            found = SAMPLE.fullmatch(line)
            assert found is not None, line
            assert found[1] == family
    assert len(seen) == len(set(seen))
    assert exposition(VITALS).endswith(b"\n")


def test_counters_are_named_so_and_gauges_are_not() -> None:
    for name, kind, told, _ in families(VITALS):
        assert name.endswith("_total") == (kind == "counter"), name
        assert told.endswith(".")


def test_the_numbers_are_those_of_the_service() -> None:
    told = samples(exposition(VITALS).decode())
    assert told['reconwatch_notices_total{note="Targeted_Search",verdict="escalate"}'] == "3"
    assert told['reconwatch_lag_bytes{feed="eve.json"}'] == "4096"
    assert told['reconwatch_skipped_total{reason="not JSON"}'] == "7"
    assert told['reconwatch_sink_dropped_total{sink="siem"}'] == "5"
    assert told["reconwatch_trouble"] == "0"
    assert told["reconwatch_gap_seconds_total"] == "12.5"
    assert told["reconwatch_catalog_timestamp_seconds"] == "1795478400"
    assert told['reconwatch_indicators_timestamp_seconds{feed="block"}'] == "1795000000"


def test_trouble_is_one() -> None:
    assert samples(exposition(msgspec.structs.replace(VITALS, trouble="x")).decode())["reconwatch_trouble"] == "1"


def test_a_hostile_name_cannot_end_its_label_or_its_line() -> None:
    hostile = 'a"} 1\nreconwatch_trouble 1\\\n# TYPE x counter\x1b[2J\ud800'
    told = exposition(msgspec.structs.replace(VITALS, feeds=(FeedVitals(hostile, 1),), skipped={hostile: 2})).decode()
    assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in told.split("\n")[:-1])
    assert "\x1b" not in told
    assert len(re.findall(r"^reconwatch_trouble", told, re.MULTILINE)) == 1


@pytest.mark.parametrize(("value", "text"), [
    (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (0.25, "0.25"), (1e300, "1e+300"),
])  # fmt: skip
def test_numbers_are_spelled_as_the_format_has_them(value: float, text: str) -> None:
    told = samples(exposition(msgspec.structs.replace(VITALS, snapshot_took=value)).decode())
    assert told["reconwatch_snapshot_duration_seconds"] == text


class Asked:
    """A board that answers at some free port."""

    def __init__(self) -> None:
        self.now = 0.0
        self.board = Board(ticks=lambda: self.now)
        self.server = Answering(("127.0.0.1", 0), self.board)
        self.port = self.server.server_port

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    yield made
    made.server.close()


def test_before_it_has_begun_there_is_nothing_to_say(asked: Asked) -> None:
    assert asked.get("/metrics") == (503, "not begun yet\n")
    assert asked.get("/readyz") == (503, "not begun yet\n")
    assert asked.get("/healthz") == (200, "turning\n")


def test_metrics_are_served(asked: Asked) -> None:
    asked.board.vitals = VITALS
    status, text = asked.get("/metrics?x=1")
    assert (status, text) == (200, exposition(VITALS).decode())
    assert asked.get("/metrics", "HEAD") == (200, "")


def test_a_loop_that_does_not_turn_is_not_healthy(asked: Asked) -> None:
    asked.now = HEALTHY_WITHIN + 1
    assert asked.get("/healthz") == (503, "the loop has not turned for 121 s\n")
    asked.board.turned = asked.now
    assert asked.get("/healthz")[0] == 200


def test_it_is_ready_once_it_has_caught_up_and_while_its_store_is_well(asked: Asked) -> None:
    asked.board.vitals = msgspec.structs.replace(VITALS, ready=False)
    assert asked.get("/readyz") == (503, "it has not caught up yet\n")
    asked.board.vitals = VITALS
    assert asked.get("/readyz") == (200, "ready\n")
    asked.board.vitals = msgspec.structs.replace(VITALS, trouble="no room\nis left")
    assert asked.get("/readyz") == (503, "no room is left\n")


def test_there_is_nothing_else_to_read_and_nothing_to_write(asked: Asked) -> None:
    asked.board.vitals = VITALS
    for path in ("/", "/../etc/passwd", "/metrics/../../etc/passwd", "/%2e%2e/x"):
        assert asked.get(path)[0] == 404
    assert asked.get("/metrics", "POST")[0] == 501


def test_a_port_in_use_is_an_error_at_the_start(asked: Asked) -> None:
    with pytest.raises(OSError, match="in use"):
        Answering(("127.0.0.1", asked.port), Board())


def test_those_who_ask_and_say_nothing_do_not_keep_others_from_being_answered(asked: Asked) -> None:
    silent = [socket.create_connection(("127.0.0.1", asked.port)) for _ in range(5)]
    assert asked.get("/healthz") == (200, "turning\n")
    for each in silent:
        each.close()
