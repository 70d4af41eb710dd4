"""The outside face: commands, exit statuses, and what goes to which stream. Other programs rely on it."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from reconwatch import __version__
from reconwatch.cli import main
from reconwatch.cli.terminal import LONG_WORK

DNS_LOG = """\
#separator \\x09
#set_separator\t,
#empty_field\t(empty)
#unset_field\t-
#path\tdns
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\tqtype\tqtype_name
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tcount\tstring
1795521600.000000\tC1\t10.20.1.11\t40000\t10.20.0.53\t53\tudp\t10.113.0.203.origin.asn.cymru.com\t16\tTXT
"""

HTTP_EVE = (
    '{"timestamp":"2026-11-24T12:00:05.000000+0000","flow_id":7,"event_type":"http","src_ip":"10.20.1.11",'
    '"src_port":41000,"dest_ip":"198.18.4.2","dest_port":80,"proto":"TCP","http":{"hostname":"ip-api.com",'
    '"url":"/json/203.0.113.10?key=SECRET","http_method":"GET","protocol":"HTTP/1.1"}}\n'
)

SITE = "owned:\n  domains: [acme-widgets.com]\n  ranges: [203.0.113.0/24]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site and two inputs of one time-line."""
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "dns.log").write_text(DNS_LOG)
    (tmp_path / "logs" / "eve.json").write_text(HTTP_EVE)
    return tmp_path


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def notices(told: Result) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in told.stdout.splitlines()]


def test_replay_writes_notices_to_standard_output_and_all_else_to_standard_error(folder: Path) -> None:
    told = run("replay", folder / "logs", "--site", folder / "site.yaml")
    assert told.exit_code == 0
    assert {(n["note"], n["service"]) for n in notices(told)} == {
        ("Database_Lookup", "team-cymru-dns"),
        ("Targeted_Search", "team-cymru-dns"),
        ("Database_Lookup", "ip-api"),
        ("Targeted_Search", "ip-api"),
    }
    assert "read 9 lines from 2 of 2 inputs" in told.stderr


def test_a_credential_is_struck_out_before_anything_is_written(folder: Path) -> None:
    told = run("replay", folder / "logs", "--site", folder / "site.yaml")
    assert "key=***" in told.output
    assert "SECRET" not in told.output


@pytest.mark.parametrize("form", ["table", "jsonl", "notice-log", "eve"])
def test_every_format_tells_of_the_search(folder: Path, form: str) -> None:
    told = run("replay", folder / "logs", "--site", folder / "site.yaml", "--format", form)
    assert told.exit_code == 0
    assert "203.0.113.10" in told.stdout


def test_the_output_file_holds_what_standard_output_would(folder: Path) -> None:
    told = run("replay", folder / "logs", "-o", folder / "out.jsonl")
    assert told.stdout == ""
    assert (folder / "out.jsonl").read_text() == run("replay", folder / "logs").stdout


def test_replay_without_a_site_works_and_says_what_that_costs(folder: Path) -> None:
    told = run("replay", folder / "logs")
    assert {n["note"] for n in notices(told)} == {"Database_Lookup"}
    assert "no search can be told to be about us (--site)" in told.stderr


def test_standard_input_is_an_input_whatever_its_content(folder: Path) -> None:
    for content in (DNS_LOG.encode(), gzip.compress(DNS_LOG.encode())):
        told = run("replay", "-", stdin=content)
        assert [n["service"] for n in notices(told)] == ["team-cymru-dns"]


def test_the_funnel_can_be_left_out(folder: Path) -> None:
    assert run("replay", folder / "logs", "--no-funnel").stdout == run("replay", folder / "logs").stdout


@pytest.mark.parametrize(("verdict", "status"), [("monitor", 1), ("investigate", 0), ("escalate", 0)])
def test_fail_on_tells_by_the_exit_status(folder: Path, verdict: str, status: int) -> None:
    told = run("replay", folder / "logs", "--site", folder / "site.yaml", "--fail-on", verdict)
    assert told.exit_code == status


def test_a_path_that_does_not_exist_is_bad_usage(folder: Path) -> None:
    told = run("replay", folder / "logs", folder / "nowhere.pcap")
    assert told.exit_code == 2
    assert told.stderr == f"reconwatch: {folder}/nowhere.pcap: no such file or folder\n"
    assert told.stdout == ""


def test_a_path_that_no_system_takes_is_bad_usage() -> None:
    told = run("replay", "a" * 5000)
    assert told.exit_code == 2
    assert "name too long" in told.stderr


