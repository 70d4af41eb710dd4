"""The numbers of DNS record types and response codes, which programs write as words (IANA's DNS parameters)."""

from __future__ import annotations

from collections.abc import Iterable

from reconwatch.sources.spelling import canonical, dns_name

PTR = 12

_TYPES = {
    "A": 1, "NS": 2, "MD": 3, "MF": 4, "CNAME": 5, "SOA": 6, "MB": 7, "MG": 8, "MR": 9, "NULL": 10, "WKS": 11,
    "PTR": 12, "HINFO": 13, "MINFO": 14, "MX": 15, "TXT": 16, "RP": 17, "AFSDB": 18, "X25": 19, "ISDN": 20, "RT": 21,
    "NSAP": 22, "NSAPPTR": 23, "SIG": 24, "KEY": 25, "PX": 26, "GPOS": 27, "AAAA": 28, "LOC": 29, "NXT": 30,
    "SRV": 33, "ATMA": 34, "NAPTR": 35, "KX": 36, "CERT": 37, "A6": 38, "DNAME": 39, "OPT": 41, "APL": 42, "DS": 43,
    "SSHFP": 44, "IPSECKEY": 45, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "DHCID": 49, "NSEC3": 50, "NSEC3PARAM": 51,
    "TLSA": 52, "HIP": 55, "CDS": 59, "CDNSKEY": 60, "SVCB": 64, "HTTPS": 65, "SPF": 99, "TKEY": 249, "TSIG": 250,
    "IXFR": 251, "AXFR": 252, "MAILB": 253, "MAILA": 254, "ANY": 255, "URI": 256, "CAA": 257,
}  # fmt: skip


_RCODES = {
    "NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "YXDOMAIN": 6, "YXRRSET": 7,
    "NXRRSET": 8, "NOTAUTH": 9, "NOTZONE": 10,
}  # fmt: skip


def pointed(answers: Iterable[str | None]) -> tuple[str, ...]:
    """What an address is called, of the data of the answers to a PTR question, in any order.

    Reverse names among them are aliases on the way there (RFC 2317); addresses are no names.
    """
    names = {dns_name(answer) for answer in answers if answer and canonical(answer) is None}
    return tuple(sorted(name for name in names if name and not name.endswith(".arpa")))


def rcode_number(text: str | None) -> int | None:
    """The number of a response code by its name, as engines and servers spell it; None for those nobody needs."""
    return None if text is None else _RCODES.get(text)


def type_number(text: str | None) -> int | None:
    """The number of a record type by its name, or by digits, bare (Suricata) or behind `TYPE` (RFC 3597)."""
    if text is None:
        return None
    number = _TYPES.get(text.upper())
    if number is not None:
        return number
    digits = text.upper().removeprefix("TYPE")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else None
