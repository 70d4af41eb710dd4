"""Several processes read at the same time; what is told is what one tells, to the byte."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.catalog import Catalog
from reconwatch.catalog.load import load
from reconwatch.cli import main
from reconwatch.events import AnyEvent
from reconwatch.pipeline import Replay
from reconwatch.sinks import open_sink
from reconwatch.site import Site, load_site
from reconwatch.sources import units, workers
from reconwatch.sources.hindsight import Outcome
from reconwatch.sources.source import Opening
from reconwatch.sources.units import Reader, Task
from tests.conftest import ROOT, SHARED
from tests.sources.pcap.wire import (
    CLIENT,
    RESOLVER,
    Talk,
    Timed,
    hello,
    packed,
    pcap,
    question,
    record,
    response,
    udp,
)
from tests.sources.test_zeek import tsv

PCAPS = ROOT / "pcaps"
SERVER = "198.18.7.7"

Told = tuple[bytes, list[str]]


@lru_cache(maxsize=1)
def _catalog() -> Catalog:
    return load()


def run(*inputs: Path | io.BytesIO, jobs: int = 1, site: Path = PCAPS / "demo-site.yaml", funnel: bool = True) -> Told:
    """What goes to standard output, and to standard error; workers start however little there is to read."""
    warned: list[str] = []
    replay = Replay(
        inputs, _catalog(), load_site(site), funnel=funnel, warn=warned.append, jobs=jobs, worth_workers=0
    )  # fmt: skip
    stream = io.BytesIO()
    sink = open_sink("jsonl", stream)
    for notice in replay.notices():
        sink.write(notice)
    sink.close()
    return stream.getvalue(), [*warned, *replay.account()]


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(autouse=True)
def _no_orphans() -> Generator[None]:
    before = children()
    yield
    assert children() == before


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures, Zeek logs and EVE, some damaged, some compressed, and other files."""
    folder = tmp_path_factory.mktemp("mixture")
    for path in PCAPS.glob("*.pcap"):
        shutil.copy(path, folder)
    ids = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
    for day in range(3):
        at = 1795521600.0 + 3600 * day
        (folder / f"dns.{day}.log").write_text(
            f"#separator \\x09\n#unset_field\t-\n#path\tdns\n#fields\t{ids}\tquery\tqtype\tanswers\tTTLs\n"
            f"{at}\tC1\t10.20.1.11\t4000{day}\t10.20.0.53\t53\tcrt.sh\t1\t198.18.4.{day}\t300.0\n"
            f"{at}\tC1\t10.2\n"
        )
        (folder / f"conn.{day}.log").write_text(
            f"#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\t{ids}\tproto\tservice\tconn_state\n"
            f"{at + 1}\tC2\t10.20.1.11\t4100{day}\t198.18.4.{day}\t5432\ttcp\t-\tSF\n"
        )
        (folder / f"eve.{day}.json").write_text(
            f'{{"timestamp":"2026-11-24T1{day}:00:05.000000+0000","flow_id":7,"event_type":"http",'
            f'"src_ip":"10.20.1.1{day}","src_port":41000,"dest_ip":"198.18.4.9","dest_port":80,"proto":"TCP",'
            '"http":{"hostname":"ip-api.com","url":"/json/203.0.113.10?key=SECRET","http_method":"GET"}}\n'
            "not json\n"
        )
    (folder / "notes.txt").write_text("nothing to read\n")
    return folder


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
@pytest.mark.parametrize("jobs", [2, 4])
def test_nothing_that_is_told_depends_on_the_number_of_processes(mixture: Path, jobs: int, funnel: bool) -> None:
    alone = run(mixture, funnel=funnel)
    assert alone[0]
    assert run(mixture, jobs=jobs, funnel=funnel) == alone


@pytest.mark.parametrize("jobs", [2, 4])
def test_nothing_depends_on_it_for_the_captures_of_the_clone(jobs: int) -> None:
    assert run(*PCAPS.glob("*.pcap"), jobs=jobs) == run(*PCAPS.glob("*.pcap"))


@pytest.mark.usefixtures("shared_captures")
def test_nothing_depends_on_it_for_real_clients() -> None:
    captures = SHARED / "captures"
    assert run(captures, jobs=3, site=captures / "site.yaml") == run(captures, site=captures / "site.yaml")


Reading = Generator[AnyEvent, None, Outcome]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delays=st.lists(st.integers(0, 30), min_size=9, max_size=9))
def test_nothing_depends_on_which_process_is_done_first(
    mixture: Path, monkeypatch: pytest.MonkeyPatch, delays: list[int]
) -> None:
    alone = run(mixture)
    read = Reader.one

    def dawdling(reader: Reader, task: Task, accounts: Mapping[int, Account]) -> Reading:
        time.sleep(delays[task.unit.parts[0].number % len(delays)] / 1000)
        return (yield from read(reader, task, accounts))

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "one", dawdling)
        assert run(mixture, jobs=4) == alone


