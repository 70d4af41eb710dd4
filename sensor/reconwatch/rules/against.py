"""Two rule sets on the same captures: which alerts are gained and lost, which rules differ, and what each set costs.

    comparison = compare([subject for case in cases if (subject := played(case))], new, old, engine)

An alert is one (capture, gid:sid, flow); its message and revision may change without its being another. Cost is CPU
time of the engine, of pairs of runs in alternating order, because one run after another on a busy machine says little.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from reconwatch.rules.case_file import rules_beside
from reconwatch.rules.cases import Capture, OwnCase
from reconwatch.rules.engine import LIMIT, VERSION_LIMIT
from reconwatch.rules.engine_config import Settings
from reconwatch.rules.look import ends
from reconwatch.rules.rule import Rule, read_rules
from reconwatch.rules.verify import VerifyCase

if TYPE_CHECKING:
    from reconwatch.rules.cases import Case
    from reconwatch.rules.engine import Engine, Run

RUNS = 3
"""Pairs of runs: the least that has a median and shows whether they agree."""
QUIET_PCAP = (
    bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")  # the file's header, Ethernet
    + bytes.fromhex("00000000000000000e0000000e000000")  # one packet of 14 bytes
    + bytes.fromhex("ffffffffffff02000000000188b5")  # a frame of the type for local experiments (IEEE 802)
)
"""A capture with nothing to look at: what a run over it costs is the start of the engine and the loading of the rules.
Over one without any packet Suricata 7.0.10 and 8.0.8 never end ("failed to get first packet timestamp")."""
PROFILE = "rule_perf.log"
MOST_COSTLY = 10
"""Rules of each set that a comparison names as the dearest."""
_CASE_CAPTURES = ("*.pcap", "*.pcapng")


@dataclass(frozen=True, slots=True)
class Played:
    """A capture as a case plays it."""

    name: str
    capture: Path
    rules: tuple[Path, ...]
    """Those of the case, or beside the capture."""
    settings: Settings = field(default_factory=Settings)


def played(case: Case) -> Played | None:
    """What a case plays; None for a case whose one capture is not told by its file."""
    match case:
        case OwnCase(content=content):
            words = [word.replace("$CASE_DIR", str(case.file.parent.absolute())) for word in content.arguments]
            settings = Settings(addresses=content.addresses, ports=content.ports, arguments=words)
            return Played(case.name, content.capture, content.rules, settings)
        case Capture():
            return Played(case.name, case.file, rules_beside(case.file.parent))
        case VerifyCase(content=content):
            named = content.config.get("pcap")
            found = [each for pattern in _CASE_CAPTURES for each in sorted(case.folder.glob(pattern))]
            if isinstance(named, str):
                found = [case.folder / named]
            if len(found) == 1 and found[0].is_file():
                return Played(case.name, found[0], rules_beside(case.folder))
    return None


class Alert(msgspec.Struct, frozen=True, order=True):
    """One alert of one flow."""

    capture: str
    gid: int
    sid: int
    flow: str
    """`TCP 10.0.0.1:4 -> 192.0.2.1:80`, in the direction of the flow."""


class Told(msgspec.Struct, frozen=True):
    """How often an alert came with only one of the sets, or oftener."""

    alert: Alert
    msg: str
    count: int


class Change(msgspec.Struct, frozen=True):
    """A rule that is not the same in both sets."""

    gid: int
    sid: int
    msg: str
    what: str
    """`added`, `removed`, `changed`, `changed without a new rev`, `disabled`, `enabled`."""


class Ratio(msgspec.Struct, frozen=True):
    """CPU of the new set over CPU of the old one, of pairs of runs."""

    median: float
    least: float
    most: float


class Costly(msgspec.Struct, frozen=True):
    """What the engine's profiling says of a rule."""

    set: str
    """`new` or `old`."""
    gid: int
    sid: int
    ticks: int
    checks: int
    matches: int


class Comparison(msgspec.Struct, frozen=True):
    """What came out. Lists are sorted."""

    engine: str
    captures: int
    gained: tuple[Told, ...]
    lost: tuple[Told, ...]
    kept: int
    """Alerts that both sets give."""
    changes: tuple[Change, ...]
    rejected: dict[str, tuple[str, ...]]
    """By set, the rules that the engine did not take."""
    runs: int
    cpu: dict[str, float]
    """Seconds by set: the median of the runs over all captures, start and loading included."""
    ratio: Ratio | None
    """None where the runs took no measurable time."""
    loading: Ratio | None
    """Of the same engine over an empty capture: start and loading alone."""
    profiled: bool
    costly: tuple[Costly, ...]
    """The ten dearest rules of each set, where the engine was built with profiling."""


class _Side:
    """One of the two sets, and what its runs told."""

    def __init__(self, name: str, rules: Sequence[Path] | None, runs: int) -> None:
        self.name = name
        self._rules = rules
        self.cpu, self.starts = [0.0] * runs, [0.0] * runs
        self.alerts: Counter[Alert] = Counter()
        self.messages: dict[tuple[int, int], str] = {}
        self.rejected: set[str] = set()
        self.ticks: Counter[tuple[int, int]] = Counter()
        self.looks: dict[tuple[int, int], tuple[int, int]] = {}

    def rules(self, subject: Played) -> Sequence[Path]:
        """What it runs over a capture."""
        return self._rules or subject.rules

    def take(self, run: Run, subject: Played, number: int) -> None:
        """A run over a capture; the alerts of each are the same, and only those of the first counted."""
        self.cpu[number] += run.cpu
        if number:
            return
        self.rejected |= {str(each) for each in run.loading.rejected}
        for event in run.events("alert"):
            told = event["alert"]
            key = told["gid"], told["signature_id"]
            self.messages.setdefault(key, told.get("signature", ""))
            self.alerts[Alert(subject.name, *key, _flow(event))] += 1
        for gid, sid, ticks, checks, matches in profile(run.folder / PROFILE):
            self.ticks[gid, sid] += ticks
            before = self.looks.get((gid, sid), (0, 0))
            self.looks[gid, sid] = before[0] + checks, before[1] + matches

    def costly(self) -> Iterator[Costly]:
        """Its dearest rules."""
        for (gid, sid), ticks in self.ticks.most_common(MOST_COSTLY):
            yield Costly(self.name, gid, sid, ticks, *self.looks[gid, sid])

    def only(self, other: _Side) -> tuple[Told, ...]:
        """The alerts that it gives, or gives oftener, and the other does not."""
        more = sorted((self.alerts - other.alerts).items())
        return tuple(Told(alert, self.messages[alert.gid, alert.sid], count) for alert, count in more)


