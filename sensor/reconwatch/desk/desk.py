"""Numbers the emissions of each notice, and lets through only those that say something new."""

from __future__ import annotations

from typing import NamedTuple

from reconwatch.desk.playbook import next_steps
from reconwatch.desk.verdict import judged
from reconwatch.notices import Finding, Notice, State, Told, Verdict, verdict_of


class _Said(NamedTuple):
    rev: int
    amount: int
    targets: int
    verdict: Verdict


class Desk:
    """Findings in, notices out: at first, on a new verdict, a doubled count, a new target, and at the end."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}

    def consider(self, finding: Finding) -> Notice | None:
        """The notice to emit now; None if the last one still says it all."""
        reasons, score = judged(finding)
        verdict = verdict_of(score)
        said = self._said.get(finding.id)
        if said is not None and not finding.closing and not _news(finding, verdict, said):
            return None
        rev = said.rev + 1 if said is not None else 1
        state: State = "closed" if finding.closing else "open" if rev == 1 else "update"
        if finding.closing:
            self._said.pop(finding.id, None)
        else:
            self._said[finding.id] = _Said(rev, finding.count, len(finding.targets), verdict)
        facts = {name: getattr(finding, name) for name in Told.__struct_fields__}
        judgement = {"reasons": reasons, "score": score, "verdict": verdict, "next": next_steps(finding, verdict)}
        return Notice(**facts | judgement, rev=rev, state=state)


def _news(finding: Finding, verdict: Verdict, said: _Said) -> bool:
    return verdict != said.verdict or finding.count >= 2 * said.amount or len(finding.targets) > said.targets
