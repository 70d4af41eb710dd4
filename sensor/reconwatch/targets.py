"""How a request names its target: addresses, ranges, names and AS numbers in every spelling that requests use.

Two readings of one text. `named_in` and `Templates` say what a request asks about, whoever owns it. `Assets` says which
of *our* assets it names, wherever in the request they stand; it matches by whole labels and whole numbers, so that
neighbours (`notacme-widgets.com`, `acme-widgets.com.evil.example`, 203.0.114.10) are never ours.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple
from urllib.parse import unquote, unquote_plus

import msgspec

from reconwatch.sightings import Target

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DECODE_ROUNDS = 3
"""A URL inside a URL inside a redirect; nothing honest nests deeper."""
LONGEST_TEXT = 16_384
"""Characters of a request that are searched: above what servers accept as a URI, and a bound on hostile input."""


class Named(msgspec.Struct, frozen=True, order=True):
    """One thing that a request asks about."""

    kind: Literal["domain", "ip", "range", "asn"]
    value: str
    """Canonical: an address as `ipaddress` prints it, CIDR or `first-last`, lower-case A-labels, `AS64496`."""


# ---------------------------------------------------------------- spellings

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def spellings(uri: str, *, decoded: bool = False) -> tuple[str, ...]:
    """The readings of a URI: percent-decoded once and further until it stands still, and what base64 values hide.

    `decoded` says that the source has undone the percent-encoding once already (Zeek's http.log). A reading in which
    `%25` still stands is half-decoded and none: `%25.acme.example` does not name `25.acme.example`. Earlier readings
    are kept beside later ones, since a wildcard's bare `%` may look like an escape (`%acme.example` holds `%ac`).
    """
    raw = text = uri[:LONGEST_TEXT]
    readings = [text] if decoded else []
    for _ in range(DECODE_ROUNDS - int(decoded)):
        plain = unquote(text, errors="replace")
        readings.append(plain)
        if plain == text:
            break
        text = plain
    whole = [reading for reading in readings if "%25" not in reading] or readings[-1:]
    hidden = (unbase64(word) for word in _base64_words(raw, whole[0]))
    return tuple(dict.fromkeys((*whole, *filter(None, hidden))))


def _base64_words(raw: str, plain: str) -> Iterator[str]:
    """Where base64 may stand: whole parameter values (the `+` of base64 arrives as a space) and path segments."""
    path, _, query = plain.partition("?")
    if raw != plain and "?" in raw:
        query = raw.partition("?")[2]
    for parameter in query.split("&"):
        value = unquote(parameter.partition("=")[2]).replace(" ", "+")
        if _BASE64.fullmatch(value):
            yield value
    for segment in path.split("/"):
        if len(segment) >= 12 and _BASE64.fullmatch(segment):
            yield segment


def unbase64(word: str) -> str | None:
    """The text behind base64 or base64url (RFC 4648 sections 4 and 5), padded or not; None unless printable UTF-8."""
    word = word.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(word + "=" * (-len(word) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if text.isprintable() and text.strip() else None


# ---------------------------------------------------------------- addresses and numbers in text

_V4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_RANGE4 = re.compile(rf"(?<![0-9A-Za-z.])({_V4})\s*-\s*({_V4})(?![0-9A-Za-z]|\.\d)")
_ADDRESS4 = re.compile(rf"(?<![0-9A-Za-z.])({_V4})(?:[/,](\d{{1,2}})(?![0-9.]))?(?![0-9A-Za-z]|\.\d)")
"""A comma before the prefix length is DNSDB's spelling, where a slash would end the path segment."""
_REVERSE_ZONES = (".in-addr.arpa", ".ip6.arpa")
_REVERSE_NAME = re.compile(
    r"(?<![0-9A-Za-z.-])([0-9a-f]+(?:\.[0-9a-f]+)*)\.(?:in-addr|ip6)\.arpa(?![\w-])", re.IGNORECASE
)
_WILDCARD4 = re.compile(r"(?<![0-9A-Za-z.])(\d{1,3}(?:\.\d{1,3}){0,2})((?:\.\*)+)(?![0-9A-Za-z])")
_WORD6 = re.compile(r"([0-9A-Za-z:.]+)(?:/(\d{1,3})(?![0-9]))?")
_ASN = re.compile(
    r"""(?:(?<![0-9A-Za-z]) | (?<=![a-z]))       # IRRd glues its own command in front: !gAS64496
        (?: AS(?:N(?:__in)?)?[\s:=_"'-]{0,4}    # AS64496, asn:"64496", as=64496, asn__in=64496
          | aut-?num(?:ber)?[/\s:=_"']{1,3}     # /autnum/64496 (RDAP), aut-num: 64496 (RPSL)
        )
        (\d{1,10})(?![0-9A-Za-z]|\.\d)""",
    re.IGNORECASE | re.VERBOSE,
)


def networks_in(text: str) -> Iterator[tuple[Network | tuple[Address, Address], str]]:
    """Every address, CIDR, wildcard, reverse name and `first-last` range in `text`, with its canonical spelling.

    A prefix length counts only when no host bits are set (`/host/203.0.113.10/24` is an address and a page number).
    """
    # Each pattern is run only over what holds the characters that it cannot do without: most requests hold few.
    dotted = text.count(".") >= 3
    for first, last in _RANGE4.findall(text) if dotted and "-" in text else ():
        a, b = _address(first), _address(last)
        if a is not None and b is not None and a.version == b.version and int(a) <= int(b):
            yield (a, b), f"{a}-{b}"
    for word, length in _ADDRESS4.findall(text) if dotted else ():
        yield from _found(_address(word), length)
    for word, length in _WORD6.findall(text) if text.count(":") >= 2 else ():
        if word.count(":") >= 2 and len(word) <= 64:
            yield from _found(_address6(word), length)
    for labels in _REVERSE_NAME.findall(text) if ".arpa" in text.lower() else ():
        named = unreversed(labels)
        if named is not None:
            yield ipaddress.ip_network(named.value), named.value
    for octets, stars in _WILDCARD4.findall(text) if "*" in text else ():
        known = octets.split(".")
        if len(known) + stars.count("*") <= 4:
            network = _network(".".join(known + ["0"] * (4 - len(known))) + f"/{8 * len(known)}")
            if network is not None:
                yield network, str(network)


def _found(address: Address | None, length: str) -> Iterator[tuple[Network, str]]:
    if address is None:
        return
    network = _network(f"{address}/{length}") if length else None
    if network is not None:
        yield network, str(network)
    elif (single := _network(str(address))) is not None:
        yield single, str(address)


def _address6(word: str) -> Address | None:
    """The IPv6 address that a word is or ends in: search filters put their own name in front (`ip:2001:db8::1`)."""
    while word.count(":") >= 2:
        address = _address(word.rstrip("."))
        if address is not None:
            return address
        _, _, word = word.partition(":")
    return None


def asns_in(text: str) -> Iterator[int]:
    """Every AS number in `text` that is written as one: `AS64496`, `asn:64496`, `/autnum/64496`."""
    return (int(digits) for digits in _ASN.findall(text) if int(digits) < 2**32)


@lru_cache(maxsize=4_096)
def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=True)
    except ValueError:
        return None


