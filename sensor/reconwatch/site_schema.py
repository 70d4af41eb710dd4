"""What site.yaml may hold: pydantic models, and how each single value is read and refused.

Imported only when a site is loaded. What is harmless is normalised (case, a trailing dot, IDN, `AS`); what could mean
something else is refused with what to write instead.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import math
import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator
from pydantic import field_validator as validator_of

from reconwatch import site_live
from reconwatch.document import Refused, nearest
from reconwatch.document_errors import shown
from reconwatch.domains import read_domain, read_owned_domain
from reconwatch.logformat import DATES, EXTRA_FIELDS, JSON_FIELDS, WITH_EXTRA_FIELDS, LogformatError, compiled
from reconwatch.site_section import Section, Text, read_text
from reconwatch.site_service import ServiceModel
from reconwatch.site_sinks import SinkModel, StoreModel

BROADEST = {4: 8, 6: 7}
"""The shortest prefix a range may have, by IP version. The largest blocks ever assigned to one holder are IPv4 /8s; the
shortest IPv6 prefix that has a meaning of its own is fc00::/7. Anything broader is a slip such as 0.0.0.0/0."""

LAST_ASN = 2**32 - 2
"""AS numbers have 32 bits (RFC 6793); 0 and the last one are reserved (RFC 7607, RFC 7300)."""

LONGEST_SPAN = 6
"""Ranges that advice spells out."""

SHORTEST_BRAND = 3
"""Characters: two letters occur in every other URL."""

Network = IPv4Network | IPv6Network


def read_network(value: Any) -> Network:
    """An address or CIDR range. Raises Refused: not one, host bits set, a span, or too broad."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not an address or range", write="it like 203.0.113.0/24")
    text = value.strip()
    if "%" in text:
        raise Refused(f"'{text}' names an interface", write=f"'{text.split('%')[0]}'")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _not_a_network(text) from None
    if "/" in text and ipaddress.ip_address(text.split("/")[0]) != network.network_address:
        raise Refused(f"{text} has host bits set", write=str(network))
    if network.version == 6 and (mapped := network.network_address.ipv4_mapped) and network.prefixlen >= 96:
        network = IPv4Network((mapped, network.prefixlen - 96))
    if network.prefixlen < BROADEST[network.version]:
        least = f"a prefix of at least /{BROADEST[network.version]}"
        raise Refused(f"{text} is too broad to be one organisation's", write=least)
    return network


