"""What the catalog knows of a host name, a URL, a WHOIS line or an address: the answer of `catalog lookup`. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from reconwatch.targets import LONGEST_TEXT, canonical_name, named_in

if TYPE_CHECKING:
    from reconwatch.catalog import Catalog, Service
    from reconwatch.catalog.world import World

CERTIFICATES = "T1596.003"
SCANNING = "T1595"
WHOIS_PORT = 43

Kind = Literal["host", "dns", "url", "whois", "ct-log", "scanner", "scanner-name"]


class Claim(msgspec.Struct, frozen=True):
    """One thing in the catalog that the text belongs to."""

    id: str
    technique: str
    kind: Kind
    """What was recognised: a name, a DNS query that is itself the question, a URL, a WHOIS line, a certificate log,
    the address of a scanner, a name that looks like a scanner's."""
    strength: Literal["strong", "weak"]
    """How much a bare visit says; of a scanner: whether it alone holds the address."""
    targets: tuple[str, ...] = ()
    """What the text asks about, canonical; of a scanner the listed range."""


class Lookup(msgspec.Struct, frozen=True):
    """The text as it was given, and who claims it; encodes to the JSON of the contract."""

    input: str
    claims: tuple[Claim, ...]

    def lines(self) -> Iterator[str]:
        """For people: one line a claim."""
        if not self.claims:
            yield f"{self.input}: not in the catalog"
        for claim in self.claims:
            about = f", {', '.join(claim.targets)}" if claim.targets else ""
            yield f"{self.input}: {claim.id} ({claim.technique}), {claim.strength}, by {claim.kind}{about}"


def lookup(catalog: Catalog, text: str, world: World | None = None) -> Lookup:
    """Who claims a host name, URL, WHOIS line (`SERVER LINE`, or the line alone) or IP address.

    Without `world` nothing is said of scanners, and certificate logs only as far as they are services. Reads neither
    files nor the network, and no text makes it raise.
    """
    plain = re.sub(r"^hxxp", "http", text[:LONGEST_TEXT].strip(), flags=re.IGNORECASE).replace("[.]", ".")
    if (address := _address(plain)) is not None:
        return Lookup(text, tuple(_of_address(world, address)))
    if (line := _whois_line(plain)) is not None:
        return Lookup(text, tuple(_of_whois(catalog, *line)))
    host, port, uri = _parts(plain)
    if uri is not None:
        return Lookup(text, tuple(_of_url(catalog, world, host, port, uri)))
    return Lookup(text, tuple(_of_name(catalog, world, host, port)))


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return None


def _of_address(world: World | None, address: str) -> Iterator[Claim]:
    scanner = world.scanner_of(address) if world is not None else None
    if world is not None and scanner is not None:
        listed = world.range_of(address)
        strength: Literal["strong", "weak"] = "weak" if scanner.rented else "strong"
        yield Claim(scanner.id, SCANNING, "scanner", strength, (listed,) if listed else ())


# ---------------------------------------------------------------- WHOIS

_BARE_LINE = re.compile(r"[!-].*|as\d{1,10}", re.IGNORECASE)
"""Lines of one word: an IRRd command (`!gAS64496`), a flag glued to its value, an AS number."""


def _whois_line(text: str) -> tuple[str, str] | None:
    """(server, line) of WHOIS, the server empty if none is given; None if the text is something else."""
    words = text.split()
    if words[:1] == ["whois"]:
        words = words[1:]
        if "-h" in words[:-1]:
            at = words.index("-h")
            words = [words[at + 1], *words[:at], *words[at + 2 :]]
        elif len(words) == 1:
            return "", words[0]
    if len(words) == 1 and _BARE_LINE.fullmatch(words[0]):
        return "", words[0]
    if len(words) < 2 or "://" in words[0]:
        return None
    if (server := canonical_name(words[0].removesuffix(f":{WHOIS_PORT}"))) is not None:
        return server, " ".join(words[1:])
    line = " ".join(words)
    return ("", line) if line.startswith(("-", "!")) or named_in(line) else None


def _of_whois(catalog: Catalog, server: str, line: str) -> Iterator[Claim]:
    service = (catalog.by_name(server) if server else None) or catalog.by_port(WHOIS_PORT)
    if service is not None:
        asked = catalog.asked(service, "whois", line) or named_in(line)
        yield _claim(service, "whois", (named.value for named in asked))


# ---------------------------------------------------------------- names and URLs

_PARTS = re.compile(
    r"""(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?
        (?:[^/?\#@]*@)?                            # user and password
        (?P<host>\[[^\]]*\] | [^/?\#:]*)
        (?::(?P<port>\d{1,5}))?
        (?P<uri>[/?][^\#]*)? (?:\#.*)?""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def _parts(text: str) -> tuple[str, int | None, str | None]:
    """(host, port, origin form) of a URL with or without scheme; the last is None where only a host is given."""
    found = _PARTS.fullmatch(text)
    if found is None:
        return text, None, None
    host = found["host"].strip("[]").removesuffix(".").lower()
    uri = found["uri"]
    web = (found["scheme"] or "").lower() in ("http", "https", "ws", "wss")
    if uri is not None or web:
        uri = "/" + (uri or "").removeprefix("/")
    return canonical_name(host) or host, int(found["port"]) if found["port"] else None, uri


def _of_name(catalog: Catalog, world: World | None, host: str, port: int | None) -> Iterator[Claim]:
    service = catalog.by_name(host)
    if service is not None:
        asked = catalog.asked(service, "dns", host) or ()
        yield _claim(service, "dns" if asked else "host", (named.value for named in asked))
    elif (by_port := catalog.by_port(port)) is not None:
        yield _claim(by_port, "whois")
    elif world is not None and world.ct_operator_of(host) is not None:
        yield Claim("ct-logs", CERTIFICATES, "ct-log", "weak")
    yield from _of_reverse_name(world, host)


def _of_url(catalog: Catalog, world: World | None, host: str, port: int | None, uri: str) -> Iterator[Claim]:
    service = catalog.by_url(host, uri)
    if service is not None:
        asked = catalog.asked(service, "http", uri)
        yield _claim(service, "url", (named.value for named in (named_in(uri) if asked is None else asked)))
    elif world is not None and world.ct_log_of(host, uri) is not None:
        yield Claim("ct-logs", CERTIFICATES, "ct-log", "weak")
    elif (by_port := catalog.by_port(port)) is not None:
        yield _claim(by_port, "whois")


def _of_reverse_name(world: World | None, host: str) -> Iterator[Claim]:
    """A reverse name is what its holder likes to write: weak until the name resolves to the address."""
    scanner = world.scanner_by_rdns(host) if world is not None else None
    if scanner is not None:
        yield Claim(scanner.id, SCANNING, "scanner-name", "weak")


def _claim(service: Service, kind: Kind, targets: Iterable[str] = ()) -> Claim:
    strength: Literal["strong", "weak"] = "strong" if service.visit == "strong" else "weak"
    return Claim(service.id, service.technique, kind, strength, tuple(sorted(set(targets))))
