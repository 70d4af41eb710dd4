"""Suricata rules: made from catalog and site, tested on captures, and what they cover."""

from __future__ import annotations

import click

from reconwatch.cli.rules_build import build_rules
from reconwatch.cli.rules_coverage import rules_coverage
from reconwatch.cli.rules_test import test_rules


@click.group("rules")
def rules_group() -> None:
    """Suricata rules: build them from the catalog, test any rules on captures."""


rules_group.add_command(build_rules)
rules_group.add_command(test_rules)
rules_group.add_command(rules_coverage)