def _not_a_network(text: str) -> Refused:
    """What a person may have meant by a text that is no range."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    if dash and (span := _span(first, last)):
        write = ", ".join(map(str, span)) if len(span) <= LONGEST_SPAN else "the CIDR ranges it is made of"
        return Refused(f"'{text}' is a span, not a range", write=write)
    address, slash, prefix = text.partition("/")
    if slash and _span(address, address):
        longest = 128 if ":" in address else 32
        return Refused(f"'/{prefix}' is not a prefix length", write=f"a number up to {longest}")
    if re.fullmatch(r"[0-9.]+(?:/[0-9]+)?", text):
        octets = address.strip(".").split(".")
        if re.search(r"(?:^|\.)0[0-9]", address):
            return Refused(f"'{text}' has leading zeros, which some programs read as octal", write="it without them")
        if len(octets) < 4 and all(octet.isdigit() and int(octet) < 256 for octet in octets):
            full = ".".join([*octets, *["0"] * (4 - len(octets))])
            return Refused(f"'{text}' is not a whole address", write=f"{full}/{prefix or 8 * len(octets)}")
    if re.search(r"[g-z]", text, re.IGNORECASE) and "." in text:
        return Refused(f"'{text}' is a name, not an address or range", write="the addresses it stands for")
    return Refused(f"{shown(text)} is not an address or range", write="it like 203.0.113.0/24 or 2001:db8::/48")


def _span(first: str, last: str) -> list[Network]:
    """The ranges from one address to another; none if they are not two addresses in order."""
    try:
        return list(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))
    except (ValueError, TypeError):
        return []


def read_address(value: Any) -> str:
    """One address, as canonical text. Raises Refused for a range or anything else."""
    network = read_network(value)
    if network.num_addresses != 1:
        raise Refused(f"{network} is a range; a canary is one address", write=f"one address, such as {network[1]}")
    return str(network.network_address)


def read_asn(value: Any) -> int:
    """An AS number, with or without `AS`. Raises Refused."""
    if isinstance(value, str) and (found := re.fullmatch(r"(?:AS\s*)?([0-9]{1,20})", value.strip(), re.IGNORECASE)):
        number = int(found[1])
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        dotted = re.fullmatch(r"(?:AS\s*)?([0-9]{1,5})\.([0-9]{1,5})", str(value).strip(), re.IGNORECASE)
        write = str(int(dotted[1]) * 65536 + int(dotted[2])) if dotted and isinstance(value, str) else "it like AS64496"
        raise Refused(f"{shown(value)} is not an AS number", write=write)
    if not 1 <= number <= LAST_ASN:
        raise Refused(f"AS number {number} is out of range", write=f"one from 1 to {LAST_ASN}")
    return number


def read_brand(value: Any) -> str:
    """A brand, lower-case with single blanks. Raises Refused if it is empty or too short to mean anything."""
    if not isinstance(value, str):
        write = f'"{value}" in quotes' if isinstance(value, int | float | datetime.date) else ""
        raise Refused(f"a brand must be text, not {shown(value)}", write=write)
    brand = " ".join(value.lower().split())
    if not brand:
        raise Refused("a brand is empty", write="the name as people search for it, or no item")
    if len(brand) < SHORTEST_BRAND:
        raise Refused(
            f"brand '{brand}' is shorter than {SHORTEST_BRAND} characters and would match everywhere",
            write="a longer form, such as the company's full name",
        )
    return brand


def read_date(value: Any) -> datetime.date:
    """A day: a YAML date or ISO 8601 text, whose time of day is dropped. Raises Refused."""
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value.strip()).date()
        except ValueError:
            if readings := _readings(value):
                message = f"'{value}' is not a date that all read alike"
                raise Refused(message, write=f"the year first: {' or '.join(readings)}") from None
    raise Refused(f"{shown(value)} is not a date", write="one like 2027-06-30")


def _readings(text: str) -> list[str]:
    """The days that a date with its year last can mean, in ISO 8601."""
    found = re.fullmatch(r"\s*([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})\s*", text)
    if not found:
        return []
    first, second, year = map(int, found.groups())
    possible = set()
    for month, day in ((first, second), (second, first)):
        with contextlib.suppress(ValueError):
            possible.add(datetime.date(year, month, day).isoformat())
    return sorted(possible)


def read_path(value: Any) -> str:
    """A path of a URL, with its leading slash. Raises Refused."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{shown(value)} is not a path", write="one like /old-backup-7f3k2q.zip")
    path = value.strip()
    if found := re.match(r"(?:[a-z][a-z0-9+.-]*:)?//[^/]*(/.*)?$", path, re.IGNORECASE):
        raise Refused(f"'{path}' is a URL, not a path", write=f"'{found[1] or '/...'}'")
    if not path.startswith("/"):
        raise Refused(f"path '{path}' has no leading slash", write=f"'/{path}'")
    if not path.strip("/"):
        raise Refused("path '/' is what every visitor asks for", write="a path that nobody could guess")
    return path


def read_number(value: Any) -> float:
    """A threshold: a finite number, not negative. Raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"a threshold must be a number, not {shown(value)}", write="it in digits")
    if value < 0:
        raise Refused(f"a threshold cannot be negative, as {value} is", write="0 or more")
    return float(value)


def read_files(value: Any) -> str:
    """A shell pattern of paths. Raises Refused."""
    text = read_text(value)
    if text.endswith("/"):
        raise Refused(f"'{text}' fits no file", write=f"'{text}*'")
    return text


def read_server(value: Any) -> str:
    """The address of the host that wrote a log. Raises Refused."""
    network = read_network(value)
    if network.num_addresses != 1:
        raise Refused(f"{network} is a range; a log is written by one server", write="an item of logs for each server")
    return str(network.network_address)


def read_zone(value: Any) -> str:
    """The name of a time zone that this host knows. Raises Refused."""
    text = read_text(value)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused(f"no time zone is called {shown(value)} here", write="a name such as Europe/Berlin") from None
    return text


def read_pattern(value: Any) -> str:
    """A `logformat` of Squid's, in one line. Raises Refused."""
    text = read_text(value)
    try:
        compiled(text)
    except LogformatError as error:
        raise Refused(error.message, write=error.write) from None
    return text