# ---------------------------------------------------------------- names in text

_WORD = re.compile(r"[\w.-]++")
_KEY = re.compile(r"[\w.-]++:(?=[^\d/])")
"""The key of a filter, which looks like a name (`ssl.cert.subject.cn:`) and is none."""
_EXTENSION = re.compile(r"\.(?:json|jsonp|html?|xml|txt|csv|php|aspx?|jsp|png|svg|jpe?g|gif|pdf|rss)$")


def names_in(text: str) -> Iterator[str]:
    """Every host name in `text`, as lower-case A-labels without root dot, wildcard or a file extension behind it."""
    for word in _WORD.findall(text):
        name = canonical_name(word) if "." in word else None
        if name is not None and not name.endswith(_REVERSE_ZONES):
            yield name


@lru_cache(maxsize=8192)
def canonical_name(word: str) -> str | None:
    """A host name as lower-case A-labels (RFC 5890), or None if it cannot be one."""
    name = word.strip(".-").lower()
    name = _EXTENSION.sub("", name)
    if "." not in name or ".." in name or len(name) > 253:
        return None
    if not name.isascii():
        import idna  # only for the rare U-label: it takes 25 ms

        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    last = name.rpartition(".")[2]
    return name if last.isalpha() or last.startswith("xn--") else None


def named_in(text: str) -> tuple[Named, ...]:
    """Everything that `text` names, whoever owns it. Distinct and sorted."""
    found = {_named_network(network, value) for network, value in networks_in(text)}
    found |= {Named("asn", f"AS{number}") for number in asns_in(text)}
    found |= {Named("domain", name) for name in names_in(_KEY.sub(" ", text))}
    return tuple(sorted(found))


def _named_network(network: Network | tuple[Address, Address], value: str) -> Named:
    single = not isinstance(network, tuple) and network.prefixlen == network.max_prefixlen
    return Named("ip" if single else "range", value)


# ---------------------------------------------------------------- reversed names

_REVERSED4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,3}")
_NIBBLES = re.compile(r"[0-9a-f](?:\.[0-9a-f]){0,31}")


