"""`make bench` as a whole, over a log of three lines."""

from pathlib import Path

import pytest
from tests.bench.__main__ import RESULTS, main
from tests.bench.machine import machine, model

LINE = (
    '{"timestamp":"2026-01-01T00:00:00.000000+0000","event_type":"tls","src_ip":"10.0.0.5","src_port":40000,'
    '"dest_ip":"192.0.2.1","dest_port":443,"proto":"TCP","tls":{"sni":"www.shodan.io"}}\n'
)


@pytest.fixture
def eve(tmp_path: Path) -> Path:
    path = tmp_path / "eve.json"
    path.write_text(LINE * 3)
    return path


def test_a_missing_program_is_named_and_the_rest_is_measured(
    eve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "kept.md"
    before = RESULTS.read_text()
    assert main(["--logs", eve.name, "--runs", "1", "--results", str(kept)]) == 0
    told = capsys.readouterr().out
    assert "| jq | not measured: jq is not on PATH |" in told
    assert "| reconwatch | 0." in told
    assert told.strip() in kept.read_text()
    assert str(tmp_path) not in told
    assert RESULTS.read_text() == before


def test_a_work_that_is_none_is_refused_with_those_that_there_are(
    eve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--logs", str(eve), "--only", "eve,haystack"]) == 2
    assert capsys.readouterr().err == "no such work: haystack (there are eve)\n"


def test_the_machine_is_told_without_its_name() -> None:
    assert Path("/proc/sys/kernel/hostname").read_text().strip() not in machine()


def test_the_processor_is_named_on_x86_and_arm() -> None:
    assert model("processor\t: 0\nmodel name\t: Some  CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert model("processor\t: 0\nModel\t\t: Some Board\n") == "Some Board"
    assert model("") == "unknown processor"
