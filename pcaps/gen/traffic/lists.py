"""Who goes through a list: of server names, of paths, of labels below our zone."""

from __future__ import annotations

from random import Random

from tape import DAY

from traffic.resolvers import A, ask
from traffic.shown import Shown
from traffic.visitors import BROWSER, ZONE, address, get, tls
from traffic.wire import Reel, Talk

LABELS = [
    f"{label}{number or ''}"
    for label in ("admin", "api", "backup", "beta", "ci", "dev", "git", "jenkins", "jira", "vpn", "test", "stage")
    for number in range(5)
]
PATHS = (
    "/.env", "/.git/config", "/.git/HEAD", "/.aws/credentials", "/wp-config.php.bak", "/server-status",
    "/actuator/env", "/phpinfo.php", "/.DS_Store", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
)  # fmt: skip


def names(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """60 names at one web server within three minutes."""
    stranger = "192.0.2.50"
    for number, label in enumerate(LABELS):
        talk = Talk(reel, DAY + 70_000 + 3 * number, stranger, (address("www"), 443), chance)
        tls(talk, f"{label}.{ZONE}", "tool").close()
    return (Shown("Name_Probe", stranger, len(LABELS)),)


def paths(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """Ten paths that only scanners ask for, at each of two servers."""
    stranger = "192.0.2.51"
    for number, path in enumerate(PATHS):
        for label in ("www", "shop"):
            talk = Talk(reel, DAY + 71_000 + 2 * number, stranger, (address(label), 80), chance).open()
            get(talk, f"{label}.{ZONE}", path, BROWSER, status="404 Not Found").close()
    return (Shown("Service_Probe", stranger, 2 * len(PATHS)),)


def labels(reel: Reel, chance: Random) -> tuple[Shown, ...]:
    """A dictionary in alphabetical order at our name server, four questions a second."""
    stranger = "192.0.2.52"
    for number, label in enumerate(sorted(LABELS)):
        ask(reel, DAY + 72_000 + number / 4, stranger, f"{label}.{ZONE}", A, chance)
    return (Shown("DNS_Enumeration", stranger, len(LABELS)),)
