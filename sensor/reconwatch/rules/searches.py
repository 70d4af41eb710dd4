"""Rules for targeted searches: a lookup that names what is ours.

`targets.Assets` finds our names, addresses, AS numbers and brands in whatever a request says, by whole labels and whole
numbers; a rule says the same in two steps. A plain content picks the request, a pattern in the same buffer judges the
borders, and a pattern on the host sees that it goes to a service of the catalog. The engine has undone the percent
encoding of `http.uri`. Searches inside TLS no engine sees.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconwatch.catalog import Catalog, Service
from reconwatch.rules.draft import Draft, Option, Threshold, content, literal, pcre
from reconwatch.rules.lookups import HTTP, LAYERS, Name, alternation, names, paths
from reconwatch.rules.parties import NOBODY, Parties
from reconwatch.site import Network, Owned

SEARCHED = Threshold("limit", "by_src", 1, 300)
"""A search is told once in five minutes, as long as a visit may be (`visits.VISIT_SPAN`)."""

LONGEST_HOSTS = 5_000
"""Characters of a pattern of hosts; the rest of the rule has its room within `LONGEST_RULE`."""
WIDEST_PARTS = 16
"""Octet or nibble prefixes that a range is written as; one that needs more is looked for by a shorter prefix, and the
pattern behind it tells."""


class Form(NamedTuple):
    """One way in which texts spell an asset."""

    id: str
    """Of the asset and this spelling, for keys."""
    shown: str
    text: str
    """What every such text holds, in any case."""
    pattern: str
    """What judges it."""
    whois: bool = True
    """A WHOIS line may spell it so too."""


def searches(catalog: Catalog, owned: Owned, parties: Parties) -> Iterator[Draft]:
    """The rules of all that is ours, over HTTP, WHOIS and names that are asked in DNS."""
    if parties.clients == NOBODY:
        return
    services = [service for service in catalog.services.values() if service.visit != "ordinary"]
    for form in forms(owned):
        yield from _in_urls(services, form, parties)
        if form.whois:
            yield from _in_whois(services, form, parties)
    encoded = [s for s in services if any("{base64}" in query.template for query in s.queries)]
    for form in hidden(owned):
        yield from _in_urls(encoded, form, parties, caseless=False)
    for service in services:
        if service.asked_in_dns:
            yield from _in_names(service, owned, parties)


# ---------------------------------------------------------------- how an asset is spelt

_BEFORE = r"(?:(?<![\w.-])[.-]*|(?<=\.))"
_BEHIND = r"(?:\.(?:jsonp?|html?|xml|txt|csv|php|aspx?|jsp|png|svg|jpe?g|gif|pdf|rss))?[.-]*(?![\w.-])"
"""Around a name, as `targets.names_in` cuts words: whole labels, and no extension that is the file's."""


def forms(owned: Owned) -> Iterator[Form]:
    """The spellings of names, ranges, AS numbers and brands."""
    for domain in owned.domains:
        yield Form(f"domain/{domain}", domain, domain, f"{_BEFORE}{re.escape(domain)}{_BEHIND}")
        unicode = _unicode(domain)
        if unicode != domain:
            yield Form(f"domain/{domain}/unicode", domain, unicode, f"{literal(unicode)}(?![0-9A-Za-z-])")
    for network in owned.ranges:
        yield from _range_forms(network)
    for number in owned.asns:
        pattern = (
            rf"(?:(?:(?<![0-9A-Za-z])|(?<=[a-z]))(?:AS(?:N(?:__in)?)?[\s:=_\"'-]{{0,4}}"
            rf"|aut-?num(?:ber)?[/\s:=_\"']{{1,3}})|/){number}(?![0-9A-Za-z]|\.\d)"
        )
        yield Form(f"asn/{number}", f"AS{number}", str(number), pattern)
    for brand in owned.brands:
        yield from _brand_forms(brand)


