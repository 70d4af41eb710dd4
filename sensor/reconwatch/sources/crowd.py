"""Finds names in lines of JSON by looking each up: for more names than can be patterns of a scan."""

from __future__ import annotations

import re
from collections.abc import Callable

from reconwatch.sources.spelling import host_only

_NAMED = re.compile(rb"\"(?:rrname|sni|hostname|query|server_name|host|value|(ur[il]))\"\s*:\s*\"((?:[^\"\\\n]|\\.)*)")
"""Where EVE and Zeek write the names of servers, and Suricata the header fields of HTTP/2; a URL may hold one too."""
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*:\\?/\\?/")


class Crowd:
    """Whether a line names anything of interest. What is written with escapes a sieve lets through for those."""

    def __init__(self, names: Callable[[str], bool]) -> None:
        self._names = names
        self._verdicts: dict[bytes, bool] = {}

    def ends(self, data: bytearray, start: int, stop: int) -> list[int]:
        """Where names of interest end in `data[start:stop]`, ascending."""
        found = []
        known = self._verdicts
        with memoryview(data) as whole, whole[start:stop] as view:
            for each in _NAMED.finditer(view):
                is_url, text = each.groups()
                if is_url is not None:
                    if _ABSOLUTE.match(text):
                        found.append(start + each.end() - 1)
                    continue
                wanted = known.get(text)
                if wanted is None:
                    wanted = self._judge(text)
                if wanted:
                    found.append(start + each.end() - 1)
        return found

    def _judge(self, text: bytes) -> bool:
        if len(self._verdicts) >= MOST_VERDICTS:
            self._verdicts.clear()
        name = text.decode("utf-8", "backslashreplace")
        # A queried name may hold `:` and `@` of its own; a host may have a port behind it.
        self._verdicts[text] = wanted = self._names(name) or self._names(host_only(name))
        return wanted


MOST_VERDICTS = 65_536
"""Names whose verdict is remembered; at some 150 bytes each this is 10 MB."""
