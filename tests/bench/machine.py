"""The machine that measured, told without its name."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory, system and Python, as one line."""
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = model(Path("/proc/cpuinfo").read_text())
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, {release}, {platform.machine()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def model(cpuinfo: str) -> str:
    """The processor's name as /proc/cpuinfo has it (x86: `model name`, some ARM: `Model` or `Hardware`)."""
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return " ".join(found[1].split()) if found else "unknown processor"
