"""Captures that begin late, and ranges that serve many: half conversations and broken visits to most addresses."""

from __future__ import annotations

from random import Random

from tape import DAY

from traffic.scans import HOSTS
from traffic.shown import Shown
from traffic.visitors import ZONE, hello, tls
from traffic.wire import ACK, FIN, PUSH, Reel, Talk

MEDIA = 8801
"""Where a large video service sends from: no port of which anybody could tell that it serves."""


def midstream(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """200 of our addresses are workstations, and were talking to three services when the capture began.

    A content network over TCP and QUIC, and a video conference: the servers are the first to be heard.
    """
    for number, ours in enumerate(chance.sample(HOSTS, 200)):
        ts = DAY + 3_600 + 5 * number
        served, mine = ("198.18.250.1", 443), (ours, chance.randrange(32_768, 61_000))
        seq, ack = chance.getrandbits(32), chance.getrandbits(32)
        for again in range(3):
            reel.tcp(ts + again, served, mine, ACK | PUSH, seq, ack, bytes(900))
            seq += 900
            reel.tcp(ts + again + 0.001, mine, served, ACK, ack, seq)
        reel.tcp(ts + 4, served, mine, FIN | ACK, seq, ack)
        reel.tcp(ts + 4.001, mine, served, FIN | ACK, ack, seq + 1)
        reel.tcp(ts + 4.02, served, mine, ACK, seq + 1, ack + 1)
        mine = (ours, mine[1] + 1)
        for port, service in ((443, "198.18.250.2"), (MEDIA, "198.18.250.3")):
            for again in range(4):
                reel.udp(ts + again / 5, (service, port), mine, b"\x40" + chance.randbytes(300))
                reel.udp(ts + again / 5 + 0.002, mine, (service, port), b"\x40" + chance.randbytes(30))
    return ()


def _customers_visitor(reel: Reel, ts: float, visitor: str, chance: Random) -> None:
    """One visit of one of 200 web servers, some of which are visited more than others; a tenth fail."""
    place = min(199, int(chance.expovariate(1 / 50)))
    talk, name = Talk(reel, ts, visitor, (HOSTS[place], 443), chance), f"customer{place}.{ZONE}"
    luck = chance.random()
    if luck < 0.90:
        tls(talk, name).close()
    elif luck < 0.93:
        talk.ask(lost=2)
    elif luck < 0.97:
        talk.open().close()
    else:
        talk.open().say(hello(name, "browser")).reset()


def hoster(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """200 web servers and their visitors, who come from six networks of mobile carriers."""
    for number in range(3_000):
        visitor = f"198.18.{251 + number % 3}.{chance.randrange(1, 255)}"
        if number % 4 == 0:
            visitor = f"198.19.{200 + number % 3}.{chance.randrange(1, 255)}"
        _customers_visitor(reel, DAY + 28 * number + chance.random(), visitor, chance)
    return ()


def carrier(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """The same servers' visitors from behind four addresses of a carrier, hundreds behind each."""
    for number in range(1_600):
        visitor = f"198.18.254.{chance.randrange(1, 5)}"
        _customers_visitor(reel, DAY + 50 * number + chance.random(), visitor, chance)
    return ()
