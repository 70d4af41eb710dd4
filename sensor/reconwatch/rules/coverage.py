"""What rules cover of the catalog, which of them were seen to alert, and whether three engines agree on each capture.

The engines are reconwatch itself, Suricata with the rules, and reconwatch reading Zeek's logs of the capture.

A rule says what it is for in its metadata (`service`, `mitre_technique_id`), as those that `rules build` makes do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from reconwatch.account import Warn
from reconwatch.pipeline import Replay
from reconwatch.rules.engine import LIMIT, EngineError, run_limited
from reconwatch.sightings import Actor

if TYPE_CHECKING:
    from reconwatch.catalog import Catalog
    from reconwatch.catalog.world import World
    from reconwatch.rules.engine import Engine
    from reconwatch.rules.engine_config import Settings
    from reconwatch.rules.rule import Rule
    from reconwatch.site import Site

RECONWATCH, SURICATA, ZEEK = "reconwatch", "Suricata", "Zeek"
LOOKUP = "Database_Lookup"
"""The note that says that an actor used a service: one for each, every day."""

_SERVICE = "service"
_TECHNIQUES = ("mitre_technique_id", "mitre_technique")

Pair = tuple[str, str]
"""Who, and which service: (address, service id)."""


class Covered(msgspec.Struct, frozen=True):
    """A service or technique of the catalog, with the rules for it."""

    id: str
    rules: tuple[int, ...]
    """Sids, in order."""
    proved: tuple[int, ...]
    """Those of them that alerted on some capture."""


class Proof(msgspec.Struct, frozen=True):
    """A rule, and the captures on which it alerted."""

    gid: int
    sid: int
    msg: str
    captures: tuple[str, ...]


class Agreement(msgspec.Struct, frozen=True):
    """An actor's use of a service on one capture, and which engines saw it."""

    capture: str
    actor: str
    service: str
    seen_by: tuple[str, ...]
    role: str = ""
    """What the site says of the actor, if it stands for others: `resolver`. reconwatch folds what a resolver asks
    upstream into its client's use; a rule cannot."""


class Coverage(msgspec.Struct, frozen=True):
    """All of it."""

    services: tuple[Covered, ...]
    techniques: tuple[Covered, ...]
    unknown: tuple[str, ...]
    """Services that rules name and the catalog does not know."""
    rules: tuple[Proof, ...]
    agreement: tuple[Agreement, ...]
    engines: tuple[str, ...]
    """Those that looked at the captures."""
    missing: tuple[str, ...]
    """Why each of the others did not."""
    captures: tuple[str, ...]
    failed: tuple[str, ...]
    """Engines that gave up on a capture, and what they said; rules that Suricata did not take."""


class Seen(msgspec.Struct, frozen=True):
    """What the engines made of one capture."""

    capture: str
    alerted: tuple[tuple[int, int], ...]
    """(gid, sid) of each rule that alerted."""
    pairs: dict[str, tuple[Pair, ...]]
    """By engine: who used which service."""
    failed: tuple[str, ...] = ()
    roles: dict[str, str] = {}
    """By address: the roles of those who stand for others."""


def coverage(
    catalog: Catalog,
    rules: Sequence[Rule],
    seen: Sequence[Seen],
    missing: Sequence[str] = (),
    rejected: Iterable[str] = (),
) -> Coverage:
    """Put together what was seen. Disabled rules cover nothing."""
    at_work = sorted((rule for rule in rules if rule.enabled), key=lambda rule: (rule.gid, rule.sid))
    proofs = tuple(
        Proof(
            rule.gid, rule.sid, rule.msg, tuple(each.capture for each in seen if (rule.gid, rule.sid) in each.alerted)
        )
        for rule in at_work
    )
    proved = {(proof.gid, proof.sid) for proof in proofs if proof.captures}
    services = {service.id: service.technique for service in catalog.services.values()}
    said = {_technique(value) for rule in at_work for key, value in rule.metadata if key in _TECHNIQUES}
    techniques = sorted({technique for technique in services.values() if technique} | said)
    engines = tuple(name for name in (RECONWATCH, SURICATA, ZEEK) if any(name in each.pairs for each in seen))
    return Coverage(
        services=tuple(_covered(service, (_SERVICE,), at_work, proved) for service in sorted(services)),
        techniques=tuple(_covered(technique, _TECHNIQUES, at_work, proved) for technique in techniques),
        unknown=tuple(
            sorted({value for rule in at_work for key, value in rule.metadata if key == _SERVICE} - services.keys())
        ),
        rules=proofs,
        agreement=tuple(_agreement(seen)),
        engines=engines,
        missing=tuple(missing),
        captures=tuple(each.capture for each in seen),
        failed=(*rejected, *(f"{each.capture}: {line}" for each in seen for line in each.failed)),
    )


