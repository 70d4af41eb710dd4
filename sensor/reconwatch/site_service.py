"""`service` of site.yaml: where the running service answers those who watch it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import BeforeValidator

from reconwatch.document import Refused
from reconwatch.document_errors import shown
from reconwatch.site_outlets import LISTEN, Watching
from reconwatch.site_section import Section

_LISTENS = f"'{LISTEN}', or 'off'"
_PLACE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+|localhost)):(?P<port>[0-9]{1,5})")


def read_listen(value: Any) -> str:
    """An address and port, or `off`. Raises Refused: a name could be anybody's address tomorrow."""
    if value is False or (isinstance(value, str) and value.strip().lower() == "off"):
        return ""
    found = _PLACE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not 1 <= int(found["port"]) <= 65_535:
        raise Refused(f"{shown(value)} is not an address and port to listen at", write=_LISTENS)
    host = "127.0.0.1" if found["four"] == "localhost" else found["four"] or found["six"]
    try:
        address = ip_address(host)
    except ValueError:
        raise Refused(f"{shown(value)} is not an address and port to listen at", write=_LISTENS) from None
    if not address.is_loopback and address.is_global:
        raise Refused(f"{address} is public, and nobody who asks there is asked who he is", write=_LISTENS)
    return f"[{address}]:{int(found['port'])}" if address.version == 6 else f"{address}:{int(found['port'])}"


class ServiceModel(Section):
    """`service`: how it is watched."""

    listen: Annotated[str, BeforeValidator(read_listen)] = LISTEN

    def plain(self) -> Watching:
        """Its plain value."""
        return Watching(self.listen)
