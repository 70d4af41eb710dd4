"""Facts read from the wire to events: addresses to text, secrets struck out, the Lookout asked."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from reconwatch.events import (
    AnyEvent,
    Certificate,
    Connection,
    DnsAnswer,
    DnsQuery,
    Hello,
    HttpRequest,
    Presented,
    WhoisQuery,
)
from reconwatch.interest import Marks
from reconwatch.sources.certificates import authority, common_name, read_certificate
from reconwatch.sources.pcap.ip import CUT
from reconwatch.sources.source import Opening
from reconwatch.sources.spelling import canonical

if TYPE_CHECKING:
    from reconwatch.sources.pcap.stream import Flow

Ends = tuple[str, int, str, int]
"""(client, client port, server, server port)."""


@lru_cache(maxsize=65_536)
def address(packed: bytes) -> str:
    """Canonical text of a 4- or 16-byte address, the same as every other source's."""
    if len(packed) == 4:
        return inet_ntop(AF_INET, packed)
    written = inet_ntop(AF_INET6, packed)
    # Only the mixed notation is a matter of taste.
    return canonical(written) or written if "." in written else written


def ends(key: bytes) -> Ends:
    """The four ends in a flow's key: source, destination, source port, destination port, as they lie on the wire."""
    size = (len(key) - 4) // 2
    ports = int.from_bytes(key[-4:], "big")
    return address(key[:size]), ports >> 16, address(key[size : 2 * size]), ports & 0xFFFF


def turned(key: bytes) -> bytes:
    """The key of the opposite direction."""
    size = (len(key) - 4) // 2
    return key[size : 2 * size] + key[:size] + key[-2:] + key[-4:-2]


def text(wire: bytes) -> str:
    r"""Wire bytes as text; what is not UTF-8 appears as `\\xNN`."""
    return wire.decode("utf-8", "backslashreplace")


class Answer(NamedTuple):
    """What a DNS answer says; the fields of `DnsAnswer`."""

    name: str
    qtype: int
    rcode: int
    records: int
    addresses: tuple[tuple[str, float], ...] = ()
    ech: bool = False
    walked: bool = False
    pointers: tuple[str, ...] = ()


_PORT = re.compile(r":\d*$")


def bare_host(authority: str) -> str:
    """The host of an authority (RFC 3986 section 3.2): no userinfo, port, brackets or root dot; lower-case."""
    host = authority.rpartition("@")[2].strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    if host.count(":") <= 1:
        host = _PORT.sub("", host)
    return host.rstrip(".")


