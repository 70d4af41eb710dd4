"""A suricata-verify case: what its test.yaml says is run and checked as suricata-verify's own runner does.

Cases are written for a built source tree of Suricata: they take its default suricata.yaml, classification.config and
rules from `${SRCDIR}`. A `SourceTree` is that, or stands in for it with the files of an installed engine. What a case
would have a shell do (`command`, `setup`, `pre-check`, `shell` checks) is done only when that was allowed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import string
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconwatch.rules.checks import CheckError, Filter, FilterPass, same_content, stats_misses
from reconwatch.rules.engine import LOG_LINES, EngineHung, Finished, failure, run_limited, tail
from reconwatch.rules.outcome import Miss, Outcome, Verdict
from reconwatch.rules.verify_needs import Needs, Senseless, Unmet, version_of

if TYPE_CHECKING:
    from reconwatch.rules.testbench import Bench
    from reconwatch.rules.verify_file import Check, VerifyFile

SHELL_LIMIT = 300.0
"""Seconds for a command of a shell, as for an engine."""

REFUSED = "wants a shell ({}), which is run with --allow-shell only"


class CaseError(Exception):
    """A case that cannot be run as it is written; `key` is the place in its test.yaml."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


@dataclass(slots=True)
class Tally:
    """The checks of one run of a case."""

    misses: list[Miss] = field(default_factory=list)
    held: int = 0
    left_out: list[str] = field(default_factory=list)
    """Why each check that does not apply was left out."""


@dataclass(frozen=True, slots=True)
class VerifyCase:
    """One folder with a test.yaml."""

    name: str
    content: VerifyFile

    @property
    def file(self) -> Path:
        """The test.yaml."""
        return self.content.path

    @property
    def folder(self) -> Path:
        """Where it lies: what its paths are relative to, and where the engine is run."""
        return self.content.path.parent.absolute()

    def inputs(self) -> Iterator[Path]:
        """The files whose change changes the outcome."""
        yield from (path for path in self.folder.iterdir() if path.is_file())
        for key in ("pcap", "rules"):
            if isinstance(named := self.content.config.get(key), str):
                yield self.folder / named

    def run(self, bench: Bench, folder: Path) -> Outcome:
        """Run it and check; the engine writes into `folder`, which is the case's alone. Raises EngineError."""
        try:
            return _VerifyRun(self, bench, folder / "output").outcome()
        except Unmet as reason:
            return Outcome(self.name, self.file, Verdict.SKIP, reason=str(reason))
        except Senseless as error:
            return self._wrong(str(error), "requires")
        except CaseError as error:
            return self._wrong(str(error), error.key)

    def _wrong(self, message: str, key: str) -> Outcome:
        line = self.content.line_of(key) if key else None
        return Outcome(self.name, self.file, Verdict.ERROR, misses=(Miss(message, self.file, line, kind="case"),))


