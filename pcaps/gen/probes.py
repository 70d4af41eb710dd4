"""Makes captures of what comes from outside: scans, and the thousands of packets that are none.

`python pcaps/gen/probes.py --out FOLDER [--only KIND] [--visitors N]` writes a capture a kind, and `truth.json`: the
notices that each deserves. `--judge` makes them for itself, replays them, and prints what is right and wrong, by kind.
The bytes depend on nothing but this code.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from random import Random

from traffic import lists, scans
from traffic.backscatter import backscatter, reflection
from traffic.callers import callouts, edges, uptime, validation
from traffic.halves import carrier, hoster, midstream
from traffic.resolvers import resolvers
from traffic.shown import Kind
from traffic.visitors import bots, visitors
from traffic.wire import Reel

KINDS = {
    "slow-scan": Kind("one probe a minute for a day over a /24", scans.slow),
    "slow-ports": Kind("the same over five ports", scans.slow_ports),
    "fast-scan": Kind("every address and four ports in random order within seconds", scans.fast),
    "port-scan": Kind("a thousand ports of one host", scans.ports),
    "network-scan": Kind("three /24 that scan as one", scans.networks),
    "udp-scan": Kind("SNMP asked of 200 addresses, once from port 53", scans.udp),
    "ping-sweep": Kind("an echo request for each address", scans.pings),
    "ipv6-scan": Kind("a scanner that changes its address within a /64", scans.ipv6),
    "name-list": Kind("60 server names tried within minutes", lists.names),
    "path-list": Kind("paths that only scanners ask for", lists.paths),
    "label-list": Kind("a dictionary at our name server", lists.labels),
    "backscatter": Kind("nine victims answer what somebody sent in our name", backscatter),
    "reflection": Kind("amplified answers to all our addresses", reflection),
    "midstream": Kind("conversations of ours that had begun before the capture", midstream),
    "hoster": Kind("visitors of 200 web servers, from carriers' networks", hoster),
    "carrier": Kind("visitors of the same servers by way of four addresses", carrier),
    "visitors": Kind("ordinary visitors of three web servers", visitors),
    "bots": Kind("search engines and a link checker", bots),
    "resolvers": Kind("300 public resolvers", resolvers),
    "validation": Kind("a certificate authority's five vantage points", validation),
    "uptime": Kind("uptime checks every minute", uptime),
    "callouts": Kind("mail servers that deliver, or only ask", callouts),
    "edges": Kind("the edges of our content network", edges),
}


def write(folder: Path, kinds: Iterable[str], many: int) -> dict[str, dict[str, object]]:
    """Write captures and `truth.json`; gives what the latter holds."""
    truth: dict[str, dict[str, object]] = {}
    for kind in kinds:
        reel = Reel()
        make = partial(visitors, many=many) if kind == "visitors" else KINDS[kind].make
        shows = make(reel, Random(kind))
        (folder / f"{kind}.pcap").write_bytes(reel.pcap())
        truth[kind] = {
            "file": f"{kind}.pcap",
            "story": KINDS[kind].story,
            "packets": reel.packets,
            "sources": len(reel.strangers),
            "shows": [row._asdict() for row in shows],
        }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="the folder to write to")
    parser.add_argument("--only", choices=KINDS, action="append", help="a kind; may be given again")
    parser.add_argument("--visitors", type=int, default=5_000, help="how many ordinary visitors")
    parser.add_argument("--judge", action="store_true", help="replay them, and print what is right and wrong")
    given = parser.parse_args()
    if given.judge == (given.out is not None):
        parser.error("one of --out FOLDER and --judge")
    kinds = given.only or list(KINDS)
    if given.judge:
        from traffic.judged import table

        with tempfile.TemporaryDirectory() as folder:
            print("\n".join(table(Path(folder), write(Path(folder), kinds, given.visitors))))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    for made in write(given.out, kinds, given.visitors).values():
        print(f"{given.out / str(made['file'])}: {made['packets']:,} packets of {made['sources']:,} sources")


if __name__ == "__main__":
    main()
