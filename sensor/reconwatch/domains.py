"""How a person may write a domain, and which domains nobody can own."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconwatch.document import Refused

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

LONGEST_NAME = 253
"""Characters of a DNS name (RFC 1035 section 2.3.4: 255 octets on the wire)."""

PLACEHOLDERS = ("example.com", "example.net", "example.org")
"""Reserved by RFC 2606: they stand in documentation and in `site init`, and nobody owns them."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def read_domain(value: Any) -> str:
    """A DNS name: lower-case A-labels without the root dot. Raises Refused for URLs, wildcards and what is no name."""
    if not isinstance(value, str):
        raise Refused(f"{value} is not a domain", write="one like acme-widgets.com")
    name = value.strip().rstrip(".").lower()
    if not name:
        raise Refused("a domain is empty", write="one like acme-widgets.com, or no item")
    if (bare := _host(name)) != name:
        kind = "a URL" if "/" in name else "an e-mail address" if "@" in name else "a host with a port"
        raise Refused(f"'{value}' is {kind}, not a domain", write=f"'{bare.removeprefix('www.')}'")
    if (bare := name.removeprefix("*.").lstrip(".")) != name:
        raise Refused(f"'{value}' is a pattern; a domain stands for all names under it", write=f"'{bare}'")
    if not name.isascii():
        name = _a_labels(name)
    if re.fullmatch(r"[0-9.]+|[0-9a-f]*:[0-9a-f:.]*", name):
        raise Refused(f"'{value}' is an address, not a domain", write="it under 'ranges'")
    wrong = next((label for label in name.split(".") if not _LABEL.fullmatch(label)), None)
    if wrong is not None or len(name) > LONGEST_NAME:
        reason = "it is too long" if wrong is None else f"'{wrong}' is not a label" if wrong else "a label is empty"
        raise Refused(f"'{value}' is not a domain: {reason}", write="one like acme-widgets.com")
    return name


def read_owned_domain(value: Any) -> str:
    """A domain that one organisation can own. Raises Refused also for a public suffix."""
    name = read_domain(value)
    if is_public_suffix(name):
        raise Refused(f"{value} is a public suffix: it would claim everybody's names", write="your registered domain")
    return name


def is_public_suffix(name: str) -> bool:
    """Whether registries sell names under this one (com, co.uk), or it is a single label that no registry knows."""
    return bool(_suffixes(name.rpartition(".")[2], registries_only=True).is_public(name))


def is_shared_suffix(name: str) -> bool:
    """Whether it is a public suffix or a company lets its customers have names under this one (github.io)."""
    return bool(_suffixes(name.rpartition(".")[2], registries_only=False).is_public(name))


@functools.cache
def _suffixes(top: str, *, registries_only: bool) -> PublicSuffixList:
    """The Public Suffix List as far as it is about one top-level domain: parsing all of it takes 40 ms, this 2."""
    from publicsuffixlist import PublicSuffixList

    ends = (top, _u_label(top)) if top.startswith("xn--") else (top,)
    lines = [line for line in _list_lines() if line.endswith(ends) or line.startswith("// ===")]
    return PublicSuffixList(source=lines, only_icann=registries_only)


@functools.cache
def _list_lines() -> list[str]:
    from publicsuffixlist import PSLFILE

    return Path(PSLFILE).read_text(encoding="utf-8").splitlines()


def _host(name: str) -> str:
    """The host of a URL, of an e-mail address, or of host:port; a bare name as it is."""
    host = re.sub(r"^(?:[a-z][a-z0-9+.-]*:)?//", "", name)
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2]
    return re.sub(r"(?<=[a-z0-9]):[0-9]{1,5}$", "", host) if host.count(":") == 1 else host


def _a_labels(name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise Refused(f"'{name}' is not an international domain: {error}", write="its xn-- form") from None


def _u_label(label: str) -> str:
    import idna

    try:
        return idna.decode(label)
    except idna.IDNAError:
        return label


def registrable(name: str) -> tuple[str, str]:
    """(the label that somebody registered, the public suffix behind it) of a name; ("", name) if it has none."""
    private = _suffixes(name.rpartition(".")[2], registries_only=True).privatesuffix(name)
    if not private:
        return "", name
    label, _, suffix = private.partition(".")
    return label, suffix