def read_fields(fields: dict[str, Any], format: str | None) -> dict[str, str]:
    """What holds the values of a log of a format: keys of JSON, or numbers of columns. Raises Refused."""
    if format == "windows-dns":
        if fields.keys() - {"date"} or fields.get("date") not in DATES:
            raise Refused(
                f"{shown(fields)} does not say how dates are written", write=f"{{date: {' or '.join(DATES)}}}"
            )
        return {"date": fields["date"]}
    if format != "json" and format not in WITH_EXTRA_FIELDS:
        takers = " or ".join(("json", *WITH_EXTRA_FIELDS, "windows-dns"))
        raise Refused("fields are for formats that need them", write=f"format: {takers}")
    known = JSON_FIELDS if format == "json" else EXTRA_FIELDS
    for name, place in fields.items():
        if name not in known:
            close = nearest(name, known)
            raise Refused(f"no field '{name}'; known are {', '.join(known)}", write=f"'{close}'" if close else "")
        if format == "json" and not (isinstance(place, str) and place.strip()):
            raise Refused(f"{name}: {shown(place)} is not a key", write=f"{name}: the key in the log that holds it")
        if format != "json" and not (isinstance(place, int) and not isinstance(place, bool) and 0 < place < 100):
            raise Refused(f"{name}: {shown(place)} is not the number of a column", write=f"{name}: 1 for the first")
    return {name: str(place) for name, place in fields.items()}


def read_file(value: Any) -> str:
    """The path of a file or folder. Raises Refused."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{shown(value)} is not the path of a file", write="one like feeds/names.txt")
    if re.match(r"[a-z][a-z0-9+.-]*://", value.strip(), re.IGNORECASE):
        raise Refused(f"'{value}' is a URL; feeds are files", write="the path to which you fetch it")
    return value.strip()


def read_confidence(value: Any) -> int:
    """A confidence. Raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise Refused(f"{shown(value)} is not a confidence", write="a whole number from 0 to 100")
    return value


def read_days(value: Any) -> int:
    """A number of days. Raises Refused."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 36_500:
        raise Refused(f"{shown(value)} is not a number of days", write="a whole number from 1 on")
    return value


AnyNetwork = Annotated[Any, PlainValidator(read_network)]
Domain = Annotated[str, BeforeValidator(read_domain)]
OwnedDomain = Annotated[str, BeforeValidator(read_owned_domain)]
Day = Annotated[datetime.date, BeforeValidator(read_date)]
RawList = list[dict[str, Any]]


class OwnedModel(Section):
    """`owned`: what is ours."""

    domains: list[OwnedDomain] = []
    ranges: list[AnyNetwork] = []
    asns: list[Annotated[int, BeforeValidator(read_asn)]] = []
    brands: list[Annotated[str, BeforeValidator(read_brand)]] = []
    nameservers: list[AnyNetwork] = []
    secondaries: list[AnyNetwork] = []
    hosted: bool = False
    issuers: list[Text] = []


class RolesModel(Section):
    """`roles`: hosts that are not one person's."""

    resolvers: list[AnyNetwork] = []
    proxies: list[AnyNetwork] = []
    nats: list[AnyNetwork] = []
    mail: list[AnyNetwork] = []
    scanners: list[AnyNetwork] = []
    balancers: list[AnyNetwork] = []


class TrustModel(Section):
    """An item of `trusted`."""

    who: AnyNetwork
    reason: Text
    since: Day | None = None
    until: Day | None = None
    directions: list[Literal["lookup", "probe"]] = Field(["lookup"], alias="for", min_length=1)

    @validator_of("until")
    @classmethod
    def _after_since(cls, until: datetime.date | None, info: ValidationInfo) -> datetime.date | None:
        since = info.data.get("since")
        if until is not None and since is not None and until < since:
            raise Refused(f"until {until} is before since {since}", write=f"a day from {since} on")
        return until


class CanaryModel(Section):
    """An item of `canaries`. That it is exactly one bait is checked beside the model, so that it hides nothing else."""

    name: Domain | None = None
    address: Annotated[str, BeforeValidator(read_address)] | None = None
    path: Annotated[str, BeforeValidator(read_path)] | None = None
    planted: Text | None = None
    since: Day | None = None

    def baits(self) -> list[tuple[Literal["name", "address", "path"], str]]:
        """(kind, value) of what was planted: one, in a valid file."""
        found: list[tuple[Literal["name", "address", "path"], str | None]] = [
            ("name", self.name),
            ("address", self.address),
            ("path", self.path),
        ]
        return [(kind, value) for kind, value in found if value is not None]


