"""One run of an engine over a capture with copies of a rule: which of them alerted, where, and what EVE told there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from reconwatch.rules.engine_config import LOGGED
from reconwatch.rules.relaxed import PROBE_GID, Probe, written

if TYPE_CHECKING:
    from reconwatch.rules.engine import Engine, Run
    from reconwatch.rules.engine_config import Settings
    from reconwatch.rules.rule import Rule

MOST_FLOWS = 10_000
"""Flows of one copy that are remembered; of more, the first ones speak for the others."""

_FILES = frozenset({"dataset", "datarep", "lua", "luaxform", "filemd5", "filesha1", "filesha256", "filemagic"})
"""Options whose value names a file, relative to the rule's."""


@dataclass
class Fired:
    """Where one copy alerted."""

    count: int = 0
    flows: set[int] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    """`10.1.2.3:4 -> 192.0.2.1:80` of its alerts, with their number."""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one alert."""
        self.count += 1
        if len(self.flows) < MOST_FLOWS:
            self.flows.add(event.get("flow_id", 0))
            self.ends[ends(event)] += 1


@dataclass(frozen=True)
class Look:
    """What a run told. Its events can be read while the look lasts."""

    run: Run
    fired: Mapping[str, Fired]
    """By the name of each copy that alerted."""
    refused: frozenset[str]
    """Names of the copies that the engine did not take: they say nothing."""

    def matched(self, name: str) -> bool:
        """Whether a copy alerted."""
        return name in self.fired

    def events_of(self, flows: set[int]) -> Iterator[dict[str, Any]]:
        """Events that belong to these flows."""
        return (event for event in self.run.events() if event.get("flow_id") in flows)

    def counter(self, *path: str) -> int:
        """One of the engine's counters; 0 if it has none of that name."""
        value: Any = self.run.stats()
        for step in path:
            value = value.get(step, 0) if isinstance(value, dict) else 0
        return value if isinstance(value, int) else 0


@contextmanager
def look(
    engine: Engine, capture: Path, probes: Mapping[str, Probe], settings: Settings, beside: Sequence[Rule] = ()
) -> Iterator[Look]:
    """Run copies over a capture, beside these rules as they are. Raises EngineCrashed, EngineHung."""
    with TemporaryDirectory(prefix="reconwatch-") as name:
        folder = Path(name)
        out = folder / "out"
        out.mkdir()
        _link_neighbours(beside, folder)
        copies, others = folder / "copies.rules", folder / "others.rules"
        copies.write_text(written(probes.values(), engine.version), errors="surrogateescape")
        others.write_text("".join(f"{rule.text}\n" for rule in beside), errors="surrogateescape")
        run = engine.run(capture, [others, copies] if beside else [copies], out, _telling(settings))
        names = dict(enumerate(probes, 1))
        fired: dict[str, Fired] = {}
        for event in run.events("alert"):
            alert = event["alert"]
            if alert.get("gid") == PROBE_GID and alert["signature_id"] in names:
                fired.setdefault(names[alert["signature_id"]], Fired()).add(event)
        refused = {each.line for each in run.loading.rejected if each.file == str(copies)}
        yield Look(run, fired, frozenset(names[line] for line in refused if line in names))


def ends(event: Mapping[str, Any]) -> str:
    """Both ends of an event, in its own direction."""
    return f"{_end(event, 'src')} -> {_end(event, 'dest')}"


def _end(event: Mapping[str, Any], side: str) -> str:
    address, port = event.get(f"{side}_ip", "?"), event.get(f"{side}_port")
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _telling(settings: Settings) -> Settings:
    """The same settings with everything logged that a value can be shown from."""
    alert = {
        "tagged-packets": "no", "payload": "no", "payload-printable": "yes", "payload-buffer-size": "4kb",
        "http-body-printable": "yes",
    }  # fmt: skip
    types: list[object] = [{"alert": alert}, *({name: {"extended": "yes"}} for name in LOGGED), "flow"]
    types.append({"stats": {"totals": "yes", "threads": "no"}})
    eve = {"enabled": "yes", "filetype": "regular", "filename": "eve.json", "pcap-file": "false", "types": types}
    overrides = {**settings.overrides, "outputs": [{"eve-log": eve}], "packet-alert-max": 255}
    return replace(settings, overrides=overrides)


def _link_neighbours(rules: Sequence[Rule], folder: Path) -> None:
    """Files beside a rule that it names are found beside its copy, too: the engine looks beside the rule file."""
    for rule in rules:
        home = Path(rule.path).absolute().parent
        for option in rule.options:
            if option.name not in _FILES:
                continue
            for word in re.split(r"[\s,]+", option.value or ""):
                there = home / word
                link = folder / word
                if word and "/" not in word and there.is_file() and not link.exists():
                    link.symlink_to(there)
