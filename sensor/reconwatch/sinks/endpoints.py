"""What a notice's evidence says of endpoints and flows, for formats that describe one connection."""

from __future__ import annotations

import ipaddress
import re

from reconwatch.notices import Notice
from reconwatch.sightings import Evidence

_zeek_uid = re.compile(r"C[0-9A-Za-z]+")
_flow_id = re.compile(r"[0-9]{1,19}")


def address(text: str) -> str | None:
    """`text` if it is an IP address without a zone, else None: typed fields must not hold anything else."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else text


def own_evidence(notice: Notice) -> list[Evidence]:
    """The evidence without what was taken over from other notices, whose endpoints are not this one's."""
    others = {n for reason in notice.reasons if reason.notice is not None for n in reason.evidence}
    return [item for n, item in enumerate(notice.evidence, 1) if n not in others]


def only_destination(notice: Notice) -> str | None:
    """The one address that all of its own kept evidence went to; None if there are several, or none."""
    destinations = {item.dst for item in own_evidence(notice)}
    only = destinations.pop() if len(destinations) == 1 else None
    return None if only is None else address(only)


def first_zeek_uid(notice: Notice) -> str | None:
    """The first connection `uid` that Zeek gave, to be found in its logs.

    Evidence with several witnesses carries one uid and does not say whose: Zeek's begin with C, flow ids are digits.
    """
    for item in own_evidence(notice):
        if item.uid and _told_by(item.source, "zeek") and _zeek_uid.fullmatch(item.uid):
            return item.uid
    return None


def first_flow_id(notice: Notice) -> int | None:
    """The first flow id that Suricata gave, to be found in its EVE log."""
    for item in own_evidence(notice):
        if item.uid and _told_by(item.source, "eve") and _flow_id.fullmatch(item.uid):
            return int(item.uid)
    return None


def _told_by(source: str, engine: str) -> bool:
    return any(witness.partition("/")[0] == engine for witness in source.split("+"))
