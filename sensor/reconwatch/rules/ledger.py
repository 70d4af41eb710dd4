"""The ledger: which number a rule has for ever, which revision of its text this is, and since when.

A text file of one line a rule, sorted by sid, blanks between the fields:

    sid rev created updated state digest key

`state` is `active` or `retired`; a retired sid is kept, so that no other rule is ever given it, and a rule that comes
back has its old number. Days stand here and nowhere else: a build of the same catalog and site is the same to the byte,
whenever it is made.

Numbers of the catalog's rules are dealt out by reconwatch's own ledger, which ships with it; whatever else a site's
build needs is numbered from `LOCAL` on. So a site's ledger agrees with everybody's, and what the next version of the
catalog adds finds its numbers free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

from reconwatch.document import DocumentError, Problem

FIRST, LAST = 1_900_000, 1_999_999
"""The sids of reconwatch, within the local range of Snort's and Suricata's makers (1,000,000 to 1,999,999)."""
LOCAL = 1_960_000
"""From here on: rules of a site, and of a catalog of one's own."""

NAME = "sids.ledger"

HEADER = """\
# Which sid each rule of reconwatch has, for ever. Written by `reconwatch rules build`; keep it with the rules.
# sid rev created updated state digest key
"""

State = Literal["active", "retired"]

_LINE = re.compile(
    r"(?P<sid>\d{7}) (?P<rev>[1-9]\d{0,8}) (?P<created>\d{4}-\d\d-\d\d) (?P<updated>\d{4}-\d\d-\d\d)"
    r" (?P<state>active|retired) (?P<digest>[0-9a-f]{16}) (?P<key>[!-~]+)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a key was given."""

    sid: int
    rev: int
    created: str
    """ISO 8601, as `updated`."""
    updated: str
    state: State
    digest: str
    key: str

    def __str__(self) -> str:
        return f"{self.sid} {self.rev} {self.created} {self.updated} {self.state} {self.digest} {self.key}"


class LedgerFull(Exception):
    """No sid is left in the block that a rule would get its number from."""


class Ledger:
    """Keys and what they were given. Nothing is ever taken out."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.key: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=lambda entry: entry.sid))

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def seeded(self, shared: Ledger) -> Ledger:
        """What it has, and what another one has for keys that it does not know."""
        known = {entry.sid for entry in self}
        return Ledger([*self, *(e for e in shared if e.key not in self._entries and e.sid not in known)])

    def brought_up(self, digests: Mapping[str, str], today: str, *, local: bool) -> Ledger:
        """The ledger after a build of rules (key -> digest of the text) on a day.

        What is new is numbered, in the order of its keys; what has changed gets the next revision; what is gone is
        retired. `local`: from which block numbers are dealt. Raises LedgerFull.
        """
        first, last = (LOCAL, LAST) if local else (FIRST, LOCAL - 1)
        free = max((entry.sid + 1 for entry in self if first <= entry.sid <= last), default=first)
        entries = dict(self._entries)
        for key in sorted(digests):
            known = entries.get(key)
            if known is None:
                if free > last:
                    raise LedgerFull(f"all sids from {first} to {last} are taken: {key} gets none")
                entries[key] = Entry(free, 1, today, today, "active", digests[key], key)
                free += 1
            elif known.digest != digests[key]:
                entries[key] = replace(known, rev=known.rev + 1, updated=today, state="active", digest=digests[key])
            elif known.state == "retired":
                entries[key] = replace(known, state="active")
        for key, entry in entries.items():
            if key not in digests and entry.state == "active":
                entries[key] = replace(entry, state="retired")
        return Ledger(entries.values())

    def text(self) -> str:
        """The file."""
        return HEADER + "".join(f"{entry}\n" for entry in self)


def parse(text: str, name: str) -> Ledger:
    """The ledger of a file's text. Raises DocumentError with every line that is none, and every number given twice."""
    problems: list[Problem] = []
    by_sid: dict[int, int] = {}
    by_key: dict[str, int] = {}
    entries: list[Entry] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            problems.append(Problem(name, number, "this is no line of a ledger", "it as it was, from a backup"))
            continue
        entry = Entry(
            int(found["sid"]), int(found["rev"]), found["created"], found["updated"],
            "active" if found["state"] == "active" else "retired", found["digest"], found["key"],
        )  # fmt: skip
        if not FIRST <= entry.sid <= LAST:
            problems.append(Problem(name, number, f"sid {entry.sid} is none of ours", f"one of {FIRST} to {LAST}"))
        for what, seen, value in (("sid", by_sid, entry.sid), ("key", by_key, entry.key)):
            if value in seen:
                told = f"{what} {value} stands in line {seen[value]} too"  # type: ignore[index]
                problems.append(Problem(name, number, told, "it once"))
            seen[value] = number  # type: ignore[index]
        entries.append(entry)
    if problems:
        raise DocumentError(problems)
    return Ledger(entries)


def read(path: Path) -> Ledger:
    """The ledger of a file; empty if there is none. Raises DocumentError, OSError."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Ledger()
    return parse(text, str(path))


def shared() -> Ledger:
    """Reconwatch's own ledger, which ships with it."""
    return parse((files("reconwatch.rules") / NAME).read_text(encoding="utf-8"), NAME)
