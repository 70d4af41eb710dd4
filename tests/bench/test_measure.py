"""What a run costs, and how runs of several commands alternate."""

import os
import sys
from pathlib import Path

import pytest
from tests.bench.measure import Measured, Usage, alternate, ratio, run

SPIN = "import time\nwhile time.process_time() < 0.2: pass"
HOLD = "import time\nheld = bytearray(b'x' * 60_000_000)\ntime.sleep(0.2)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}], check=True)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def cost(cpu: float, resident: int = 1, anonymous: int = 1) -> Usage:
    return Usage(cpu, resident, anonymous, 0)


@pytest.mark.parametrize("code", [SPIN, PARENT.format(SPIN)], ids=["the process", "its child"])
def test_cpu_is_that_of_the_process_and_of_its_children(code: str, tmp_path: Path) -> None:
    assert run(python(code), tmp_path).cpu >= 0.2


@pytest.mark.parametrize("code", [HOLD, PARENT.format(HOLD)], ids=["the process", "its child"])
def test_memory_is_that_of_the_process_and_of_its_children(code: str, tmp_path: Path) -> None:
    usage = run(python(code), tmp_path)
    assert 60_000_000 <= usage.anonymous <= usage.resident


def test_a_run_tells_what_it_said_where_it_ran_and_how_it_ended(tmp_path: Path) -> None:
    usage = run(python("import os, sys; print(os.getcwd()); sys.exit('no')"), tmp_path)
    assert usage.output.decode().strip() == str(tmp_path)
    assert (usage.status, usage.complaint.strip()) == (1, b"no")


def test_a_program_in_python_may_keep_what_it_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run(python("import sys; print(sys.dont_write_bytecode)"), tmp_path).output.strip() == b"False"


def test_a_command_can_be_held_to_one_core(tmp_path: Path) -> None:
    told = python("import os; print(*sorted(os.sched_getaffinity(0)))")
    here = os.sched_getaffinity(0)
    assert {*map(int, run(told, tmp_path).output.split())} == here
    assert {*map(int, run(told, tmp_path, one_core=True).output.split())} == {max(here)}


def test_a_signal_is_told_as_a_negative_status(tmp_path: Path) -> None:
    assert run(python("import os; os.kill(os.getpid(), 9)"), tmp_path).status == -9


def test_commands_alternate() -> None:
    asked: list[str] = []

    def runner(name: str) -> tuple[Usage, str | None]:
        asked.append(name)
        return cost(1), None

    measured = alternate({name: lambda name=name: runner(name) for name in "ab"}, 3, lambda line: None)
    assert "".join(asked) == "ababab"
    assert [len(each.runs) for each in measured.values()] == [3, 3]


def test_a_command_that_fails_is_not_asked_again_and_the_others_go_on() -> None:
    told: list[str] = []
    ends = iter([(cost(1), None), (cost(1), "it failed (status 2)")])
    measured = alternate({"a": lambda: next(ends), "b": lambda: (cost(1), None)}, 3, told.append)
    assert measured["a"] == Measured([], "it failed (status 2)")
    assert len(measured["b"].runs) == 3
    assert "  a: it failed (status 2)" in told


def test_a_command_that_cannot_be_started_has_failed(tmp_path: Path) -> None:
    def absent() -> tuple[Usage, str | None]:
        return run([str(tmp_path / "absent")], tmp_path), None

    measured = alternate({"absent": absent}, 2, lambda line: None)
    assert measured["absent"].failure == "it could not be started (No such file or directory)"


def test_of_several_runs_the_median_time_and_the_most_memory_are_told() -> None:
    measured = Measured([cost(3, 10, 5), cost(1, 30, 7), cost(2, 20, 6)])
    assert (measured.cpu, measured.resident, measured.anonymous) == (2, 30, 7)


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    # The machine was half as fast in the second round: a ratio of medians, 2 / 6, would blame one program for it.
    ours, theirs = Measured([cost(2), cost(4), cost(2)]), Measured([cost(6), cost(8), cost(4)])
    assert ratio(ours, theirs) == 0.5
