"""The programs that are measured side by side, and the commands by which each does the same work.

All of them look for the same names: those for which a run of reconwatch looks, with its full catalog.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.bench.measure import Usage, run

from reconwatch.catalog.load import load

HERE = Path(__file__).parent
SURICATA_CONFIGURATION = Path("/etc/suricata/suricata.yaml")

Command = Callable[[Sequence[Path], Path, Path], list[str]]
"""Of inputs, the file of names (one a line), and an empty folder to work in; it may write to that folder."""


@dataclass(frozen=True)
class Program:
    """One way to do the work with one program."""

    name: str
    needs: str
    """The executable, or the Python package, without which there is nothing to measure."""
    command: Command
    finds: Literal["lines", "sum", "nothing"] = "nothing"
    """What its output says of how much was found: a line for each, counts to add up, or nothing."""
    quiet: int = 0
    """The status, besides 0, that is no failure: GNU grep ends with 1 when it found nothing."""
    needs_file: Path | None = None
    one_core: bool = False
    """Held to one core. The others are told by options to use one thread, or have one, and go where they like."""

    @property
    def missing(self) -> str | None:
        """Why it cannot be measured here, or None if it can."""
        if self.needs in PACKAGES:
            return None if importlib.util.find_spec(self.needs) else f"the Python package {self.needs} is not installed"
        if shutil.which(self.needs) is None:
            return f"{self.needs} is not on PATH"
        if self.needs_file is not None and not self.needs_file.is_file():
            return f"its configuration {self.needs_file} is not there"
        return None

    def once(self, inputs: Sequence[Path], names: Path, folder: Path) -> tuple[Usage, str | None]:
        """One run in an empty folder, and why it is no use if it is none. Raises OSError if it cannot be started."""
        usage = run(self.command(inputs, names, folder), folder, one_core=self.one_core)
        if usage.status in {0, self.quiet}:
            return usage, None
        for line in usage.complaint.decode(errors="replace").splitlines()[-5:]:
            sys.stderr.write(f"  {self.name}: {line}\n")
        return usage, f"it failed (status {usage.status})"

    def found(self, usage: Usage) -> int | None:
        """How many records, packets or notices a run told of; None if the program tells none."""
        match self.finds:
            case "lines":
                return usage.output.count(b"\n")
            case "sum":
                return sum(map(int, usage.output.split()))
        return None


PACKAGES = frozenset({"reconwatch", "duckdb"})
"""What is run by this Python, not found on PATH."""


def looked_for() -> list[str]:
    """The hosts of the catalog, sorted; each also stands for the names below it."""
    interest = load().interest()
    return sorted({name.removeprefix("=") for name in interest.names | interest.asides})


def _reconwatch(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "reconwatch", "replay", "--site", str(HERE / "site.yaml"), "--format", "jsonl"]
    return [*command, *map(str, inputs)]


def _suricata(configuration: Path, capture: Path, folder: Path) -> list[str]:
    command = ["suricata", "-c", str(configuration), "-S", "/dev/null", "-k", "none", "--runmode", "single"]
    return [*command, "-l", str(folder), "-r", str(capture)]


def _suricata_eve(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return _suricata(SURICATA_CONFIGURATION, inputs[0], folder)


def _suricata_off(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    derived = folder / "suricata.yaml"
    derived.write_text(without_outputs(SURICATA_CONFIGURATION.read_text(encoding="utf-8")), encoding="utf-8")
    return _suricata(derived, inputs[0], folder)


def without_outputs(configuration: str) -> str:
    """A suricata.yaml whose top-level `outputs:` is an empty list; all else stays as it was written."""
    return re.sub(r"^outputs:.*\n(?:(?:[ \t#-].*)?\n)*", "outputs: []\n", configuration, flags=re.MULTILINE)


def _zeek(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return ["zeek", "-C", "-r", str(inputs[0])]


def _tshark(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return ["tshark", "-n", "-r", str(inputs[0]), "-Y", display_filter(names.read_text().split())]


def _tshark_fields(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    fields = ["frame.time_epoch", "ip.src", "ipv6.src", *NAMING]
    return [*_tshark(inputs, names, folder), "-T", "fields", *(word for field in fields for word in ("-e", field))]


Tree = dict[str, "Tree"]
"""Names letter by letter; the empty string marks where one ends."""

NAMING = ("dns.qry.name", "tls.handshake.extensions_server_name", "http.host", "http2.headers.authority")
"""Where tshark shows the names that reconwatch reads. The second is that of QUIC hellos too."""


def display_filter(names: Iterable[str]) -> str:
    """The packets that name one of `names` or a name below it; and WHOIS queries, which reconwatch wants all."""
    pattern = f"(?i)(^|[.]){_alternatives(names)}$"
    return " || ".join([*(f'{field} matches "{pattern}"' for field in NAMING), "whois.query"])


def _alternatives(names: Iterable[str]) -> str:
    """One regular expression for all names that shares their beginnings: half as long, and tried once a letter."""
    tree: Tree = {}
    for name in names:
        node = tree
        for letter in name:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _expression(tree)


def _expression(node: Tree) -> str:
    ends = "" in node
    tails = [(letter if letter != "." else "[.]") + _expression(node[letter]) for letter in sorted(node) if letter]
    if not tails:
        return ""
    if len(tails) == 1 and not ends:
        return tails[0]
    return f"(?:{'|'.join(tails)})" + ("?" if ends else "")


def _grep(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return ["grep", "-c", "-h", "-i", "-F", "-f", str(names), *map(str, inputs)]


def _grep_bytes(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return ["env", "LC_ALL=C", *_grep(inputs, names, folder)]


HOSTS_IN_JQ = r"""
($names | split("\n") - [""] | map({(.): true}) | add) as $names
| def named: $names[.] or (index(".") as $dot | $dot != null and (.[$dot + 1:] | named));
  def host: .dns.rrname // .dns.queries[0].rrname // .tls.sni // .http.hostname // empty | ascii_downcase;
  reduce (inputs | host | select(named)) as $one (0; . + 1)