def unreversed(text: str) -> Named | None:
    """The address or prefix that reversed octets or nibbles stand for (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    labels = text.lower().split(".")
    if len(labels) <= 4 and _REVERSED4.fullmatch(text):
        octets = labels[::-1]
        network = _network(".".join(octets + ["0"] * (4 - len(octets))) + f"/{8 * len(octets)}")
    elif _NIBBLES.fullmatch(text.lower()):
        digits = "".join(labels[::-1])
        groups = [digits.ljust(32, "0")[i : i + 4] for i in range(0, 32, 4)]
        network = _network(":".join(groups) + f"/{4 * len(digits)}")
    else:
        return None
    if network is None:
        return None
    single = network.prefixlen == network.max_prefixlen
    return Named("ip" if single else "range", str(network.network_address if single else network))


# ---------------------------------------------------------------- templates of the catalog

_PLACEHOLDER = re.compile(r"\{(ip|range|domain|asn|text|base64|any|secret|reversed)\}")
_PATTERNS = {
    "ip": r"(?:[0-9.]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?)",
    "range": r"[0-9A-Fa-f:.]+(?:/\d{1,3}|-[0-9A-Fa-f:.]+)?",
    "domain": r"[^/?]+",
    "asn": r"(?:[Aa][Ss][Nn]?)?\d{1,10}",
    "text": r".+",
    "base64": r"[^/?]+",
    "any": r"[^/]+",
    "secret": r"[^/]+",
    "reversed": r"[0-9a-f]+(?:\.[0-9a-f]+)*",
}


class TemplateError(ValueError):
    """A query template of the catalog that cannot be read; the text says what to write instead."""


class Question:
    """A text as templates read it: a URI for `http`, a line for `whois`, a name for `dns`.

    `decoded` says that the source has undone a URI's percent-encoding already.
    """

    def __init__(self, layer: str, text: str, *, decoded: bool = False) -> None:
        self._decoded = decoded
        self.path, self._query = text, ""
        if layer == "http":
            path, _, self._query = text.partition("?")
            path = path if decoded else unquote(path)
            self.path = path.rstrip("/") if path != "/" else path

    @cached_property
    def values(self) -> dict[str, str]:
        """The first value of each parameter of a URI, by its name in lower case."""
        values: dict[str, str] = {}
        for parameter in re.split("[&;]", self._query):
            name, _, value = parameter.partition("=")
            values.setdefault(name.lower(), value if self._decoded else unquote_plus(value))
        return values


class Template:
    """One way in which a service's queries name a target. The language is described in docs/catalog.md."""

    def __init__(self, layer: str, text: str) -> None:
        unknown = re.findall(r"\{[^}]*\}", _PLACEHOLDER.sub("", text))
        if unknown:
            raise TemplateError(f"unknown placeholder {unknown[0]}; write one of {', '.join(sorted(_PATTERNS))}")
        self.layer = layer
        path, _, query = text.partition("?") if layer == "http" else (text, "", "")
        if layer == "http" and not path.startswith("/"):
            raise TemplateError("an http template is a path; write it with a leading /")
        self.path_text = path
        self._path, self._kinds = _compile(path)
        self._parameters: list[tuple[str, re.Pattern[str], list[str]]] = []
        self.parameter_texts: list[tuple[str, str]] = []
        for parameter in filter(None, query.split("&")):
            name, _, value = parameter.partition("=")
            self.parameter_texts.append((name.lower(), value))
            self._parameters.append((name.lower(), *_compile(value)))
        self.weight = (len(self._parameters), len(_PLACEHOLDER.sub("", path)))

    def read(self, question: Question) -> tuple[Named, ...] | None:
        """What a question of this layer asks about; None if it does not fit."""
        fits = self._path.fullmatch(question.path)
        if fits is None:
            return None
        pieces = list(zip(self._kinds, fits.groups(), strict=True))
        given = question.values if self._parameters else {}
        for name, pattern, kinds in self._parameters:
            fits = pattern.fullmatch(given[name]) if name in given else None
            if fits is None:
                return None
            pieces += zip(kinds, fits.groups(), strict=True)
        found: set[Named] = set()
        for kind, piece in pieces:
            found.update(_read_piece(kind, piece))
        return tuple(sorted(found))


def pieces_of(text: str) -> list[str]:
    """The parts of a template's text: what stands before the first placeholder, its kind, what stands behind it, ..."""
    return _PLACEHOLDER.split(text.rstrip("/") if text != "/" else text)


