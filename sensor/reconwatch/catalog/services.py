"""What the catalog knows of one open technical database: data, no behaviour."""

from __future__ import annotations

from typing import Literal

import msgspec

Layer = Literal["http", "tls", "dns", "whois"]


class Query(msgspec.Struct, frozen=True):
    """One form in which a request names its target (see `targets.Template`)."""

    layer: Literal["http", "dns", "whois"]
    template: str


class Example(msgspec.Struct, frozen=True):
    """A request that the tests run against the catalog."""

    layer: Layer
    text: str
    """A URL, a server name, a query name, or `SERVER LINE` for WHOIS."""
    targets: tuple[str, ...] | None = None
    """What it asks about, canonical; None: not judged."""


class Service(msgspec.Struct, frozen=True):
    """One open technical database, by one kind of interface."""

    id: str
    name: str
    operator: str
    technique: str
    """ATT&CK id: T1596.001 to T1596.005."""
    hosts: tuple[str, ...]
    """Suffixes by whole labels; `=host` exactly; `host/prefix` only URLs whose path begins so."""
    not_hosts: tuple[str, ...] = ()
    port: int | None = None
    """Claims any server on this port whose name nobody else claims."""
    interface: tuple[str, ...] = ()
    visit: Literal["strong", "weak", "ordinary"] = "strong"
    """How much a bare visit says: weak where products, pages and administrators go too; ordinary (reverse DNS) says
    nothing by itself, and is watched only for what many of them make together."""
    state: Literal["active", "retired"] = "active"
    """Retired: shut down. Tools still ask for it, which tells the tool; a visit says no more than a weak one."""
    queries: tuple[Query, ...] = ()
    secrets: tuple[str, ...] = ()
    """Query parameters that carry a credential here, beyond `interest.SECRET_PARAMETERS`."""
    benign: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    match: tuple[Example, ...] = ()
    no_match: tuple[Example, ...] = ()

    @property
    def asked_in_dns(self) -> bool:
        """Its queries are DNS queries: resolving a name under it is the lookup itself."""
        return any(query.layer == "dns" for query in self.queries)


class Blindspot(msgspec.Struct, frozen=True):
    """Names that mean: what this client does next, a sensor does not see."""

    id: str
    """`doh`, `ech`, `private-relay`."""
    tells: str
    """What to tell the reader, after "N clients "."""
    hosts: tuple[str, ...]
    """As `Service.hosts`."""
    references: tuple[str, ...] = ()
