"""Public resolvers at our name server: what they relay of their clients, and what they ask for reasons of their own."""

from __future__ import annotations

import ipaddress
import struct
from random import Random

from names import wire_name
from tape import DAY

from traffic.shown import Shown
from traffic.visitors import SERVERS, ZONE, address
from traffic.wire import Reel, Talk

NAMESERVER, NAMESERVER6 = "203.0.113.53", "2001:db8:acc:113::35"
A, NS, SOA, PTR, MX, TXT, AAAA, DNSKEY, HTTPS, CAA = 1, 2, 6, 12, 15, 16, 28, 48, 65, 257
DS = 43
MAIL = f"mail.{ZONE}"
RECORDS = {
    **{f"{label}.{ZONE}": {A, AAAA} for label in SERVERS}, MAIL: {A}, ZONE: {A, NS, SOA, MX, TXT, CAA},
    f"_dmarc.{ZONE}": {TXT}, f"s1._domainkey.{ZONE}": {TXT},
    "10.113.0.203.in-addr.arpa": {PTR}, "25.113.0.203.in-addr.arpa": {PTR},
}  # fmt: skip
EMPTY = {f"_domainkey.{ZONE}", "113.0.203.in-addr.arpa"}
"""Names that have no record, and others below."""
TYPOS = ("wwww", "ww", "mial", "shpo", "portla", "www.www", "http", "https", "_mta-sts", "autodiscover", "imap", "smtp")
LEAKED = ("foo.example.com", "printer.local", "wpad", "www.google.com", "db.internal", "login.example.net", "isatap")


def _text(text: str) -> bytes:
    """A character-string (RFC 1035 section 3.3)."""
    return bytes([len(text)]) + text.encode()


def _data(name: str, qtype: int) -> bytes:
    if qtype in (A, AAAA):
        label = name.partition(".")[0]
        return ipaddress.ip_address(address(label if label in SERVERS else "www", 4 if qtype == A else 6)).packed
    if qtype == TXT:
        return _text("v=spf1 mx -all" if name == ZONE else "v=DMARC1; p=reject")
    if qtype == CAA:
        return b"\0\5issueletsencrypt.org"
    if qtype == SOA:
        return wire_name(f"ns1.{ZONE}") + wire_name(f"admin.{ZONE}") + struct.pack(">5I", 1, 7200, 900, 1 << 20, 300)
    return (struct.pack(">H", 10) if qtype == MX else b"") + wire_name(MAIL)


def _question(ident: int, name: str, qtype: int) -> bytes:
    edns = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)
    return struct.pack(">HHHHHH", ident, 0, 1, 0, 0, 1) + wire_name(name) + struct.pack(">HH", qtype, 1) + edns


def _reply(ident: int, name: str, qtype: int) -> bytes:
    """What our server says: the record, that there is none of this type, or that there is no such name."""
    lower = name.lower()
    exists = lower in RECORDS or lower in EMPTY
    data = _data(lower, qtype) if qtype in RECORDS.get(lower, ()) else None
    head = struct.pack(">HHHHHH", ident, 0x8400 if exists else 0x8403, 1, data is not None, data is None, 1)
    record = b"" if data is None else struct.pack(">HHHIH", 0xC00C, qtype, 1, 300, len(data)) + data
    soa = _data(ZONE, SOA)
    authority = b"" if data is not None else wire_name(ZONE) + struct.pack(">HHIH", SOA, 1, 300, len(soa)) + soa
    edns = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)
    return head + wire_name(name) + struct.pack(">HH", qtype, 1) + record + authority + edns


def ask(reel: Reel, ts: float, resolver: str, name: str, qtype: int, chance: Random, *, tcp: bool = False) -> None:
    """A question and its answer."""
    server, ident = (NAMESERVER6 if ":" in resolver else NAMESERVER, 53), chance.getrandbits(16)
    question, reply = _question(ident, name, qtype), _reply(ident, name, qtype)
    if tcp:
        talk = Talk(reel, ts, resolver, server, chance).open()
        talk.say(struct.pack(">H", len(question)) + question).hear(struct.pack(">H", len(reply)) + reply).close()
        return
    mine = (resolver, chance.randrange(1024, 65_536))
    reel.udp(ts, mine, server, question)
    reel.udp(ts + 0.0003, server, mine, reply)


def mixed(name: str, chance: Random) -> str:
    """Upper and lower case by chance, against forged answers."""
    return "".join(chance.choice((letter.lower(), letter.upper())) for letter in name)


def _asked(chance: Random) -> list[tuple[str, int]]:
    """What one client makes a resolver ask."""
    name = f"{chance.choice(tuple(SERVERS))}.{ZONE}"
    luck = chance.random()
    if luck < 0.45:
        return [(name, A), (name, AAAA), (name, HTTPS)]
    if luck < 0.60:
        return [(ZONE, MX), (MAIL, A), (MAIL, AAAA), (ZONE, TXT), (f"_dmarc.{ZONE}", TXT)]
    if luck < 0.70:
        return [(f"{chance.choice(('s1', 's2', 'google', 'selector1'))}._domainkey.{ZONE}", TXT)]
    if luck < 0.78:  # QNAME minimisation (RFC 9156)
        return [(f"_.{ZONE}", A), (f"_domainkey.{ZONE}", A), (f"s1._domainkey.{ZONE}", TXT)]
    if luck < 0.83:
        return [("113.0.203.in-addr.arpa", NS), (f"{chance.choice((10, 25))}.113.0.203.in-addr.arpa", PTR)]
    if luck < 0.88:
        return [(ZONE, DNSKEY), (ZONE, DS), (ZONE, SOA), (ZONE, NS)]
    if luck < 0.93:
        return [(f"{chance.choice(TYPOS)}.{ZONE}", A)]
    if luck < 0.98:
        return [(f"{chance.choice(LEAKED)}.{ZONE}", A), (f"{chance.choice(LEAKED)}.{ZONE}", AAAA)]
    # Three random names by which Chromium finds out whether answers are forged.
    return [("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=11)) + "." + ZONE, A) for _ in range(3)]


def resolvers(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """300 of them, a third of which are the many addresses of three large services; 6,000 questions in a day."""
    there = [f"198.18.{230 + number % 3}.{number // 3 + 1}" for number in range(100)]
    there += [f"198.19.{number}.53" for number in range(190)]
    there += [f"2001:db8:d0:{number}::53" for number in range(10)]
    spelt = {resolver: chance.random() < 0.3 for resolver in there}
    for number in range(2_500):
        resolver = chance.choice(there)
        ts = DAY + 86_000 * number / 2_500
        for after, (name, qtype) in enumerate(_asked(chance)):
            name = mixed(name, chance) if spelt[resolver] else name
            ask(reel, ts + after / 50, resolver, name, qtype, chance, tcp=chance.random() < 0.02)
    return ()