def test_more_than_a_pipe_holds_waits_for_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first unit is the last to end: what the others tell meanwhile lies in files."""
    monkeypatch.setattr(workers, "KEPT_IN_MEMORY", 1000)
    monkeypatch.setattr(workers, "EVENTS_AT_ONCE", 7)
    for n in range(3):
        talks = [Talk(client_port=40_000 + k) for k in range(2000)]
        frames = [(n * 0.1 + k / 1e5, frame) for k, talk in enumerate(talks) for frame in talk.whole(HELLO)]
        (tmp_path / f"{'abc'[n]}.pcap").write_bytes(pcap(frames))
    assert run(tmp_path, jobs=3) == run(tmp_path)


# -- what one input names and another uses


HELLO = hello("www.shodan.io")


def resolved(asked: str, after: float) -> list[Timed]:
    """A question and its answer."""
    answer = response(asked, [record(b"\xc0\x0c", 1, packed(SERVER))])
    return [
        (after, udp(question(asked))),
        (after + 0.01, udp(answer, sport=53, dport=40000, src=RESOLVER, dst=CLIENT)),
    ]


def visit(after: float) -> list[Timed]:
    """A hello without a name."""
    return [(after + n / 1000, frame) for n, frame in enumerate(Talk(server=SERVER).whole(hello(None)))]


def taps(folder: Path, first: Sequence[Timed], second: Sequence[Timed]) -> list[Path]:
    """Two captures of one time, of which the first begins first."""
    for path, frames in (("first.pcap", first), ("second.pcap", second)):
        (folder / path).write_bytes(pcap(sorted(frames)))
    return [folder / "first.pcap", folder / "second.pcap"]


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("dns_begins", [True, False], ids=["dns first", "dns last"])
def test_a_name_that_one_tap_saw_is_given_to_what_the_other_saw(
    tmp_path: Path, jobs: int, dns_begins: bool, funnel: bool
) -> None:
    noise = [(0.0 if dns_begins else 2.0, udp(question("www.example.org")))]
    other = [(2.0 if dns_begins else 0.0, udp(question("www.example.org")))]
    paths = taps(tmp_path, [*noise, *resolved("www.shodan.io", 3)], [*other, *visit(4)])
    output, _ = run(*paths, jobs=jobs, funnel=funnel)
    assert b'"counted":"connections"' in output


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_address_is_not_called_by_a_name_that_another_tap_saw_replaced(tmp_path: Path, jobs: int) -> None:
    """The client's last answer counts, whoever told it: it went to the other service at this address."""
    paths = taps(tmp_path, [*resolved("www.shodan.io", 0), *visit(9)], [*resolved("www.example.org", 5)])
    output, _ = run(*paths, jobs=jobs)
    assert b'"counted":"connections"' not in output
    assert b'"counted":"dns names"' in output


EVE_DNS = (
    '{"timestamp":"2026-11-24T12:00:01.000000+0000","flow_id":1,"event_type":"dns","src_ip":"10.20.1.11",'
    '"src_port":40000,"dest_ip":"10.20.0.53","dest_port":53,"proto":"UDP","dns":{"version":2,"type":"answer","id":1,'
    '"rrname":"www.shodan.io","rrtype":"A","rcode":"NOERROR","answers":[{"rrname":"www.shodan.io","rrtype":"A",'
    '"ttl":60,"rdata":"198.18.7.7"}]}}\n'
)
EVE_TLS = (
    '{"timestamp":"2026-11-24T12:00:02.000000+0000","flow_id":2,"event_type":"tls","src_ip":"10.20.1.11",'
    '"src_port":40001,"dest_ip":"198.18.7.7","dest_port":443,"proto":"TCP","tls":{"version":"TLS 1.3"}}\n'
)
EVE_OTHER = EVE_TLS.replace("12:00:02", "11:00:00").replace("198.18.7.7", "198.18.9.9")


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("early", [True, False])
def test_a_name_in_one_log_is_given_to_what_another_log_holds(
    tmp_path: Path, jobs: int, early: bool, funnel: bool
) -> None:
    (tmp_path / "a.json").write_text(EVE_DNS if early else EVE_OTHER + EVE_TLS)
    (tmp_path / "b.json").write_text(EVE_TLS if early else EVE_DNS)
    output, told = run(tmp_path, jobs=jobs, funnel=funnel)
    assert b'"counted":"connections"' in output
    assert "read 2 lines from 2 of 2 inputs" in told or "read 3 lines from 2 of 2 inputs" in told