def compare(
    subjects: Sequence[Played], new: Sequence[Path], old: Sequence[Path], engine: Engine, *, runs: int = RUNS,
    limit: float = LIMIT, done: Callable[[], None] = lambda: None,
) -> Comparison:  # fmt: skip
    """Run both sets over each capture `runs` times, one after the other, the order changing each time.

    Where `new` is empty, the rules of each case are the new ones. Raises EngineError, OSError.
    """
    profiled = profiles(engine)
    news, olds = _Side("new", new or None, runs), _Side("old", old, runs)
    used = sorted({path for subject in subjects for path in news.rules(subject)})
    with TemporaryDirectory(prefix="reconwatch-") as name:
        quiet = Path(name) / "quiet.pcap"
        quiet.write_bytes(QUIET_PCAP)
        starting = Played("", quiet, tuple(used))
        for number in range(runs):
            order = (olds, news) if number % 2 else (news, olds)
            for subject in (*subjects, starting):
                settings = _profiling(subject.settings) if profiled else subject.settings
                for side in order:
                    with TemporaryDirectory(dir=name) as folder:
                        run = engine.run(subject.capture, side.rules(subject), Path(folder), settings, limit=limit)
                        if subject is starting:
                            side.starts[number] = run.cpu
                        else:
                            side.take(run, subject, number)
                done()
    return Comparison(
        engine=str(engine), captures=len(subjects), gained=news.only(olds), lost=olds.only(news),
        kept=(news.alerts & olds.alerts).total(), changes=tuple(changes(_read(used), _read(old))),
        rejected={side.name: tuple(sorted(side.rejected)) for side in (news, olds)}, runs=runs,
        cpu={side.name: round(statistics.median(side.cpu), 3) for side in (news, olds)},
        ratio=_ratio(news.cpu, olds.cpu), loading=_ratio(news.starts, olds.starts),
        profiled=profiled, costly=(*news.costly(), *olds.costly()),
    )  # fmt: skip


def changes(new: Iterable[Rule], old: Iterable[Rule]) -> Iterator[Change]:
    """The rules that differ, by number. Blanks between options are no difference."""
    now, before = ({(rule.gid, rule.sid): rule for rule in rules} for rules in (new, old))
    for key in sorted(now.keys() | before.keys()):
        mine, other = now.get(key), before.get(key)
        if what := _change(mine, other):
            named = mine or other
            yield Change(*key, named.msg if named else "", what)


def _change(now: Rule | None, before: Rule | None) -> str:
    if now is None or before is None:
        return "added" if now else "removed"
    if now.enabled != before.enabled:
        return "enabled" if now.enabled else "disabled"
    if (now.action, now.header, now.options) == (before.action, before.header, before.options):
        return ""
    return "changed" if now.rev > before.rev else "changed without a higher rev"


def profiles(engine: Engine) -> bool:
    """Whether an engine was built with rule profiling (`--enable-profiling`, `--enable-profiling-rules`)."""
    done = subprocess.run([engine.path, "--build-info"], capture_output=True, timeout=VERSION_LIMIT, check=False)
    said = done.stdout.decode(errors="replace")
    return re.search(r"Profiling (?:rules )?enabled:\s+yes", said) is not None


def profile(path: Path) -> Iterator[tuple[int, int, int, int, int]]:
    """(gid, sid, ticks, checks, matches) of each rule in a profile (src/util-profiling-rules.c); none without a file.

    The engine writes one object for each order it was asked for; they hold the same rules.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline()
    for rule in msgspec.json.decode(first, type=_Profile).rules if first else ():
        yield rule.gid, rule.signature_id, rule.ticks_total, rule.checks, rule.matches


class _ProfiledRule(msgspec.Struct):
    signature_id: int
    gid: int
    ticks_total: int
    checks: int
    matches: int


class _Profile(msgspec.Struct):
    rules: list[_ProfiledRule] = []


def _profiling(settings: Settings) -> Settings:
    rules = {"enabled": "yes", "filename": PROFILE, "append": "no", "json": "yes", "sort": "ticks", "limit": 100_000}
    return replace(settings, overrides={**settings.overrides, "profiling": {"rules": rules}})


def _flow(event: dict[str, Any]) -> str:
    """Both ends in the direction of the flow, where the engine tells it: an alert on an answer is the same flow's."""
    return f"{event.get('proto', '?')} {ends({**event, **event.get('flow', {})})}"


def _ratio(new: Sequence[float], old: Sequence[float]) -> Ratio | None:
    pairs = [a / b for a, b in zip(new, old, strict=True) if b > 0]
    return Ratio(*(round(each, 3) for each in (statistics.median(pairs), min(pairs), max(pairs)))) if pairs else None


def _read(paths: Iterable[Path]) -> list[Rule]:
    return [rule for path in paths for rule in read_rules(path)[0]]
