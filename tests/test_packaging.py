"""The systemd unit: systemd takes every line of it, and nothing of its sandbox is lost unnoticed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

UNIT = (ROOT / "packaging" / "reconwatch.service").read_text()
PROGRAM = "/opt/reconwatch/bin/reconwatch"

analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def value(key: str) -> list[str]:
    return [line.partition("=")[2] for line in UNIT.splitlines() if line.startswith(f"{key}=")]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    path = tmp_path / "reconwatch.service"
    path.write_text(UNIT.replace(PROGRAM, sys.executable))
    return path


@analyze
def test_systemd_knows_every_line_of_it(unit: Path) -> None:
    told = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if "reconwatch.service" in line] == []


@analyze
def test_what_it_is_left_exposed_to_stays_small(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--json=short", unit]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if not told.stdout.startswith("["):
        pytest.skip(f"this systemd-analyze cannot: {told.stderr.strip()[:80]}")
    open_to = {each["json_field"] for each in json.loads(told.stdout) if each["set"] is False}
    assert open_to <= {
        "PrivateNetwork", "RestrictAddressFamilies_AF_INET_INET6", "RestrictAddressFamilies_AF_UNIX",
        "IPAddressDeny", "RootDirectoryOrRootImage", "PrivateUsers", "DeviceAllow", "UMask", "ProcSubset",
    }  # fmt: skip


def test_it_runs_as_a_user_of_its_own_who_may_write_its_own_folders_only() -> None:
    assert value("User") == ["reconwatch"]
    assert value("ProtectSystem") == ["strict"]
    assert value("NoNewPrivileges") == ["yes"]
    assert value("ReadWritePaths") == []
    sysusers = (ROOT / "packaging" / "reconwatch.sysusers").read_text()
    assert sysusers.splitlines()[-1].startswith("u reconwatch - ")


def test_its_commands_are_commands_of_ours() -> None:
    from reconwatch.cli import main

    for line in value("ExecStart") + value("ExecReload"):
        program, command, option, _ = line.split()
        assert program == PROGRAM
        assert option in {name for param in main.commands[command].params for name in param.opts}
