"""Ordinary visitors of three web servers: what they ask for, and everything that goes wrong on the way."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from tape import DAY
from tls_hello import browser_hello, encrypted, record, server_hello, tool_hello

from traffic.shown import Shown
from traffic.wire import Reel, Talk

ZONE = "acme-widgets.com"
SERVERS = {"www": 10, "shop": 11, "portal": 12}
"""Name -> the number of its address, in both families."""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
BOTS = {
    "198.18.200.": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "198.18.201.": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "198.18.202.": "W3C-checklink/5.0.0 libwww-perl/6.67",
}


def address(name: str, family: int = 4) -> str:
    """Of a server."""
    return f"203.0.113.{SERVERS[name]}" if family == 4 else f"2001:db8:acc:113::{SERVERS[name]:x}"


@lru_cache(maxsize=256)
def hello(name: str, how: str) -> bytes:
    """A ClientHello in its record: of a browser, of a tool, or of an old program without ALPN."""
    if how == "browser":
        return record(22, browser_hello(name), 0x0301)
    made = tool_hello(name)
    if how == "old":
        alpn = b"\0\x10\0\x0b\0\x09\x08http/1.1"
        made = made.replace(alpn, b"\xfd\xe8" + alpn[2:])  # an extension of private use instead
    return record(22, made, 0x0301)


@lru_cache(maxsize=256)
def _answer(name: str) -> bytes:
    return record(22, server_hello(name, bytes(32))) + encrypted(name, 2_900)


def tls(talk: Talk, name: str, how: str = "browser", *, lost: int = 0) -> Talk:
    """A visit over TLS, up to its first page."""
    talk.open(lost=lost).say(hello(name, how)).hear(_answer(name))
    return talk.say(encrypted("request", 400)).hear(encrypted(name, 1_200))


def get(
    talk: Talk, host: str, path: str, agent: str, *, status: str = "301 Moved Permanently", body: bytes = b""
) -> Talk:
    """One request in clear text, of an open connection."""
    talk.say(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n".encode())
    where = f"Location: https://{host}{path}\r\n" if status.startswith("301") else ""
    return talk.hear(f"HTTP/1.1 {status}\r\n{where}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _visit(reel: Reel, ts: float, visitor: str, label: str, chance: Random) -> None:
    """One connection, and what may become of it."""
    family = 6 if ":" in visitor else 4
    name, server = f"{label}.{ZONE}", address(label, family)
    how = chance.choices(("browser", "tool", "old"), (80, 12, 8))[0]
    luck = chance.random()
    secure = Talk(reel, ts, visitor, (server, 443), chance)
    if luck < 0.70:
        tls(secure, name, how).close()
    elif luck < 0.80:
        plain = Talk(reel, ts, visitor, (server, 80), chance).open()
        get(plain, name, chance.choice(("/", "/favicon.ico", "/robots.txt", "/widgets?id=7")), BROWSER).close()
        tls(Talk(reel, plain.now, visitor, (server, 443), chance), name, how).close(by=1)
    elif luck < 0.84:
        tls(secure, name, how, lost=chance.choice((1, 2))).close()
    elif luck < 0.87:
        secure.ask(lost=3)  # and nothing is ever heard
    elif luck < 0.90:
        secure.open().say(hello(name, how)).reset()
    elif luck < 0.93:
        secure.open().reset()
    elif luck < 0.95:
        secure.open()  # and the train goes into the tunnel
    elif luck < 0.97:
        secure.open().close()  # opened ahead of need, and not needed
    else:
        Talk(
            reel, ts, visitor, (server, chance.choice((8080, 8443, 80) if label == "portal" else (8080,))), chance
        ).refused()


def _both_families(reel: Reel, ts: float, number: int, label: str, chance: Random) -> None:
    """Happy eyeballs (RFC 8305): IPv6 first, IPv4 a quarter of a second later, and the loser is left."""
    visitor, visitor6 = f"198.19.{number % 250}.{number // 250 % 250 + 1}", f"2001:db8:cafe:{number:x}::{number + 2:x}"
    first = Talk(reel, ts, visitor6, (address(label, 6), 443), chance)
    second = Talk(reel, ts + 0.25, visitor, (address(label), 443), chance)
    if number % 2:
        first.ask(lost=1)
        tls(second, f"{label}.{ZONE}").close()
    else:
        second.open().reset()
        tls(first, f"{label}.{ZONE}").close()


def visitors(reel: Reel, chance: Random, many: int = 5_000) -> tuple[Shown, ...]:
    """So many, of whom a sixth come by way of 25 shared addresses, and a tenth from few networks."""
    for number in range(many):
        begin = DAY + 86_000 * number / many
        label = chance.choices(tuple(SERVERS), (70, 20, 10))[0]
        if number % 20 == 7:
            _both_families(reel, begin, number, label, chance)
            continue
        if number % 6 == 0:
            visitor = f"198.18.{210 + number % 5}.{number // 6 % 5 + 1}"
        elif number % 10 == 1:
            visitor = f"198.18.{220 + number % 3}.{chance.randrange(1, 255)}"
        elif number % 12 == 5:
            visitor = f"2001:db8:cafe:{number:x}:{chance.getrandbits(16):x}::1"
        else:
            visitor = f"198.18.{chance.randrange(128)}.{chance.randrange(1, 255)}"
        for again in range(chance.choice((1, 2, 3, 4))):
            also = label if chance.random() < 0.85 else chance.choice(tuple(SERVERS))
            _visit(reel, begin + 40 * again + 8 * chance.random(), visitor, also, chance)
    return ()


def bots(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Search engines and a link checker: robots.txt, then pages, all day, from a few addresses of a network."""
    for number in range(400):
        network, agent = chance.choice(tuple(BOTS.items()))
        visitor = f"{network}{chance.randrange(10, 16)}"
        label = chance.choice(tuple(SERVERS))
        ts = DAY + 200 * number + 60 * chance.random()
        talk = Talk(reel, ts, visitor, (address(label), 80), chance).open()
        get(talk, f"{label}.{ZONE}", "/robots.txt", agent, status="200 OK", body=b"User-agent: *\nDisallow: /cart\n")
        path = chance.choice(("/", "/sitemap.xml", "/widgets/blue", "/gone", "/about?lang=de"))
        get(talk, f"{label}.{ZONE}", path, agent, status=chance.choice(("200 OK", "404 Not Found")), body=b"x" * 300)
        talk.close()
        tls(Talk(reel, talk.now, visitor, (address(label), 443), chance), f"{label}.{ZONE}", "tool").close()
    return ()
