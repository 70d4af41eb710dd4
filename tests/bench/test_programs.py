"""The commands by which each program does the same work."""

import json
import re
from pathlib import Path

import pytest
from tests.bench.measure import Usage
from tests.bench.programs import (
    DUCKDB,
    GREP,
    GREP_BYTES,
    JQ,
    PROGRAMS,
    RECONWATCH,
    SURICATA_EVE,
    TSHARK,
    Program,
    display_filter,
    looked_for,
    without_outputs,
)

NAMES = ["censys.io", "crt.sh", "crt.shop", "shodan.io"]


def records(*hosts: str) -> str:
    kinds = (
        lambda host: {"event_type": "dns", "dns": {"type": "query", "rrname": host}},
        lambda host: {"event_type": "dns", "dns": {"version": 3, "type": "request", "queries": [{"rrname": host}]}},
        lambda host: {"event_type": "tls", "tls": {"sni": host}},
        lambda host: {"event_type": "http", "http": {"hostname": host}},
    )
    lines = [kind(host) for kind in kinds for host in hosts] + [
        {"event_type": "flow"},
        {"event_type": "dns", "dns": {}},
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("program", [JQ, DUCKDB], ids=lambda program: program.name)
def test_a_name_is_matched_by_whole_labels_in_any_case(program: Program, tmp_path: Path) -> None:
    if program.missing:
        pytest.skip(program.missing)
    eve, names = tmp_path / "eve.json", tmp_path / "names"
    eve.write_text(records("www.Shodan.io", "crt.sh", "notshodan.io", "shodan.io.example", "io", ""))
    names.write_text("".join(f"{name}\n" for name in NAMES))
    usage, failure = program.once([eve], names, tmp_path)
    assert failure is None
    assert program.found(usage) == 8


@pytest.mark.parametrize("grep", [GREP, GREP_BYTES], ids=lambda program: program.name)
def test_grep_counts_over_all_inputs_and_finding_nothing_is_no_failure(grep: Program, tmp_path: Path) -> None:
    names, some, none = tmp_path / "names", tmp_path / "some", tmp_path / "none"
    names.write_text("crt.sh\n")
    some.write_text("CRT.SH\ncrt.sh\n")
    none.write_text("example.com\n")
    assert [grep.found(grep.once(inputs, names, tmp_path)[0]) for inputs in ([some, some], [none])] == [4, 0]
    assert grep.once([none], names, tmp_path)[1] is None
    assert grep.once([tmp_path / "absent"], names, tmp_path)[1] == "it failed (status 2)"


@pytest.mark.parametrize(
    ("host", "hit"),
    [("crt.sh", True), ("WWW.Shodan.io", True), ("crt.shop", True), ("notshodan.io", False), ("crtxsh", False)],
)
def test_the_display_filter_of_tshark_matches_whole_labels(host: str, hit: bool) -> None:
    pattern = re.search(r'dns\.qry\.name matches "(.*?)"', display_filter(NAMES))
    assert pattern is not None
    assert bool(re.search(pattern[1], host)) is hit


def test_the_display_filter_of_the_full_catalog_fits_into_one_argument() -> None:
    # Linux takes no argument of more than 128 KiB (execve(2), MAX_ARG_STRLEN).
    assert len(display_filter(looked_for())) < 131_072


def test_suricata_s_outputs_are_left_out_and_nothing_else() -> None:
    configuration = (
        "vars: 1\noutputs:\n  - fast:\n      enabled: yes\n\n# a remark\n  - eve-log:\n\nlogging:\n  outputs:\n"
    )
    assert without_outputs(configuration) == "vars: 1\noutputs: []\nlogging:\n  outputs:\n"


def test_a_program_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert RECONWATCH.missing is None
    assert TSHARK.missing == "tshark is not on PATH"
    assert Program("other", "no_such_package", lambda *_: []).missing == "no_such_package is not on PATH"


def test_an_engine_without_its_configuration_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "suricata").write_text("#!/bin/sh\n")
    (tmp_path / "suricata").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    absent = tmp_path / "suricata.yaml"
    program = Program("Suricata", "suricata", SURICATA_EVE.command, needs_file=absent)
    assert program.missing == f"its configuration {absent} is not there"


def test_what_was_found_is_read_from_the_output() -> None:
    usage = Usage(1, 1, 1, 0, output=b"3\n4\n")
    assert {program.name: program.found(usage) for program in PROGRAMS} == {
        "reconwatch": 2,
        "Suricata, EVE on": None,
        "Suricata, outputs off": None,
        "Zeek": None,
        "tshark, a line a packet": 2,
        "tshark, `-T fields`": 2,
        "grep, UTF-8": 7,
        "grep, `LC_ALL=C`": 7,
        "jq": 7,
        "DuckDB": 7,
    }