def _compile(text: str) -> tuple[re.Pattern[str], list[str]]:
    """A template's text as a pattern with one group a placeholder, and the placeholders' kinds."""
    parts = pieces_of(text)
    pattern = "".join(f"({_PATTERNS[part]})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return re.compile(pattern, re.DOTALL), parts[1::2]


def _read_piece(kind: str, piece: str) -> Iterable[Named]:
    match kind:
        case "ip":
            address = _address(piece.strip("[]"))
            return (Named("ip", str(address)),) if address else ()
        case "range":
            return (_named_network(network, value) for network, value in networks_in(piece))
        case "domain":
            return named_in(piece) if piece.lower().rstrip(".").endswith(_REVERSE_ZONES) else _read_name(piece)
        case "asn":
            return (Named("asn", f"AS{int(re.sub('[^0-9]', '', piece))}"),)
        case "text":
            return named_in(piece)
        case "base64":
            return named_in(unbase64(piece.replace(" ", "+")) or "")
        case "reversed":
            named = unreversed(piece)
            return (named,) if named else ()
    return ()


def _read_name(piece: str) -> tuple[Named, ...]:
    name = canonical_name(piece.lstrip("*%."))
    return (Named("domain", name),) if name else ()


# ---------------------------------------------------------------- our own assets

WIDTHS = {4: 32, 6: 128}
WIDEST_PREFIX = {4: 8, 6: 16}
"""A range wider than this contains ours as it contains everybody's: it does not name us."""


class Assets:
    """The site's domains, ranges, AS numbers and brands, found in what a request says."""

    def __init__(
        self,
        domains: Iterable[str] = (),
        ranges: Iterable[Network] = (),
        asns: Iterable[int] = (),
        brands: Iterable[str] = (),
    ) -> None:
        self._domains = frozenset(domains)
        self._ranges = tuple(_Span.of(network) for network in ranges)
        self._asns = frozenset(asns)
        self._brands = tuple((brand, _brand_pattern(brand)) for brand in brands)
        self._heads = tuple(brand.split()[0].lower() for brand in brands)

    def __bool__(self) -> bool:
        """Whether anything at all is ours."""
        return bool(self._domains or self._ranges or self._asns or self._brands)

    def find(self, text: str) -> frozenset[Target]:
        """Every asset of ours that `text` names."""
        text = text[:LONGEST_TEXT]
        found: set[Target] = set()
        lowered = text.lower()
        # Letters beyond ASCII may fold into ours (the long s is an s, IDNA maps more), so such a text is read whole.
        plain = text.isascii()
        if self._ranges:
            for network, value in networks_in(text):
                found.update(self._owned_network(network, value))
        if self._asns and (not plain or "as" in lowered or "num" in lowered):
            found.update(self._owned_asn(number) for number in asns_in(text) if number in self._asns)
        if self._domains and (not plain or any(domain in lowered for domain in self._domains)):
            found.update(filter(None, map(self._owned_name, names_in(text))))
        if not plain or any(not head.isascii() or head in lowered for head in self._heads):
            found.update(Target("brand", brand, brand) for brand, pattern in self._brands if pattern.search(text))
        return frozenset(found)

    def of(self, named: Named) -> frozenset[Target]:
        """The asset of ours that something already parsed names; empty if it is not ours."""
        match named.kind:
            case "domain":
                target = self._owned_name(named.value)
                return frozenset((target,)) if target else frozenset()
            case "asn":
                number = int(named.value[2:])
                return frozenset((self._owned_asn(number),)) if number in self._asns else frozenset()
        return frozenset(t for network, value in networks_in(named.value) for t in self._owned_network(network, value))

    def _owned_name(self, name: str) -> Target | None:
        parent = name
        while parent:
            if parent in self._domains:
                return Target("domain", name, parent)
            _, _, parent = parent.partition(".")
        return None

    def _owned_asn(self, number: int) -> Target:
        return Target("asn", f"AS{number}", f"AS{number}")

    def _owned_network(self, network: Network | tuple[Address, Address], value: str) -> Iterator[Target]:
        asked = _Span.of(network)
        if asked.last - asked.first >= 1 << (WIDTHS[asked.version] - WIDEST_PREFIX[asked.version]):
            return
        for owned in self._ranges:
            if owned.version == asked.version and asked.last >= owned.first and asked.first <= owned.last:
                yield Target("ip" if asked.first == asked.last else "range", value, owned.text)


class _Span(NamedTuple):
    """The addresses of a network as numbers: comparing `ipaddress` objects takes ten times as long."""

    version: int
    first: int
    last: int
    text: str

    @classmethod
    def of(cls, network: Network | tuple[Address, Address]) -> _Span:
        ends = network if isinstance(network, tuple) else (network.network_address, network.broadcast_address)
        return cls(ends[0].version, int(ends[0]), int(ends[1]), str(network))


def _brand_pattern(brand: str) -> re.Pattern[str]:
    """The brand as whole words, in any case, its words joined by blanks as URLs spell them.

    A hyphen or a dot does not join: `acme-widgets.com.evil.example` is somebody's name, not our brand.
    """
    words = r"(?:\s|\+|_|%20)+".join(re.escape(word) for word in brand.split())
    return re.compile(rf"(?<![\w.-]){words}(?![\w-]|\.\w)", re.IGNORECASE)
