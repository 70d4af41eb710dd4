"""Suricata rules: made from catalog and site, tested on captures, and what they cover."""

from __future__ import annotations

import click


@click.group("rules")
def rules_group() -> None:
    """Suricata rules: build them from the catalog, test any rules on captures."""