@pytest.mark.parametrize("jobs", [1, 2])
def test_standard_input_is_given_the_names_of_the_files_and_gives_them_its_own(tmp_path: Path, jobs: int) -> None:
    for number, (file, piped) in enumerate(((EVE_DNS, EVE_TLS), (EVE_OTHER + EVE_TLS, EVE_DNS))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.json").write_text(file)
        (folder / "b.json").write_text(EVE_OTHER)
        output, _ = run(folder, io.BytesIO(piped.encode()), jobs=jobs)
        assert b'"counted":"connections"' in output


@pytest.mark.parametrize(
    ("asked", "again"),
    [("www.shodan.io", []), ("www.example.org", []), (None, [1])],
    ids=["named", "named otherwise", "nameless"],
)
def test_an_input_is_read_again_only_if_something_without_a_name_went_where_others_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None, again: list[int]
) -> None:
    opened: list[int] = []
    source_of = units.source_of
    monkeypatch.setattr(units, "source_of", lambda *args: opened.append(args[1].input) or source_of(*args))
    talk = [(2 + n / 1000, frame) for n, frame in enumerate(Talk(server=SERVER).whole(hello(asked)))]
    run(*taps(tmp_path, resolved("www.shodan.io", 0), [*talk, *resolved("www.example.org", 3)]))
    assert opened == [0, 1, *again]


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
@pytest.mark.parametrize("port", [443, 8443, 22])
def test_a_connection_that_says_nothing_is_named_by_what_another_tap_saw(
    tmp_path: Path, port: int, funnel: bool
) -> None:
    talk = Talk(port=port, server=SERVER)
    frames = [*talk.handshake(), talk.up(b"\0\1\2 nothing known"), talk.down(b"\0nor that"), *talk.ending()]
    timed = [(4 + n / 1000, frame) for n, frame in enumerate(frames)]
    paths = taps(tmp_path, [*resolved("www.shodan.io", 3)], [(0, udp(question("www.example.org"))), *timed])
    output, _ = run(*paths, funnel=funnel)
    assert b'"counted":"connections"' in output


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
def test_nothing_is_told_twice_by_being_read_twice(tmp_path: Path, funnel: bool) -> None:
    """A connection to port 43 is told whoever serves it; the second reading only gives the server its name."""
    query = Talk(port=43, server=SERVER).whole(b"-V Md5.5.17 203.0.113.10\r\n")
    named = [(4 + n / 1000, frame) for n, frame in enumerate(query)]
    apart = taps(tmp_path, [*resolved("whois.ripe.net", 3)], [(0, udp(question("www.example.org"))), *named])
    run_apart = Replay(apart, _catalog(), Site.default(), funnel=funnel)
    notices = list(run_apart.notices())
    (tmp_path / "both.pcap").write_bytes(pcap(sorted([*resolved("whois.ripe.net", 3), *named])))
    expected = list(Replay([tmp_path / "both.pcap"], _catalog(), Site.default(), funnel=funnel).notices())
    assert [(n.services, n.count, n.evidence_total) for n in notices] == [
        (n.services, n.count, n.evidence_total) for n in expected
    ]
    assert [n.services for n in notices] == [("ripe-whois",)]
    assert sum(account.events for account in run_apart.accounts) == 4


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "no-funnel"])
def test_a_connection_before_its_own_tap_saw_the_answer_is_named_by_the_other_s(tmp_path: Path, funnel: bool) -> None:
    """The second tap learns the address too, but only when the connection was begun."""
    paths = taps(tmp_path, [*resolved("www.shodan.io", 1)], [*visit(2), *resolved("www.shodan.io", 2.5)])
    output, _ = run(*paths, funnel=funnel)
    assert b'"counted":"connections"' in output


# -- bad ends


def deadly(monkeypatch: pytest.MonkeyPatch, victim: str, end: Callable[[], object], after: int = 0) -> None:
    """Any worker that reads `victim` meets its `end`, after some more events."""
    here, source_of = os.getpid(), units.source_of

    class Dying:
        position = 0
        unseen: frozenset[str] = frozenset()

        def __init__(self, *found: object) -> None:
            self._source = source_of(*found)  # type: ignore[arg-type]

        def __iter__(self) -> Generator[AnyEvent]:
            for number, event in enumerate(self._source):
                if number >= after:
                    end()
                yield event

        def close(self) -> None:
            self._source.close()

    def chosen(dialect: object, opening: Opening) -> object:
        dies = victim in opening.account.path and os.getpid() != here
        return (Dying if dies else source_of)(dialect, opening)  # type: ignore[arg-type]

    monkeypatch.setattr(units, "source_of", chosen)


