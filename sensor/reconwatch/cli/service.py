"""The service: run it, ask how it does, have it read its settings anew."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconwatch.cli.terminal import EXIT_FAIL_ON, EXIT_USAGE, say, site_of, stop
from reconwatch.cli.voice import Voice

if TYPE_CHECKING:
    from reconwatch.live import Live
    from reconwatch.service import Service
    from reconwatch.settings import Settings
    from reconwatch.site import Site
    from reconwatch.sources.live import Feed
    from reconwatch.status import Reload, Status
    from reconwatch.store.output import Output
    from reconwatch.watched import Watched

IDLE = 0.05
"""Seconds between looks while there is nothing to do: a unix socket holds 208 KiB, which Suricata fills in less."""
RELOAD_TIME = 60.0
"""Seconds that `reload` waits for an answer: feeds of a million indicators take ten to be read."""

_site_option = click.option(
    "--site",
    "site_file",
    type=click.Path(path_type=Path),
    default=Path("/etc/reconwatch/site.yaml"),
    show_default=True,
    help="What we own, what to follow (`sources`), and where to write (`sinks`).",
)


@click.command()
@_site_option
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What the service itself says on standard error: lines, or JSON with ts, level and event.",
)
def run(site_file: Path, log_format: str) -> None:
    """Follow live logs as site.yaml says, and write notices as soon as there is something to say. SIGHUP reloads."""
    from reconwatch.document import DocumentError
    from reconwatch.settings import settings
    from reconwatch.snapshot import VERSION
    from reconwatch.store import Delivery, Store, StoreError
    from reconwatch.store.configured import backlogs_of

    voice = Voice(log_format)
    try:
        found = settings(site_file)
    except DocumentError as error:
        voice.problems(error.problems)
        raise SystemExit(EXIT_USAGE) from None
    voice.problems(found.warnings)
    site = found.site
    if not site.sources:
        voice.stop(f"{site_file}: `sources` is empty, so there is nothing to follow; see docs/site.md")
    if not site.sinks:
        voice.warning(f"warning: {site_file}: `sinks` is empty: notices are only kept in {site.store.file}")
    feeds = _feeds(site.sources, voice)
    signals = _Signals()
    try:
        with Store.open(Path(site.store.file), state_version=str(VERSION), warn=voice.warning) as store:
            delivery = Delivery(store, _outputs(site, voice), backlogs=backlogs_of(site))
            _Run(store, delivery, feeds, found, site_file, voice).until_ended(signals)
    except StoreError as error:
        voice.stop(str(error))


def _feeds(entries: tuple[dict[str, Any], ...], voice: Voice) -> list[Feed]:
    from reconwatch.sources.live.open import open_feed

    try:
        return [open_feed(entry) for entry in entries]
    except ModuleNotFoundError as error:
        voice.stop(str(error))


def _outputs(site: Site, voice: Voice) -> list[Output]:
    from reconwatch.store.configured import outputs_of

    try:
        return outputs_of(site)
    except ModuleNotFoundError as error:
        voice.stop(str(error))


class _Run:
    """One run of the service: the loop, its settings, and who watches it."""

    def __init__(
        self, store: Any, delivery: Any, feeds: list[Feed], found: Settings, site_file: Path, voice: Voice
    ) -> None:
        from reconwatch.said_of_itself import Diary
        from reconwatch.self_test import self_test
        from reconwatch.service import Service
        from reconwatch.store.configured import retention_of

        self._settings, self._site_file, self._voice = found, site_file, voice
        diary = Diary(len(feeds), lambda: self_test(self._settings.catalog, self._settings.world))
        self._service: Service = Service(
            self._live(found),
            feeds,
            store,
            delivery,
            say=voice.warning,
            retention=retention_of(found.site),
            diary=diary,
        )
        self._watched = self._watch()

    def _live(self, found: Settings) -> Live:
        from reconwatch.live import Live

        warn = self._voice.warning
        live = Live(found.catalog, found.site, found.world, found.intelligence, warn=warn, now=time.time)
        live.alive = self._alive
        return live

    def _alive(self) -> None:
        """A capture is being read: whoever watches is told that nothing hangs."""
        self._watched.turned()

    def _watch(self) -> Watched:
        from reconwatch.vitals import Made
        from reconwatch.watched import Watched

        place = self._settings.site.service
        try:
            return Watched(self._service, Made.of(self._settings), place.place, say=self._voice.warning)
        except OSError as error:
            self._voice.stop(
                f"{self._site_file}: cannot listen at {place.listen}: {(error.strerror or str(error)).lower()};"
                " write another `service.listen`, or `off`"
            )

    def until_ended(self, signals: _Signals) -> None:
        """Turn until somebody wants an end. Raises StoreError if the store cannot be begun with."""
        service, watched = self._service, self._watched
        service.begin()
        watched.begun()
        followed = ", ".join(feed.name for feed in service.feeds)
        self._voice.info(f"following {followed}; notices are kept in {self._settings.site.store.file}")
        if watched.listens_at:
            self._voice.info(f"metrics and health are answered at {watched.listens_at}")
        while not signals.ending:
            if signals.reload:
                signals.reload = False
                self._reload()
            more = service.turn()
            watched.turned()
            if not more:
                time.sleep(IDLE)
        watched.ending()
        service.end()
        watched.close()
        self._voice.info("ended: all that was read is kept, the next run goes on from there")

    def _reload(self) -> None:
        """Go on with the new settings, or with the old ones if those are not to be taken."""
        from reconwatch.vitals import Made

        self._watched.reloading()
        new, refused = self._read_anew()
        if new is None:
            for line in refused:
                self._voice.warning(f"reload refused: {line}")
            self._service.counts.refused_reloads += 1
        else:
            self._service.replace(self._live(new))
            self._settings = new
            self._voice.info("reloaded: site, catalog and feeds of indicators")
        self._watched.reloaded(Made.of(self._settings), refused)

    def _read_anew(self) -> tuple[Settings | None, list[str]]:
        """The settings to be taken; or None, and why not."""
        from reconwatch.document import DocumentError
        from reconwatch.settings import refusals, settings

        try:
            new = settings(self._site_file)
        except DocumentError as error:
            return None, [str(problem) for problem in error.problems if problem.severity == "error"]
        except OSError as error:
            return None, [f"{error.filename or self._site_file}: {(error.strerror or str(error)).lower()}"]
        self._voice.problems(new.warnings)
        refused = refusals(self._settings, new)
        return (None, refused) if refused else (new, [])


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


_store_option = click.option(
    "--store",
    "store_file",
    type=click.Path(path_type=Path),
    help="The service's database, to find it without a site.yaml that can be read.",
)


@click.command()
@_site_option
@_store_option
def status(site_file: Path, store_file: Path | None) -> None:
    """How the running service does. Exit 1 if it does not run, or something is wrong; 2 if there is none."""
    from reconwatch.sinks.wire_text import visible
    from reconwatch.status import faults, lines

    _, found = _status(site_file, store_file)
    now = time.time()
    wrong = faults(found, now)
    for line in (*wrong, *lines(found, now)):
        click.echo(visible(line))
    if wrong:
        sys.exit(EXIT_FAIL_ON)


@click.command("reload")
@_site_option
@_store_option
def reload_service(site_file: Path, store_file: Path | None) -> None:
    """Have the running service read site, catalog and indicators anew; tells what came of it. Exit 2 if refused."""
    import os

    from reconwatch.status import StatusError, process_to_signal

    path, before = _status(site_file, store_file)
    try:
        os.kill(process_to_signal(path, before), signal.SIGHUP)
        after = _answer(path, before.reload.number)
    except StatusError as error:
        stop(str(error))
    except OSError as error:
        stop(f"process {before.vitals.pid} cannot be signalled: {(error.strerror or str(error)).lower()}")
    if after is None:
        stop(f"the service did not answer within {RELOAD_TIME:.0f} s; see `reconwatch status`")
    for line in after.refused:
        say(f"reload refused: {line}")
    if after.refused:
        sys.exit(EXIT_USAGE)
    say("reloaded: site, catalog and feeds of indicators")


def _answer(path: Path, before: int) -> Reload | None:
    """What the service says of its next reload; None if it says nothing for a long time. Raises StatusError."""
    from reconwatch.status import process_to_signal, read

    until = time.monotonic() + RELOAD_TIME
    while time.monotonic() < until:
        found = read(path)
        if found.reload.number > before:
            return found.reload
        process_to_signal(path, found)  # raises if it has ended
        time.sleep(IDLE)
    return None


def _status(site_file: Path, store_file: Path | None) -> tuple[Path, Status]:
    """The status file of a site's service; ends the program if there is none to be read."""
    from reconwatch.status import StatusError, read, status_file

    path = status_file(store_file or site_of(site_file).store.file)
    try:
        return path, read(path)
    except StatusError as error:
        stop(str(error))
