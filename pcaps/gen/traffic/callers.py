"""Callers by profession: certificate authorities, uptime checks, mail servers, the edges of our content network."""

from __future__ import annotations

from random import Random

from tape import DAY

from traffic.resolvers import AAAA, CAA, TXT, A, ask, mixed
from traffic.shown import Shown
from traffic.visitors import SERVERS, ZONE, address, get, tls
from traffic.wire import Reel, Talk

EDGES = [f"198.51.100.{number}" for number in range(241, 251)]
"""Declared as balancers in demo-site.yaml."""
VANTAGES = ("198.18.240.11", "198.18.241.12", "198.18.242.13", "198.18.243.14", "198.18.244.15")
CHECKERS = [f"198.18.245.{number}" for number in range(1, 7)]


def validation(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Let's Encrypt renews certificates of 20 names on three hosts: questions in mixed case, then five visits each."""
    labels = [*SERVERS, *(f"app{number}" for number in range(17))]
    for number, label in enumerate(labels):
        name, server = f"{label}.{ZONE}", address(tuple(SERVERS)[number % 3])
        for vantage in VANTAGES:
            ts = DAY + 10_800 + 30 * number + 2 * chance.random()
            for after, (asked, qtype) in enumerate([(name, A), (name, AAAA), (name, CAA), (ZONE, CAA)]):
                ask(reel, ts + after / 50, vantage, mixed(asked, chance), qtype, chance)
            ask(reel, ts + 0.1, vantage, mixed(f"_acme-challenge.{name}", chance), TXT, chance)
            agent = "Mozilla/5.0 (compatible; Let's Encrypt validation server; +https://www.letsencrypt.org)"
            talk = Talk(reel, ts + 0.3, vantage, (server, 80), chance).open()
            token = "".join(chance.choices("abcdefghijkmnopqrstuvwxyz0123456789-_", k=43))
            get(talk, name, f"/.well-known/acme-challenge/{token}", agent, status="200 OK", body=b"k" * 87).close()
    return ()


def uptime(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Six addresses of a service ask each of three servers in turn, one of them every minute, and ping one."""
    for minute in range(1440):
        checker = CHECKERS[minute % len(CHECKERS)]
        for number, label in enumerate(SERVERS):
            ts = DAY + 60 * minute + number + chance.random()
            talk = Talk(reel, ts, checker, (address(label), 443), chance)
            if chance.random() < 0.01:
                talk.ask(lost=2)
            else:
                tls(talk, f"{label}.{ZONE}", "tool").close()
        reel.ping(DAY + 60 * minute + 4, checker, address("www"), minute, answered=True)
    return ()


def callouts(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Mail servers of others: some deliver, some only ask whether an address of ours exists, some are cut off."""
    for number in range(600):
        sender = f"198.18.{246 + number % 4}.{chance.randrange(1, 255)}"
        ts = DAY + 140 * number + 30 * chance.random()
        talk = Talk(reel, ts, sender, ("203.0.113.25", 25), chance)
        if number % 25 == 0:
            talk.ask(lost=2)
            continue
        talk.open().hear(f"220 mail.{ZONE} ESMTP\r\n".encode())
        if number % 10 == 0:
            talk.reset()
            continue
        for said, heard in (
            (f"EHLO mx{number % 7}.example.org\r\n", f"250-mail.{ZONE}\r\n250 SIZE 36700160\r\n"),
            ("MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"),
            (f"RCPT TO:<postmaster@{ZONE}>\r\n", "250 2.1.5 Ok\r\n"),
            ("QUIT\r\n", "221 2.0.0 Bye\r\n"),
        ):
            talk.say(said.encode()).hear(heard.encode())
        talk.close(by=1)
    return ()


def edges(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Ten edges of a content network, which the site declares, fetch 60 names of ours from two hosts."""
    names = [*(f"{label}.{ZONE}" for label in SERVERS), *(f"cdn{number}.{ZONE}" for number in range(57))]
    for number in range(1_500):
        edge = chance.choice(EDGES)
        ts = DAY + 57 * number + chance.random()
        talk = Talk(reel, ts, edge, (address(chance.choice(("www", "shop"))), 443), chance)
        if number % 40 == 0:
            talk.open().close()  # a health check of the fourth layer
        else:
            tls(talk, chance.choice(names), "tool").close()
    return ()
