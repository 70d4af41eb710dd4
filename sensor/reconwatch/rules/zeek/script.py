"""Values of Zeek's script language, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_PLAIN = re.compile(r"[ !#-\[\]-~]")
_SPECIAL = frozenset(r"""^$-:"'/|*+?.(){}[]\<>,;&#=!~%@ """)
"""What may mean something in a pattern of Zeek; each may be escaped without harm."""


def string(text: str) -> str:
    r"""A string literal; what is not printable ASCII stands as the bytes of UTF-8, `\xNN`."""
    return '"' + "".join(map(_byte_of_string, text.encode())) + '"'


def _byte_of_string(byte: int) -> str:
    return chr(byte) if _PLAIN.match(chr(byte)) else f"\\x{byte:02x}"


def literal(text: str) -> str:
    """Text as it stands in a pattern that is to match just this."""
    return "".join(
        f"\\{chr(byte)}" if chr(byte) in _SPECIAL else chr(byte) if 32 < byte < 127 else f"\\x{byte:02x}"
        for byte in text.encode()
    )


def boolean(value: bool) -> str:
    """`T` or `F`."""
    return "T" if value else "F"


def network(text: str) -> str:
    """A subnet; an IPv6 address stands in brackets."""
    address, _, width = text.partition("/")
    return f"[{address}]/{width}" if ":" in address else text


def vector(values: Iterable[str]) -> str:
    """A vector of what is written already."""
    return f"vector({', '.join(values)})"


def some(values: Iterable[str]) -> str:
    """A set of what is written already."""
    return f"set({', '.join(values)})"


def record(name: str, fields: Mapping[str, str]) -> str:
    """A record; its fields are written already."""
    return f"{name}({', '.join(f'${field}={value}' for field, value in fields.items())})"


def members(option: str, values: Iterable[str]) -> str:
    """A statement that adds to a set; empty if there is nothing to add."""
    lines = "".join(f"\t{value},\n" for value in values)
    return f"redef {option} += {{\n{lines}}};\n" if lines else ""


def entries(option: str, table: Mapping[str, str]) -> str:
    """A statement that adds to a table; keys and values are written already."""
    return members(option, (f"[{key}] = {value}" for key, value in table.items()))


def value(option: str, text: str) -> str:
    """A statement that gives an option another value."""
    return f"redef {option} = {text};\n"