"""
"""How many EVE records name a host, label by label; a regular expression of the names takes a hundred times as long."""


def _jq(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return ["jq", "-n", "--rawfile", "names", str(names), HOSTS_IN_JQ, *map(str, inputs)]


def _duckdb(inputs: Sequence[Path], names: Path, folder: Path) -> list[str]:
    return [sys.executable, str(HERE / "duckdb_names.py"), str(inputs[0]), str(names)]


RECONWATCH = Program("reconwatch", "reconwatch", _reconwatch, finds="lines", one_core=True)
SURICATA_EVE = Program("Suricata, EVE on", "suricata", _suricata_eve, needs_file=SURICATA_CONFIGURATION)
SURICATA_OFF = Program("Suricata, outputs off", "suricata", _suricata_off, needs_file=SURICATA_CONFIGURATION)
ZEEK = Program("Zeek", "zeek", _zeek)
TSHARK = Program("tshark, a line a packet", "tshark", _tshark, finds="lines")
TSHARK_FIELDS = Program("tshark, `-T fields`", "tshark", _tshark_fields, finds="lines")
GREP = Program("grep, UTF-8", "grep", _grep, finds="sum", quiet=1)
GREP_BYTES = Program("grep, `LC_ALL=C`", "grep", _grep_bytes, finds="sum", quiet=1)
JQ = Program("jq", "jq", _jq, finds="sum")
DUCKDB = Program("DuckDB", "duckdb", _duckdb, finds="sum")

PROGRAMS = (RECONWATCH, SURICATA_EVE, SURICATA_OFF, ZEEK, TSHARK, TSHARK_FIELDS, GREP, GREP_BYTES, JQ, DUCKDB)

VERSIONS = {
    "Suricata": ["suricata", "-V"],
    "Zeek": ["zeek", "--version"],
    "tshark": ["tshark", "--version"],
    "grep": ["grep", "--version"],
    "jq": ["jq", "--version"],
    "DuckDB": [sys.executable, "-c", "import duckdb; print(duckdb.__version__)"],
    "reconwatch": [sys.executable, "-m", "reconwatch", "--version"],
}


def versions() -> dict[str, str]:
    """What each program calls its version; `not here` for one that does not answer."""
    return {name: _version(command) for name, command in VERSIONS.items()}


def _version(command: list[str]) -> str:
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "not here"
    found = re.search(r"\d+(?:\.\d+)+[\w.+-]*", told)
    return found[0].rstrip(".") if found else "not told"
