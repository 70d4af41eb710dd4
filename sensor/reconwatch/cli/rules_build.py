"""`rules build`: Suricata rules, or data of the package inside Zeek, from the catalog and a site."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import EXIT_FAIL_ON, EXIT_USAGE, load_catalog, say, site_of, stop, tell
from reconwatch.prose import counted

if TYPE_CHECKING:
    from reconwatch.catalog import Catalog
    from reconwatch.catalog.world import World
    from reconwatch.rules.build import Built
    from reconwatch.rules.engine import Engine
    from reconwatch.rules.ledger import Ledger


@click.command("build")
@click.option("--site", "site_file", type=click.Path(path_type=Path), help="What we own and whom we trust.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--engine", "version", type=click.Choice(["7", "8"]), help="Default: that of the Suricata here, else 7.")
@click.option("--engine-path", type=click.Path(path_type=Path), help="The Suricata that must accept the rules.")
@click.option("--iprep", is_flag=True, help="Tell crawlers by reputation lists, not by address groups.")
@click.option("--no-threshold", is_flag=True, help="Every match alerts; for tests.")
@click.option("--ledger", "ledger_file", type=click.Path(path_type=Path, dir_okay=False), help="Default: in DIR.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day of what is new. Default: today.")
@click.option("--zeek", "for_zeek", is_flag=True, help="Data of the package inside Zeek, in place of rules.")
@click.option("--shared-sids", is_flag=True, help="For reconwatch's own ledger: number new rules for everybody.")
def build_rules(
    site_file: Path | None, folder: Path, version: str | None, engine_path: Path | None, iprep: bool,
    no_threshold: bool, ledger_file: Path | None, day: datetime.datetime | None, for_zeek: bool, shared_sids: bool,
) -> None:  # fmt: skip
    """Write Suricata rules into a folder; nothing is written that the engine has not accepted.

    Without --site the rules use $HOME_NET and $EXTERNAL_NET; with it they hold the site's addresses, and tell searches
    for what is yours. Exit 1 if a rule is refused.

    With --zeek: catalog/ of the package inside Zeek, or with --site the site's own options, site.zeek.
    """
    if for_zeek:
        if any((version, engine_path, iprep, no_threshold, ledger_file, day)):
            stop("--zeek goes with --site, --output and --shared-sids only")
        _zeek(site_file, folder, shared_sids=shared_sids)
        return
    from reconwatch.rules.build import Plan, build, install
    from reconwatch.rules.ledger import NAME, LedgerFull

    if shared_sids and site_file is not None:
        stop("--shared-sids is for rules of no site")
    engine = _engine(engine_path)
    wanted = int(version) if version else engine.version[0] if engine is not None else 7
    wanted = min(max(wanted, 7), 8)
    catalog, world = _shipped() if shared_sids else load_catalog()
    site = site_of(site_file) if site_file is not None else None
    moment = day or datetime.datetime.now(datetime.UTC)
    plan = Plan(catalog, world, site, wanted, moment.date(), iprep, not no_threshold, not shared_sids)
    place = ledger_file or folder / NAME
    try:
        built = build(plan, _ledger(place, shared_sids=shared_sids))
    except LedgerFull as error:
        stop(str(error))
    _judge(built, engine, wanted)
    try:
        install(built, folder, place)
    except OSError as error:
        stop(f"{error.filename or folder}: {error.strerror}")
    for note in built.notes:
        say(note)
    click.echo(f"{counted(len(built.rules), 'rule')} for Suricata {wanted} in {folder}")


def _zeek(site_file: Path | None, folder: Path, *, shared_sids: bool) -> None:
    """Write scripts of Zeek: those of a site, or those that are true for any."""
    from reconwatch.rules.zeek.build import catalog_files, install, site_files

    catalog, world = _shipped() if shared_sids else load_catalog()
    files = site_files(site_of(site_file)) if site_file is not None else catalog_files(catalog, world)
    try:
        install(files, folder)
    except OSError as error:
        stop(f"{error.filename or folder}: {error.strerror}")
    click.echo(f"{counted(len(files), 'script')} for Zeek in {folder}")


def _shipped() -> tuple[Catalog, World]:
    from reconwatch.catalog.load import load, load_world

    catalog = load()
    return catalog, load_world(catalog)


def _engine(path: Path | None) -> Engine | None:
    """The engine that is to accept the rules; None if there is none, and none was named."""
    from reconwatch.rules.engine import EngineMissing, find

    try:
        return find(path)
    except EngineMissing as error:
        if path is not None:
            stop(str(error))
        say(f"{error}: the rules are judged by our own checks only")
        return None


def _ledger(place: Path, *, shared_sids: bool) -> Ledger:
    """What was given before, and for all else what ships; ends the program with every error of it."""
    from reconwatch.document import DocumentError
    from reconwatch.rules.ledger import read, shared

    try:
        known = read(place)
        return known if shared_sids else known.seeded(shared())
    except DocumentError as error:
        tell(error.problems)
        sys.exit(EXIT_USAGE)
    except OSError as error:
        stop(f"{place}: {error.strerror}")


def _judge(built: Built, engine: Engine | None, version: int) -> None:
    """End the program, before anything is written, if our checks or the engine refuse a rule or warn of one."""
    from reconwatch.rules.build import accepted
    from reconwatch.rules.engine import EngineFailed
    from reconwatch.rules.lint import lint

    refusals = [str(fault) for fault in lint(built.rules)]
    if engine is not None and engine.version[0] < version:
        say(f"{engine} cannot judge rules for Suricata {version}; name one with --engine-path")
    elif engine is not None:
        try:
            loading = accepted(built, engine)
        except EngineFailed as error:
            stop(str(error))
        refusals += [f"{engine}: {told}" for told in (*loading.rejected, *loading.warnings, *loading.errors)]
        if not refusals and loading.loaded != len(built.rules):
            refusals.append(f"{engine} loaded {loading.loaded} of {len(built.rules)} rules")
    for refusal in refusals:
        say(refusal)
    if refusals:
        stop(f"{counted(len(refusals), 'fault')}: nothing was written", EXIT_FAIL_ON)
