"""Our addresses as strangers come to them: their connections are counted before events are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from reconwatch.detectors.contacts import Contacts
from reconwatch.events import Connection
from reconwatch.passing import Door
from reconwatch.probing import Probing


class Doors:
    """Gives the door for connections of a kind; see `passing.Doors`. Also counts what comes as an event."""

    def __init__(self, probing: Probing, contacts: Contacts, is_listed: Callable[[str], bool] | None) -> None:
        """`is_listed`: whether intelligence knows an address."""
        self._probing = probing
        self._contacts = contacts
        self._is_listed = is_listed

    def count(self, event: Connection) -> bool:
        """Whether a connection from outside is a contact; then it is counted."""
        contact = self._probing.contact(
            event.proto, event.client_port, event.server_port, event.opening, event.answered, event.spoke
        )
        if contact is None:
            return False
        alike = event.source, event.proto, event.server_port, event.answered, event.established, event.spoke
        number = self._contacts.number(event.server, event.proto, event.server_port)
        self._contacts.take(event.ts, event.client, number, *contact, (event.uid, alike))
        return True

    def __call__(
        self, server: str, server_port: int | None, proto: Literal["tcp", "udp"], opening: bool | None,
        answered: bool | None, established: bool | None, spoke: bool | None, source: str,
    ) -> Door | None:  # fmt: skip
        """See `passing.Doors`. What a door does is what `Assembly.way` does with a stranger's event."""
        if not self._probing.is_open(server):
            return None
        is_known, is_listed, contact_of = self._probing.special.holds, self._is_listed, self._probing.contact
        contacts, take = self._contacts, self._contacts.take
        contact = contact_of(proto, None, server_port, opening, answered, spoke)
        by_client_port = proto == "udp"
        alike = source, proto, server_port, answered, established, spoke
        number: int | None = None

        def door(ts: float, client: str, client_port: int | None, uid: str | None) -> bool:
            nonlocal number
            if is_known(client) or (is_listed is not None and is_listed(client)):
                return False
            judged = (
                contact_of(proto, client_port, server_port, opening, answered, spoke) if by_client_port else contact
            )
            if judged is None:
                return True
            if number is None:  # not before: addresses are numbered as they come
                number = contacts.number(server, proto, server_port)
            probing, replied = judged
            take(ts, client, number, probing, replied, (uid, alike))
            return True

        return door
