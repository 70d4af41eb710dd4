"""A Suricata on this machine: what it is, whether it accepts rules, and what it says of a capture.

An engine is always run in a folder of its own with a configuration of ours (`engine_config.py`): what a run says then
depends on the engine, the rules and the capture, and not on how the machine's sensor happens to be set up.

    engine = find()                                        # EngineMissing: no Suricata
    loading = engine.check([Path("a.rules")])              # loading.rejected: what it did not take, where, and why
    with TemporaryDirectory() as folder:
        run = engine.run(Path("x.pcap"), [Path("a.rules")], Path(folder))
        alerts = Counter(event["alert"]["signature_id"] for event in run.events("alert"))
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from reconwatch.rules.engine_config import Settings, configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LIMIT = 300.0
"""Seconds after which an engine is killed. suricata-verify's runner waits as long."""
VERSION_LIMIT = 30.0
"""Seconds for `-V` and `--build-info`, which open nothing."""
LOG_LINES = 15
"""Lines of an engine's log that an error shows: its last words, not its life."""
LOG_BYTES = 64 * 1024
"""Bytes of a log's end that are read for them."""
LONGEST_EVENT = 64 * 1024 * 1024
"""Bytes of one EVE line; Suricata's own alerts with payload, packet and body stay far below."""

_VERSION = re.compile(r"Suricata version (\d+)(?:\.(\d+))?(?:\.(\d+))?")
_REJECTED = re.compile(
    r'error parsing signature "(?P<rule>.*)" from file (?P<file>.*) at line (?P<line>\d+)', re.DOTALL
)
_LOADED = re.compile(r"(\d+) rules successfully loaded, (\d+) rules failed(?:, (\d+) rules skipped)?")
_LOGGED = ("E: ", "W: ")
"""What begins a line on standard error that stands in the log as well."""
_SID = re.compile(r"\bsid\s*:\s*(\d+)")


_PCAP_HEADER = 24
_PCAP = frozenset(bytes.fromhex(each)[::turn] for each in ("a1b2c3d4", "a1b23c4d", "a1b2cd34") for turn in (1, -1))
"""Of micro- and nanoseconds, and Kuznetzov's (libpcap, sf-pcap.c), in both byte orders."""
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_PACKET_BLOCKS = frozenset({2, 3, 6})
"""Packet, Simple Packet and Enhanced Packet Block."""
_HEADERS = 65_536
"""Bytes within which a capture's first packet begins."""


class EngineError(Exception):
    """An engine could not do its work."""


class EngineMissing(EngineError):
    """There is no Suricata where one was looked for, or it is none."""


class EngineFailed(EngineError):
    """An engine was killed by a signal, or it ran longer than its limit. The message ends with its log's end."""


class EngineCrashed(EngineFailed):
    """An engine died of a signal that it was not sent by us."""


class EngineHung(EngineFailed):
    """An engine ran longer than its limit, and was killed with all its children."""


