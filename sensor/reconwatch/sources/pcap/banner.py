"""The first words of a server, as somebody who collects banners gets them."""

from __future__ import annotations

import re

MOST = 96
"""Characters of a banner: a name and a version, no page."""
_LOOKED_AT = 2_048
_SERVER = re.compile(rb"\r?\nserver:[ \t]*([^\r\n]{1,64})", re.IGNORECASE)
_TEXT = re.compile(rb"[\x20-\x7e\t]{2,}")


def banner(payload: bytes) -> str | None:
    """The first line of a server's first payload if it is text, with its name if it is HTTP's; None for anything else.

    `SSH-2.0-OpenSSH_9.2p1`, `220 mail.example ESMTP`, `HTTP/1.1 200 OK, nginx/1.22.1`.
    """
    line = payload[:_LOOKED_AT].partition(b"\n")[0].rstrip(b"\r ")
    if not _TEXT.fullmatch(line):
        return None
    said = line[:MOST].decode("ascii")
    if line.startswith(b"HTTP/"):
        named = _SERVER.search(payload[:_LOOKED_AT].partition(b"\r\n\r\n")[0])
        if named is not None and _TEXT.fullmatch(named[1]):
            said = f"{said}, {named[1].decode('ascii').rstrip()}"
    return said
