"""The score of a finding: the detector's own reasons, and what is known of the party whatever it did."""

from __future__ import annotations

from reconwatch.notices import Finding, Reason

TRUSTED_POINTS = -60
"""Brings any single behaviour of a trusted party down to `monitor`, and keeps it on record."""


def judged(finding: Finding) -> tuple[tuple[Reason, ...], int]:
    """All reasons, and their sum within 0 to 100."""
    reasons = (*finding.reasons, *_standing(finding))
    return reasons, max(0, min(100, sum(reason.points for reason in reasons)))


def _standing(finding: Finding) -> tuple[Reason, ...]:
    actor = finding.actor
    reasons = []
    if actor.trusted is not None:
        reasons.append(Reason(TRUSTED_POINTS, f"trusted: {actor.trusted}"))
    if actor.stands_for_others:
        roles = " and ".join(role for role in actor.role if role in ("resolver", "proxy", "nat"))
        reasons.append(Reason(0, f"stands for its clients: a {roles}"))
    return tuple(reasons)
