"""What an indicator is, in the one spelling that events are compared with; and what is refused as one.

A value of a feed becomes a key: one byte that says its kind, then its canonical bytes. Two spellings of one thing are
one key, and what would match half of the world, or what is nobody's on the internet, is none.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from ipaddress import ip_network
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Literal
from urllib.parse import unquote, urlsplit

from reconwatch.document import Refused
from reconwatch.domains import LONGEST_NAME, read_domain
from reconwatch.interest import SECRET_PARAMETERS, mask_parameters

Kind = Literal["domain", "ip", "range", "url", "agent", "ja3", "ja4"]
KINDS: tuple[Kind, ...] = ("domain", "ip", "range", "url", "agent", "ja3", "ja4")

NAME, HOST, FOUR, SIX, URL, AGENT, JA3, JA4 = (ord(letter) for letter in "dx46uajk")
"""The first byte of a key: a name and all below it, a name alone, an IPv4 and an IPv6 network, and the rest."""

BROADEST = {4: 10, 6: 20}
"""The shortest prefix of a range, by IP version. No public block list has a broader one (the largest of Spamhaus DROP
is a /10), and one registry gives one holder an IPv6 /20 at most."""
LONGEST_VALUE = 4_096
"""Bytes of a URL or user agent: what is longer is no line of a feed that a person has looked at."""
SHORTEST_AGENT = 4
"""Characters of a user agent."""

NOWHERE = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/4", "240.0.0.0/4", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Private, shared, local, multicast and reserved (RFC 1918, 6598, 1122, 3927, 4193, 4291): the same address is another
host at every site, so a feed that lists one says nothing. Ranges for documentation are not among them: they are what
examples and tests are made of, and nobody is reached there."""

