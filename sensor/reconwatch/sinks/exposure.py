"""What databases have collected of us, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from reconwatch.exposure import Exposure, Port
from reconwatch.prose import counted, shortened
from reconwatch.sightings import Shown
from reconwatch.sinks.outlet import Outlet, Stream
from reconwatch.sinks.times import rfc3339, utc
from reconwatch.sinks.wire_text import json_line, visible
from reconwatch.touched import door_of, doors_in_words, spelt

SCHEMA: Final = 1
_MARGIN: Final = 9
"""Columns of a port: `65535/udp`."""


def write_exposures(form: str, stream: Stream, exposures: Iterable[Exposure]) -> int:
    """Write them as `table` or `jsonl`, in their order; return how many there were. The stream stays the caller's."""
    outlet = Outlet(stream, machine=form == "jsonl")
    told = list(exposures)
    for line in map(json_line, map(_record, told)) if form == "jsonl" else map(visible, _page(told)):
        outlet.put(line + "\n")
    outlet.close()
    return len(told)


def _record(exposure: Exposure) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "asset": exposure.asset,
        "address": exposure.address,
        "scanner": exposure.scanner,
        "name": exposure.name,
        "operator": exposure.operator,
        "kind": exposure.kind,
        "databases": [{"id": each, "name": name} for each, name in exposure.databases],
        "listed": exposure.listed,
        "sure": exposure.sure,
        "sources": list(exposure.sources),
        "first": rfc3339(exposure.first),
        "last": rfc3339(exposure.last),
        "ports": [
            {
                "proto": port.proto,
                "port": port.port,
                "first": rfc3339(port.first),
                "last": rfc3339(port.last),
                "opened": port.opened,
                "answered": port.answered,
                "http_statuses": port.http_statuses,
                "banners": port.banners,
                "server_names": port.server_names,
                "certificates": None
                if port.certificates is None
                else [_certificate(each) for each in port.certificates],
            }
            for port in exposure.ports
        ],
    }


def _certificate(shown: Shown) -> dict[str, Any]:
    identity = shown.identity
    return {
        "subject": identity.subject or None,
        "issuer": identity.issuer or None,
        "self_signed": identity.own if identity.is_described else None,
        "serial": identity.serial or None,
        "names": list(shown.names),
        "sha256": shown.sha256,
    }


def _page(exposures: list[Exposure]) -> Iterator[str]:
    """The ranges of site.yaml, in each its addresses, at each its crawlers, of each the ports."""
    for asset, at_asset in groupby(exposures, key=lambda each: each.asset):
        yield asset
        for address, at_address in groupby(at_asset, key=lambda each: each.address):
            yield f"  {address}"
            for exposure in at_address:
                yield f"    {_who(exposure)}"
                yield f"      {_when(exposure)}, from {shortened(exposure.sources)}"
                yield from (f"      {line}" for line in _ports(exposure.ports))
        yield ""
    if exposures:
        yield _summary(exposures)


def _who(exposure: Exposure) -> str:
    name = exposure.name
    if exposure.operator not in (name, "unknown"):
        name = f"{name} (operated by {exposure.operator})"
    if not exposure.listed:
        return f"somebody who claims to be {name}, from addresses not known as its"
    doubt = "" if exposure.sure else "; its addresses change hands, and nothing else says that it was"
    if exposure.kind == "database":
        where = shortened([name for _, name in exposure.databases])
        # Most are called as the database they fill: once is enough.
        return f"{name}{'' if where == exposure.name else f', searched in {where}'}{doubt}"
    return f"{name}, {'a survey' if exposure.kind == 'survey' else 'sent by somebody who asked about us'}{doubt}"


def _when(exposure: Exposure) -> str:
    first, last = (f"{utc(ts):%Y-%m-%d %H:%M:%S}" for ts in (exposure.first, exposure.last))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _ports(ports: tuple[Port, ...]) -> Iterator[str]:
    silent = []
    for port in ports:
        door = door_of(port.proto, port.port)
        if port.answered:
            yield f"{spelt(door):<{_MARGIN}} {_got(port)}"
        else:
            silent.append(door)
    if silent:
        yield f"{'tried':<{_MARGIN}} {doors_in_words(silent)}: no answer seen"


def _got(port: Port) -> str:
    """What was got there, as far as the input holds it."""
    said = ["answered" if port.port is None or port.proto == "udp" else "opened" if port.opened else "found open"]
    if port.http_statuses is not None:
        said.append(f"HTTP {shortened([str(status) for status in port.http_statuses])}")
    if port.banners is not None:
        said.append("said " + shortened([f'"{banner}"' for banner in port.banners], 2))
    if port.certificates is not None:
        said.append("showed " + shortened([each.identity.in_words for each in port.certificates], 2))
    if port.server_names is not None:
        said.append(f"asked for {shortened(port.server_names)}" if port.server_names else "asked for no name")
    return ", ".join(said)


def _summary(exposures: list[Exposure]) -> str:
    shown = [each for each in exposures if each.listed and any(port.answered for port in each.ports)]
    searchable = [each for each in shown if each.kind == "database"]
    databases = {database for each in searchable for database in each.databases}
    addresses = len({each.address for each in searchable})
    if not searchable:
        return "nothing that a search in a scan database would show"
    show = "shows" if len(databases) == 1 else "show"
    of = counted(addresses, "address of ours", "addresses of ours")
    return f"{counted(len(databases), 'database')} {show} something of {of}"