class Teller:
    """Builds the events of one input and keeps those that are wanted in `out`, in the order they became known.

    The funnel is to ask the Lookout before an event is made, which spares nearly all of the traffic the making of it
    and the masking of its URI.
    """

    __slots__ = ("_funnel", "_input", "_lookout", "account", "out", "place")

    source: ClassVar[str] = "capture"

    def __init__(self, opening: Opening) -> None:
        self._lookout = opening.lookout
        self._input = opening.input
        self._funnel = opening.funnel
        self.account = opening.account
        self.out: list[AnyEvent] = []
        self.place = 0
        """Number of the packet that is being read, for warnings."""

    def go_on(self, opening: Opening) -> None:
        """What is told from now on belongs to another input: the next of a rotation."""
        self._input, self.account, self.place = opening.input, opening.account, 0

    @property
    def addresses(self) -> set[str]:
        """The addresses of interest, as learned so far."""
        return self._lookout.addresses

    @property
    def lessons(self) -> int:
        """Changes with every address that is learned or let go."""
        return len(self._lookout.addresses) + 2 * len(self._lookout.crowded)

    @property
    def ports(self) -> frozenset[int]:
        """The ports of interest."""
        return self._lookout.interest.ports

    @property
    def notes(self) -> bool:
        """Whether it is noted where connections went that are not followed."""
        return self._lookout.met is not None and not self._lookout.met.full

    def unfollowed(self, server: bytes) -> None:
        """Note the server of a connection that is not followed."""
        self._lookout.passed(address(server))

    def greets(self, name: str) -> bool:
        """Whether a hello that names `name` is wanted."""
        return self._lookout.wants_hello(name, "")

    def asks(self, host: str, uri: str) -> bool:
        """Whether a request is wanted, whoever it goes to; unknown, and so true, if it names no host."""
        return not host or self._lookout.wants_request(host, uri, "")

    def _tell(self, event: AnyEvent) -> None:
        if self._lookout.wants(event):
            self.account.events += 1
            self.out.append(event)

    def cut(self) -> None:
        """The packet that is being read was cut where something might have been told."""
        self.account.hidden("cut_packets", f"packet {self.place}", CUT)

    def names(self, name: str) -> bool:
        """Whether a host name is one of interest."""
        return self._lookout.names(name)

    def names_or_points(self, name: str) -> bool:
        """Whether a host name is one of interest, or it matters which addresses are called so."""
        return self._lookout.names(name) or self._lookout.points(name)

    @property
    def pointers(self) -> frozenset[str]:
        """The names of which it matters what addresses are called so."""
        return self._lookout.interest.pointers

    def ours(self, server: str) -> bool:
        """Whether everything that is sent to a server is wanted."""
        return self._lookout.ours(server)

    @property
    def networks(self) -> frozenset[str]:
        """The networks of such servers, but for those of `marks`."""
        return self._lookout.interest.networks

    @property
    def marks(self) -> Marks | None:
        """What else such servers are known by."""
        marks: Marks | None = self._lookout.interest.marks
        return marks

    @property
    def has_networks(self) -> bool:
        """Whether there is any such server."""
        return bool(self.networks or (self.marks is not None and self.marks.most_networks))

    def query(self, ts: float, at: Ends, name: str, qtype: int) -> None:
        """A DNS question."""
        client, client_port, server, server_port = at
        self._tell(
            DnsQuery(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, name=name, qtype=qtype,
            )
        )  # fmt: skip

    def answer(self, ts: float, at: Ends, answer: Answer) -> None:
        """A DNS answer."""
        client, client_port, server, server_port = at
        self._tell(
            DnsAnswer(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, **answer._asdict(),
            )
        )  # fmt: skip

    def hello(
        self, ts: float, at: Ends, name: str | None, alpn: tuple[str, ...], transport: Literal["tls", "quic", "connect"]
    ) -> None:
        """A hello, or a CONNECT."""
        client, client_port, server, server_port = at
        if self._funnel and not self._lookout.wants_hello(name, server):
            return
        self._tell(
            Hello(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, name=name, alpn=alpn, transport=transport,
            )
        )  # fmt: skip

    def request(
        self, ts: float, at: Ends, method: str, host: str, uri: str, user_agent: str | None, version: str
    ) -> None:
        """An HTTP request."""
        client, client_port, server, server_port = at
        if self._funnel and not self._lookout.wants_request(host, uri, server):
            return
        self._tell(
            HttpRequest(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, method=method, host=host, uri=self._lookout.mask(host, uri),
                user_agent=user_agent, version=version,
            )
        )  # fmt: skip

    def whois(self, ts: float, at: Ends, line: str) -> None:
        """A WHOIS line."""
        client, client_port, server, server_port = at
        self._tell(
            WhoisQuery(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, line=line,
            )
        )  # fmt: skip

    def follows(self, key: bytes) -> bool:
        """Whether a connection that begins now may be wanted for where it goes, whoever turns out to be its client.

        What an answer teaches later is no reason: nobody connected because of it.
        """
        ports = self._lookout.interest.ports
        if int.from_bytes(key[-4:-2], "big") in ports or int.from_bytes(key[-2:], "big") in ports:
            return True
        if not self._lookout.addresses and not self.has_networks and not self.notes:
            return False
        size = (len(key) - 4) // 2
        return self._lookout.follows(address(key[:size]), address(key[size:-4]))

    def certificate(self, flow: Flow, der: bytes) -> None:
        """A server sent a certificate. What it signed itself stands in no log, but was shown all the same."""
        try:
            said = read_certificate(der)
        except ValueError:
            self.account.skip("a certificate that cannot be read", f"packet {self.place}")
            return
        client, client_port, server, server_port = ends(flow.up.key)
        own, issuer = said.issuer == said.subject, authority(said.issuer)
        self._tell(Presented(
            ts=flow.start, client=client, client_port=client_port, server=server, server_port=server_port,
            source=self.source, input=self._input, subject=common_name(said.subject), issuer=issuer, serial=said.serial,
            own=own, names=said.names, sha256=sha256(der).hexdigest(),
        ))  # fmt: skip
        if said.names and not own:
            self._tell(Certificate(
                ts=said.since, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, names=said.names, issuer=issuer, serial=said.serial,
            ))  # fmt: skip

    def connection(self, flow: Flow) -> None:
        """A TCP connection."""
        client, client_port, server, server_port = ends(flow.up.key)
        self._tell(
            Connection(
                ts=flow.start, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, proto="tcp", opening=flow.asked, answered=flow.answered,
                established=flow.established, spoke=flow.up.spoke, banner=flow.banner, service=flow.service,
            )
        )  # fmt: skip

    def exchange(self, ts: float, key: bytes, answered: bool, service: str | None) -> None:
        """A UDP flow from the source of `key` to its destination."""
        client, client_port, server, server_port = ends(key)
        self._tell(
            Connection(
                ts=ts, client=client, client_port=client_port, server=server, server_port=server_port,
                source=self.source, input=self._input, proto="udp", answered=answered, service=service,
            )
        )  # fmt: skip

    def ping(self, ts: float, ends: bytes) -> None:
        """An echo request between two addresses."""
        size = len(ends) // 2
        self._tell(
            Connection(
                ts=ts, client=address(ends[:size]), server=address(ends[size:]), source=self.source, input=self._input,
                proto="icmp", opening=True,
            )
        )  # fmt: skip
