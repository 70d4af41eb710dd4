"""Baits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconwatch.cli.terminal import stop

if TYPE_CHECKING:
    from reconwatch.canary import Place, Style


@click.group("canary")
def canary_group() -> None:
    """Baits that only a database can have given away."""


@canary_group.command("new")
@click.option("--planted", type=click.Choice(["ct", "dns", "whois", "ptr"]), required=True, help="Where it will leak.")
@click.option("--domain", required=True, help="Your domain that the name is to be under.")
@click.option("--name-style", "style", type=click.Choice(["environment", "service", "host"]), default="environment")
def canary_new(planted: Place, domain: str, style: Style) -> None:
    """Make up a bait name that nobody can guess, and say where to plant it and what to add to site.yaml."""
    from reconwatch import canary
    from reconwatch.document import Refused

    try:
        bait = canary.new(domain, planted, style)
    except Refused as refusal:
        stop(f"--domain: {refusal.message}; write {refusal.write}")
    for line in canary.instructions(bait):
        click.echo(line)
