"""The command line: the only room that prints and exits. The commands are a contract (DESIGN.md, section 6)."""

from __future__ import annotations

import io
import sys

import click

from reconwatch import __version__
from reconwatch.cli.canary import canary_group
from reconwatch.cli.catalog import catalog_group
from reconwatch.cli.replay import explain, exposure, replay
from reconwatch.cli.rules import rules_group
from reconwatch.cli.service import reload_service, status
from reconwatch.cli.service import run as run_service
from reconwatch.cli.site import check_all, site
from reconwatch.cli.store import db_group
from reconwatch.cli.terminal import EXIT_RAN


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="reconwatch %(version)s")
def main() -> None:
    """Notice who looks us up in open technical databases (ATT&CK T1596), and what follows."""


for command in (
    replay,
    run_service,
    status,
    reload_service,
    exposure,
    explain,
    site,
    check_all,
    catalog_group,
    canary_group,
    rules_group,
    db_group,
):
    main.add_command(command)


def run() -> None:
    """Entry point: a closed pipe downstream ends the program quietly, an interrupt with 130 as shells expect."""
    try:
        main(standalone_mode=True)
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this the interpreter complains at exit.
        sys.stdout = io.TextIOWrapper(io.BytesIO())
        sys.exit(EXIT_RAN)
