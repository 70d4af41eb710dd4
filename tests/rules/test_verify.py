"""suricata-verify's cases are run as its runner runs them; a program that plays Suricata shows what it was given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, playing, suricata

from reconwatch.rules.cases import gather
from reconwatch.rules.engine import find
from reconwatch.rules.outcome import Miss, Outcome, Verdict
from reconwatch.rules.testbench import bench_of, run_cases
from reconwatch.rules.verify import stand_in, without_socket

TELLS = """printf '{"event_type":"alert","alert":{"signature_id":7}}\\n' > "$out/eve.json"; """


def case(folder: Path, text: str, *files: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "test.yaml").write_text(text)
    for name in files:
        (folder / name).touch()
    return folder


def run(tmp_path: Path, folder: Path, script: str = TELLS, *, shell: bool = False, limit: float = 60) -> Outcome:
    (tmp_path / "bin").mkdir(exist_ok=True)
    with bench_of(find(playing(tmp_path / "bin", script))) as bench:
        (outcome,) = run_cases(gather([folder]).cases, replace(bench, allow_shell=shell, limit=limit), 1)
    return outcome


def given(tmp_path: Path, folder: Path) -> str:
    """The arguments of the engine, with the folders that change replaced."""
    (tmp_path / "bin").mkdir()
    program = playing(tmp_path / "bin", TELLS)
    text = program.read_text().replace("while [ $# -gt", f'echo "$*" > {tmp_path}/given\nwhile [ $# -gt', 1)
    program.write_text(text)
    with bench_of(find(program)) as bench:
        (outcome,) = run_cases(gather([folder]).cases, bench, 1)
        assert outcome.verdict is Verdict.PASS, outcome
        said = (tmp_path / "given").read_text().strip().replace(str(bench.source), "SRC").replace(str(folder), "TEST")
    return " ".join("OUT" if word.endswith("/output") else word for word in said.split(" "))


def test_the_command_line_is_that_of_the_runner(tmp_path: Path) -> None:
    folder = case(tmp_path / "x", "args:\n- -k none\n- --set a=${TEST_DIR}/b\n", "in.pcap", "x.rules")
    assert given(tmp_path, folder) == (
        "-k none --set a=TEST/b --init-errors-fatal -l OUT -c SRC/suricata.yaml -r TEST/in.pcap -S TEST/x.rules"
    )


def test_a_case_brings_its_configuration_and_names_its_files(tmp_path: Path) -> None:
    case(tmp_path / "shared", "", "y.pcap")
    folder = case(tmp_path / "x-ips", "pcap: ../shared/y.pcap\nrules: b.rules\n", "a.rules", "b.rules", "suricata.yaml")
    assert given(tmp_path, folder) == (
        f"--init-errors-fatal -l OUT --simulate-ips -c TEST/suricata.yaml -r {tmp_path}/shared/y.pcap -S TEST/b.rules"
    )


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ([], "--disable-detection"),
        (["firewall.rules"], "--firewall-rules-exclusive TEST/firewall.rules"),
        (["firewall.rules", "td.rules"], "--firewall-rules-exclusive TEST/firewall.rules -S TEST/td.rules"),
        (["min7.rules"], "-S TEST/min7.rules"),
        (["min8.rules"], "--disable-detection"),
    ],
)
def test_rule_files_mean_what_their_names_say(tmp_path: Path, files: list[str], rules: str) -> None:
    folder = case(tmp_path / "x", "requires: {pcap: false}\n", *files)
    assert given(tmp_path, folder) == f"--init-errors-fatal -l OUT -c SRC/suricata.yaml {rules}"


@pytest.mark.parametrize(
    ("text", "files", "told"),
    [
        ("{}", ["a.pcap", "b.pcap"], "there are several captures in its folder; name one by 'pcap'"),
        ("pcap: c.pcap", [], "there is no capture c.pcap"),
        ("rules: c.rules", ["a.pcap"], "there is no rule file c.rules"),
        ("{}", ["a.pcap", "a.rules", "b.rules"], "there are several rule files in its folder; name one by 'rules'"),
        ("args: ['$NONE']", ["a.pcap"], "'$NONE': no such variable: 'NONE'"),
        ("requires: {new: 1}", ["a.pcap"], "unknown requirement 'new'"),
    ],
)
def test_a_case_that_cannot_be_run_is_an_error(tmp_path: Path, text: str, files: list[str], told: str) -> None:
    folder = case(tmp_path / "x", f"{text}\n", *files)
    outcome = run(tmp_path, folder)
    assert (outcome.verdict, [miss.message for miss in outcome.misses]) == (Verdict.ERROR, [told])


def test_a_case_without_a_capture_is_skipped(tmp_path: Path) -> None:
    outcome = run(tmp_path, case(tmp_path / "x", "checks: []\n"))
    assert (outcome.verdict, outcome.reason) == (Verdict.SKIP, "no capture in its folder")


def test_checks_that_do_not_hold_are_told_with_their_lines(tmp_path: Path) -> None:
    text = (
        "checks:\n- filter: {count: 1, match: {event_type: alert}}\n- filter:\n    count: 2\n"
        "    match: {alert.signature_id: 7}\n- stats: {a: 1}\n- filter: {count: 0, filename: x.json, match: {}}\n"
    )
    folder = case(tmp_path / "x", text, "a.pcap")
    outcome = run(tmp_path, folder)
    assert outcome.verdict is Verdict.FAIL
    assert [str(miss).removeprefix(f"{folder}/") for miss in outcome.misses] == [
        'test.yaml:3: expected 2 events, got 1, for filter {"alert.signature_id": 7}',
        "test.yaml:6: there is no stats event",
        "test.yaml:7: x.json was not written",
    ]
    assert [(miss.sid, miss.too_few) for miss in outcome.misses] == [(7, True), (None, False), (None, False)]


def test_checks_that_do_not_apply_are_left_out_and_told(tmp_path: Path) -> None:
    held = "- filter: {count: 1, match: {}}\n"
    other = "- filter: {count: 9, match: {}, requires: {min-version: 8}}\n"
    one = run(tmp_path, case(tmp_path / "x", f"checks:\n{held}{other}", "a.pcap"))
    assert (one.verdict, one.reason) == (Verdict.PASS, "1 of 2 checks left out: requires 8 or newer")
    none = run(tmp_path, case(tmp_path / "y", f"checks:\n{other}", "a.pcap"))
    assert (none.verdict, none.reason) == (Verdict.SKIP, "1 of 1 checks left out: requires 8 or newer")


def test_the_exit_status_is_expected_too(tmp_path: Path) -> None:
    script = "echo 'no such thing' >&2; exit 1"
    outcome = run(tmp_path, case(tmp_path / "x", "checks: []\n", "a.pcap"), script)
    assert (outcome.verdict, outcome.misses[0].message) == (
        Verdict.FAIL,
        "expected exit status 0, got 1\n    no such thing",
    )
    assert run(tmp_path, case(tmp_path / "y", "exit-code: 1\n", "a.pcap"), script).verdict is Verdict.PASS


def test_a_crash_and_a_hang_are_errors_and_the_other_cases_run(tmp_path: Path) -> None:
    for name in ("crash", "hang", "well"):
        case(tmp_path / "cases" / name, f"env: {{DO: {name}}}\n", "a.pcap")
    program = playing(tmp_path, 'case $DO in crash) kill -SEGV $$;; hang) echo "stuck" >&2; sleep 600;; esac')
    with bench_of(find(program)) as bench:
        crash, hang, well = run_cases(gather([tmp_path / "cases"]).cases, replace(bench, limit=1), 2)
    assert [each.verdict for each in (crash, hang, well)] == [Verdict.ERROR, Verdict.ERROR, Verdict.PASS]
    assert "crashed (SIGSEGV)" in crash.misses[0].message
    assert "did not end within 1 s and was killed\n    stuck" in hang.misses[0].message


def test_a_case_is_tried_again_and_run_as_often_as_it_says(tmp_path: Path) -> None:
    flaky = f'echo x >> {tmp_path}/runs; [ $(wc -l < {tmp_path}/runs) -ge 3 ] && {TELLS} true || touch "$out/eve.json"'
    text = "checks:\n- filter: {count: 1, match: {}}\n"
    assert run(tmp_path, case(tmp_path / "x", f"retry: 2\n{text}", "a.pcap"), flaky).verdict is Verdict.FAIL
    (tmp_path / "runs").unlink()
    assert run(tmp_path, case(tmp_path / "y", f"retry: 3\n{text}", "a.pcap"), flaky).verdict is Verdict.PASS
    (tmp_path / "runs").unlink()
    run(tmp_path, case(tmp_path / "z", "count: 4\n", "a.pcap"), flaky)
    assert (tmp_path / "runs").read_text() == "x\n" * 4


SHELL = """\
setup:
- script: echo made > made
pre-check: cp made copied
checks:
- shell: {args: cat copied, expect: made}
- shell: {args: 'test -f "$TEST_DIR/test.yaml" -a "$OUTPUT_DIR" = "$PWD"'}
- file-compare: {filename: made, expected: expected}
"""


def test_a_shell_does_what_a_case_says_when_it_is_allowed(tmp_path: Path) -> None:
    folder = case(tmp_path / "x", SHELL, "a.pcap")
    (folder / "expected").write_text("made\n")
    assert run(tmp_path, folder, shell=True).verdict is Verdict.PASS
    refused = run(tmp_path, folder)
    assert (refused.verdict, refused.reason) == (
        Verdict.SKIP,
        "wants a shell (setup, pre-check), which is run with --allow-shell only",
    )


def test_shell_checks_alone_are_left_out_where_no_shell_is_allowed(tmp_path: Path) -> None:
    text = f"checks:\n- filter: {{count: 1, match: {{}}}}\n- shell: {{args: touch {tmp_path}/ran}}\n"
    folder = case(tmp_path / "x", text, "a.pcap")
    refused = run(tmp_path, folder)
    assert (refused.verdict, refused.reason) == (
        Verdict.PASS,
        "1 of 2 checks left out: wants a shell (a shell check), which is run with --allow-shell only",
    )
    assert not (tmp_path / "ran").exists()
    assert run(tmp_path, folder, shell=True).verdict is Verdict.PASS
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("{args: echo other, expect: made}", "expected 'made', got 'other' from: echo other"),
        ("{args: exit 3}", "exit status 3 of: exit 3"),
    ],
)
def test_a_shell_check_that_does_not_hold_is_told(tmp_path: Path, check: str, told: str) -> None:
    outcome = run(tmp_path, case(tmp_path / "x", f"checks:\n- shell: {check}\n", "a.pcap"), shell=True)
    assert [miss.message for miss in outcome.misses] == [told]


def test_a_command_replaces_the_engine_s_command_line(tmp_path: Path) -> None:
    text = 'command: |\n  "${SRCDIR}/src/suricata" -l "${OUTPUT_DIR}"\nchecks:\n- filter: {count: 1, match: {}}\n'
    folder = case(tmp_path / "x", text)
    assert run(tmp_path, folder, shell=True).verdict is Verdict.PASS
    assert run(tmp_path, folder).verdict is Verdict.SKIP


def test_a_running_engine_is_not_talked_to(tmp_path: Path) -> None:
    outcome = run(tmp_path, case(tmp_path / "x", "unix-commands: [version]\n", "a.pcap"), shell=True)
    assert outcome.verdict is Verdict.SKIP
    assert "over its socket" in outcome.reason


@pytest.mark.parametrize("named", ENGINES)
def test_a_case_runs_on_an_engine_with_the_configuration_it_came_with(tmp_path: Path, named: str) -> None:
    folder = case(
        tmp_path / "lookups",
        "args: ['-k none']\nchecks:\n- filter: {count: 6, match: {event_type: alert, alert.signature_id: 1900001}}\n"
        "- filter: {count: 0, match: {event_type: alert, alert.signature_id.__gt: 1900001}}\n"
        "- stats: {decoder.pkts: 197}\n",
    )
    (folder / "in.pcap").symlink_to(ROOT / "pcaps" / "lookups.pcap")
    rule = 'alert dns any any -> any any (msg:"a"; dns.query; content:"crt.sh"; sid:1900001;)\n'
    (folder / "a.rules").write_text(rule)
    with bench_of(suricata(named)) as bench:
        (outcome,) = run_cases(gather([folder]).cases, bench, 1)
    assert (outcome.verdict, outcome.misses) == (Verdict.PASS, ())


def test_a_missed_rule_of_a_case_is_explained_by_a_run_of_ours(tmp_path: Path) -> None:
    folder = case(
        tmp_path / "x", "checks:\n- filter: {count: 2, match: {alert.signature_id: 7}}\n", "a.pcap", "a.rules"
    )
    (folder / "a.pcap").write_bytes((ROOT / "pcaps" / "lookups.pcap").read_bytes())
    asked: list[tuple[object, ...]] = []

    def explain(missed: object, miss: Miss) -> list[str]:
        asked.append((missed.capture, missed.rules, missed.run.alerts(), miss.sid))  # type: ignore[attr-defined]
        return ["because"]

    with bench_of(find(playing(tmp_path, TELLS))) as bench:
        (outcome,) = run_cases(gather([folder]).cases, replace(bench, explain=explain), 1)
    assert outcome.why == ("because",)
    assert asked == [(folder / "a.pcap", (folder / "a.rules",), {7: 1}, 7)]


def test_a_source_tree_is_used_with_the_engine_in_its_place(tmp_path: Path) -> None:
    tree, engine = tmp_path / "tree", playing(tmp_path, "exit 0")
    for name in ("src/suricata", "src/a.c", "etc/classification.config", "suricata.yaml"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    made = stand_in(tmp_path / "made", engine, None, tree, "default")
    assert (made / "src" / "suricata").resolve() == engine
    assert [(made / name).read_text() for name in ("src/a.c", "etc/classification.config", "suricata.yaml")] == [
        "src/a.c", "etc/classification.config", "suricata.yaml",
    ]  # fmt: skip


def test_an_engine_without_a_configuration_folder_gets_ours(tmp_path: Path) -> None:
    made = stand_in(tmp_path / "made", playing(tmp_path, "exit 0"), tmp_path / "none", None, "default")
    assert (made / "suricata.yaml").read_text() == "default"


def test_the_command_socket_of_a_package_is_left_off() -> None:
    text = "a:\n  enabled: yes\nunix-command:\n  # on\n  filename: /run/x\n  enabled: yes\nb:\n  enabled: yes\n"
    assert without_socket(text) == text.replace("/run/x\n  enabled: yes", "/run/x\n  enabled: auto")
    assert without_socket("unix-command:\n  enabled: no\nb:\n  enabled: yes\n").count("auto") == 0


def test_an_interrupt_ends_the_engines_that_run(tmp_path: Path) -> None:
    for name in ("fast", "hang"):
        case(tmp_path / "cases" / name, f"env: {{DO: {name}}}\n", "a.pcap")
    program = playing(tmp_path, f"[ $DO = fast ] || {{ echo $$ > {tmp_path}/hanging; sleep 600; }}")

    def interrupted(outcome: Outcome) -> None:
        while not (tmp_path / "hanging").exists() or not (tmp_path / "hanging").read_text():
            pass
        raise KeyboardInterrupt

    with bench_of(find(program)) as bench, pytest.raises(KeyboardInterrupt):
        run_cases(gather([tmp_path / "cases"]).cases, bench, 2, interrupted)
    assert not Path(f"/proc/{(tmp_path / 'hanging').read_text().strip()}").exists()