class CaptureUnreadable(EngineFailed):
    """A capture holds no packet, or is none.

    An engine waits for the first packet of the one for ever (7.0.10, 8.0.8), and a minute before it gives up on the
    other (7.0.10).
    """


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rule that the engine did not take."""

    file: str
    line: int
    """The rule's first line, counted from 1."""
    sid: int | None
    """None if the rule has none that can be read."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " + (f"sid {self.sid}: " if self.sid is not None else "") + self.reason


@dataclass(frozen=True, slots=True)
class Loading:
    """What an engine made of its rules."""

    loaded: int
    rejected: tuple[Rejection, ...]
    warnings: tuple[str, ...]
    """The engine's own words, in order; most name the sid ("rule 4: ...")."""
    errors: tuple[str, ...] = ()
    """Errors that belong to no rule: of the configuration, of files."""
    skipped: int = 0
    """Rules that a `requires` of theirs left out."""

    @property
    def clean(self) -> bool:
        """Every rule was taken, without a warning."""
        return not self.rejected and not self.warnings and not self.errors


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended."""

    exit: int
    """Exit status; -N if signal N ended it."""
    cpu: float
    """CPU seconds of the process and its children, user and system."""
    hung: bool
    """It ran longer than its limit and was killed."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an engine said of one capture."""

    folder: Path
    """Where the engine wrote; the caller's."""
    exit: int
    cpu: float
    """CPU seconds, user and system."""
    loading: Loading
    log: tuple[str, ...] = field(repr=False)
    """The end of the engine's log."""

    @property
    def eve(self) -> Path:
        """The events, one JSON object a line."""
        return self.folder / "eve.json"

    def events(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """The events of these `event_type`s, or all, in the order of the file. A line is read only when asked for."""
        wanted = frozenset(kinds)
        for event in read_events(self.eve):
            if not wanted or event.get("event_type") in wanted:
                yield event

    def stats(self) -> dict[str, Any]:
        """The engine's last counters, as EVE's `stats` object; empty if it wrote none."""
        last: dict[str, Any] = {}
        for event in self.events("stats"):
            last = event.get("stats", {})
        return last

    def alerts(self) -> dict[int, int]:
        """How often each sid alerted."""
        found: dict[int, int] = {}
        for event in self.events("alert"):
            sid = event["alert"]["signature_id"]
            found[sid] = found.get(sid, 0) + 1
        return found


@dataclass(frozen=True, slots=True)
class Engine:
    """One Suricata."""

    path: Path
    version: tuple[int, int, int]
    features: frozenset[str]
    """The words of `--build-info`'s Features line, and the names of its `support: yes` lines."""
    config_folder: Path | None
    """Where it keeps classification.config and reference.config; None if it says nothing of it."""

    def __str__(self) -> str:
        return "Suricata " + ".".join(map(str, self.version))

    def check(self, rules: Sequence[Path], settings: Settings | None = None, *, limit: float = LIMIT) -> Loading:
        """Whether it accepts these rules (`suricata -T`). Nothing is left behind.

        Raises EngineCrashed, EngineHung.
        """
        with TemporaryDirectory(prefix="reconwatch-") as folder:
            return self._run(Path(folder), rules, settings or Settings(), ["-T"], limit).loading

    def run(
        self, capture: Path, rules: Sequence[Path], folder: Path, settings: Settings | None = None,
        *, limit: float = LIMIT,
    ) -> Run:  # fmt: skip
        """Read a capture with these rules; everything is written into `folder`, which must exist and be empty.

        A rejected rule does not stop it (see `Run.loading`). Checksums are not looked at: a capture made on the machine
        that sent has none. One thread, so that two runs say the same in the same order.
        Raises CaptureUnreadable, EngineCrashed, EngineHung.
        """
        if fault := unreadable(capture):
            raise CaptureUnreadable(f"{capture}: {fault}")
        arguments = ["--runmode", "single", "-k", "none", "-r", str(capture.absolute())]
        return self._run(folder.absolute(), rules, settings or Settings(), arguments, limit)

    def _run(
        self, folder: Path, rules: Sequence[Path], settings: Settings, arguments: Sequence[str], limit: float
    ) -> Run:
        config = folder / "suricata.yaml"
        config.write_text(
            configuration(self.version, self.config_folder, [rule.absolute() for rule in rules], settings)
        )
        command = [str(self.path), *arguments, *settings.arguments, "-c", str(config), "-l", str(folder)]
        ended = run_limited(command, folder, stdout=folder / "stdout", stderr=folder / "stderr", limit=limit)
        lines = _last_words(folder)
        fault = failure(f"{self} ({self.path})", ended, limit, lines)
        if fault is not None:
            raise fault
        return Run(folder, ended.exit, ended.cpu, _loading(folder / "engine.json"), tuple(lines))


def unreadable(capture: Path) -> str:
    """Why a file is not one that an engine can read; "" if it may be: it is a capture, and holds a packet.

    An empty capture is nothing but a header: of pcap 24 bytes, of pcapng the blocks before the first packet's.
    """
    with capture.open("rb") as file:
        head = file.read(_HEADERS)
    if head[:4] != _PCAPNG:
        if head[:4] not in _PCAP:
            return "is no capture (pcap, pcapng)"
        return "holds no packet" if len(head) <= _PCAP_HEADER else ""
    order: Literal["little", "big"] = "little" if head[8:12] == b"\x4d\x3c\x2b\x1a" else "big"
    at = 0
    while at + 8 <= len(head):
        kind, size = (int.from_bytes(head[at + each : at + each + 4], order) for each in (0, 4))
        if kind in _PACKET_BLOCKS:
            return ""
        at += max(size, 12)
    return "holds no packet" if len(head) < _HEADERS else ""


def find(path: Path | None = None) -> Engine:
    """The engine at `path`, else the `suricata` on PATH.

    Raises EngineMissing if there is none, or if what is there is no Suricata.
    """
    found = shutil.which(str(path)) if path is not None else shutil.which("suricata")
    if found is None:
        missing = f"{path}: no program there" if path is not None else "no suricata on PATH"
        raise EngineMissing(f"{missing}; install Suricata 7 or 8, or name one with --engine")
    return _engine(found)


@functools.lru_cache(maxsize=8)
def _engine(found: str) -> Engine:
    """What a program says of itself."""
    said = _VERSION.search(_asked(found, "-V"))
    if said is None:
        raise EngineMissing(f"{found}: `-V` does not say that it is a Suricata")
    major, minor, patch = (int(part or 0) for part in said.groups())
    build = _asked(found, "--build-info")
    return Engine(Path(found), (major, minor, patch), frozenset(features(build)), _config_folder(build))


def _asked(program: str, option: str) -> str:
    try:
        done = subprocess.run([program, option], capture_output=True, timeout=VERSION_LIMIT, check=False)
    except OSError as error:
        raise EngineMissing(f"{program}: cannot be run: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise EngineMissing(f"{program}: `{option}` did not end within {VERSION_LIMIT:.0f} s") from error
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


def features(build_info: str) -> Iterator[str]:
    """The features of a `--build-info`: the words of its first list, and what it says it supports."""
    _, _, supported = build_info.partition("Suricata Configuration:")
    for line in build_info.splitlines():
        if line.startswith("Features:"):
            yield from line.split()[1:]
    for line in supported.splitlines():
        name, colon, value = line.partition(" support:")
        if colon and value.strip().startswith("yes"):
            yield name.strip()


def _config_folder(build_info: str) -> Path | None:
    said = re.search(r"Configuration directory:\s+(\S+)", build_info)
    return Path(said[1]) if said else None


def run_limited(
    command: Sequence[str], folder: Path, *, stdout: Path, stderr: Path, limit: float,
    environment: Mapping[str, str] | None = None,
) -> Finished:  # fmt: skip
    """Run a program in `folder` and wait for its end; after `limit` seconds it is killed with its children.

    Raises EngineMissing if it cannot be started.
    """
    with stdout.open("wb") as out, stderr.open("wb") as err:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise EngineMissing(f"{command[0]}: cannot be run: {error.strerror or error}") from error
    hung = threading.Event()
    _RUNNING.add(process.pid)

    def too_long() -> None:
        hung.set()
        _kill(process.pid)

    timer = threading.Timer(limit, too_long)
    timer.start()
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    finally:
        timer.cancel()
        timer.join()
        _kill(process.pid)  # what it left running, and itself if this was interrupted
        _RUNNING.discard(process.pid)
        # Only now the number is given back: until here it could not have become another process.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Finished(
        process.returncode, usage.ru_utime + usage.ru_stime, hung.is_set() and process.returncode == -signal.SIGKILL
    )


_RUNNING: set[int] = set()
"""The process groups of the programs that run now, in whichever thread."""


def stop_all() -> None:
    """Kill every program that `run_limited` waits for, for a run that is given up."""
    for group in tuple(_RUNNING):
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def failure(name: str, ended: Finished, limit: float, log: Iterable[str]) -> EngineFailed | None:
    """The error that an engine's end is; None if it ended by itself, with whatever status."""
    last = "".join(f"\n    {line}" for line in log)
    if ended.hung:
        return EngineHung(f"{name}: did not end within {limit:g} s and was killed{last}")
    if ended.exit < 0:
        number = -ended.exit
        named = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return EngineCrashed(f"{name}: crashed ({named}){last}")
    return None


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of an EVE file, line by line; a file of any size costs one line of memory.

    An unfinished last line (an engine that was killed) is left out. A missing file holds nothing. A byte that is not
    UTF-8 (a rule's message may hold one) becomes U+FFFD. Raises msgspec.DecodeError on a line that is no JSON object.
    """
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while line := file.readline(LONGEST_EVENT):
            if not line.endswith(b"\n"):
                return
            try:
                yield decode(line)
            except UnicodeDecodeError:
                yield decode(line.decode(errors="replace"))


def tail(path: Path) -> list[str]:
    """The last lines of a log; none if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-LOG_LINES:]


def _last_words(folder: Path) -> list[str]:
    """The end of an engine's own log and of what it wrote to standard error (which a crash does)."""
    said = [message for level, message in _messages(folder / "engine.json") if level != "Info"]
    rest = [line for line in tail(folder / "stderr") if not line.startswith(_LOGGED)]
    return (said + rest)[-LOG_LINES:]


class _Engine(msgspec.Struct):
    message: str = ""
    module: str = ""


class _LogLine(msgspec.Struct):
    log_level: str = ""
    engine: _Engine = msgspec.field(default_factory=_Engine)


def _messages(path: Path) -> Iterator[tuple[str, str]]:
    """(level, text) of each line of a log that was written as JSON; a line cut short is left out."""
    if not path.exists():
        return
    decode = msgspec.json.Decoder(_LogLine).decode
    with path.open("rb") as file:
        for raw in file:
            try:
                # Suricata copies a rule's bytes into its log as they are.
                line = decode(raw.decode(errors="replace"))
            except msgspec.DecodeError:
                continue
            yield line.log_level, line.engine.message


def _loading(log: Path) -> Loading:
    """What a log says of the rules. The reasons of a rejection stand in the lines before it."""
    loaded = skipped = 0
    rejected: list[Rejection] = []
    warnings: list[str] = []
    reasons: list[str] = []
    for level, message in _messages(log):
        if refused := _REJECTED.fullmatch(message):
            sid = _SID.search(refused["rule"])
            reason = "; ".join(reasons) or _unexplained(warnings, sid[1] if sid else "")
            rejected.append(Rejection(refused["file"], int(refused["line"]), int(sid[1]) if sid else None, reason))
            reasons = []
        elif counts := _LOADED.search(message):
            loaded, skipped = int(counts[1]), int(counts[3] or 0)
        elif level == "Warning":
            warnings.append(message)
        elif level in ("Error", "Critical") and message != "Loading signatures failed.":
            reasons.append(message)
    return Loading(loaded, tuple(rejected), tuple(warnings), tuple(reasons), skipped)


def _unexplained(warnings: Sequence[str], sid: str) -> str:
    """Some keywords explain a refusal in a warning only (http.host with upper-case content)."""
    if warnings and warnings[-1].startswith(f"rule {sid}:"):
        return warnings[-1].partition(": ")[2]
    return "the engine gives no reason"
