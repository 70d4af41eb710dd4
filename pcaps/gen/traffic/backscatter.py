"""Answers to what we never sent: somebody uses our addresses as his own in a flood."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from tape import DAY

from traffic.scans import RANGE
from traffic.shown import Shown
from traffic.wire import ACK, RST, SYN, SYN_ACK, TCP, Reel, datagram, ip_packet, segment

Victim = Callable[[Reel, float, str, str, int, Random], None]


def _syn_ack(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    """An open port of the victim, which says it again when nothing comes back."""
    seq, spoofed = chance.getrandbits(32), chance.getrandbits(32)
    for again in (0, 1, 3):
        reel.tcp(ts + again, (victim, 443), (ours, port), SYN_ACK, seq, spoofed)


def _reset(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    reel.tcp(ts, (victim, 80), (ours, port), RST | ACK, 0, chance.getrandbits(32))


def _bare_reset(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    reel.tcp(ts, (victim, 6667), (ours, port), RST, chance.getrandbits(32))


def _acknowledged(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    """A challenge ACK (RFC 5961)."""
    reel.tcp(ts, (victim, 22), (ours, port), ACK, chance.getrandbits(32), chance.getrandbits(32))


def _unreachable(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    """The victim's router quotes the packet that it could not deliver."""
    quoted = ip_packet(ours, victim, TCP, segment((ours, port), (victim, 80), SYN, chance.getrandbits(32), 0))
    router = victim.rpartition(".")[0] + ".1"
    reel.icmp(ts, router, ours, 3, chance.choice((1, 10, 13)), bytes(4) + quoted[:28])


def _port_unreachable(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    quoted = ip_packet(ours, victim, 17, datagram((ours, port), (victim, chance.randrange(1024, 65_536)), bytes(18)))
    reel.icmp(ts, victim, ours, 3, 3, bytes(4) + quoted[:28])


def _too_late(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    quoted = ip_packet(ours, victim, TCP, segment((ours, port), (victim, 80), SYN, chance.getrandbits(32), 0))
    reel.icmp(ts, victim, ours, 11, 0, bytes(4) + quoted[:28])


def _echo_reply(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    reel.icmp(ts, victim, ours, 0, 0, struct.pack(">HH", port, 1) + bytes(56))


def _from_port(port: int, size: int) -> Victim:
    def answer(reel: Reel, ts: float, victim: str, ours: str, mine: int, chance: Random) -> None:
        reel.udp(ts, (victim, port), (ours, mine), chance.randbytes(size))

    return answer


def _dns(reel: Reel, ts: float, victim: str, ours: str, port: int, chance: Random) -> None:
    """An answer of a name server that is flooded with questions."""
    name = b"\x0c" + bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=12)) + b"\7example\0"
    head = struct.pack(">HHHHHH", chance.getrandbits(16), 0x8403, 1, 0, 0, 0)
    reel.udp(ts, (victim, 53), (ours, port), head + name + struct.pack(">HH", 1, 1))


VICTIMS: tuple[Victim, ...] = (
    _syn_ack, _reset, _bare_reset, _acknowledged, _unreachable, _port_unreachable, _too_late, _echo_reply, _dns,
)  # fmt: skip
REFLECTORS: tuple[int, ...] = (17, 19, 53, 111, 123, 137, 161, 389, 443, 500, 1900, 3478, 3702, 5353, 11211)
"""Ports whose services answer a small datagram with a large one, to whomever it claims to come from."""


def backscatter(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Nine victims, each of whom answers all our addresses. A host that there is resets what it knows nothing of."""
    for number, answer in enumerate(VICTIMS):
        for at, ours in enumerate(chance.sample(RANGE, len(RANGE))):
            ts = DAY + 25_000 + 1_000 * number + at + chance.random()
            answer(reel, ts, f"198.18.{100 + number}.7", ours, chance.randrange(1024, 65_536), chance)
    return ()


def reflection(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """A carpet of amplified answers over the whole range, from a reflector of each kind."""
    for number, port in enumerate(REFLECTORS):
        answer = _dns if port == 53 else _from_port(port, 440)
        for at, ours in enumerate(chance.sample(RANGE, len(RANGE))):
            ts = DAY + 60_000 + 100 * number + at / 10
            answer(reel, ts, f"198.18.{120 + number}.9", ours, chance.randrange(1024, 65_536), chance)
    return ()
