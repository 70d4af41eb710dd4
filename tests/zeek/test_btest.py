"""The package inside Zeek: every btest, where there is a Zeek; its scripts parse everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "zeek-scripts").rglob("*.zeek"))


def zeek() -> str:
    """A Zeek on the path; without one the test is skipped, in CI too: no registry of packages has it."""
    found = shutil.which("zeek")
    if found is None:
        pytest.skip("NO ZEEK HERE: the package is parsed only, none of its btests was run")
    return found


def test_every_btest_passes() -> None:
    zeek()
    ran = subprocess.run(
        [sys.executable, Path(sys.executable).with_name("btest"), "-d", "-j", "2"],
        cwd=Path(__file__).parent, capture_output=True, text=True,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=[str(path.relative_to(ROOT)) for path in SCRIPTS])
def test_a_script_parses(script: Path) -> None:
    parser = Path(sys.executable).with_name("zeek-script")
    ran = subprocess.run([parser, "parse", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ERROR" not in ran.stdout + ran.stderr
