"""The funnel of captures: of each batch, only what may tell something is read packet by packet.

Everything that is read is read in the order of the capture, by the same readers as without the funnel. What a DNS
answer teaches meanwhile is looked for in the rest of the batch at once.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from reconwatch.sources.pcap import dns, whois
from reconwatch.sources.pcap.batch import Batch, Flags
from reconwatch.sources.pcap.columns import Columns, flow_hashes
from reconwatch.sources.pcap.handover import OddHandover, TcpHandover, UdpHandover, key_at
from reconwatch.sources.pcap.icmp import Pings
from reconwatch.sources.pcap.ip import TCP, UDP, Transport
from reconwatch.sources.pcap.ledger import Ledger
from reconwatch.sources.pcap.tcp_triage import TcpTriage
from reconwatch.sources.pcap.tell import Teller, ends
from reconwatch.sources.pcap.tls import read_hello
from reconwatch.sources.pcap.transport import Datagrams, Segments
from reconwatch.sources.pcap.udp_triage import UdpTriage
from reconwatch.sources.pcap.unfollowed import Unfollowed
from reconwatch.sources.pcap.watch import Networks, Watch


class Act(IntEnum):
    """What to do with a packet; of one packet, in this order."""

    ODD = 0
    SEGMENT = 1
    HELLO = 2
    REQUEST = 3
    DATAGRAM = 4
    GOING_ON = 5
    """A datagram whose flow began earlier, and is not followed."""
    MESSAGE = 6


Task = tuple[int, Act, int]
"""(index in the batch, what to do, index in the columns, the hellos, the requests or the odd transports)."""

_ALWAYS = np.zeros(65_536, bool)
_ALWAYS[[dns.PORT, whois.PORT]] = True
"""Ports whose TCP connections are read whole."""


class Funnel:
    """Reads one batch after the other. The readers are those of the careful path, and are shared with it."""

    def __init__(self, teller: Teller, segments: Segments, datagrams: Datagrams, pings: Pings) -> None:
        self.teller, self.pings = teller, pings
        self.segments, self.datagrams = segments, datagrams
        self.tcp, self.udp = Ledger(), Ledger()
        self.tcp_triage = TcpTriage(self.tcp)
        self.udp_triage = UdpTriage(self.udp, teller.names_or_points, dns.pointing(teller.pointers))
        self.ports = np.zeros(65_536, bool)
        self.ports[list(teller.ports)] = True
        self.networks = Networks(teller.networks, teller.marks)
        self.watch = Watch()
        self.unfollowed: set[int] = set()
        """Hashes of the servers that were noted as such."""
        self._lessons = 0

    def watches(self, data: bytearray, packets: Columns) -> Flags:
        """Which packets go to or come from a port, an address or a network of interest."""
        watched: Flags = self.ports[packets.sport] | self.ports[packets.dport]
        if self.networks:
            watched |= self.networks.ends(data, packets)
        return watched | self.watch.ends(packets) if self.watch else watched

    def read(self, batch: Batch, columns: tuple[Columns, Columns], odd: list[tuple[int, Transport]]) -> None:
        """Read a batch: its plain TCP and UDP packets, and the transports of its odd ones by their index."""
        if self.teller.lessons != self._lessons:
            self._lessons = self.teller.lessons
            self.watch = Watch(self.teller.addresses)
        Pass(self, batch, columns, odd).run()


class Pass:
    """One batch going through the funnel."""

    def __init__(
        self, funnel: Funnel, batch: Batch, columns: tuple[Columns, Columns], odd: list[tuple[int, Transport]]
    ) -> None:
        self._batch, self._data = batch, batch.data
        self._teller, self._segments, self._datagrams = funnel.teller, funnel.segments, funnel.datagrams
        self._pings = funnel.pings
        tcp, udp = columns
        udp, odd = _odd_as_a_whole(batch.data, udp, odd)
        self._tcp, self._udp = tcp, udp
        self._known = set(funnel.teller.addresses)
        """Addresses that everything in the batch was looked through for."""
        self._seen = funnel.unfollowed
        # Odd packets first: a flow that has any is read with care from its first packet in the batch on.
        tasks = self._odd_tasks(funnel, odd) + self._tcp_tasks(funnel) + self._udp_tasks(funnel)
        self._tasks = sorted(tasks)
        self._unfollowed: Unfollowed | None = None
        if self._teller.notes:
            self._unfollowed = Unfollowed(tcp, self._streams.flows, self._hellos, udp, self._judged.fresh)
            self._drop_followed(funnel.watch, -1)

    def _odd_tasks(self, funnel: Funnel, odd: list[tuple[int, Transport]]) -> list[Task]:
        self._transports = [transport for _, transport in odd]
        self._odd_keys = [ends + data[start : start + 4] for _, ends, data, start, _, _ in self._transports]
        keys = [(transport[0], key) for transport, key in zip(self._transports, self._odd_keys, strict=True)]
        self._odd = OddHandover(keys, funnel.tcp, funnel.udp, self._segments)
        return [(place, Act.ODD, number) for number, (place, _) in enumerate(odd)]

    def _tcp_tasks(self, funnel: Funnel) -> list[Task]:
        tcp = self._tcp
        always = _ALWAYS[tcp.sport] | _ALWAYS[tcp.dport]
        flows, careful, self._hellos, self._requests = funnel.tcp_triage.look(
            self._data, tcp, funnel.watches(self._data, tcp), always
        )
        self._streams = TcpHandover(self._batch, flows, careful, funnel.tcp, self._segments)
        tasks = self._of(tcp, Act.SEGMENT, self._streams.begin())
        for act, first in ((Act.HELLO, self._hellos.first), (Act.REQUEST, self._requests.packet)):
            tasks += [(place, act, number) for number, place in enumerate(tcp.place[first].tolist())]
        return tasks

    def _udp_tasks(self, funnel: Funnel) -> list[Task]:
        udp = self._udp
        self._judged = judged = funnel.udp_triage.look(self._data, udp, funnel.watches(self._data, udp))
        self._flows = UdpHandover(self._batch, udp, judged, funnel.udp, self._datagrams)
        tasks = [
            (place, Act.GOING_ON if going_on else Act.DATAGRAM, packet)
            for place, going_on, packet in zip(
                udp.place[judged.handed].tolist(), judged.going_on.tolist(), self._flows.begin(), strict=True
            )
        ]
        return tasks + self._of(udp, Act.MESSAGE, judged.messages + self._sharing(funnel.watch, -1))

    @staticmethod
    def _of(columns: Columns, act: Act, packets: list[int]) -> list[Task]:
        return [(place, act, packet) for place, packet in zip(columns.place[packets].tolist(), packets, strict=True)]

    def _drop_followed(self, watch: Watch, behind: int) -> None:
        if self._unfollowed is not None and watch:
            tcp, udp = self._unfollowed.firsts
            self._unfollowed.drop((watch.ends(tcp), watch.ends(udp)), behind)

    def _sharing(self, watch: Watch, behind: int) -> list[int]:
        """Answers behind place `behind` that may hold a watched address."""
        udp, data = self._udp, self._data
        answers = self._judged.answers
        if not watch or not answers:
            return []
        if behind >= 0:
            answers = [packet for packet in answers if udp.place[packet] > behind]
        spans = zip(udp.body[answers].tolist(), udp.end[answers].tolist(), strict=True)
        return [answers[number] for number in watch.within([bytes(data[start:end]) for start, end in spans])]

    def run(self) -> None:
        """Read what is to be read, and settle what became of it."""
        teller, numbers, times = self._teller, self._batch.numbers.tolist(), self._batch.times.tolist()
        tasks, at = self._tasks, 0
        acts = (
            self._transport,
            self._segment,
            self._hello,
            self._request,
            self._datagram,
            self._going_on,
            self._message,
        )
        addresses, awake = teller.addresses, self._segments.awake
        known = len(addresses)
        while at < len(tasks):
            place, act, number = tasks[at]
            at += 1
            teller.place = numbers[place]
            acts[act](times[place], number)
            if awake:
                more = self._of(self._tcp, Act.SEGMENT, self._streams.wake(awake, place))
                awake.clear()
                tasks, at = sorted(tasks[at:] + more), 0
            if len(addresses) != known:
                known = len(addresses)
                tasks, at = self._learn(tasks[at:], place), 0
        self._streams.settle()
        self._flows.settle()
        self._odd.settle(self._datagrams)
        if self._unfollowed is not None:
            for server in self._unfollowed.servers(self._data, self._seen):
                teller.unfollowed(server)

    def _learn(self, tasks: list[Task], place: int) -> list[Task]:
        """The tasks that are left behind `place`, now that an answer has taught addresses."""
        fresh = self._teller.addresses - self._known
        if not fresh:
            return tasks
        self._known |= fresh
        watch = Watch(fresh)
        self._drop_followed(watch, place)
        segments, taken = self._streams.follow(watch.ends(self._tcp), place)
        if taken:
            of = {Act.HELLO: self._hellos.flow, Act.REQUEST: self._requests.flow}
            tasks = [task for task in tasks if task[1] not in of or int(of[task[1]][task[2]]) not in taken]
        tasks += self._of(self._tcp, Act.SEGMENT, segments)
        tasks += self._of(self._udp, Act.MESSAGE, self._sharing(watch, place))
        datagrams = self._flows.follow(watch.ends(self._udp), place)
        whole = set(datagrams)
        tasks = [task for task in tasks if task[1] != Act.MESSAGE or task[2] not in whole]
        tasks += self._of(self._udp, Act.DATAGRAM, datagrams)
        return sorted(set(tasks))

    def _transport(self, ts: float, number: int) -> None:
        protocol, ends, data, start, end, cut = self._transports[number]
        key = self._odd_keys[number]
        if protocol == TCP:
            self._segments.read(ts, key, data, start, end, cut)
        elif protocol != UDP:
            self._pings.read(ts, ends, data, start)
        else:
            # What is no datagram is counted, and begins no flow.
            going_on, quiet = self._odd.meet(key, ts) if start + 8 <= end else (False, False)
            if not quiet:
                self._datagrams.read(ts, key, data, start, end, cut, going_on)

    def _segment(self, ts: float, packet: int) -> None:
        tcp, data = self._tcp, self._data
        ip, head = int(tcp.ip[packet]), int(tcp.head[packet])
        frame = bytes(data[ip : int(tcp.end[packet])])
        key = frame[12:24] if head - ip == 20 else frame[8:44]
        self._segments.read(ts, key, frame, head - ip, len(frame), 0)

    def _hello(self, ts: float, number: int) -> None:
        hellos, data = self._hellos, self._data
        raw = b"".join([data[start:end] for start, end in hellos.pieces[number]])
        name, alpn, _ = read_hello(raw[9 : 9 + int.from_bytes(raw[6:9], "big")])
        if name is None or self._teller.greets(name):
            key = key_at(data, int(self._tcp.ip[hellos.first[number]]))
            self._teller.hello(ts, ends(key), name, alpn, "tls")

    def _request(self, ts: float, number: int) -> None:
        requests = self._requests
        head = requests.heads[number]
        if self._teller.asks(head.host, head.uri):
            at = ends(key_at(self._data, int(self._tcp.ip[requests.packet[number]])))
            self._teller.request(ts, at, head.method, head.host, head.uri, head.user_agent, head.version)

    def _datagram(self, ts: float, packet: int, going_on: bool = False) -> None:
        udp, data = self._udp, self._data
        ip, head = int(udp.ip[packet]), int(udp.head[packet])
        frame = bytes(data[ip : int(udp.end[packet])])
        key = frame[12:24] if head - ip == 20 else frame[8:44]
        self._datagrams.read(ts, key, frame, head - ip, len(frame), 0, going_on)

    def _going_on(self, ts: float, packet: int) -> None:
        self._datagram(ts, packet, going_on=True)

    def _message(self, ts: float, packet: int) -> None:
        udp, data = self._udp, self._data
        message = bytes(data[int(udp.body[packet]) : int(udp.end[packet])])
        self._datagrams.message(ts, key_at(data, int(udp.ip[packet])), message)


def _odd_as_a_whole(
    data: bytearray, udp: Columns, odd: list[tuple[int, Transport]]
) -> tuple[Columns, list[tuple[int, Transport]]]:
    """UDP flows that have odd packets in a batch are odd with all their packets there.

    Whether a datagram begins a flow depends on when the last one came, so all of one flow go one way, in their order.
    """
    keys = [(UDP, ends + raw[start : start + 4]) for _, (protocol, ends, raw, start, *_) in odd if protocol == UDP]
    if not keys or not len(udp):
        return udp, odd
    its = np.isin(udp.flow >> np.uint64(1), flow_hashes(keys) >> np.uint64(1))
    if not its.any():
        return udp, odd
    more: list[tuple[int, Transport]] = []
    for packet in np.flatnonzero(its).tolist():
        ip, head = int(udp.ip[packet]), int(udp.head[packet])
        frame = bytes(data[ip : int(udp.end[packet])])
        ends = frame[12:20] if head - ip == 20 else frame[8:40]
        more.append((int(udp.place[packet]), (UDP, ends, frame, head - ip, len(frame), 0)))
    return udp.take(~its), sorted(odd + more, key=lambda each: each[0])
