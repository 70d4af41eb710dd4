"""The catalog: list it, ask it, check it, measure it, take a newer one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconwatch.cli.terminal import EXIT_FAIL_ON, chosen_catalog, load_catalog, say, stop, tell
from reconwatch.prose import counted


@click.group("catalog")
def catalog_group() -> None:
    """The open technical databases of the world, and who fills and reads them."""


@catalog_group.command("list")
@click.option("--technique", help="Only of this sub-technique, such as T1596.005.")
def catalog_list(technique: str | None) -> None:
    """Every service: id, sub-technique, how much a bare visit says, name, and first hosts."""
    catalog, _ = load_catalog()
    for service in sorted(catalog.services.values(), key=lambda service: (service.technique, service.id)):
        if technique in (None, service.technique):
            hosts = ", ".join(service.hosts[:3]) + (f" and {len(service.hosts) - 3} more" if service.hosts[3:] else "")
            click.echo(
                f"{service.id:<28} {service.technique} {service.visit:<7} {service.name}: {hosts or 'any server'}"
            )


@catalog_group.command("lookup")
@click.argument("texts", nargs=-1, required=True, metavar="NAME|URL|WHOIS-LINE|IP...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def catalog_lookup(texts: tuple[str, ...], form: str) -> None:
    """Say which service claims a name, URL, WHOIS line or address, and what it asks about. Exit 1 if none does."""
    import msgspec

    from reconwatch.catalog.lookup import lookup

    catalog, world = load_catalog()
    found = [lookup(catalog, text, world) for text in texts]
    for each in found:
        if form == "json":
            click.echo(msgspec.json.encode(each))
        else:
            click.echo("\n".join(each.lines()))
    if not any(each.claims for each in found):
        sys.exit(EXIT_FAIL_ON)


@catalog_group.command("lint")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
def catalog_lint(folder: Path | None) -> None:
    """Say everything that is wrong with the catalog, or with one in FOLDER, and what to write instead."""
    from reconwatch.catalog.lint import lint

    problems = lint(folder or chosen_catalog())
    tell(problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(EXIT_FAIL_ON)
    click.echo("good" + (f", {counted(len(problems), 'warning')}" if problems else ""))


@catalog_group.command("coverage")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def catalog_coverage(files: tuple[Path, ...]) -> None:
    """Measure the catalog against lists of what tools contact (JSON lines); say what it misses, by kind."""
    from reconwatch.catalog.coverage import coverage

    catalog, world = load_catalog()
    for line in coverage(catalog, files, world).lines():
        click.echo(line)


@catalog_group.command("update")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
def catalog_update(folder: Path) -> None:
    """Take the catalog in DIR for this user's, if it lints and has not shrunk by a third; else say why not."""
    from reconwatch.catalog.load import home
    from reconwatch.catalog.update import update

    destination = home()
    if destination is None:
        stop("there is no home folder to keep a catalog in; set XDG_DATA_HOME")
    told = update(folder, destination)
    for line in told.lines():
        (click.echo if told.taken else say)(line)
    if not told.taken:
        sys.exit(EXIT_FAIL_ON)
