"""What the buffers of a rule held, as far as EVE tells: to show beside a condition that did not match what was there.

EVE is written for people: its values are near the buffers, not byte for byte the same (`url` is not decoded where
`http.uri` is, names are not lower-cased as `http.host` is). Which condition failed is never judged by them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconwatch.interest import SECRET_PARAMETERS, mask_parameters

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "http.uri": ("http.url",), "http.uri.raw": ("http.url",), "http.host": ("http.hostname",),
    "http.host.raw": ("http.hostname",), "http.user_agent": ("http.http_user_agent",),
    "http.method": ("http.http_method",), "http.referer": ("http.http_refer",), "http.stat_code": ("http.status",),
    "http.content_type": ("http.http_content_type",), "http.protocol": ("http.protocol",), "urilen": ("http.url",),
    "http.location": ("http.redirect",), "http.request_body": ("http.http_request_body_printable",),
    "http.response_body": ("http.http_response_body_printable",),
    "file.data": ("http.http_response_body_printable",), "file.name": ("fileinfo.filename",),
    "dns.query": ("dns.rrname", "dns.queries.rrname", "dns.query.rrname"),
    "dns.query.rrname": ("dns.rrname", "dns.queries.rrname", "dns.query.rrname"),
    "dns.queries.rrname": ("dns.rrname", "dns.queries.rrname", "dns.query.rrname"),
    "dns.answers.rrname": ("dns.answers.rrname",),
    "dns.rrtype": ("dns.rrtype", "dns.queries.rrtype", "dns.query.rrtype"),
    "dns.opcode": ("dns.opcode",), "dns.rcode": ("dns.rcode",),
    "tls.sni": ("tls.sni",), "tls.cert_subject": ("tls.subject",), "tls.subject": ("tls.subject",),
    "tls.cert_issuer": ("tls.issuerdn",), "tls.issuerdn": ("tls.issuerdn",), "tls.cert_serial": ("tls.serial",),
    "tls.cert_fingerprint": ("tls.fingerprint",), "tls.fingerprint": ("tls.fingerprint",),
    "tls.version": ("tls.version",), "ssl_version": ("tls.version",), "tls.subjectaltname": ("tls.subjectaltname",),
    "ja3.hash": ("tls.ja3.hash",), "ja3.string": ("tls.ja3.string",), "ja3s.hash": ("tls.ja3s.hash",),
    "ja4.hash": ("tls.ja4", "quic.ja4"), "quic.sni": ("quic.sni",), "quic.ua": ("quic.ua",),
    "quic.version": ("quic.version",), "ssh.software": ("ssh.client.software_version", "ssh.server.software_version"),
    "ssh.proto": ("ssh.client.proto_version", "ssh.server.proto_version"),
    "app-layer-protocol": ("app_proto",), "payload": ("payload_printable",),
}  # fmt: skip
"""By buffer or keyword, where EVE tells it: keys with dots between, lists looked through."""

LONGEST_SHOWN = 60
"""Characters of a value that a line repeats."""
MOST_SHOWN = 3
"""Different values that a line repeats."""


def values(what: str, events: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """The values of a buffer or keyword in these events, with how many events tell each; empty ones left out.

    Alerts repeat what other events tell: they count only for what nothing else tells (`payload`, bodies), and there
    once a packet, however many rules alerted on it.
    """
    paths = _FIELDS.get(what, ())
    only_alerts = any(path.endswith("_printable") for path in paths)
    found: Counter[str] = Counter()
    told: set[tuple[int, str]] = set()
    for event in events:
        if (event.get("event_type") == "alert") != only_alerts:
            continue
        held = {str(value) for path in paths for value in _at(event, path.split(".")) if value != ""}
        if only_alerts:
            packet = event.get("pcap_cnt", 0)
            held = {value for value in held if (packet, value) not in told}
            told.update((packet, value) for value in held)
        found.update(held)
    return found


def known(what: str) -> bool:
    """Whether EVE tells of a buffer or keyword at all."""
    return what in _FIELDS


def shown(found: Counter[str]) -> str:
    """The commonest values as a line shows them: `"/a", "/b" and 4 more`. Wire text: the caller makes it visible."""
    common = [f'"{_cut(value)}"' for value, _ in found.most_common(MOST_SHOWN)]
    more = len(found) - len(common)
    return f"{', '.join(common)} and {more:,} more" if more else ", ".join(common)


def _cut(value: str) -> str:
    value = mask_parameters(value, SECRET_PARAMETERS) if "=" in value else value
    return value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "..."


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    """What stands at a path, of every member of the lists on the way."""
    if isinstance(value, list):
        for member in value:
            yield from _at(member, steps)
    elif not steps:
        if isinstance(value, str | int | float):
            yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _at(value[steps[0]], steps[1:])