class _VerifyRun:
    """One run of one case."""

    def __init__(self, case: VerifyCase, bench: Bench, output: Path) -> None:
        self.case = case
        self.bench = bench
        self.output = output
        self.config: Mapping[str, Any] = {k: v for k, v in case.content.config.items() if v is not None}
        self.requires: Mapping[str, Any] = self.config.get("requires", {})
        self.needs = Needs(bench.engine, bench.source, allow_shell=bench.allow_shell)
        self.environment = {**os.environ, **self._variables()}
        self.cpu = 0.0

    def _variables(self) -> dict[str, str]:
        given = {str(key): str(value) for key, value in self.config.get("env", {}).items()}
        source, test = str(self.bench.source), str(self.case.folder)
        return {"SRCDIR": source, "TZ": "UTC", "TEST_DIR": test, "OUTPUT_DIR": str(self.output), **given}

    def outcome(self) -> Outcome:
        """Raises Unmet, Senseless, CaseError, EngineError."""
        self.needs.check(self.requires, self.case.folder)
        self._require_capture()
        self.needs.check_skip(self.config.get("skip"), self._dumped)
        self._require_allowed()
        for attempt in range(max(1, self.config.get("retry", 1)), 0, -1):
            for _ in range(self.config.get("count", 1)):
                if (wrong := self._once()) is not None:
                    return self._outcome(Verdict.FAIL, Tally([wrong]))
                tally = self._checked()
            if not tally.misses or attempt == 1:
                break
        verdict = Verdict.FAIL if tally.misses else Verdict.SKIP if tally.left_out and not tally.held else Verdict.PASS
        return self._outcome(verdict, tally)

    def _outcome(self, verdict: Verdict, tally: Tally) -> Outcome:
        reason = ""
        if tally.left_out:
            total = tally.held + len(tally.misses) + len(tally.left_out)
            reasons = "; ".join(dict.fromkeys(tally.left_out))
            reason = f"{len(tally.left_out)} of {total} checks left out: {reasons}"
        return Outcome(
            self.case.name, self.case.file, verdict, reason=reason, misses=tuple(tally.misses), why=self._why(tally),
            cpu=self.cpu,
        )  # fmt: skip

    def _why(self, tally: Tally) -> tuple[str, ...]:
        """What explains the rules that alerted too seldom, where it is known which capture and rules were meant."""
        capture = [Path(word) for word in self._capture()][1:] if "command" not in self.config else []
        if not capture or not any(miss.too_few for miss in tally.misses):
            return ()
        return self.bench.explained_anew(capture[0], self._rule_files(), tally.misses, self.output.parent / "why")

    def _require_capture(self) -> None:
        if "command" in self.config or not self.requires.get("pcap", True):
            return
        if "pcap" in self.config:  # `pcap: false` says that there is none
            return
        if not self._captures():
            raise Unmet("no capture in its folder")

    def _captures(self) -> list[Path]:
        return [*self.case.folder.glob("*.pcap"), *self.case.folder.glob("*.pcapng")]

    def _require_allowed(self) -> None:
        if "unix-commands" in self.config:
            raise Unmet("talks to a running engine over its socket, which is not done here")
        wanted = [key for key in ("command", "setup", "pre-check") if key in self.config]
        if wanted and not self.bench.allow_shell:
            raise Unmet(REFUSED.format(", ".join(wanted)))

    def _dumped(self) -> Mapping[str, str]:
        """The engine's configuration as it sees it, for `skip: config`."""
        command = [str(self.bench.engine.path), "-c", str(self._suricata_yaml()), "--dump-config"]
        done = subprocess.run(command, capture_output=True, timeout=SHELL_LIMIT, check=False)
        if done.returncode != 0:
            raise CaseError("the engine does not accept the configuration that `skip` asks about", "skip")
        pairs = (line.partition("=") for line in done.stdout.decode(errors="replace").splitlines())
        return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}

    def _once(self) -> Miss | None:
        """Run the engine, or the case's command, into an empty folder; what is wrong with how it ended."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        self._set_up()
        shell = self.config.get("command")
        command = list(self._arguments()) if shell is None else ["/bin/sh", "-c", shell]
        ended = run_limited(
            command, self.case.folder, stdout=self.output / "stdout", stderr=self.output / "stderr",
            limit=self.bench.limit, environment=self.environment,
        )  # fmt: skip
        self.cpu += ended.cpu
        log = [*tail(self.output / "stdout"), *tail(self.output / "stderr")][-LOG_LINES:]
        if (
            fault := failure(f"{self.bench.engine} ({self.bench.engine.path})", ended, self.bench.limit, log)
        ) is not None:
            raise fault
        wanted = self.config.get("exit-code", 0)
        if ended.exit == wanted:
            return None
        last = "".join(f"\n    {line}" for line in log)
        line = self.case.content.line_of("exit-code")
        return Miss(f"expected exit status {wanted}, got {ended.exit}{last}", self.case.file, line, kind="check")

    def _set_up(self) -> None:
        for item in self.config.get("setup", ()):
            for kind, script in item.items():
                if kind == "script" and self._shell(str(script), self.environment)[0].exit != 0:
                    raise CaseError(f"this script of its set-up fails: {script}", "setup")

    def _shell(self, script: str, environment: Mapping[str, str] | None = None) -> tuple[Finished, str]:
        """How a shell's command ended, and what it wrote. It is run in the output folder."""
        written, errors = self.output.parent / "shell.out", self.output.parent / "shell.err"
        ended = run_limited(
            ["/bin/sh", "-c", script], self.output, stdout=written, stderr=errors, limit=SHELL_LIMIT,
            environment=environment,
        )  # fmt: skip
        if ended.hung:
            raise EngineHung(f"a command of the case did not end within {SHELL_LIMIT:g} s and was killed: {script}")
        return ended, written.read_text(errors="replace")

    def _arguments(self) -> Iterator[str]:
        """The engine's command line, as run.py makes it."""
        given = [word for argument in self.config.get("args", ()) for word in re.split(r"\s", argument)]
        for word in [str(self.bench.engine.path), *given, *self._fixed(), *self._capture(), *self._rules()]:
            try:
                yield string.Template(word).substitute(self.environment)
            except (KeyError, ValueError) as error:
                raise CaseError(f"'{word}': no such variable: {error}", "args") from error

    def _fixed(self) -> Iterator[str]:
        for option, name in (
            ("classification-file", "classification.config"), ("reference-config-file", "reference.config")
        ):  # fmt: skip
            found = [path for path in (self.bench.source / "etc" / name, self.bench.source / name) if path.exists()]
            if found:
                yield from ("--set", f"{option}={found[0]}")
        yield from ("--init-errors-fatal", "-l", str(self.output))
        if "ips" in self.case.folder.name:
            yield "--simulate-ips"
        yield from ("-c", str(self._suricata_yaml()))

    def _suricata_yaml(self) -> Path:
        own = self.case.folder / "suricata.yaml"
        return own if own.exists() else self.bench.source / "suricata.yaml"

    def _capture(self) -> Iterator[str]:
        if named := self.config.get("pcap"):
            capture = self.case.folder / str(named)
            if not capture.exists():
                raise CaseError(f"there is no capture {named}", "pcap")
            yield from ("-r", str(capture.resolve()))
            return
        captures = self._captures()
        if len(captures) > 1:
            raise CaseError("there are several captures in its folder; name one by 'pcap'")
        for capture in captures:
            yield from ("-r", str(capture))

    def _rules(self) -> Iterator[str]:
        rules = self._rule_files()
        match [path.name for path in rules]:
            case []:
                yield "--disable-detection"
            case [name] if name.endswith("firewall.rules"):
                yield from ("--firewall-rules-exclusive", str(rules[0]))
            case [name] if name.startswith("min") and not self._new_enough(name):
                yield "--disable-detection"
            case [_]:
                yield from ("-S", str(rules[0]))
            case [first, second] if first.endswith("firewall.rules") and second.endswith("td.rules"):
                yield from ("--firewall-rules-exclusive", str(rules[0]), "-S", str(rules[1]))
            case _:
                raise CaseError("there are several rule files in its folder; name one by 'rules'")

    def _rule_files(self) -> list[Path]:
        if "rules" not in self.config:
            return sorted(self.case.folder.glob("*.rules"))
        if not (named := self.config["rules"]):
            return []
        rules = self.case.folder / str(named)
        if not rules.exists():
            raise CaseError(f"there is no rule file {named}", "rules")
        return [rules.resolve()]

    def _new_enough(self, name: str) -> bool:
        """Whether rules in a file `min7.rules` are for this version."""
        wanted = version_of(name.removeprefix("min").removesuffix(".rules"))
        return self.bench.engine.version[: len(wanted)] >= wanted

    def _checked(self) -> Tally:
        """Make every check of the last run."""
        if "pre-check" in self.config:
            self._shell(self.config["pre-check"])
        tally = Tally()
        passes: dict[Path, FilterPass] = {}
        filters: list[tuple[Check, Filter, Path]] = []
        for check in self.case.content.checks:
            try:
                if check.kind != "stats":
                    self.needs.check_part(check.config.get("requires") or {}, self._minimum(check), self.case.folder)
            except Unmet as reason:
                tally.left_out.append(str(reason))
                continue
            except Senseless as error:
                tally.misses.append(self._miss(check, str(error)))
                continue
            if check.kind == "filter":
                path = self.output / check.config.get("filename", "eve.json")
                each = Filter(check.config["match"], check.config["count"])
                passes.setdefault(path, FilterPass(path)).filters.append(each)
                filters.append((check, each, path))
            else:
                self._other(check, tally)
        unread = dict(_unread(passes.values()))
        for check, each, path in filters:
            wrong = unread.get(path) or each.miss()
            self._count(check, wrong, tally, too_few=isinstance(each.wanted, int) and each.found < each.wanted)
        tally.misses.sort(key=lambda miss: miss.line or 0)
        return tally

    def _minimum(self, check: Check) -> Mapping[str, Any]:
        """run.py compares a filter's requirements with those of its case, and no other check's."""
        return self.requires if check.kind == "filter" else {}

    def _other(self, check: Check, tally: Tally) -> None:
        config = check.config
        match check.kind:
            case "stats":
                try:
                    wrong = "; ".join(stats_misses(config, self.output / "eve.json"))
                except CheckError as error:
                    wrong = str(error)
                self._count(check, wrong, tally)
            case "file-compare":
                written = self.output / str(config["filename"])
                self._count(check, same_content(self.case.folder / str(config["expected"]), written), tally)
            case "shell" if self.bench.allow_shell:
                self._count(check, self._shell_check(config), tally)
            case "shell":
                tally.left_out.append(REFUSED.format("a shell check"))

    def _shell_check(self, config: Mapping[str, Any]) -> str:
        ended, said = self._shell(str(config["args"]), self.environment)
        if ended.exit != 0:
            return f"exit status {ended.exit} of: {config['args']}"
        if "expect" in config and str(config["expect"]) != said.strip():
            return f"expected '{config['expect']}', got '{said.strip()}' from: {config['args']}"
        return ""

    def _count(self, check: Check, wrong: str, tally: Tally, *, too_few: bool = False) -> None:
        if wrong:
            tally.misses.append(self._miss(check, wrong, too_few=too_few))
        else:
            tally.held += 1

    def _miss(self, check: Check, message: str, *, too_few: bool = False) -> Miss:
        match = check.config.get("match", {}) if check.kind == "filter" else {}
        sid = match.get("alert.signature_id")
        sid = sid if isinstance(sid, int) else None
        return Miss(message, self.case.file, check.line, sid, too_few=too_few and sid is not None, kind="check")