def test_an_input_is_never_written_over(folder: Path) -> None:
    log = folder / "logs" / "dns.log"
    told = run("replay", log, "-o", log)
    assert told.exit_code == 2
    assert log.read_text() == DNS_LOG


def test_a_full_disk_ends_the_run_with_one_line(folder: Path) -> None:
    told = reconwatch("replay", folder / "logs", "-o", "/dev/full")
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1] == "reconwatch: cannot go on: No space left on device"


def test_a_pipe_in_a_folder_is_left_alone_and_one_that_is_named_is_read(folder: Path) -> None:
    os.mkfifo(folder / "logs" / "live")
    assert notices(run("replay", folder / "logs"))
    os.mkfifo(folder / "named")
    with subprocess.Popen(f"cat {folder}/logs/dns.log > {folder}/named", shell=True):
        told = reconwatch("replay", folder / "named", timeout=20)
    assert "team-cymru-dns" in told.stdout


def test_standard_input_takes_its_place_among_the_inputs(folder: Path) -> None:
    header = "#separator \\x09\n#set_separator\t,\n#unset_field\t-\n"
    ids = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
    conn = (
        f"{header}#path\tconn\n#fields\t{ids}\tproto\tservice\tconn_state\n"
        "1795521601.0\tC2\t10.20.1.11\t40001\t198.18.4.2\t5432\ttcp\t-\tSF\n"
    )
    dns = (
        f"{header}#path\tdns\n#fields\t{ids}\tquery\tqtype\tanswers\tTTLs\n"
        "1795521600.0\tC1\t10.20.1.11\t40000\t10.20.0.53\t53\tcrt.sh\t1\t198.18.4.2\t300.0\n"
    )
    (folder / "dns.log").write_text(dns)
    (told,) = notices(run("replay", "-", folder / "dns.log", stdin=conn.encode()))
    assert (told["service"], told["counted"], told["count"]) == ("crtsh", "connections", 1)


def test_not_one_readable_input_is_status_three(folder: Path) -> None:
    (folder / "junk").write_text("hello, world\n")
    (folder / "empty.pcap").write_bytes(b"")
    told = run("replay", folder / "junk", folder / "empty.pcap")
    assert told.exit_code == 3
    assert f"{folder}/junk: unknown content" in told.stderr
    assert f"{folder}/empty.pcap: empty file" in told.stderr


def test_one_readable_input_is_enough_and_the_other_is_told_of(folder: Path) -> None:
    (folder / "junk").write_text("hello, world\n")
    told = run("replay", folder / "junk", folder / "logs" / "dns.log")
    assert told.exit_code == 0
    assert f"{folder}/junk: unknown content" in told.stderr
    assert "from 1 of 2 inputs" in told.stderr


def test_other_files_in_a_folder_are_passed_over_and_counted(folder: Path) -> None:
    (folder / "logs" / "README.md").write_text("about these logs\n")
    told = run("replay", folder / "logs")
    assert told.exit_code == 0
    assert "unknown content" not in told.stderr
    assert "1 file of another kind was passed over" in told.stderr


def test_a_damaged_line_is_counted_located_and_costs_nothing_else(folder: Path) -> None:
    (folder / "logs" / "dns.log").write_text(DNS_LOG + "1795521601.0\tC2\t10.2\n" + "1795521602.0\tC3\n")
    told = run("replay", folder / "logs" / "dns.log", "--no-funnel")
    assert [n["service"] for n in notices(told)] == ["team-cymru-dns"]
    assert told.stderr.count("dns.log: line 9:") == 1
    assert "2 lines skipped" in told.stderr


def test_a_folder_without_permission_is_told_of_and_the_rest_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "logs" / "closed"
    closed.mkdir()
    listed = os.scandir

    def refusing(path: str) -> object:  # as the kernel does to anybody but root, as whom CI runs
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(closed))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    told = run("replay", folder / "logs")
    assert told.exit_code == 0
    assert f"{closed}: cannot be listed: permission denied" in told.stderr
    assert notices(told)


