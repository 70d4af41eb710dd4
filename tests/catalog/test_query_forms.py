"""Whatever of ours is put into a query form of any service is found, as the sift finds it; our neighbours are not."""

import base64
import ipaddress
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.story import HOST, NOON, get, query, whois

from reconwatch.catalog import Query, Service
from reconwatch.catalog.load import load
from reconwatch.sift import Sift
from reconwatch.site import Owned, Site
from reconwatch.visits import Visit, Witnessed

CATALOG = load()
SIFT = Sift(
    CATALOG,
    Site(
        owned=Owned(
            domains=("acme-widgets.com",),
            ranges=(ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8:acc:113::/64")),
            asns=(64496,),
        ),
        inside=(ipaddress.ip_network("10.0.0.0/8"),),
    ),
)
FORMS = [
    (service, query)
    for service in CATALOG.services.values()
    for query in service.queries
    if re.search(r"\{(?!any|secret)", query.template)
]
PLACEHOLDER = re.compile(r"\{(\w+)\}")

ADDRESSES = ["203.0.113.10", "2001:db8:acc:113::10"]
RANGES = [*ADDRESSES, "203.0.113.0/24", "203.0.112.0-203.0.113.255"]
NAMES = ["acme-widgets.com", "www.acme-widgets.com"]
OWNED = {
    "ip": ADDRESSES,
    "range": RANGES,
    "domain": NAMES,
    "asn": ["AS64496"],
    "text": [*RANGES, *NAMES, "AS64496"],
    "base64": [*RANGES, *NAMES, "AS64496"],
    "reversed": ["203.0.113.10", "2001:db8:acc:113::10", "203.0.113.0/24"],
}
"""Placeholder -> what of ours may stand there."""

STRANGERS = {"domain": ["notacme-widgets.com", "acme-widgets.com.evil.example", "acme-widgets.community"],
             "ip": ["203.0.114.10", "2001:db8:acc:114::10"], "asn": ["AS644960"]}  # fmt: skip
STRANGERS |= {
    "range": [*STRANGERS["ip"], "203.0.114.0/24"],
    "reversed": STRANGERS["ip"],
    "text": [each for values in STRANGERS.values() for each in values],
    "base64": [each for values in STRANGERS.values() for each in values],
}
"""Placeholder -> who is nearly us."""


def name_of(value: object) -> str:
    return value.id if isinstance(value, Service) else f"{value.layer}:{value.template}"  # type: ignore[attr-defined]


def reversed_labels(value: str) -> str:
    network = ipaddress.ip_network(value)
    labels = network.network_address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa").split(".")
    return ".".join(labels[(network.max_prefixlen - network.prefixlen) // (8 if network.version == 4 else 4) :])


def spelt(kind: str, value: str, encoded: bool) -> str:
    if kind == "reversed":
        return reversed_labels(value)
    if kind == "base64":
        value = base64.b64encode(f'host="{value}"'.encode()).decode()
    return quote(value, safe="") if encoded else value


def filled(template: str, value: str, *, encoded: bool) -> str:
    """The form with the value in each place that names something."""
    fixed = {"any": "443", "secret": "SECRET"}
    return PLACEHOLDER.sub(lambda found: fixed.get(found[1]) or spelt(found[1], value, encoded), template)


def found(service: Service, form: Query, text: str) -> set[str]:
    """The assets of ours that the request names, as a sighting tells them."""
    event = {"http": lambda: get(0, "db.example", text), "whois": lambda: whois(0, text), "dns": lambda: query(0, text)}
    visit = Visit(
        client=HOST,
        service=service.id,
        first=NOON,
        last=NOON,
        count=1,
        counted="http requests",
        minutes=((int(NOON // 60), 1),),
        names=(),
        continues=False,
        events=(Witnessed(event[form.layer](), "db.example"),),
    )
    sighting = SIFT.sighting(visit)
    assert sighting is not None
    return {target.value for target in sighting.targets}


def kinds(form: Query) -> set[str]:
    return set(PLACEHOLDER.findall(form.template)) - {"any", "secret"}


def values(form: Query, of: dict[str, list[str]]) -> list[str]:
    """What may stand in every place of the form at once; of kinds that share nothing, what may stand in the first."""
    first, *others = sorted(kinds(form))
    return [value for value in of[first] if all(value in of[kind] for kind in others)] or of[first]


def requests(form: Query, value: str) -> set[str]:
    return {filled(form.template, value, encoded=encoded) for encoded in (False, form.layer == "http")}


@pytest.mark.parametrize(("service", "form"), FORMS, ids=name_of)
def test_what_is_ours_is_found_in_every_form_of_every_service(service: Service, form: Query) -> None:
    for value in values(form, OWNED):
        for request in requests(form, value):
            assert value in found(service, form, request), request


@pytest.mark.parametrize(("service", "form"), FORMS, ids=name_of)
def test_our_neighbours_are_found_in_no_form_of_any_service(service: Service, form: Query) -> None:
    for value in values(form, STRANGERS):
        for request in requests(form, value):
            assert found(service, form, request) == set(), request


def test_what_only_its_form_makes_a_target_is_found() -> None:
    """A bare AS number (`/asn/64496`) is a number to whoever does not know the form."""
    missed = [
        (service.id, form.template)
        for service, form in FORMS
        if form.layer == "http" and kinds(form) == {"asn"}
        if "AS64496" not in found(service, form, filled(form.template, "64496", encoded=False))
    ]
    assert missed == []


NAMED_IN_HTTP = [
    (service, form) for service, form in FORMS if form.layer == "http" and not kinds(form) & {"asn", "reversed"}
]
ANY_NAME = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.){0,3}acme-widgets\.com", fullmatch=True)
ANY_ADDRESS = st.integers(0, 255).map(lambda host: f"203.0.113.{host}") | st.integers(0, 2**64 - 1).map(
    lambda host: str(ipaddress.ip_address("2001:db8:acc:113::") + host)
)


@given(st.sampled_from(NAMED_IN_HTTP), ANY_NAME, ANY_ADDRESS, st.booleans())
def test_any_asset_in_any_form_is_found(form: tuple[Service, Query], name: str, address: str, encoded: bool) -> None:
    service, asked = form
    for value in (
        (name,)
        if "domain" in kinds(asked)
        else (address,)
        if kinds(asked) & {"ip", "range"}
        else (
            name,
            address,
        )
    ):
        assert value in found(service, asked, filled(asked.template, value, encoded=encoded))
