"""Numbers and lists as they stand in a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str, many: str | None = None) -> str:
    """A number with its noun: `1 file`, `2,000 files`; `many` is the plural of a noun that needs more than an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def shortened(words: Sequence[str], most: int = 3) -> str:
    """The first few of a list: `a, b, c and 4 more`; empty for none."""
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