class LogModel(Section):
    """An item of `logs`."""

    files: Annotated[str, BeforeValidator(read_files)]
    format: (
        Literal["bind", "combined", "dnsmasq", "haproxy", "json", "squid", "unbound", "w3c", "windows-dns"] | None
    ) = None
    server: Annotated[str, BeforeValidator(read_server)] | None = None
    zone: Annotated[str, BeforeValidator(read_zone)] | None = None
    pattern: Annotated[str, BeforeValidator(read_pattern)] | None = None
    fields: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, data: Any) -> Any:
        """Only Squid's format is written down as a pattern."""
        if isinstance(data, dict) and data.get("pattern") is not None and data.get("format") is None:
            return {**data, "format": "squid"}
        return data

    @validator_of("pattern")
    @classmethod
    def _of_squid(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        form = info.data.get("format")
        if pattern is not None and form not in (None, "squid"):
            raise Refused(f"format {form} takes no pattern", write="it with format: squid, or not")
        return pattern

    @validator_of("fields", mode="before")
    @classmethod
    def _of_its_format(cls, fields: Any, info: ValidationInfo) -> Any:
        return read_fields(fields, info.data.get("format")) if isinstance(fields, dict) else fields

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.format == "json" and not {"ts", "client"} <= self.fields.keys():
            raise Refused("of JSON lines only you know what their keys mean", write="fields: {ts: ..., client: ...}")
        return self


Role = Literal["value", "kind", "confidence", "since", "until", "source"]


class FeedModel(Section):
    """An item of `intel`: a file of indicators."""

    path: Annotated[str, BeforeValidator(read_file)]
    name: Text | None = None
    format: Literal["zeek", "stix", "misp", "misp-warninglist", "suricata", "csv", "list"] | None = None
    kind: Literal["domain", "ip", "range", "url", "agent", "ja3", "ja4"] | None = Field(None, alias="type")
    confidence: Annotated[int, BeforeValidator(read_confidence)] = 50
    benign: bool = False
    columns: dict[Role, Text] = {}
    max_age: Annotated[int, BeforeValidator(read_days)] = 30
    may_shrink: bool = False

    @property
    def called(self) -> str:
        """Its name: the file's, without what it ends in, if it has none of its own."""
        return self.name or PurePath(self.path).stem or self.path

    @validator_of("columns")
    @classmethod
    def _of_a_table(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        form = info.data.get("format")
        if columns and form not in (None, "csv"):
            raise Refused(f"a feed in format {form} has no columns to declare", write="format: csv, or no columns")
        return columns


class SourceModel(Section):
    """An item of `sources`."""

    zeek: Annotated[str, BeforeValidator(site_live.read_place)] | None = None
    eve: Annotated[str, BeforeValidator(site_live.read_place)] | None = None
    logs: Annotated[str, BeforeValidator(site_live.read_log_files)] | None = None
    unix: Annotated[str, BeforeValidator(site_live.read_socket)] | None = None
    redis: Annotated[str, BeforeValidator(site_live.read_redis)] | None = None
    websocket: Annotated[str, BeforeValidator(site_live.read_websocket)] | None = None
    captures: Annotated[str, BeforeValidator(site_live.read_one_place)] | None = None
    archive: Annotated[str, BeforeValidator(site_live.read_place)] | None = None
    start: Literal["start", "end"] | None = Field(None, alias="from")
    mode: Annotated[str, BeforeValidator(site_live.read_mode)] | None = None
    list: Annotated[str, BeforeValidator(site_live.read_key)] | None = None
    stream: Annotated[str, BeforeValidator(site_live.read_key)] | None = None
    push: Literal["lpush", "rpush"] | None = None
    consumer: Annotated[str, BeforeValidator(site_live.read_key)] | None = None
    ca_file: Annotated[str, BeforeValidator(site_live.read_one_place)] | None = None
    password_file: Annotated[str, BeforeValidator(site_live.read_one_place)] | None = None
    password_env: Annotated[str, BeforeValidator(site_live.read_variable)] | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        site_live.refuse_mixture(self.entry)
        return self

    @property
    def entry(self) -> dict[str, Any]:
        """What was written, as it is meant: what `sources.live.open_feed` takes."""
        return self.model_dump(by_alias=True, exclude_none=True)


class SiteModel(Section):
    """The whole of site.yaml."""

    owned: OwnedModel
    inside: list[AnyNetwork] | None = None
    roles: RolesModel = RolesModel()
    trusted: list[TrustModel] = []
    canaries: list[CanaryModel] = []
    logs: list[LogModel] = []
    sources: list[SourceModel] = []
    sinks: list[SinkModel] = []
    store: StoreModel = StoreModel()
    service: ServiceModel = ServiceModel()
    intel: list[FeedModel] = []
    sees_clients: bool = False
    thresholds: dict[str, dict[str, Annotated[float, BeforeValidator(read_number)]]] = {}