def _covered(what: str, keys: Sequence[str], rules: Sequence[Rule], proved: set[tuple[int, int]]) -> Covered:
    mine = [
        rule
        for rule in rules
        if any(key in keys and what in (value, _technique(value)) for key, value in rule.metadata)
    ]
    return Covered(
        what, tuple(rule.sid for rule in mine), tuple(rule.sid for rule in mine if (rule.gid, rule.sid) in proved)
    )


def _technique(said: str) -> str:
    """An id of ATT&CK. Public rule sets write `T1596_005`."""
    return said.upper().replace("_", ".")


def _agreement(seen: Iterable[Seen]) -> Iterator[Agreement]:
    for each in seen:
        for actor, service in sorted({pair for pairs in each.pairs.values() for pair in pairs}):
            by = tuple(name for name, pairs in each.pairs.items() if (actor, service) in pairs)
            yield Agreement(each.capture, actor, service, by, each.roles.get(actor, ""))


class Lookers:
    """The engines that there are, each of which says who used which service in a capture."""

    def __init__(
        self, catalog: Catalog, world: World, site: Site, engine: Engine | None, rules: Sequence[Rule],
        files: Sequence[Path], settings: Settings, *, zeek: str | None, warn: Warn,
    ) -> None:  # fmt: skip
        self._catalog, self._world, self._site = catalog, world, site
        self._engine, self._files, self._settings = engine, tuple(files), settings
        self._zeek, self._warn = zeek, warn
        self.rejected: dict[str, None] = {}
        """Rules that Suricata did not take, each once, in order."""
        self._services = {
            (rule.gid, rule.sid): value for rule in rules for key, value in rule.metadata if key == _SERVICE
        }

    def look(self, capture: Path, name: str) -> Seen:
        """What each engine says of one capture. One that gives up is told in `Seen.failed`."""
        pairs: dict[str, tuple[Pair, ...]] = {RECONWATCH: self._read([capture])}
        alerted: tuple[tuple[int, int], ...] = ()
        failed: list[str] = []
        with TemporaryDirectory(prefix="reconwatch-") as folder:
            if self._engine is not None:
                try:
                    alerted, pairs[SURICATA] = self._alerts(self._engine, capture, Path(folder))
                except EngineError as error:
                    failed.append(str(error))
        with TemporaryDirectory(prefix="reconwatch-") as folder:
            if self._zeek is not None:
                try:
                    pairs[ZEEK] = self._read([self._logs(self._zeek, capture, Path(folder))])
                except EngineError as error:
                    failed.append(str(error))
        actors = {actor for found in pairs.values() for actor, _ in found}
        return Seen(
            name, alerted, pairs, tuple(failed), {actor: role for actor in actors if (role := self._role(actor))}
        )

    def _role(self, address: str) -> str:
        """The roles of one who stands for others; empty for all else."""
        roles = self._site.roles_of(address)
        return ", ".join(roles) if Actor(address, roles).stands_for_others else ""

    def _read(self, inputs: Sequence[Path]) -> tuple[Pair, ...]:
        """Lookups that reconwatch tells from these inputs."""
        run = Replay(inputs, self._catalog, self._site, self._world, warn=self._warn)
        found = {
            (notice.actor.ip, service)
            for notice in run.notices()
            if notice.note == LOOKUP
            for service in notice.services
        }
        return tuple(sorted(found))

    def _alerts(
        self, engine: Engine, capture: Path, folder: Path
    ) -> tuple[tuple[tuple[int, int], ...], tuple[Pair, ...]]:
        run = engine.run(capture, self._files, folder, self._settings)
        self.rejected.update(dict.fromkeys(map(str, run.loading.rejected)))
        alerted: set[tuple[int, int]] = set()
        pairs: set[Pair] = set()
        for event in run.events("alert"):
            key = event["alert"]["gid"], event["alert"]["signature_id"]
            alerted.add(key)
            if key in self._services:
                pairs.add((event.get("flow", {}).get("src_ip") or event.get("src_ip", "?"), self._services[key]))
        return tuple(sorted(alerted)), tuple(sorted(pairs))

    def _logs(self, zeek: str, capture: Path, folder: Path) -> Path:
        """A folder with Zeek's logs of a capture. Raises EngineError."""
        command = [zeek, "-C", "-r", str(capture.absolute())]
        logs, said = folder / "logs", folder / "said"
        logs.mkdir()
        ended = run_limited(command, logs, stdout=folder / "out", stderr=said, limit=LIMIT)
        if ended.hung or ended.exit != 0:
            last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
            raise EngineError(f"Zeek ({zeek}) ended with status {ended.exit}: {last[0]}")
        return logs
