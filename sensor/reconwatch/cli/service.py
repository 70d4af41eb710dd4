"""The service: run it, have it read its settings anew."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconwatch.cli.terminal import EXIT_USAGE, say, stop, tell

if TYPE_CHECKING:
    from reconwatch.live import Live
    from reconwatch.service import Service
    from reconwatch.settings import Settings
    from reconwatch.sources.live import Feed

IDLE = 0.05
"""Seconds between looks while there is nothing to do: a unix socket holds 208 KiB, which Suricata fills in less."""


@click.command()
@click.option(
    "--site",
    "site_file",
    type=click.Path(path_type=Path),
    default=Path("/etc/reconwatch/site.yaml"),
    show_default=True,
    help="What we own, what to follow (`sources`), and where to write (`sinks`).",
)
def run(site_file: Path) -> None:
    """Follow live logs as site.yaml says, and write notices as soon as there is something to say. SIGHUP reloads."""
    from reconwatch.document import DocumentError
    from reconwatch.settings import settings
    from reconwatch.snapshot import VERSION
    from reconwatch.store import Delivery, Store, StoreError
    from reconwatch.store.configured import backlogs_of, outputs_of

    try:
        found = settings(site_file)
    except DocumentError as error:
        tell(error.problems)
        raise SystemExit(EXIT_USAGE) from None
    tell(found.warnings)
    site = found.site
    if not site.sources:
        stop(f"{site_file}: `sources` is empty, so there is nothing to follow; see docs/site.md")
    if not site.sinks:
        say(f"warning: {site_file}: `sinks` is empty: notices are only kept in {site.store.file}")
    feeds = _feeds(site.sources)
    signals = _Signals()
    try:
        with Store.open(Path(site.store.file), state_version=str(VERSION), warn=say) as store:
            delivery = Delivery(store, outputs_of(site), backlogs=backlogs_of(site))
            _serve(store, delivery, feeds, found, site_file, signals)
    except StoreError as error:
        stop(str(error))


def _feeds(entries: tuple[dict[str, Any], ...]) -> list[Feed]:
    from reconwatch.sources.live.open import open_feed

    try:
        return [open_feed(entry) for entry in entries]
    except ModuleNotFoundError as error:
        stop(str(error))


def _live(found: Settings) -> Live:
    from reconwatch.live import Live

    return Live(found.catalog, found.site, found.world, found.intelligence, warn=say, now=time.time)


def _serve(store: Any, delivery: Any, feeds: list[Feed], found: Settings, site_file: Path, signals: _Signals) -> None:
    from reconwatch.service import Service
    from reconwatch.store.configured import retention_of

    service = Service(_live(found), feeds, store, delivery, say=say, retention=retention_of(found.site))
    service.begin()
    say(f"following {', '.join(feed.name for feed in feeds)}; notices are kept in {found.site.store.file}")
    while not signals.ending:
        if signals.reload:
            signals.reload = False
            found = _reloaded(service, found, site_file)
        if not service.turn():
            time.sleep(IDLE)
    service.end()
    say("ended: all that was read is kept, the next run goes on from there")


def _reloaded(service: Service, old: Settings, site_file: Path) -> Settings:
    """The settings that hold from now on: the new ones, or the old ones if those are not to be taken."""
    from reconwatch.document import DocumentError
    from reconwatch.settings import refusals, settings

    try:
        new = settings(site_file)
    except DocumentError as error:
        tell(error.problems)
        refused = ["see above"]
    else:
        tell(new.warnings)
        refused = refusals(old, new)
    if refused:
        for line in refused:
            say(f"reload refused: {line}")
        service.counts.refused_reloads += 1
        return old
    service.replace(_live(new))
    say("reloaded: site, catalog and feeds of indicators")
    return new


class _Signals:
    """What was asked for from outside, since somebody last looked."""

    def __init__(self) -> None:
        self.ending = self.reload = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._reload)

    def _end(self, *_: object) -> None:
        self.ending = True

    def _reload(self, *_: object) -> None:
        self.reload = True