def test_every_error_of_a_site_is_told_at_once_with_its_line(folder: Path) -> None:
    (folder / "site.yaml").write_text("owned:\n  domains: [co.uk]\n  ranges: [203.0.113.5/24]\ninsid: [10.0.0.0/8]\n")
    for arguments in (
        ("replay", folder / "logs", "--site", folder / "site.yaml"),
        ("site", "check", folder / "site.yaml"),
    ):
        told = run(*arguments)
        assert told.exit_code == 2
        assert [line.partition("site.yaml:")[2][:1] for line in told.stderr.splitlines()] == ["2", "3", "4"]
        assert "write 203.0.113.0/24" in told.stderr
        assert "write 'inside'" in told.stderr or "write inside" in told.stderr


def test_a_good_site_is_called_good(folder: Path) -> None:
    told = run("site", "check", folder / "site.yaml")
    assert (told.exit_code, told.stdout) == (0, f"{folder}/site.yaml: good\n")


def test_an_expired_trust_is_a_warning_and_no_refusal(folder: Path) -> None:
    (folder / "site.yaml").write_text(SITE + "trusted:\n  - {who: 10.20.9.0/24, reason: red team, until: 2020-01-01}\n")
    told = run("site", "check", folder / "site.yaml")
    assert told.exit_code == 0
    assert "site.yaml:5: trust of 10.20.9.0/24 (red team) ended 2020-01-01" in told.stderr
    assert "1 warning" in told.stdout


def test_a_first_site_is_written_once_and_never_over_another(folder: Path) -> None:
    assert run("site", "init", "-o", folder / "new.yaml").exit_code == 0
    assert run("site", "check", folder / "new.yaml").exit_code == 0
    again = run("site", "init", "-o", folder / "new.yaml")
    assert again.exit_code == 2
    assert "new.yaml: File exists" in again.stderr


def test_an_unknown_threshold_is_an_error_with_advice(folder: Path) -> None:
    (folder / "site.yaml").write_text(SITE + "thresholds:\n  Bulk_Search: {request: 10}\n")
    told = run("site", "check", folder / "site.yaml")
    assert told.exit_code == 2
    assert "site.yaml:5:" in told.stderr
    assert "requests" in told.stderr


def test_explain_tells_the_evidence_and_what_would_change_the_verdict(folder: Path) -> None:
    run("replay", folder / "logs", "--site", folder / "site.yaml", "-o", folder / "out.jsonl")
    (notice,) = [
        n
        for line in (folder / "out.jsonl").read_text().splitlines()
        if (n := json.loads(line))["note"] == "Targeted_Search" and n["service"] == "ip-api"
    ]
    told = run("explain", notice["id"], "--from", folder / "out.jsonl")
    assert told.exit_code == 0
    assert "GET /json/203.0.113.10?key=***" in told.stdout
    assert "what would change it" in told.stdout


def test_explain_says_when_there_is_no_such_notice(folder: Path) -> None:
    run("replay", folder / "logs", "-o", folder / "out.jsonl")
    told = run("explain", "rw-0000000000000000", "--from", folder / "out.jsonl")
    assert told.exit_code == 2
    assert told.stderr.startswith(f"reconwatch: {folder}/out.jsonl: ")
    assert told.stderr.count("\n") == 1


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"reconwatch {__version__}\n"


def reconwatch(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """The program as a shell starts it."""
    command = [sys.executable, "-m", "reconwatch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_goes_away_ends_the_program_quietly(folder: Path) -> None:
    told = subprocess.run(
        f"{sys.executable} -m reconwatch replay {folder}/logs --format table | true",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in told.stderr
    assert "BrokenPipe" not in told.stderr


def test_long_work_shows_its_progress_on_a_terminal_and_nothing_of_it_elsewhere(folder: Path) -> None:
    long = folder / "long.json"
    line = HTTP_EVE.replace("ip-api.com", "www.example.org").encode()
    long.write_bytes(line * (LONG_WORK // len(line) + 1))
    terminal, behind = pty.openpty()
    command = [sys.executable, "-m", "reconwatch", "replay", str(long)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=behind, env=os.environ | {"TERM": "xterm"}
    ) as process:
        os.close(behind)
        seen = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while more := os.read(terminal, 4096):
                seen += more
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(terminal)
    assert b"MB/s" in seen
    assert "MB/s" not in reconwatch("replay", long).stderr


def test_the_heavy_packages_are_not_imported_for_a_version_or_help() -> None:
    code = (
        "import sys; from reconwatch.cli import main\n"
        "main(['--version'], standalone_mode=False)\n"
        "heavy = {'pydantic', 'rich', 'hyperscan', 'yaml', 'numpy', 'cryptography', 'publicsuffixlist', 'scapy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"
