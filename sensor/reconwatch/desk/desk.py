"""Numbers the emissions of each notice, and lets through only those that say something new."""

from __future__ import annotations

import msgspec

from reconwatch.desk.playbook import next_steps
from reconwatch.desk.verdict import judged
from reconwatch.notices import Finding, Notice, State, Told, Verdict, verdict_of
from reconwatch.shelf import Shelf

NEVER = float("inf")
"""What was said is forgotten at the close of the notice, not at a time of its own."""


class _Said(msgspec.Struct, frozen=True, gc=False, array_like=True):
    rev: int
    amount: int
    targets: int
    verdict: Verdict


class Desk:
    """Findings in, notices out: at first, on a new verdict, a doubled count, a new target, and at the end.

    `last_words`: only those of the end are put into words. All are numbered alike: a replay, which waits for the end,
    tells the same revisions as a run that does not.
    """

    KEPT = ("said",)

    def __init__(self, *, last_words: bool = False) -> None:
        self._last_words = last_words
        self._said = Shelf([msgspec.msgpack.Decoder(_Said).decode])

    @property
    def said(self) -> list[tuple[float, int, bytes, bytes]]:
        """What was said of each open notice; see `Shelf.contents`."""
        return self._said.contents

    @said.setter
    def said(self, rows: list[tuple[float, int, bytes, bytes]]) -> None:
        self._said.contents = rows

    def consider(self, finding: Finding) -> Notice | None:
        """The notice to emit now; None if the last one still says it all, or if nobody waits for it."""
        reasons, score = judged(finding)
        verdict = verdict_of(score)
        place = self._said.place(NEVER, 0, finding.id)
        said = self._said.get(place)
        if said is not None and not finding.closing and not _news(finding, verdict, said):
            return None
        rev = said.rev + 1 if said is not None else 1
        state: State = "closed" if finding.closing else "open" if rev == 1 else "update"
        if finding.closing:
            self._said.drop(place)
        else:
            self._said.put(place, _Said(rev, finding.count, len(finding.targets), verdict))
            self._said.grew(0)
        if self._last_words and not finding.closing:
            return None
        facts = {name: getattr(finding, name) for name in Told.__struct_fields__}
        judgement = {"reasons": reasons, "score": score, "verdict": verdict, "next": next_steps(finding, verdict)}
        return Notice(**facts | judgement, rev=rev, state=state)


def _news(finding: Finding, verdict: Verdict, said: _Said) -> bool:
    return verdict != said.verdict or finding.count >= 2 * said.amount or len(finding.targets) > said.targets