def _unread(passes: Iterable[FilterPass]) -> Iterator[tuple[Path, str]]:
    """Read each file once for all its filters; the files that cannot be read, and why."""
    for each in passes:
        try:
            each.run()
        except CheckError as error:
            yield each.path, str(error)


def stand_in(folder: Path, engine_path: Path, config_folder: Path | None, source: Path | None, default: str) -> Path:
    """Fill `folder` with links that make it look like a built source tree of Suricata, for `${SRCDIR}`.

    From `source` (a source tree) if there is one, else from an installed engine's configuration folder; `default` is
    the text of a suricata.yaml for an engine that has none. Returns `folder`.
    """
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "suricata").symlink_to(engine_path.absolute())
    if source is not None:
        _link(source.absolute(), folder, leave_out=("src",))
        if (source / "src").is_dir():
            _link((source / "src").absolute(), folder / "src", leave_out=("suricata",))
    elif config_folder is not None and config_folder.is_dir():
        (folder / "etc").mkdir()
        _link(config_folder, folder / "etc", leave_out=("suricata.yaml", "rules"))
        _link(config_folder, folder, only=("rules", "threshold.config"))
        with contextlib.suppress(OSError):  # readable by root only, or not there
            content = (config_folder / "suricata.yaml").read_text(errors="surrogateescape")
            (folder / "suricata.yaml").write_text(without_socket(content), errors="surrogateescape")
    if not (folder / "suricata.yaml").is_file():
        (folder / "suricata.yaml").unlink(missing_ok=True)
        (folder / "suricata.yaml").write_text(default)
    return folder


_SOCKET = re.compile(r"^(unix-command:\n(?:[ #].*\n)*?[ ]+enabled:[ ]*)yes\b", re.MULTILINE)


def without_socket(suricata_yaml: str) -> str:
    """A configuration whose command socket is as in Suricata's own suricata.yaml.in: for sniffing engines only.

    Debian's package turns it on at one fixed path, so that of two engines that read captures the second gives up.
    """
    return _SOCKET.sub(r"\1auto", suricata_yaml)


def _link(source: Path, folder: Path, *, leave_out: Sequence[str] = (), only: Sequence[str] | None = None) -> None:
    for entry in source.iterdir():
        if entry.name not in leave_out and (only is None or entry.name in only):
            (folder / entry.name).symlink_to(entry)
