"""Catalog and site become rules: made, numbered, judged, and only then put where an engine will read them.

plan = Plan(catalog, world, site, engine=8, day=date(2026, 11, 24))
built = build(plan, ledger)                    # pure; DocumentError, LedgerFull
faults = lint(built.rules)                     # what our own checks say
loading = accepted(built, engine)              # what the engine says
install(built, Path("rules"), ledger_file)     # all files or none
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

from reconwatch.catalog import Catalog
from reconwatch.catalog.world import World
from reconwatch.rules import reputation
from reconwatch.rules.draft import Draft, quoted
from reconwatch.rules.ledger import Ledger
from reconwatch.rules.lookups import lookups
from reconwatch.rules.parties import NOBODY, Parties
from reconwatch.rules.probes import probes
from reconwatch.rules.searches import searches
from reconwatch.site import Site

if TYPE_CHECKING:
    from reconwatch.rules.engine import Engine, Loading

RULES = "reconwatch.rules"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built."""

    catalog: Catalog
    world: World
    site: Site | None
    """None: for any site, with the sensor's own variables."""
    engine: int
    """Major version of Suricata: 7 or 8."""
    day: datetime.date
    """For what is new or has changed, and for trust that ends."""
    iprep: bool = False
    threshold: bool = True
    """False: every match alerts (rules that count go on counting)."""
    local: bool = True
    """New rules are numbered from the block of sites; False: from everybody's."""


@dataclass(frozen=True, slots=True)
class Built:
    """Rules that nobody has judged yet."""

    rules: tuple[str, ...]
    """In the order of their sids."""
    files: dict[str, str]
    """Name -> text, of all that an engine reads."""
    ledger: Ledger
    families: dict[str, int]
    """Family (`lookup/dns`, `probe/crawler`) -> how many rules."""
    notes: tuple[str, ...]
    """What was left out, and what will change by itself."""


def build(plan: Plan, ledger: Ledger) -> Built:
    """The rules of a plan. Pure: the same plan and ledger give the same, byte by byte. Raises LedgerFull."""
    parties = Parties.of_variables() if plan.site is None else Parties.of(plan.site, plan.day)
    drafts = {draft.key: draft for draft in _drafts(plan, parties)}
    # Both ways to name crawlers, and both engines, are numbered: else to build for one would retire what the other has.
    named = ledger.brought_up(
        {key: draft.digest() for key, draft in drafts.items()}, plan.day.isoformat(), local=plan.local
    )
    wanted = [draft for draft in drafts.values() if plan.engine in draft.engines and _is_wanted(draft, plan)]
    wanted.sort(key=lambda draft: named[draft.key].sid)
    rules = tuple(_text(draft, plan, named) for draft in wanted)
    notes = tuple(_notes(plan, parties))
    files = {RULES: _header(plan, notes) + "".join(f"{rule}\n" for rule in rules)}
    if plan.iprep:
        files |= reputation.files(plan.world)
    families = Counter(draft.family for draft in wanted)
    return Built(rules, files, named, dict(sorted(families.items())), notes)


def _drafts(plan: Plan, parties: Parties) -> Iterator[Draft]:
    yield from lookups(plan.catalog, plan.world, parties)
    if plan.site is not None:
        yield from searches(plan.catalog, plan.site.owned, parties)
    yield from probes(plan.world, parties, plan.site.canaries if plan.site is not None else ())
    yield from reputation.reputed(plan.world, parties)


def _is_wanted(draft: Draft, plan: Plan) -> bool:
    """Crawlers are told either by address groups or by reputation."""
    return draft.family not in ({"probe/crawler", "probe/turned-to"} if plan.iprep else {"probe/reputation"})


def _text(draft: Draft, plan: Plan, ledger: Ledger) -> str:
    entry = ledger[draft.key]
    if not plan.threshold and draft.threshold is not None:
        draft = replace(draft, threshold=draft.threshold.unlimited())
    return draft.text(entry.sid, entry.rev, entry.created, entry.updated)


def _header(plan: Plan, notes: tuple[str, ...]) -> str:
    lines = [
        f"Rules of reconwatch for Suricata {plan.engine}:",
        "who looks us up in open technical databases (ATT&CK T1596), and who comes to see what they hold.",
        "Made by `reconwatch rules build`; do not edit: it is made anew. docs/rules.md tells what each family is.",
        *notes,
    ]
    if not plan.threshold:
        lines.append("Every match alerts: made with --no-threshold, for tests.")
    if plan.iprep:
        lines += ["suricata.yaml needs:", *("  " + line for line in reputation.SETTINGS.splitlines())]
    return "".join(f"# {quoted(line)[1:-1] if plan.site else line}\n" for line in lines)


def _notes(plan: Plan, parties: Parties) -> Iterator[str]:
    site = plan.site
    if site is None:
        return
    if parties.clients == NOBODY:
        yield "Nobody inside is left to watch: no rules for lookups."
    if parties.owned == NOBODY:
        yield "The site owns no ranges: no rules for probes but those of baits."
    if not any((site.owned.domains, site.owned.ranges, site.owned.asns, site.owned.brands)):
        yield "The site owns nothing that can be searched for: no rules for searches."
    if site.sees_clients and (site.roles.resolvers or site.roles.proxies):
        yield "The sensor sees the clients: what resolvers and proxies ask upstream is not told."
    for trust in site.trusted:
        if trust.until is not None and trust.until >= plan.day:
            yield f"Trust in {trust.who} ({trust.reason}) ends on {trust.until}: build again then."
        if trust.since is not None and trust.since > plan.day:
            yield f"Trust in {trust.who} ({trust.reason}) begins on {trust.since}: build again then."


def accepted(built: Built, engine: Engine) -> Loading:
    """What an engine says of the rules (`suricata -T`). Raises engine.EngineFailed."""
    from reconwatch.rules.engine_config import Settings

    with TemporaryDirectory(prefix="reconwatch-") as folder:
        for name, text in built.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        overrides: dict[str, object] = {}
        if reputation.CATEGORIES in built.files:
            overrides = {
                "default-reputation-path": folder,
                "reputation-categories-file": str(Path(folder) / reputation.CATEGORIES),
                "reputation-files": [reputation.REPUTATIONS],
            }
        return engine.check([Path(folder) / RULES], Settings(overrides=overrides))


def install(built: Built, folder: Path, ledger: Path) -> None:
    """Put all files in place of those before; each is whole at any time. Raises OSError, and has then changed nothing.

    The ledger comes first: numbers without rules do no harm, rules whose numbers were forgotten would.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    made: list[tuple[Path, Path]] = []
    staging = Path(mkdtemp(prefix=".reconwatch-", dir=folder))
    beside = ledger.with_name(f".{ledger.name}.new")
    try:
        beside.write_text(built.ledger.text(), encoding="utf-8")
        made.append((beside, ledger))
        for name, text in built.files.items():
            (staging / name).write_text(text, encoding="utf-8")
            made.append((staging / name, folder / name))
        for new, old in made:
            new.chmod(0o644)
            new.replace(old)
    finally:
        beside.unlink(missing_ok=True)
        for left in staging.iterdir():
            left.unlink()
        staging.rmdir()
