"""Scanners: slow, fast, many as one, over UDP, by ping, in IPv6, port by port."""

from __future__ import annotations

import struct
from random import Random

from tape import DAY

from traffic.shown import Shown
from traffic.wire import ACK, RST, SYN, SYN_ACK, UDP, Reel, datagram, ip_packet

RANGE = [f"203.0.113.{number}" for number in range(256)]
HOSTS = RANGE[1:255]
LIT = {
    "203.0.113.10": (80, 443), "203.0.113.11": (80, 443), "203.0.113.12": (443,), "203.0.113.25": (25,),
    "203.0.113.53": (53,),
}  # fmt: skip
"""Our hosts that there are, and their open ports; all others are silent."""
SNMP_GET = (
    bytes.fromhex("302602010104067075626c6963a0190204"),
    bytes.fromhex("020100020100300b300906052b060102010500"),
)
"""What comes before and behind the number of a request for mib-2, version 2c, community `public`."""


def probe(reel: Reel, ts: float, source: tuple[str, int], target: tuple[str, int], chance: Random) -> None:
    """A SYN, and what comes of it: silence, a refusal, or an answer that the prober's host resets."""
    seq, answer = chance.getrandbits(32), chance.getrandbits(32)
    reel.tcp(ts, source, target, SYN, seq)
    if target[0] not in LIT:
        return
    if target[1] in LIT[target[0]]:
        reel.tcp(ts + 0.0003, target, source, SYN_ACK, answer, seq + 1)
        reel.tcp(ts + 0.024, source, target, RST, seq + 1)
    else:
        reel.tcp(ts + 0.0003, target, source, RST | ACK, 0, seq + 1)


def slow(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """One probe a minute for a day, round and round the /24."""
    stranger, targets = "192.0.2.10", chance.sample(HOSTS, len(HOSTS))
    for minute in range(1440):
        target = targets[minute % len(targets)]
        probe(reel, DAY + 60 * minute + chance.random(), (stranger, 40_000 + minute), (target, 443), chance)
    return (Shown("Address_Scan", stranger, len(HOSTS)),)


def slow_ports(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """The same over five ports of each address."""
    stranger = "192.0.2.11"
    doors = [(host, port) for host in HOSTS for port in (22, 80, 443, 3389, 8080)]
    for minute, door in enumerate(chance.sample(doors, len(doors))):
        probe(reel, DAY + 60 * minute + chance.random(), (stranger, 40_000 + minute), door, chance)
    return (Shown("Address_Scan", stranger, len(HOSTS)),)


def fast(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Like masscan: every address and port once in random order, from one source port, within seconds."""
    stranger = "198.51.100.7"
    doors = [(host, port) for host in RANGE for port in (22, 80, 443, 8080)]
    for number, door in enumerate(chance.sample(doors, len(doors))):
        probe(reel, DAY + 32_400 + number / 500, (stranger, 61_000), door, chance)
    return (Shown("Address_Scan", stranger, len(RANGE)),)


def ports(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Every port of one host below 1,024, without haste."""
    stranger, host = "192.0.2.12", "203.0.113.10"
    for number, port in enumerate(chance.sample(range(1, 1024), 1023)):
        probe(reel, DAY + 3_600 + 2 * number, (stranger, 42_000 + number), (host, port), chance)
    return (Shown("Port_Scan", stranger, 1023),)


def networks(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Three /24 that scan as one: 64 sources with four addresses each, 120 with two, 254 with one."""
    shown = []
    for number, (sources, each, port) in enumerate([(64, 4, 22), (120, 2, 3389), (254, 1, 23)]):
        shares = chance.sample(RANGE, min(len(RANGE), sources * each))
        for at, target in enumerate(shares):
            stranger = f"198.18.{40 + number}.{at % sources + 1}"
            ts = DAY + 10_000 * (1 + number) + 20 * at + 5 * chance.random()
            probe(reel, ts, (stranger, chance.randrange(1024, 65_536)), (target, port), chance)
        shown.append(Shown("Address_Scan", f"198.18.{40 + number}.0/24", len(shares), sources))
    return tuple(shown)


def udp(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """SNMP asked of 200 addresses, by one also from port 53, to pass for answers; one of ours says `unreachable`."""
    shown = []
    for stranger, port in (("192.0.2.30", 161), ("192.0.2.31", 53)):
        for number, host in enumerate(chance.sample(HOSTS, 200)):
            ts = DAY + 50_000 + number / 10
            ends = (stranger, 45_000 if port == 161 else 53), (host, 161)
            question = SNMP_GET[0] + struct.pack(">I", 1 + chance.getrandbits(30)) + SNMP_GET[1]
            reel.udp(ts, *ends, question)
            if host in LIT:
                reel.icmp(
                    ts + 0.0002,
                    host,
                    stranger,
                    3,
                    3,
                    bytes(4) + ip_packet(stranger, host, UDP, datagram(*ends, question)),
                )
        shown.append(Shown("Address_Scan", stranger, 200))
    return tuple(shown)


def pings(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """One echo request for each address, in order."""
    stranger = "192.0.2.32"
    for number, host in enumerate(HOSTS):
        reel.ping(DAY + 20_000 + number / 5 + chance.random() / 100, stranger, host, number, answered=host in LIT)
    return (Shown("Address_Scan", stranger, len(HOSTS)),)


def ipv6(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """A scanner that takes a new address of its /64 for every probe."""
    for number in range(1, 201):
        stranger = f"2001:db8:bad:1:{chance.randrange(1, 65536):x}:{chance.randrange(1, 65536):x}:1:{number:x}"
        target = f"2001:db8:acc:113::{number:x}"
        probe(reel, DAY + 30_000 + 11 * number, (stranger, 50_000 + number), (target, 443), chance)
    return (Shown("Address_Scan", "2001:db8:bad:1::/64", 200, 200),)
