"""Rules that are built once, and what an engine says of a capture with them."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.rules.suricatas import ENGINES, suricata
from tests.suricata.wire import Wire

from reconwatch.catalog.load import load, load_world
from reconwatch.rules.build import RULES, Built, Plan, build
from reconwatch.rules.engine import Engine
from reconwatch.rules.engine_config import Settings
from reconwatch.rules.ledger import shared
from reconwatch.rules.reputation import SETTINGS
from reconwatch.site import Site

DAY = datetime.date(2026, 11, 24)
CATALOG = load()
WORLD = load_world(CATALOG)


def built_for(site: Site | None, version: int, *, threshold: bool = False, iprep: bool = False) -> Built:
    """The rules of a site, by default without thresholds that limit."""
    return build(Plan(CATALOG, WORLD, site, version, DAY, iprep=iprep, threshold=threshold), shared())


@dataclass(frozen=True)
class Bench:
    """An engine with rules in a folder."""

    engine: Engine
    built: Built
    folder: Path
    settings: Settings

    def alerts(self, wire: Wire) -> dict[int, set[str]]:
        """The keys of the rules that alerted, by the port of the client."""
        found: dict[int, set[str]] = defaultdict(set)
        keys = {entry.sid: entry.key for entry in self.built.ledger}
        run = self.engine.run(
            wire.write(self.folder / "input.pcap"), [self.folder / RULES], self._empty(), self.settings
        )
        assert run.loading.clean
        for event in run.events("alert"):
            found[event.get("src_port", 0)].add(keys[event["alert"]["signature_id"]])
        return found

    def _empty(self) -> Path:
        folder = self.folder / "run"
        folder.mkdir()
        return folder


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Bench]:
    """Makes a bench of rules for a site, or for none."""
    engine = suricata(request.param)

    def make(site: Site | None = None, *, threshold: bool = False, iprep: bool = False) -> Bench:
        built = built_for(site, 8 if engine.version[0] >= 8 else 7, threshold=threshold, iprep=iprep)
        for name, text in built.files.items():
            (tmp_path / name).write_text(text)
        wanted = yaml.safe_load(SETTINGS.replace("/etc/suricata/iprep", str(tmp_path))) if iprep else {}
        return Bench(engine, built, tmp_path, Settings(overrides=wanted))

    return make
