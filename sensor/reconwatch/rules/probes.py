"""Rules for probes: somebody outside comes to what is ours.

Known crawlers by their addresses, scans by the number of connection openings, zone transfers, user agents and paths
that only scanners use, and the baits of a site. What counts distinct addresses, ports or names (`Address_Scan`,
`DNS_Enumeration`, `Name_Probe`) an engine's thresholds cannot: they count matches, so a scan rule says just that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from reconwatch.catalog.paths import RequestPath
from reconwatch.catalog.world import Scanner, Tool, World
from reconwatch.rules.draft import Draft, Option, Threshold, content, pcre
from reconwatch.rules.lookups import FAST, LAYERS, Name, agent
from reconwatch.rules.parties import NOBODY, Parties
from reconwatch.site import Canary, Network

MOST_ADDRESSES = 200
"""Addresses of one header: a longer list makes one rule slow to load and a change of one address change it all."""

DAILY = Threshold("limit", "by_src", 1, 86_400)
"""A crawler comes every day to every address: that it came is told once a day and crawler's address."""
HOURLY = Threshold("limit", "by_src", 1, 3_600)
TOUCHED = Threshold("limit", "by_both", 1, 300)
"""Of a bait every touch matters; a page's twenty requests are one."""

SCAN_OPENINGS = 100
SCAN_SECONDS = 60
SWEEP = Threshold("both", "by_src", SCAN_OPENINGS, SCAN_SECONDS)
PORTS = Threshold("both", "by_both", SCAN_OPENINGS, SCAN_SECONDS)
"""Openings a minute from which on it is told, once a minute. A browser opens some ten connections to a server, a
crawler of the search engines a few a second at most; nmap's default opens a thousand to each host in seconds."""

SYN: tuple[Option, ...] = (("flags", "S,CE"),)
"""An opening: SYN alone, whatever ECN sets (RFC 3168)."""

OURS = "reconwatch.ours"
REMEMBERED = 60
"""Seconds for which it is known that we turned to a crawler's address: an answer comes at once, or not at all."""
NOT_OURS: Option = ("xbits", f"isnotset,{OURS},track ip_pair")
TURNED_TO: tuple[Option, ...] = (("xbits", f"set,{OURS},track ip_pair,expire {REMEMBERED}"), ("noalert", None))
"""Crawlers are told by address alone: such rules an engine finds in a tree, all at once, for the first packet of each
direction of a flow. With a direction (`flow`) or a flag it goes through every list for every packet, or every SYN: a
third to a half of its own time again, measured. So that no answer to us is taken for a visit, another rule of addresses
alone remembers whom we turned to; `xbits` is of the few keywords that leave a rule one of addresses alone."""


def probes(world: World, parties: Parties, canaries: Iterable[Canary] = ()) -> Iterator[Draft]:
    """The rules of all that comes from outside."""
    if parties.owned != NOBODY:
        for scanner in world.facts.scanners:
            yield from _crawler(scanner, parties)
            yield from _agents(scanner, "crawler", parties, "T1595.001")
        yield from _turned_to(world.facts.scanners, parties)
        yield from _scans(parties)
        yield from _transfers(parties)
        for tool in world.facts.tools:
            if tool.kind != "everyday":
                technique = "T1595.003" if world.tries_words(tool) else "T1595.002"
                yield from _agents(tool, "tool", parties, technique)
        for path in world.facts.paths:
            if path.strong or path.test:
                yield from _path(path, parties)
    for canary in canaries:
        yield from _bait(canary, parties)


# ---------------------------------------------------------------- crawlers and scans


def _crawler(scanner: Scanner, parties: Parties) -> Iterator[Draft]:
    for number, group in enumerate(address_groups(scanner.ranges)):
        yield Draft(
            key=f"probe/crawler/{scanner.id}/{number}",
            protocol="ip",
            source=f"{group} any",
            destination=f"{parties.owned} any",
            msg=f"{scanner.name} crawler came",
            options=(NOT_OURS,),
            classtype="network-scan",
            technique="T1595.001",
            confidence="Medium" if scanner.rented else "High",
            threshold=DAILY,
            service=scanner.id,
        )


def _turned_to(scanners: Iterable[Scanner], parties: Parties) -> Iterator[Draft]:
    """Rules that alert on nothing: somebody of ours turned to an address of a crawler."""
    every = " ".join(scanner.ranges for scanner in scanners)
    for number, group in enumerate(address_groups(every)):
        yield Draft(
            key=f"probe/turned-to/{number}",
            protocol="ip",
            source=f"{parties.owned} any",
            destination=f"{group} any",
            msg="never alerts: we turned to an address of a crawler",
            options=TURNED_TO,
            classtype="misc-activity",
            technique="T1595.001",
            confidence="Low",
        )


def address_groups(ranges: str) -> Iterator[str]:
    """CIDRs, separated by blanks, merged, as headers of at most `MOST_ADDRESSES`."""
    networks = [ipaddress.ip_network(each) for each in ranges.split()]
    merged: list[Network] = []
    merged += ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    merged += ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    for at in range(0, len(merged), MOST_ADDRESSES):
        group = merged[at : at + MOST_ADDRESSES]
        texts = [str(n.network_address) if n.prefixlen == n.max_prefixlen else str(n) for n in group]
        yield texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"


def _scans(parties: Parties) -> Iterator[Draft]:
    if parties.strangers == NOBODY:
        return
    for key, threshold, whom in (("source", SWEEP, "by one source"), ("host", PORTS, "by one source to one host")):
        yield Draft(
            key=f"probe/scan/{key}",
            protocol="tcp",
            source=f"{parties.strangers} any",
            destination=f"{parties.owned} any",
            msg=f"scan, {SCAN_OPENINGS} connections in {SCAN_SECONDS} s opened {whom}",
            options=SYN,
            classtype="network-scan",
            technique="T1595.001",
            confidence="Medium",
            threshold=threshold,
        )


