"""Running a Suricata: what it is, what it refuses, and what becomes of it when it crashes, hangs or is not there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, playing, suricata

from reconwatch.rules.engine import (
    CaptureUnreadable,
    Engine,
    EngineCrashed,
    EngineHung,
    EngineMissing,
    Rejection,
    features,
    find,
    read_events,
    run_limited,
    unreadable,
)
from reconwatch.rules.engine_config import Settings

LOOKUPS = ROOT / "pcaps" / "lookups.pcap"
ASKED = 'alert dns any any -> any any (msg:"crt.sh"; dns.query; content:"crt.sh"; nocase; sid:1900001;)\n'


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return suricata(request.param)


def test_rules_run_over_a_capture_and_its_alerts_are_counted(engine: Engine, tmp_path: Path) -> None:
    rules, folder = tmp_path / "a.rules", tmp_path / "out"
    folder.mkdir()
    rules.write_text(ASKED)
    run = engine.run(LOOKUPS, [rules], folder)
    assert (run.exit, run.alerts(), run.loading.loaded, run.loading.clean) == (0, {1900001: 6}, 1, True)
    assert run.stats()["decoder"]["pkts"] == 197
    assert run.cpu > 0
    assert {event["event_type"] for event in run.events()} == {"alert", "stats"}


def test_every_event_is_told_when_it_is_asked_for(engine: Engine, tmp_path: Path) -> None:
    run = engine.run(LOOKUPS, [], tmp_path, Settings(events="all"))
    assert {"dns", "tls", "http", "flow"} <= {event["event_type"] for event in run.events()}


def test_a_run_says_the_same_again(engine: Engine, tmp_path: Path) -> None:
    rules = tmp_path / "a.rules"
    rules.write_text(ASKED)
    told = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        run = engine.run(LOOKUPS, [rules], tmp_path / name)
        told.append([(event["alert"]["signature_id"], event["timestamp"]) for event in run.events("alert")])
    assert told[0] == told[1] != []


def test_a_rule_that_is_refused_is_located_and_the_others_are_loaded(engine: Engine, tmp_path: Path) -> None:
    rules = tmp_path / "odd \"name'.rules"
    rules.write_text(
        ASKED
        + 'alert dns any any -> any any (msg:"no keyword"; dns.quer; content:"a"; sid:1900002;)\n'
        + "# a comment\n"
        + 'alert dns any any -> any $NOBODY (msg:"no variable"; dns.query; content:"a"; sid:1900003;)\n'
        + "nonsense\n"
        + 'alert dns any any -> any any (msg:"two lines"; dns.query; \\\n content:"b"; bogus; sid:1900004;)\n'
    )
    loading = engine.check([rules])
    assert loading.loaded == 1
    assert [(each.line, each.sid) for each in loading.rejected] == [(2, 1900002), (4, 1900003), (5, None), (6, 1900004)]
    assert {each.file for each in loading.rejected} == {str(rules)}
    assert "dns.quer" in loading.rejected[0].reason
    assert "NOBODY" in loading.rejected[1].reason
    assert not loading.clean


def test_the_reason_of_a_refusal_may_stand_in_a_warning(engine: Engine, tmp_path: Path) -> None:
    rules = tmp_path / "a.rules"
    rules.write_text('alert http any any -> any any (msg:"upper"; http.host; content:"Abc"; sid:1900004; rev:3;)\n')
    assert "uppercase" in engine.check([rules]).rejected[0].reason


def test_a_duplicate_sid_is_a_refusal(engine: Engine, tmp_path: Path) -> None:
    first, second = tmp_path / "a.rules", tmp_path / "b.rules"
    first.write_text(ASKED)
    second.write_text(ASKED)
    loading = engine.check([first, second])
    assert [(each.file, each.line, each.sid) for each in loading.rejected] == [(str(second), 1, 1900001)]


def test_groups_and_protocols_of_published_rules_are_defined(engine: Engine, tmp_path: Path) -> None:
    rules = tmp_path / "a.rules"
    rules.write_text(
        'alert http $EXTERNAL_NET any -> $HTTP_SERVERS $HTTP_PORTS (msg:"a"; content:"a"; sid:1;)\n'
        'alert tcp $DC_SERVERS $ORACLE_PORTS -> $SQL_SERVERS $FILE_DATA_PORTS (msg:"b"; content:"a"; sid:2;)\n'
        'alert modbus any any -> $MODBUS_SERVER $MODBUS_PORTS (msg:"c"; modbus: function 1; sid:3;)\n'
        'alert dnp3 any any -> any any (msg:"d"; dnp3_func:0; sid:4;)\n'
        'alert pgsql any any -> any any (msg:"e"; content:"a"; sid:5;)\n'
    )
    assert engine.check([rules]).rejected == ()


def test_our_networks_may_be_told(engine: Engine, tmp_path: Path) -> None:
    rules = tmp_path / "a.rules"
    rules.write_text(ASKED.replace("any any ->", "$OURS any ->", 1))
    assert [each.sid for each in engine.check([rules]).rejected] == [1900001]
    assert engine.check([rules], Settings(addresses={"OURS": "[10.0.0.0/8,!10.1.0.0/16]"})).clean


def test_version_and_features_are_what_the_engine_says(tmp_path: Path) -> None:
    engine = find(playing(tmp_path, "exit 0", version="8.1.0-dev"))
    assert (engine.version, str(engine)) == ((8, 1, 0), "Suricata 8.1.0")
    assert engine.features == {"PCRE_JIT", "TLS", "LUA"}
    assert engine.config_folder is None


def test_support_that_is_denied_is_no_feature() -> None:
    said = "Features: A B\nSuricata Configuration:\n  X support:   no\n  Y support:   yes\n  Z enabled: yes\n"
    assert list(features(said)) == ["A", "B", "Y"]


def test_no_engine_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="no program there"):
        find(tmp_path / "suricata")


def test_no_engine_is_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="no suricata on PATH; install Suricata 7 or 8"):
        find()


def test_another_program_is_no_engine() -> None:
    with pytest.raises(EngineMissing, match="does not say that it is a Suricata"):
        find(Path("/bin/echo"))


def test_a_crash_is_named_and_ends_with_the_log(tmp_path: Path) -> None:
    engine = find(playing(tmp_path, "echo 'the last words' >&2; kill -SEGV $$"))
    (tmp_path / "out").mkdir()
    with pytest.raises(EngineCrashed, match=r"crashed \(SIGSEGV\)\n    the last words"):
        engine.run(LOOKUPS, [], tmp_path / "out")


def test_a_hang_is_killed_with_its_children_and_ends_with_the_log(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo 'still here' >&2; wait"
    engine = find(playing(tmp_path, script))
    (tmp_path / "out").mkdir()
    with pytest.raises(EngineHung, match=r"did not end within 0.5 s and was killed\n    still here"):
        engine.run(LOOKUPS, [], tmp_path / "out", limit=0.5)
    child = int((tmp_path / "child").read_text())
    assert _gone(child)


def _gone(process: int) -> bool:
    """Whether it has ended; whoever adopts orphans may leave a zombie for a moment, or for good."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.05)
    return False


