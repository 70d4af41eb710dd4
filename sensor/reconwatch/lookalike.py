"""Names that look like ours: who gets a certificate for one means to be taken for us."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from reconwatch.domains import registrable

SHORTEST = 5
"""Characters of a label of ours below which nothing but the label itself is looked for: short words are in others."""
SHORTEST_MISSPELT = 6

_ALIKE = str.maketrans({
    "0": "o", "1": "l", "i": "l", "3": "e", "5": "s", "|": "l", "-": None, "_": None,
    "\u0430": "a", "\u0435": "e", "\u043e": "o", "\u0440": "p", "\u0441": "c", "\u0443": "y", "\u0445": "x",
    "\u0456": "l", "\u0458": "j", "\u04bb": "h", "\u0501": "d", "\u051b": "q", "\u051d": "w", "\u0455": "s",
    "\u043a": "k", "\u043c": "m", "\u0442": "t", "\u0432": "b", "\u043d": "h", "\u0433": "r", "\u0261": "g",
    "\u03bf": "o", "\u03b1": "a", "\u03b5": "e", "\u03b9": "l", "\u03ba": "k", "\u03bd": "v", "\u03c1": "p",
    "\u03c4": "t", "\u03c5": "u", "\u03c7": "x", "\u0131": "l", "\u0269": "l", "\u1d0b": "k", "\u0142": "l",
})  # fmt: skip
"""Letters of other scripts, and digits, that are taken for Latin letters (Unicode TR 39, confusables.txt: those of
whole-script confusables that registries allow in names), and what a reader passes over."""


class Resemblance(NamedTuple):
    """How a name resembles one of ours."""

    domain: str
    """Ours."""
    how: str
    """In words, to stand behind the name."""
    points: int


class Lookalikes:
    """Tells what resembles our domains and brands. Names that are ours are for the caller to leave out."""

    def __init__(self, domains: Iterable[str], brands: Iterable[str] = ()) -> None:
        self._labels: dict[str, str] = {}
        self._domains = tuple(domains)
        for domain in self._domains:
            label, suffix = registrable(domain)
            if domain == f"{label}.{suffix}":  # else others have names under the same label
                self._labels.setdefault(label, domain)
        for brand in brands:
            for label in {"".join(brand.split()), "-".join(brand.split())}:
                if label.isascii() and label.replace("-", "").isalnum():
                    self._labels.setdefault(label, brand)
        self._skeletons = {skeleton(label): domain for label, domain in self._labels.items() if len(label) >= SHORTEST}
        self._of_label = lru_cache(maxsize=65_536)(self._resembling)

    def resembles(self, name: str) -> Resemblance | None:
        """How a host name (A-labels) resembles one of ours; None if it does not."""
        name = name.removeprefix("*.")
        label, suffix = registrable(name)
        if not label:
            return None
        inside = name.removesuffix(f"{label}.{suffix}")
        for domain in self._domains:
            if f".{inside}".find(f".{domain}.") >= 0:
                return Resemblance(domain, f"has all of {domain} in front of another domain", 40)
        return self._of_label(label)

    def _resembling(self, label: str) -> Resemblance | None:
        if (domain := self._labels.get(label)) is not None:
            return Resemblance(domain, f"is the name of {domain} under another suffix", 15)
        if (domain := self._skeletons.get(skeleton(label))) is not None:
            return Resemblance(domain, f"looks like {domain}", 35)
        for ours, domain in self._labels.items():
            if len(ours) >= SHORTEST and f"-{ours}-" in f"-{label}-":
                return Resemblance(domain, f"has the name of {domain} among other words", 20)
            if len(ours) >= SHORTEST_MISSPELT and one_apart(ours, label):
                return Resemblance(domain, f"is one letter from {domain}", 25)
        return None


def skeleton(label: str) -> str:
    """A label as a reader takes it: A-labels decoded, accents off, letters that look alike made one."""
    if label.startswith("xn--"):
        try:
            label = label[4:].encode("ascii").decode("punycode")
        except (UnicodeError, OverflowError):
            return label
    plain = unicodedata.normalize("NFKD", label.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_ALIKE)
    return plain.replace("rn", "m").replace("vv", "w")


def one_apart(one: str, other: str) -> bool:
    """Whether one letter was put in, left out or changed, or two neighbours were swapped."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    shorter, longer = sorted((one, other), key=len)
    at = next((n for n, letter in enumerate(shorter) if letter != longer[n]), len(shorter))
    if len(shorter) < len(longer):
        return shorter[at:] == longer[at + 1 :]
    return shorter[at + 1 :] == longer[at + 1 :] or (
        shorter[at : at + 2] == longer[at : at + 2][::-1] and shorter[at + 2 :] == longer[at + 2 :]
    )
