"""Suricata, writing EVE of a capture to where a test says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from tests.conftest import ROOT
from tests.sources.textlog.servers import PATIENCE, program

CAPTURE = ROOT / "pcaps" / "lookups.pcap"
TYPES = ["dns", "tls", "http", "flow"]


def started(folder: Path, *outputs: dict[str, object], capture: Path = CAPTURE) -> subprocess.Popen[bytes]:
    """Suricata on its way through a capture, with these outputs of EVE."""
    configuration = {  # no two parts are one object: Suricata reads no aliases
        "default-log-dir": str(folder),
        "outputs": [{"eve-log": {"enabled": True, "types": list(TYPES), **output}} for output in outputs],
        "app-layer": {"protocols": {name: {"enabled": True} for name in ("tls", "http", "dns")}},
    }
    path = folder / "suricata.yaml"
    path.write_text("%YAML 1.1\n---\n" + yaml.safe_dump(configuration))
    command = [
        program("suricata"),
        "-c",
        str(path),
        "-r",
        str(capture),
        "-l",
        str(folder),
        "-k",
        "none",
        "-S",
        "/dev/null",
    ]
    with (folder / "suricata.txt").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def ran(folder: Path, *outputs: dict[str, object], capture: Path = CAPTURE) -> None:
    """The same, once it is through."""
    assert started(folder, *outputs, capture=capture).wait(2 * PATIENCE) == 0, (folder / "suricata.txt").read_text()
