"""Imports go one way, in the order of the data: an import against it fails here."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sensor" / "reconwatch"

ROOMS = [
    {"prose"},
    {"document", "document_errors"},
    {"cache"},
    {"events", "account"},
    {"broker"},
    {"passing"},
    {"interest"},
    {"visits", "sightings"},
    {"notices"},
    {"domains"},
    {"canary"},
    {"lookalike"},
    {"logformat"},
    {
        "site",
        "site_schema",
        "site_checks",
        "site_init",
        "site_kept",
        "site_live",
        "site_outlets",
        "site_section",
        "site_service",
        "site_sinks",
    },
    {"targets"},
    {"intel"},
    {"catalog"},
    {"sources"},
    {"ordering", "shelf"},
    {"witnesses"},
    {"meet", "blindness"},
    {"sift"},
    {"special", "listed"},
    {"reverse_names"},
    {"probing", "published", "raised"},
    {"windows", "touched"},
    {"exposure"},
    {"detectors"},
    {"doors"},
    {"partitioned"},
    {"desk"},
    {"sinks"},
    {"store"},
    {"explanation"},
    {"assembly"},
    {"snapshot"},
    {"pipeline", "live"},
    {"settings"},
    {"said_of_itself", "self_test"},
    {"service"},
    {"vitals"},
    {"metrics", "status"},
    {"answering", "notify"},
    {"watched"},
    {"rules"},
    {"cli"},
    {"__main__"},
]
"""From the first to the last: a room may import itself and those before it."""

FORBIDDEN = {
    "sources": {"catalog", "site", "targets", "visits", "sightings", "notices"},
    "detectors": {"catalog", "site", "sources", "events"},
    "store": {"catalog", "sources", "detectors", "desk", "events"},
    "sinks": {"catalog", "site", "sources", "detectors", "desk", "events"},
}
"""What a room must not know although it comes before: sources see no meaning, detectors, sinks, store no wire."""

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "reconwatch":
            found |= {
                alias.name
                for alias in node.names
                if (PACKAGE / f"{alias.name}.py").exists() or (PACKAGE / alias.name).is_dir()
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconwatch."):
            found.add(room_of(node.module or ""))
        elif isinstance(node, ast.Import):
            found |= {room_of(alias.name) for alias in node.names if alias.name.startswith("reconwatch.")}
    return found


def rank(room: str) -> int:
    return next(number for number, rooms in enumerate(ROOMS) if room in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_comes_before_it(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        assert imports(path) == set()
        return
    for other in imports(path):
        assert rank(other) <= rank(room), f"{room} imports {other}, which comes after it"
        assert other not in FORBIDDEN.get(room, set()), f"{room} must not know {other}"


def test_only_the_pipeline_and_the_command_line_import_every_room() -> None:
    for path in FILES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room not in {"assembly", "pipeline", "live", "cli"}:
            assert not {"sources", "detectors", "desk"} <= imports(path), path


def test_only_the_command_line_prints_or_exits() -> None:
    for path in FILES:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        told = {ast.unparse(call.func) for call in calls} & {
            "print",
            "sys.exit",
            "exit",
            "quit",
            "click.echo",
            "os._exit",
        }
        if path.name == "workers.py":
            told.discard("os._exit")  # a forked process, whose end is not the program's
        assert not told or path.parent.name == "cli", f"{path}: {told}"


def test_no_file_is_longer_than_five_hundred_lines() -> None:
    assert {path.name: n for path in FILES if (n := path.read_text().count("\n")) > 500} == {}