@pytest.mark.parametrize("jobs", [2, 4])
def test_a_worker_that_is_killed_ends_its_input_alone(
    mixture: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    deadly(monkeypatch, "modern.pcap", lambda: os.kill(os.getpid(), signal.SIGKILL))
    output, told = run(mixture, jobs=jobs)
    line = f"{mixture}/modern.pcap: its reader was killed (signal 9); what it had told by then counts"
    assert told.count(line) == 1
    assert any("from 15 of 16 inputs" in line for line in told)
    without, expected = run(*(path for path in mixture.iterdir() if path.name != "modern.pcap"))
    assert output == without
    assert [line for line in told if line in expected]


def test_when_all_workers_are_killed_their_parent_reads_on(mixture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for victim in ("modern", "bulk"):
        deadly(monkeypatch, victim, lambda: os.kill(os.getpid(), signal.SIGKILL))
    output, told = run(mixture, jobs=2)
    assert sum("its reader was killed" in line and "not seen" not in line for line in told) == 2
    without, _ = run(*(path for path in mixture.iterdir() if path.stem not in ("modern", "bulk")))
    assert output == without


def test_a_bug_in_a_worker_is_told_as_one(mixture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug() -> None:
        raise ZeroDivisionError

    deadly(monkeypatch, "modern.pcap", bug)
    with pytest.raises(workers.WorkerError, match="ZeroDivisionError"):
        run(mixture, jobs=2)


SLOW = """
import signal, sys, time
from functools import partial
from reconwatch import pipeline
from reconwatch.sources.units import Reader
read = Reader.one
def slow(reader, task, accounts):
    reading = read(reader, task, accounts)
    while True:
        try:
            event = next(reading)
        except StopIteration as end:
            return end.value
        time.sleep({pause})
        yield event
Reader.one = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
pipeline.Replay = partial(pipeline.Replay, worth_workers=0)
from reconwatch.cli import run
sys.argv = ["reconwatch", "replay", "--jobs", "2", {folder!r}]
run()
"""


def started(folder: Path, pause: float) -> subprocess.Popen[str]:
    code = SLOW.format(folder=str(folder), pause=pause)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip


def of_session(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def until(what: Callable[[], object]) -> None:
    """Wait for something that comes soon."""
    for _ in range(1000):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_an_interrupt_ends_all_processes_without_a_traceback(mixture: Path) -> None:
    with started(mixture, 5) as process:
        until(lambda: len(of_session(process.pid)) == 3)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=20)
        assert process.returncode != 0
        assert "Traceback" not in error
        until(lambda: not of_session(process.pid))


def test_workers_end_with_a_parent_that_is_killed(mixture: Path) -> None:
    with started(mixture, 0.05) as process:
        until(lambda: len(of_session(process.pid)) == 3)
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not of_session(process.pid))


def test_a_reader_that_goes_away_ends_all_processes_quietly(mixture: Path) -> None:
    with started(mixture, 0) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        error = process.stderr.read()
        process.wait(timeout=20)
        assert "Traceback" not in error
        assert "BrokenPipe" not in error
        until(lambda: not of_session(process.pid))


# -- the command line


def test_the_command_line_says_how_many_processes_read(mixture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconwatch.pipeline.Replay", partial(Replay, worth_workers=0))
    told = [CliRunner().invoke(main, ["replay", str(mixture), "--jobs", jobs]) for jobs in ("1", "2")]
    assert told[0].exit_code == told[1].exit_code == 0
    assert (told[0].stdout, told[0].stderr) == (told[1].stdout, told[1].stderr)
    assert CliRunner().invoke(main, ["replay", str(mixture), "--jobs", "0"]).exit_code == 2


def refused(*_: object) -> int:
    raise AssertionError("forked")


def test_little_work_and_one_job_fork_nothing(mixture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", refused)
    assert run(mixture, jobs=1)[0]
    assert list(Replay([mixture], _catalog(), Site.default(), jobs=4).notices())


def test_one_input_is_read_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", refused)
    assert run(PCAPS / "modern.pcap", jobs=4)[0]


def test_a_scan_by_strangers_is_told_alike_by_who_asks_before_events_are_made_and_by_workers(tmp_path: Path) -> None:
    """Only the reading of the run's own process asks the detectors of scans before it makes events (`Doors`)."""
    rows = [
        [f"ts={1795493735 + n}", f"uid=C{n}", "id.orig_h=192.0.2.66", f"id.orig_p={40000 + n}", "proto=tcp",
         f"id.resp_h=203.0.113.{10 + n % 20}", "id.resp_p=22", "conn_state=S0", "history=S"]
        for n in range(40)
    ]  # fmt: skip
    for part in range(2):
        (tmp_path / f"conn.{part}.log").write_bytes(tsv("conn", *rows[20 * part : 20 * part + 20]))
    output, warned = run(tmp_path, jobs=1)
    assert b'"note":"Address_Scan"' in output
    assert run(tmp_path, jobs=2) == (output, warned)
    assert run(tmp_path, jobs=1, funnel=False) == (output, warned)
