"""Catalog and site become scripts of Zeek.

files = catalog_files(catalog, world)     # pure: {name: text}
files = site_files(site)                  # pure
install(files, Path("zeek-scripts/catalog"))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from reconwatch.catalog import Catalog
from reconwatch.catalog.world import World
from reconwatch.rules.zeek import paths, scanners, services
from reconwatch.rules.zeek.site import SITE, site_script
from reconwatch.site import Site

LOAD = "__load__.zeek"

Part = Callable[[Catalog, World], dict[str, str]]
"""Some files of the catalog: {name: text}."""

PARTS: tuple[Part, ...] = (
    services.services,
    services.tools,
    scanners.scanners,
    paths.paths,
)


def catalog_files(catalog: Catalog, world: World) -> dict[str, str]:
    """What is true for any site, one file a subject, and what loads them all."""
    files: dict[str, str] = {}
    for part in PARTS:
        files |= part(catalog, world)
    loads = "".join(f"@load ./{name.removesuffix('.zeek')}\n" for name in sorted(files))
    return dict(sorted(files.items())) | {LOAD: loads}


def site_files(site: Site) -> dict[str, str]:
    """What is true for one site."""
    return {SITE: site_script(site)}


def install(files: dict[str, str], folder: Path) -> None:
    """Put all files in place of those before; each is whole at any time. Raises OSError.

    All are written before the first is put in place, so that a full disk changes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(mkdtemp(prefix=".reconwatch-", dir=folder))
    try:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8")
            (staging / name).chmod(0o644)
        for name in files:
            (staging / name).replace(folder / name)
    finally:
        for left in staging.iterdir():
            left.unlink()
        staging.rmdir()
