"""What who writes packets can do to a running service: of docs/threat-model.md what no other test shows."""

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconwatch import live as live_module
from reconwatch.live import AHEAD, Live
from reconwatch.notices import Notice
from reconwatch.service import Service
from reconwatch.sources.live import Chunk
from reconwatch.sources.live.files import FilesFeed
from reconwatch.store import Delivery, Store
from reconwatch.store.outputs import FileOutput
from tests.story import CATALOG, HOST, NOON, SITE

PACKAGE = Path(__file__).parents[1] / "sensor" / "reconwatch"
ESCAPES = '\x1b]0;owned\x07\x1b[2J\u202e\u2028\n{"note":"Forged"}\r\n#close\t\x00\x9b31m'
WORDS = "../../etc/passwd%s{0.__class__}${HOME}$(id)"


def request(after: float, uri: str, *, host: str = "www.shodan.io", agent: str = "x", client: str = HOST) -> bytes:
    stamp = datetime.fromtimestamp(NOON + after, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    event: dict[str, Any] = {"timestamp": stamp, "flow_id": int(after) + 1, "event_type": "http", "proto": "TCP"}
    event["http"] = {"hostname": host, "url": uri, "http_method": "GET", "http_user_agent": agent}
    event |= {"src_ip": client, "src_port": 40_000 + int(after) % 1_000, "dest_ip": "198.18.4.2", "dest_port": 80}
    return json.dumps(event).encode() + b"\n"


def told(live: Live, *lines: bytes) -> list[Notice]:
    live.read(Chunk("eve", "eve.json", b"".join(lines), 0, 1, lines[0], last=True))
    return [*live.notices(), *live.finish()]


def test_a_time_far_ahead_moves_no_clock_and_hides_nothing() -> None:
    lookup = request(10, "/shodan/host/203.0.113.10")
    hidden = Live(CATALOG, SITE, now=lambda: NOON + 60)
    ahead = request(60 + AHEAD + 30 * 86_400, "/shodan/host/203.0.113.9", client="10.20.1.12")
    assert {notice.id for notice in told(hidden, ahead, lookup)} == {
        notice.id for notice in told(Live(CATALOG, SITE, now=lambda: NOON + 60), lookup)
    }
    assert (hidden.ahead, hidden.late) == (1, 0)


def test_events_that_wait_for_others_are_bounded_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MOST_WAITING", 50)
    live = Live(CATALOG, SITE, now=lambda: NOON + 86_400)
    live.wait_for({"another"})  # that has nothing to say yet
    live.read(Chunk("eve", "eve.json", b"".join(request(n / 100, f"/{n}") for n in range(500)), 0, 1, request(0, "/0")))
    assert live.waiting <= 51
    lookups = [notice for notice in live.finish() if notice.note == "Database_Lookup"]
    assert len({notice.id for notice in lookups}) == 1
    assert lookups[-1].count == 500


def test_what_the_wire_says_ends_no_line_and_names_no_file(tmp_path: Path) -> None:
    log, said = tmp_path / "eve.json", []
    uri = f"/shodan/host/203.0.113.10?q={ESCAPES}{WORDS}"
    lines = (request(1, uri, agent=ESCAPES + WORDS), b"\x1b[2J not json\n", request(2, "/x", host=f"{WORDS}.shodan.io"))
    log.write_bytes(b"".join(lines))
    outputs = [FileOutput(tmp_path / f"out.{form}", form) for form in ("jsonl", "eve", "notice-log")]
    before = {log, *(tmp_path / f"out.{form}" for form in ("jsonl", "eve", "notice-log"))}
    with Store.open(tmp_path / "reconwatch.db") as store:
        live = Live(CATALOG, SITE, warn=said.append)
        feed = FilesFeed("eve", [str(log)], [])
        service = Service(live, [feed], store, Delivery(store, outputs), say=said.append)
        service.begin()
        for _ in range(5):
            service.turn()
        service._pending += live.finish()
        service.end()
    for output in outputs:
        text = output.path.read_bytes().decode()
        assert text.count("203.0.113.10"), output.path
        assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]", text) is None, output.path
        assert not re.search(r"^(\{\"note\":\"Forged|#close)", text, re.MULTILINE)
    notes = [json.loads(line)["note"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert notes
    assert "Forged" not in notes
    assert {path for path in tmp_path.iterdir() if not path.name.startswith("reconwatch.db")} == before
    assert len(said) >= 1


def calls(path: Path) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}


def test_nothing_that_reads_traffic_can_run_a_program_fetch_a_url_or_evaluate_text() -> None:
    refused = re.compile(
        r"(builtins\.)?(eval|exec|compile|__import__)|os\.(system|popen|exec\w+|spawn\w+)|subprocess\.\w+"
        r"|(urllib\.request\.)?urlopen|requests\.\w+|http\.client\.\w+|yaml\.(load|unsafe_load|full_load)|pickle\.loads?"
    )
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] == "rules":  # runs Suricata on captures that a person names
            continue
        found = {call for call in calls(path) if refused.fullmatch(call)}
        if path.name == "workers.py":
            found.discard("pickle.loads")  # what the forked processes of one replay say to each other
        assert not found, f"{path}: {found}"
