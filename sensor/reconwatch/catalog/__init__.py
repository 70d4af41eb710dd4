"""The catalog: which open technical database a name, URL or port belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from reconwatch.catalog.services import Blindspot, Example, Layer, Query, Service
from reconwatch.interest import Interest
from reconwatch.targets import Named, Question, Template

__all__ = ["Blindspot", "Catalog", "Example", "Layer", "Query", "Service"]


class Catalog:
    """An index over services. The longest claim wins: a path over a host, a longer suffix over a shorter one."""

    def __init__(self, services: Iterable[Service], blindspots: Iterable[Blindspot] = ()) -> None:
        self.blindspots = tuple(blindspots)
        self.services = {service.id: service for service in services}
        self._exact: dict[str, Service] = {}
        self._suffix: dict[str, Service] = {}
        self._paths: dict[str, list[tuple[str, Service]]] = {}
        self._ports: dict[int, Service] = {}
        self._templates: dict[tuple[str, str], tuple[Template, ...]] = {}
        for service in self.services.values():
            self._add(service)
        for prefixes in self._paths.values():
            prefixes.sort(key=lambda claim: -len(claim[0]))
        self.by_name = lru_cache(maxsize=65_536)(self._by_name)

    def _add(self, service: Service) -> None:
        for host in service.hosts:
            name, slash, path = host.partition("/")
            if slash:
                self._paths.setdefault(name.removeprefix("="), []).append(("/" + path, service))
            elif name.startswith("="):
                self._exact[name[1:]] = service
            else:
                self._suffix[name] = service
        if service.port is not None:
            self._ports[service.port] = service

    def _by_name(self, name: str) -> Service | None:
        """The service whose host this is, whatever is asked of it; None for busy hosts and for everybody else."""
        parent = name = name.lower().rstrip(".")
        service = self._exact.get(name)
        while service is None and parent:
            service = self._suffix.get(parent)
            _, _, parent = parent.partition(".")
        return None if service is None or _excluded(name, service.not_hosts) else service

    def by_url(self, host: str, uri: str) -> Service | None:
        """The service that a request in clear text goes to: by path on a busy host, else by host."""
        host = host.lower().rstrip(".")
        for prefix, service in self._paths.get(host, ()):
            if uri.startswith(prefix):
                return service
        return self.by_name(host)

    def by_port(self, port: int | None) -> Service | None:
        """The service that any otherwise unclaimed server on this port is."""
        return self._ports.get(port) if port is not None else None

    def asked(self, service: Service, layer: str, text: str, *, decoded: bool = False) -> tuple[Named, ...] | None:
        """What a query names by the service's own templates, whoever owns it; None if it fits none of them.

        A template that fits but reads nothing gives way to the next: `/{domain}` also fits an address.
        """
        fits = None
        question = Question(layer, text, decoded=decoded)
        for template in self._compiled(service, layer):
            named = template.read(question)
            if named:
                return named
            fits = named if fits is None else fits
        return fits

    def _compiled(self, service: Service, layer: str) -> tuple[Template, ...]:
        key = (service.id, layer)
        if key not in self._templates:
            forms = [Template(query.layer, query.template) for query in service.queries if query.layer == layer]
            self._templates[key] = tuple(sorted(forms, key=lambda form: form.weight, reverse=True))
        return self._templates[key]

    def interest(self) -> Interest:
        """What sources must look for so that no visit to a service is missed."""
        return Interest(
            names=frozenset([*self._suffix, *(f"={name}" for name in self._exact)]),
            asides=frozenset(host for blindspot in self.blindspots for host in blindspot.hosts),
            paths=frozenset((host, prefix) for host, claims in self._paths.items() for prefix, _ in claims),
            ports=frozenset(self._ports),
            secrets=frozenset(
                (_suffix_of(host), parameter.lower())
                for service in self.services.values()
                for host in service.hosts
                for parameter in service.secrets
            ),
            secret_paths=frozenset(
                (_suffix_of(host), query.template.partition("?")[0])
                for service in self.services.values()
                for host in service.hosts
                for query in service.queries
                if query.layer == "http" and "{secret}" in query.template
            ),
        )


def _suffix_of(host: str) -> str:
    return host.removeprefix("=").partition("/")[0]


def _excluded(name: str, not_hosts: tuple[str, ...]) -> bool:
    return any(
        name == host[1:] if host.startswith("=") else name == host or name.endswith("." + host) for host in not_hosts
    )
