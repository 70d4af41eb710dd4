"""What a run's inputs could not show: the honest account at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconwatch.account import Account
from reconwatch.catalog import Blindspot, Catalog
from reconwatch.events import AnyEvent, DnsAnswer, Hello, HttpRequest, told_name
from reconwatch.prose import counted

MOST_CLIENTS = 10_000
"""Distinct clients counted per blind spot; beyond, the account says "at least"."""

COUNTED = {
    "cut_packets": "packets cut short by the capture's snap length, so that what lay behind is unknown: {n}",
    "http2_cleartext": "clear-text HTTP/2 connections, of which Zeek logs no request: {n}",
    "evicted_flows": "flows let go early because too many were open at once: {n}",
    "fragments_lost": "fragmented packets that never came whole: {n}",
    "quic_undecodable": "QUIC connections whose hello could not be read: {n}",
    "sensor_drops": "packets that the sensor itself reports lost: {n}",
    "tcp_gaps": "TCP streams with gaps where a name might have stood: {n}",
    "undeclared_servers": "logs of web servers that nobody said whose they are (`logs` of site.yaml): what came to them"
    " is told of none of ours: {n}",
    "unknown_services": "rows of reconwatch.log that mean nothing to this run, for Zeek has another catalog or another"
    " site: {n}",
    "truncated_fields": "fields cut by the engine that wrote the log, so that a target behind is unknown: {n}",
}
"""`Account.blind` key -> what to tell."""

LITTLE = 0.1
"""Percent of traffic lost; what is less is told without a figure."""

SIGHTED = "sighted"
"""Of `Account.holds`: see `sources/zeek/sighted.py`."""
CHOSEN = frozenset({"dns", "tls", "http", "conn"})
"""Kinds of which a log that is not chosen from holds all that came."""

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

LACKING = {
    "dns": "no DNS: names that were only resolved are not seen, and bare addresses have no names",
    "tls": "no TLS or QUIC hellos: encrypted visits are seen by DNS only",
    "http": "no HTTP requests: what was searched for is not seen",
    "whois": "no WHOIS text (captures hold it, and logs of the package in Zeek): what was asked on port 43 is not seen",
    "conn": "no connections: whether a resolved name was used is not seen, nor scans of our addresses",
}
"""Kind of event that no input can hold -> what that costs."""


class Blindness:
    """Watches the events of a run for signs that more happened than they tell."""

    def __init__(self, catalog: Catalog) -> None:
        self._spots = {name: spot for spot in catalog.blindspots for name in spot.hosts}
        self._clients: dict[Blindspot, set[str]] = {}
        self._encrypted: set[str] = set()
        self._ech_answers: set[str] = set()
        self._bodies = 0

    def watch(self, event: AnyEvent) -> None:
        """Take one event. Names resolved only do not count as use, but for ECH, which the answer announces."""
        match event:
            case DnsAnswer(ech=True, name=name):
                _grow(self._ech_answers, name)
            case Hello(name=None):
                return
            case Hello() | HttpRequest():
                if isinstance(event, Hello):
                    _grow(self._encrypted, event.client)
                elif event.method in WITH_BODY:
                    self._bodies += 1
                spot = self._spot(told_name(event) or "")
                if spot is not None:
                    _grow(self._clients.setdefault(spot, set()), event.client)

    def _spot(self, name: str) -> Blindspot | None:
        spot = self._spots.get(f"={name}")
        while spot is None and name:
            spot = self._spots.get(name)
            _, _, name = name.partition(".")
        return spot

    def lines(self, accounts: Sequence[Account]) -> list[str]:
        """What could not be seen, a line each, the costliest first."""
        read = [account for account in accounts if not account.failed]
        holds = set().union(*(account.holds for account in read))
        told = [text for kind, text in LACKING.items() if read and kind not in holds]
        told += _only_sighted(read)
        if self._encrypted:
            told.append(
                f"{_clients(self._encrypted)} asked over TLS or QUIC: that a service was used is seen, not what for"
            )
        if self._bodies:
            told.append(f"requests whose question may lie in their body, which no input holds: {self._bodies}")
        for spot, clients in sorted(self._clients.items(), key=lambda item: item[0].id):
            told.append(f"{_clients(clients)} {spot.tells}")
        if self._ech_answers:
            told.append(
                f"{len(self._ech_answers)} names of interest offer encrypted hellos (ECH): visits may hide there"
            )
        for key, text in COUNTED.items():
            if n := sum(account.blind[key] for account in read):
                told.append(text.format(n=n))
        if lost := max((account.lost_percent for account in read), default=0.0):
            much = f"up to {lost:.1f}" if lost >= LITTLE else f"less than {LITTLE}"
            told.append(f"Zeek's capture_loss.log reports {much} % of traffic lost")
        return [*told, *(line for account in read for line in _skipped(account)), *_not_looked_at(read)]


def _only_sighted(read: Sequence[Account]) -> Iterator[str]:
    """What reconwatch.log does not hold of the kinds that it holds, unless another input does."""
    chosen = [account for account in read if SIGHTED in account.holds]
    others = set[str]().union(*(account.holds for account in read if SIGHTED not in account.holds))
    if chosen and not others >= CHOSEN:
        scans = "" if "conn" in others else "; scans of our addresses are not seen"
        yield f"reconwatch.log holds only what Zeek, by its own catalog and site, took for lookups and probes{scans}"


def _skipped(account: Account) -> Iterator[str]:
    """What could not be read of an input, by reason; what was seen only in samples, as an estimate."""
    for reason, count in sorted(account.unreadable.items()):
        unit = account.unit if count != 1 else account.unit.removesuffix("s")
        yield f"{account.path}: {count} {unit} skipped: {reason}"
    found = account.sampled.total()
    if found and 0 < account.whole < account.blocks:
        about = round(found * account.blocks / account.whole)
        more = "more " if account.skipped else ""
        yield (
            f"{account.path}: about {about:,} {more}{account.unit} are damaged"
            f" ({found:,} in {account.whole:,} of {account.blocks:,} blocks looked at whole)"
        )


def _not_looked_at(read: Sequence[Account]) -> Iterator[str]:
    """What may be damaged in inputs that were all sifted, by what the inputs that were looked at held."""
    sifted = [account for account in read if account.blocks and not account.whole]
    found, whole = sum(account.sampled.total() for account in read), sum(account.whole for account in read)
    if sifted and found:
        about = round(found * sum(account.blocks for account in sifted) / whole)
        yield (
            f"about {about:,} lines may be damaged in {counted(len(sifted), 'input')} of which no block was looked at"
            f" whole ({found:,} in {whole:,} blocks of the others)"
        )


def _grow(members: set[str], member: str) -> None:
    if len(members) < MOST_CLIENTS:
        members.add(member)


def _clients(clients: set[str]) -> str:
    least = "at least " if len(clients) >= MOST_CLIENTS else ""
    return f"{least}{len(clients)} client{'s' if len(clients) != 1 else ''}"
