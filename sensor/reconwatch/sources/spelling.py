"""How the engines spell addresses, times and hosts, and the one spelling that events carry."""

from __future__ import annotations

import ipaddress
import re
import socket
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

Spelling = Literal["tsv", "json", "eve", "text"]
"""Whose text a line is: Zeek's ASCII writer, Zeek's JSON writer, Suricata's EVE, a program's own log."""

LAST_TIME = 1e11
"""Epoch seconds in the year 5138: a larger number is milliseconds (Zeek `TS_MILLIS`) or nonsense."""
UNKNOWN_TTL = 300.0
"""Seconds for which an address whose TTL was not logged is taken to bear its name (EVE `grouped`, Zeek without `TTLs`).

Five minutes is what most names of large services have; shorter would lose connections that follow an answer at once.
"""


def canonical(text: str) -> str | None:
    """An address in RFC 5952 text, or None if it is none. IPv4-mapped IPv6 stays what it is, in mixed notation.

    No zone either (`fe80::1%eth0`): no engine writes it, and it is part of no address on the wire.
    """
    try:
        # Five times faster than ipaddress, and as strict: four numbers, none with a leading zero. Not cached: looking
        # one up among many thousands costs as much.
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return _canonical6(text)
    return text


@lru_cache(maxsize=16_384)
def _canonical6(text: str) -> str | None:
    if "%" in text:
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    # Python prints the mixed notation of RFC 5952 section 5 only since 3.13.
    if address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


def spellings(address: str, spelling: Spelling) -> frozenset[str]:
    """Every text, in lower case, by which an engine may write a canonical address.

    Zeek prints with inet_ntop (src/IPAddr.cc); Suricata prints all eight groups (src/util-print.c, PrintInet), and
    copies of its records made by other programs may be compressed.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 4:
        return frozenset({address})
    forms = {address, str(parsed), socket.inet_ntop(socket.AF_INET6, parsed.packed)}
    if spelling == "eve":
        forms |= {parsed.exploded, ":".join(group.lstrip("0") or "0" for group in parsed.exploded.split(":"))}
    if parsed.ipv4_mapped is not None:
        forms.add(str(parsed.ipv4_mapped))
    return frozenset(forms)


def beginnings(network: str) -> frozenset[str]:
    """Texts, in lower case, with one of which every address of a network (CIDR) begins, in whatever spelling.

    Addresses outside may begin so too: IPv4 is told apart by whole octets, IPv6 by digits, and not beyond its sixth
    group, behind which it may be written as IPv4. Of IPv6 both the full text and every place of a `::` is among them.
    """
    parsed = ipaddress.ip_network(network)
    if isinstance(parsed, ipaddress.IPv4Network):
        octets = -(-parsed.prefixlen // 8)
        parts = [str(part.network_address).split(".")[:octets] for part in parsed.subnets(new_prefix=8 * octets)]
        return frozenset(".".join(part) + "." * (0 < octets < 4) for part in parts)
    whole, bits = divmod(min(parsed.prefixlen, 96), 16)
    full = parsed.network_address.exploded.split(":")
    groups = [group.lstrip("0") or "0" for group in full[:whole]]
    begun = full[whole][: bits // 4]
    behind = "" if begun.startswith("0") else begun
    forms = {":".join((*full[:whole], begun)), ":".join((*groups, behind))}
    for first in range(whole):
        for last in range(first + 1, whole + 1):
            if set(groups[first:last]) != {"0"}:
                break
            # At the end of what is known the run may go on beyond it.
            rest = [*groups[last:], behind] if last < whole else []
            forms.add(":".join(groups[:first]) + "::" + ":".join(rest))
    return frozenset(forms)


def epoch(text: str) -> float | None:
    """UTC epoch seconds of an ISO 8601 time; None for what is none (`ts-error`) or lies before 1970.

    The offset may lack its colon (Suricata's `%z`, src/util-time.c); a time without an offset is taken as UTC.
    """
    carry = 0.0
    if text.endswith(".1000000Z"):
        # Zeek rounds the fraction alone (src/threading/formatters/JSON.cc): one second, not a tenth.
        text = text[:-9] + "Z"
        carry = 1.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return plausible(moment.timestamp() + carry)


def plausible(seconds: float) -> float | None:
    """`seconds` if they can be a time of traffic; milliseconds become seconds; None for NaN, infinity, negatives."""
    if 0 <= seconds < LAST_TIME:
        return seconds
    if LAST_TIME <= seconds < LAST_TIME * 1000:
        return seconds / 1000
    return None


_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]*://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


def host_only(authority: str) -> str:
    """The host of `[userinfo@]host[:port]` (RFC 3986 section 3.2), lower-case, without the brackets of IPv6."""
    host = authority.strip().rpartition("@")[2].lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") == 1:
        return host.partition(":")[0]
    return host


def request_target(host: str | None, target: str) -> tuple[str, str]:
    """(host, origin form) of a request: an absolute-form target (RFC 9112 section 3.2.2) gives a missing host."""
    found = _ABSOLUTE.match(target)
    if found is None:
        return host_only(host or ""), target
    rest = found["rest"]
    return host_only(host or found["authority"]), rest if rest.startswith("/") else "/" + rest


def dns_name(text: str) -> str:
    r"""A queried name as events carry it: lower-case, without the root dot, control bytes and blanks as `\xNN`."""
    name = text.lower().removesuffix(".")
    if name.isprintable() and " " not in name:
        return name
    return "".join(
        char
        if char.isprintable() and not char.isspace()
        else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in name
    )


_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*+/=@:~,;!$&'()%#^|?<>[]{}`\"\\")


def dns_label(wire: bytes) -> str:
    r"""A label as lower-case text; dots inside it, control bytes and what is not UTF-8 appear as `\\xNN`."""
    if _PLAIN.issuperset(wire):
        return wire.decode("ascii").lower()
    shown = []
    for char in wire.decode("utf-8", "backslashreplace").lower():
        if char == "." or not char.isprintable() or char.isspace():
            shown += [f"\\x{byte:02x}" for byte in char.encode()]
        else:
            shown.append(char)
    return "".join(shown)