def test_what_a_program_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", f"sleep 600 & echo $! > {tmp_path}/child"]
    ended = run_limited(command, tmp_path, stdout=tmp_path / "o", stderr=tmp_path / "e", limit=60)
    assert (ended.exit, ended.hung) == (0, False)
    assert _gone(int((tmp_path / "child").read_text()))


def test_the_cpu_of_a_program_is_its_own(tmp_path: Path) -> None:
    busy = ["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]
    ended = run_limited(busy, tmp_path, stdout=tmp_path / "o", stderr=tmp_path / "e", limit=60)
    assert ended.cpu > 0


def test_a_program_that_cannot_be_started_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="cannot be run"):
        run_limited([str(tmp_path)], tmp_path, stdout=tmp_path / "o", stderr=tmp_path / "e", limit=60)


def test_an_event_file_cut_in_a_line_gives_the_lines_before(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_bytes(b'{"event_type":"alert"}\n{"event_type":"al')
    assert list(read_events(eve)) == [{"event_type": "alert"}]
    assert list(read_events(tmp_path / "none.json")) == []


def test_a_byte_that_is_no_utf_8_is_replaced(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_bytes(b'{"msg":"a\xffb"}\n')
    assert list(read_events(eve)) == [{"msg": "a\ufffdb"}]


def test_a_rejection_reads_as_a_line() -> None:
    assert str(Rejection("a.rules", 7, 12, "why")) == "a.rules:7: sid 12: why"
    assert str(Rejection("a.rules", 7, None, "why")) == "a.rules:7: why"


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        (b"\xd4\xc3\xb2\xa1" + bytes(20), "holds no packet"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20) + bytes(60), ""),
        (b"\xa1\xb2\x3c\x4d" + bytes(20) + bytes(60), ""),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a" + bytes(16), "holds no packet"),
        (b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x4d\x3c\x2b\x1a" + bytes(16) + b"\x06\x00\x00\x00\x20\x00\x00\x00", ""),
        (b"", "is no capture"),
        (b"no capture", "is no capture"),
    ],
)
def test_what_an_engine_would_wait_on_for_ever_is_refused_before_it_starts(
    tmp_path: Path, head: bytes, fault: str
) -> None:
    capture = tmp_path / "x.pcap"
    capture.write_bytes(head)
    assert unreadable(capture).startswith(fault)
    assert bool(unreadable(capture)) is bool(fault)
    if fault:
        with pytest.raises(CaptureUnreadable, match=fault):
            find(playing(tmp_path, "sleep 60")).run(capture, [], tmp_path)
