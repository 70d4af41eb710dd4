"""The Suricatas that tests run: the one on PATH, those that RECONWATCH_SURICATA names, and programs that play one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reconwatch.rules.engine import Engine, find

NAMED = [path for path in os.environ.get("RECONWATCH_SURICATA", "").split(":") if path]
ENGINES = ["suricata", *NAMED]
"""For `parametrize`: further engines beside the one on PATH."""


def suricata(named: str = "suricata") -> Engine:
    """An engine; with CI=true one that is not there is a failure, elsewhere the test is skipped."""
    if shutil.which(named) is None and os.environ.get("CI") == "true":
        pytest.fail(f"{named} is not installed, and CI must have it")
    if shutil.which(named) is None:
        pytest.skip(f"{named} is not installed")
    return find(Path(named) if "/" in named else None)


def playing(folder: Path, script: str, *, version: str = "7.0.10", name: str = "suricata") -> Path:
    """A program that says that it is a Suricata, and then does what a shell script says; `$out` is its folder."""
    path = folder / name
    path.write_text(
        f"""#!/bin/sh
case "$1" in
-V) echo "This is Suricata version {version} RELEASE"; exit;;
--build-info) printf 'Features: PCRE_JIT TLS\\n\\nSuricata Configuration:\\n  LUA support:  yes, luajit\\n'; exit;;
esac
while [ $# -gt 0 ]; do [ "$1" = -l ] && out=$2; shift; done
{script}
"""
    )
    path.chmod(0o755)
    return path