_PLAIN_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))+")
_DIGITS = re.compile(r"[0-9.]+")
_HOST_AND_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/\S*$")
_MD5 = re.compile(r"[0-9a-f]{32}")
_JA4 = re.compile(r"[tqd][0-9s]{2}[di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
"""FoxIO's JA4 of a client: `t13d1516h2_8daaf6152771_02713d6af862`."""
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?//", re.IGNORECASE)


def name_key(text: str) -> bytes:
    """The key of a domain name. Raises Refused."""
    name = text.strip().lower().rstrip(".").removeprefix("*.")
    if len(name) > LONGEST_NAME or not _PLAIN_NAME.fullmatch(name):
        name = _as_domain(name)
    if _DIGITS.fullmatch(name):
        raise Refused("an address where a domain was expected")
    if "." in name and not _is_suffix(name):
        return b"%c%b" % (NAME, name.encode("ascii"))
    if is_registry(name):
        raise Refused("a public suffix or a single label: it would match everybody's names")
    return b"%c%b" % (HOST, name.encode("ascii"))


def _as_domain(text: str) -> str:
    try:
        return read_domain(text)
    except Refused:
        # What a person writes in site.yaml is quoted back to him; of a feed that would be a reason for each line.
        raise Refused("not a domain") from None


def network_key(text: str, *, benign: bool = False) -> bytes:
    """The key of an address or a range; the length of its prefix is part of it. Raises Refused.

    `benign`: of a list of what is no indicator, where nothing is too broad or too private to be left alone.
    """
    address, slash, length = text.strip().strip("[]").partition("/")
    six = ":" in address
    try:
        packed = inet_pton(AF_INET6 if six else AF_INET, address)
    except (OSError, ValueError):
        raise Refused("not an address or range") from None
    bits = 8 * len(packed)
    prefix = bits
    if slash:
        prefix = int(length) if length.isascii() and length.isdigit() and len(length) <= 3 else -1
        if not 0 <= prefix <= bits:
            raise Refused("not a prefix length")
    if six and packed.startswith(b"\0" * 10 + b"\xff\xff") and prefix >= 96:
        packed, bits, prefix, six = packed[12:], 32, prefix - 96, False
    number = int.from_bytes(packed, "big")
    host_bits = bits - prefix
    if number & ((1 << host_bits) - 1):
        raise Refused("a range with host bits set: it may be meant for the one address")
    if prefix < BROADEST[6 if six else 4] and not benign:
        raise Refused("a range too broad to be one party's")
    if not benign and _is_nowhere(packed, prefix):
        raise Refused("a private, local or reserved address")
    return b"%c%b%c" % (SIX if six else FOUR, packed, prefix)


def url_key(text: str) -> bytes:
    """The key of a URL: see `url_text`. Raises Refused."""
    text = text.strip()
    if not _SCHEME.match(text):
        text = "//" + text
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise Refused("not a URL") from None
    if not host or len(text) > LONGEST_VALUE or any(ch <= " " or ch == "\x7f" for ch in text):
        raise Refused("not a URL")
    if ":" not in host and not _DIGITS.fullmatch(host):
        host = _as_domain(host)
        if "." not in host:
            raise Refused("not a URL")
    elif _is_nowhere(*_packed(host)):
        raise Refused("a private, local or reserved address")
    rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return b"%c%b" % (URL, url_text(host, rest).encode("utf-8", "replace"))


def url_text(host: str, rest: str, *, decoded: bool = False) -> str:
    """A URL as it is compared: host and rest, decoded once, without scheme, port, userinfo and fragment.

    Without a port since a request's own record seldom says one; decoded since Zeek's is; and with credentials struck
    out, as they are from whatever leaves a source.
    """
    if "=" in rest:
        rest = mask_parameters(rest, SECRET_PARAMETERS, decoded=decoded)
    return host + (rest if decoded or "%" not in rest else unquote(rest, errors="replace"))


def agent_key(text: str) -> bytes:
    """The key of a user agent, whatever its case, as Zeek compares software. Raises Refused."""
    agent = text.strip().lower()
    if not SHORTEST_AGENT <= len(agent) <= LONGEST_VALUE or not agent.isprintable():
        raise Refused("not a user agent")
    return b"%c%b" % (AGENT, agent.encode("utf-8", "surrogateescape"))


def ja3_key(text: str) -> bytes:
    """The key of a JA3 hash. Raises Refused."""
    value = text.strip().lower()
    if not _MD5.fullmatch(value):
        raise Refused("not a JA3 hash (32 hexadecimal digits)")
    return b"%c%b" % (JA3, value.encode())


def ja4_key(text: str) -> bytes:
    """The key of a JA4 fingerprint. Raises Refused."""
    value = text.strip().lower()
    if not _JA4.fullmatch(value):
        raise Refused("not a JA4 fingerprint")
    return b"%c%b" % (JA4, value.encode())


_READERS = {
    "domain": name_key, "ip": network_key, "range": network_key, "url": url_key, "agent": agent_key, "ja3": ja3_key,
    "ja4": ja4_key,
}  # fmt: skip


def key_of(kind: Kind | None, text: str) -> bytes:
    """The key of a value of a kind, or, without a kind, of what the value by its looks is. Raises Refused."""
    return _READERS[kind or guess(text)](text)


def benign_key(kind: Kind | None, text: str) -> bytes:
    """The key of what takes indicators out: a domain takes out all below it, without a kind a name only itself.

    Raises Refused.
    """
    its = kind or guess(text)
    if its == "domain":
        return b"%c%b" % (NAME if kind == "domain" else HOST, _as_domain(text.strip().lstrip(".")).encode("ascii"))
    return network_key(text, benign=True) if its in ("ip", "range") else _READERS[its](text)


def guess(text: str) -> Kind:
    """What a value without a word about its kind is. Raises Refused, of a hash above all: it may be a file's."""
    value = text.strip()
    if "://" in value[:24]:
        return "url"
    address = value.partition("/")[0].strip("[]")
    if _DIGITS.fullmatch(address) or (address.count(":") > 1 and not set(address.lower()) - set("0123456789abcdef:.")):
        return "range" if "/" in value else "ip"
    if _JA4.fullmatch(value.lower()):
        return "ja4"
    if _MD5.fullmatch(value.lower()):
        raise Refused("a hash that may be a file's; say 'type: ja3' in site.yaml if it is a client's")
    if _HOST_AND_PATH.match(value):
        return "url"
    return "domain"


def kind_of(key: bytes) -> Kind:
    """The kind of a key."""
    if key[0] in (FOUR, SIX):
        return "ip" if key[-1] == 8 * (len(key) - 2) else "range"
    return {NAME: "domain", HOST: "domain", URL: "url", AGENT: "agent", JA3: "ja3", JA4: "ja4"}[key[0]]  # type: ignore[return-value]


def value_of(key: bytes) -> str:
    """The canonical text of a key."""
    if key[0] in (FOUR, SIX):
        text = inet_ntop(AF_INET if key[0] == FOUR else AF_INET6, key[1:-1])
        return text if kind_of(key) == "ip" else f"{text}/{key[-1]}"
    return key[1:].decode("utf-8", "surrogateescape")


def _packed(host: str) -> tuple[bytes, int]:
    try:
        packed = inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except (OSError, ValueError):
        raise Refused("not a URL") from None
    return packed, 8 * len(packed)


_NOWHERE = tuple(
    (len(net.network_address.packed), int(net.network_address) >> (net.max_prefixlen - net.prefixlen), net.prefixlen)
    for net in NOWHERE
)
_SUSPECT = frozenset({0, 10, 100, 127, 169, 172, 192, *range(224, 256)})
"""First bytes of addresses in `NOWHERE`, of either version: nearly no other address is compared with them."""


def _is_nowhere(packed: bytes, prefix: int) -> bool:
    """Whether a network of at least /10 lies in one of `NOWHERE`, or holds one."""
    if packed[0] not in _SUSPECT:
        return False
    number = int.from_bytes(packed, "big")
    bits = 8 * len(packed)
    for size, network, length in _NOWHERE:
        if size == len(packed):
            shared = min(length, prefix)
            if number >> (bits - shared) == network >> (length - shared):
                return True
    return False


# -- suffixes: `domains.is_public_suffix` parses a list for each top-level domain, which a million names cannot wait for


def is_registry(name: str) -> bool:
    """Whether registries sell names under this one, or it is a single label."""
    return "." not in name or _listed(name, _rules()[0])


def _is_suffix(name: str) -> bool:
    """Whether registries sell names under this one, or a company gives such to its customers."""
    return _listed(name, _rules()[1])


def _listed(name: str, rules: frozenset[str]) -> bool:
    if name in rules:
        return True
    parent = name.partition(".")[2]
    return f"*.{parent}" in rules and f"!{name}" not in rules


@cache
def _rules() -> tuple[frozenset[str], frozenset[str]]:
    """The rules of the Public Suffix List: (of registries, of registries and companies), as A-labels."""
    from publicsuffixlist import PSLFILE

    parts: tuple[set[str], set[str]] = (set(), set())
    private = False
    for line in Path(PSLFILE).read_text(encoding="utf-8").splitlines():
        if line.startswith("// ===BEGIN"):
            private = "PRIVATE" in line
        elif rule := line.partition(" ")[0] if not line.startswith("//") else "":
            parts[private].add(rule if rule.isascii() else _a_labels(rule))
    return frozenset(parts[0]), frozenset(parts[0] | parts[1])


@lru_cache(maxsize=4_096)
def _a_labels(rule: str) -> str:
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in rule.split(".")
    )