def _unicode(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    import idna

    try:
        return idna.decode(domain)
    except idna.IDNAError:
        return domain


def _brand_forms(brand: str) -> Iterator[Form]:
    """The words of a brand, joined as URLs join words. Beyond ASCII no engine folds case: each case is a form."""
    cases = (
        {"": brand} if brand.isascii() else {"/lower": brand.lower(), "/title": brand.title(), "/upper": brand.upper()}
    )
    words = r"(?:[\s+_]|%20)+".join(map(literal, brand.split()))
    pattern = rf"(?<![\w.-]){words}(?![\w-]|\.\w)"
    key = "".join(letter if letter.isascii() and letter.isalnum() else f"%{ord(letter):x}" for letter in brand)
    for case, spelt in cases.items():
        yield Form(f"brand/{key}{case}", brand, max(spelt.split(), key=len), pattern)


def _range_forms(network: Network) -> Iterator[Form]:
    """Addresses of a range as text, the ranges around it, and its reverse zones."""
    inner = _within4 if network.version == 4 else _within6
    for number, (text, pattern) in enumerate(inner(network)):
        yield Form(f"range/{network}/within.{number}", str(network), text, pattern)
    if network.version == 4:
        wider = [str(network.supernet(new_prefix=length)) for length in range(8, network.prefixlen)]
        if wider:
            common = str(network.network_address).split(".")[0] + "."
            pattern = rf"(?<![0-9A-Za-z.])(?:{'|'.join(re.escape(w).replace('/', '[/,]') for w in wider)})(?![0-9.])"
            yield Form(f"range/{network}/around", str(network), common, pattern)
    step = 8 if network.version == 4 else 4
    border = max(network.prefixlen // step * step, step)
    zone = ".".join(
        network.supernet(new_prefix=border).network_address.reverse_pointer.split(".")[-(border // step) - 2 :]
    )
    yield Form(f"range/{network}/reverse", str(network), zone, rf"(?<![0-9a-f]){re.escape(zone)}(?![\w-])", whois=False)


def _within4(network: Network) -> Iterator[tuple[str, str]]:
    """(content, pattern) of each part of a range that begins with whole octets."""
    border = min(-(-network.prefixlen // 8) * 8, 24) or 8
    if border < network.prefixlen:  # narrower than /24: its own octets behind the last dot
        octets = str(network.network_address).split(".")
        first = int(octets[3])
        last = first + network.num_addresses - 1
        numbers = "|".join(map(str, range(first, last + 1)))
        head = ".".join(octets[:3]) + "."
        yield head, rf"(?<![0-9A-Za-z.]){re.escape(head)}(?:{numbers})(?![0-9A-Za-z]|\.\d)"
        return
    parts: list[Network] = list(network.subnets(new_prefix=border))
    heads = [".".join(str(part.network_address).split(".")[: border // 8]) + "." for part in parts]
    rest = r"(?:\d{1,3}|\*)" + rf"(?:\.(?:\d{{1,3}}|\*)){{0,{3 - border // 8}}}(?![0-9A-Za-z])"
    if len(heads) > WIDEST_PARTS:
        common = heads[0][: heads[0].rstrip(".").rfind(".") + 1] or heads[0]
        yield common, rf"(?<![0-9A-Za-z.])(?:{'|'.join(map(re.escape, heads))}){rest}"
        return
    for head in heads:
        yield head, rf"(?<![0-9A-Za-z.]){re.escape(head)}{rest}"


def _within6(network: Network) -> Iterator[tuple[str, str]]:
    """(content, pattern): the groups of a prefix without leading zeros, as people and RFC 5952 write them."""
    whole, bits = divmod(network.prefixlen, 16)
    groups = [f"{int(group, 16):x}" for group in network.network_address.exploded.split(":")]
    head = ":".join(groups[:whole])
    if not whole:
        return
    if not bits:
        after = ":" if whole < 8 else r"(?![0-9A-Za-z:])"
        yield head + (":" if whole < 8 else ""), rf"(?<![0-9A-Fa-f:]){head}{after}"
        return
    first = int(groups[whole], 16)
    last = first + (1 << (16 - bits)) - 1
    if last - first >= 256:
        yield f"{head}:", rf"(?<![0-9A-Fa-f:]){head}:{_hex_range(first, bits)}:"
        return
    numbers = "|".join(f"{number:x}" for number in range(first, last + 1))
    yield f"{head}:", rf"(?<![0-9A-Fa-f:]){head}:(?:{numbers}):"


def _hex_range(first: int, bits: int) -> str:
    """Groups whose first `bits` are those of `first`, by whole nibbles (the last one wider)."""
    fixed = f"{first:04x}"[: bits // 4].lstrip("0")
    return rf"{fixed}[0-9a-f]{{1,{4 - bits // 4}}}" if fixed else "[0-9a-f]{1,4}"


def hidden(owned: Owned) -> Iterator[Form]:
    """Names and whole octets as base64 hides them: a text has three spellings, by where in the encoded text it begins.

    The letters at either end depend on the neighbours and are left out (RFC 4648 section 4).
    """
    texts = [(f"domain/{domain}", domain) for domain in owned.domains]
    for network in owned.ranges:
        if network.version == 4:
            texts += [(f"range/{network}/{n}", head) for n, (head, _) in enumerate(_within4(network))]
    for key, text in texts:
        for shift in range(3):
            raw = base64.b64encode(b"\0" * shift + text.encode()).decode().rstrip("=")
            spelt = raw[(shift * 8 + 5) // 6 : len(raw) if (shift + len(text)) % 3 == 0 else -1]
            yield Form(f"base64/{key}/{shift}", text.rstrip("."), spelt, re.escape(spelt), whois=False)


# ---------------------------------------------------------------- where it is asked


def _in_urls(services: list[Service], form: Form, parties: Parties, *, caseless: bool = True) -> Iterator[Draft]:
    """One rule a sub-technique, or several where the hosts of its services are many."""
    match: list[Option] = [("http.uri", None), content(form.text)]
    match += [("nocase", None)] if caseless else []
    match += [("fast_pattern", None), pcre(form.pattern, caseless=caseless)]
    over_http = [service for service in services if service.interface != ("whois",)]  # these serve no pages
    for technique in sorted({service.technique for service in over_http}):
        asked = [service for service in over_http if service.technique == technique]
        for number, hosts in enumerate(host_patterns(asked)):
            options = (*match, ("http.host", None), pcre(hosts, caseless=False))
            yield _search(f"http/{technique}.{number}", "http", form, technique, options, f"{parties.clients} any")
        if busy := [place for service in asked for place in paths(service)]:
            hosts = f"^{alternation(sorted({host for host, _ in busy}))}$"
            begins = f"^(?:{'|'.join(sorted({re.escape(path) for _, path in busy}))})"
            options = (*match, pcre(begins, caseless=False), ("http.host", None), pcre(hosts, caseless=False))
            yield _search(f"path/{technique}", "http", form, technique, options, f"{parties.clients} any")


def host_patterns(services: Iterable[Service]) -> Iterator[str]:
    """Patterns that together fit every host of the services, each short enough for a rule."""
    names_of: dict[bool, list[str]] = {True: [], False: []}
    length = 0
    for name in sorted({name for service in services for name in names(service)}):
        added = len(re.escape(name.text)) + 1
        if length + added > LONGEST_HOSTS:
            yield _hosts(names_of)
            names_of, length = {True: [], False: []}, 0
        names_of[name.exact].append(name.text)
        length += added
    if length:
        yield _hosts(names_of)


def _hosts(names_of: dict[bool, list[str]]) -> str:
    exact, suffixes = (alternation(names_of[each]) if names_of[each] else "" for each in (True, False))
    kinds = [rf"^{exact}$"] * bool(exact) + [rf"(?:^|\.){suffixes}$"] * bool(suffixes)
    return "|".join(kinds)


def _in_whois(services: list[Service], form: Form, parties: Parties) -> Iterator[Draft]:
    for service in services:
        if service.port is not None:
            match = (content(form.text), ("nocase", None), ("fast_pattern", None), pcre(form.pattern))
            source = f"{parties.everybody_inside} any"
            destination = f"{parties.world} {service.port}"
            yield _search("whois", "tcp", form, service.technique, match, source, destination)


def _in_names(service: Service, owned: Owned, parties: Parties) -> Iterator[Draft]:
    """Services whose queries are names: `113.0.203.origin.asn.cymru.com`, `as64496.asn.cymru.com`."""
    if parties.askers == NOBODY:
        return
    dns = LAYERS[0]
    zones = [query.template.partition("}.") for query in service.queries if query.layer == "dns"]
    for kind, _, zone in zones:
        for key, shown, labels in _asked_labels(kind.lstrip("{"), zone, owned):
            match = Name(f"{labels}.{zone}", exact=False).options(dns)
            options: tuple[Option, ...] = ((dns.buffer, None), ("dotprefix", None), *match, ("fast_pattern", None))
            form = Form(key, shown, "", "")
            yield _search(f"dns/{zone}", "dns", form, service.technique, options, f"{parties.askers} any")


def _asked_labels(kind: str, zone: str, owned: Owned) -> Iterator[tuple[str, str, str]]:
    """(key, asset, labels) of what stands in front of a zone: reversed octets or nibbles, or an AS number."""
    if kind == "asn":
        for number in owned.asns:
            yield f"asn/{number}", f"AS{number}", f"as{number}"
        return
    for network in owned.ranges:
        if (network.version == 6) != ("origin6" in zone):
            continue
        step = 8 if network.version == 4 else 4
        border = min(-(-network.prefixlen // step) * step, network.max_prefixlen)
        if border - network.prefixlen > 4:
            border -= step
        wider = border < network.prefixlen
        parts: list[Network] = [network.supernet(new_prefix=border)]
        parts = parts if wider else list(network.subnets(new_prefix=border))
        for part in parts:
            labels = part.network_address.reverse_pointer.split(".")[:-2]
            yield f"range/{part}", str(network), ".".join(labels[(network.max_prefixlen - border) // step :])


def _search(
    where: str, protocol: str, form: Form, technique: str, match: Iterable[Option], source: str,
    destination: str = "any any",
) -> Draft:  # fmt: skip
    flow = "to_server" if protocol == "dns" else HTTP.flow
    return Draft(
        key=f"search/{form.id}/{where}",
        protocol=protocol,
        source=source,
        destination=destination,
        msg=f"search for {form.shown} in an open technical database",
        options=(("flow", flow), *match),
        classtype="attempted-recon",
        technique=technique,
        confidence="High",
        threshold=SEARCHED,
        priority=1,
    )