# ---------------------------------------------------------------- zone transfers

TRANSFERS = {252: "AXFR", 251: "IXFR"}
"""Query types of RFC 5936 and RFC 1995."""


def _transfers(parties: Parties) -> Iterator[Draft]:
    """With Suricata 8 by `dns.rrtype`; 7 knows no types, so there the end of the question is looked for in the bytes.

    A question is QNAME, whose last label is empty, QTYPE and QCLASS IN (RFC 1035 section 4.1.2). It begins behind the
    header of 12 bytes, over TCP behind a length of 2 (section 4.2.2); the top bit of the flags is 0 in a query. The
    packet is looked at, not the stream: the places are then those of this message.
    """
    for qtype, name in TRANSFERS.items():
        end = content(bytes((0, 0, qtype, 0, 1)))
        yield _transfer(parties, name, "rrtype", "dns", "any", 8, (("flow", "to_server"), ("dns.rrtype", str(qtype))))
        for protocol, before in (("tcp-pkt", 2), ("udp", 0)):
            question = (end, ("offset", str(before + 12)), ("byte_test", f"1,!&,0x80,{before + 2}"))
            flow = ("flow", "established,to_server" if before else "to_server")
            yield _transfer(parties, name, protocol, protocol, "53", 7, (flow, *question))


def _transfer(
    parties: Parties, name: str, kind: str, protocol: str, port: str, engine: int, options: tuple[Option, ...]
) -> Draft:
    return Draft(
        key=f"probe/transfer/{name.lower()}/{kind}",
        protocol=protocol,
        source=f"{parties.transferring} any",
        destination=f"{parties.owned} {port}",
        msg=f"zone transfer asked for ({name})",
        options=options,
        classtype="attempted-recon",
        technique="T1590.002",
        confidence="High",
        threshold=HOURLY,
        engines=(engine,),
    )


# ---------------------------------------------------------------- agents and paths


def _agents(whose: Scanner | Tool, kind: str, parties: Parties, technique: str) -> Iterator[Draft]:
    for number, phrase in enumerate(whose.agents):
        yield Draft(
            key=f"probe/{kind}-agent/{whose.id}/{number}",
            protocol="http",
            source=f"{parties.strangers} any",
            destination=f"{parties.owned} any",
            msg=f"{whose.name} by its user agent came to a web server",
            options=(("flow", "established,to_server"), *agent(phrase)),
            classtype="attempted-recon",
            technique=technique,
            confidence="Medium",
            threshold=HOURLY,
            service=whose.id,
        )


def _path(sought: RequestPath, parties: Parties) -> Iterator[Draft]:
    for number, path in enumerate(sought.paths):
        yield Draft(
            key=f"probe/path/{sought.id}/{number}",
            protocol="http",
            source=f"{parties.strangers} any",
            destination=f"{parties.owned} any",
            msg=f"scanner looked for {sought.what} ({path})",
            options=(("flow", "established,to_server"), ("http.uri", None), *_asked(path)),
            classtype="attempted-recon",
            technique="T1595.002",
            confidence="Medium",
            threshold=HOURLY,
            service=sought.id,
        )


def _asked(path: str) -> tuple[Option, ...]:
    """The beginning of a request, or all of it but for query and last slashes; as `catalog.paths` reads it.

    The pattern says where the text stands: see `lookups.Name.options` of `startswith`.
    """
    text = path.removesuffix("*")
    end = "" if path.endswith("*") else "$" if "?" in path else r"/*(?:[?#]|$)"
    return content(text), ("nocase", None), FAST, pcre(f"^{re.escape(text)}{end}")


# ---------------------------------------------------------------- baits


def _bait(canary: Canary, parties: Parties) -> Iterator[Draft]:
    if parties.anybody == NOBODY:
        return
    planted = f", planted in {canary.planted}" if canary.planted else ""
    told = f"bait touched: {canary.value}{planted}"
    if canary.kind == "name":
        for layer in LAYERS:
            match = Name(canary.value, exact=True).options(layer)
            options: tuple[Option, ...] = (("flow", layer.flow), (layer.buffer, None), ("dotprefix", None), *match)
            yield _touched(f"name/{canary.value}/{layer.id}", layer.protocol, "any", told, options, parties)
    elif canary.kind == "path":
        match = (content(canary.value), FAST)
        whole = pcre(f"^{re.escape(canary.value)}(?:[?#]|$)", caseless=False)
        options = (("flow", "established,to_server"), ("http.uri", None), *match, whole)
        yield _touched(f"path/{_keyed(canary.value)}", "http", "any", told, options, parties)
    else:
        for protocol, options in (("tcp", SYN), ("udp", (("flow", "to_server"),)), ("icmp", (("itype", "8"),))):
            if protocol == "icmp" and ":" in canary.value:
                options = (("icmpv6.hdr", None), content(b"\x80"), ("startswith", None))
            yield _touched(f"address/{canary.value}/{protocol}", protocol, canary.value, told, options, parties)


def _touched(
    key: str, protocol: str, destination: str, told: str, options: tuple[Option, ...], parties: Parties
) -> Draft:
    return Draft(
        key=f"bait/{key}",
        protocol=protocol,
        source=f"{parties.anybody} any",
        destination=f"{destination} any",
        msg=told,
        options=options,
        classtype="attempted-recon",
        technique="T1595",
        confidence="High",
        threshold=TOUCHED,
        priority=1,
    )


def _keyed(text: str) -> str:
    """Text of a site as part of a key, which has no blanks and is one line."""
    return re.sub(r"[^!-~]", lambda found: f"%{ord(found[0]):x}", text)
