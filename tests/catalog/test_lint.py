"""Each check of `catalog lint` finds what it is for, at its line, and the shipped catalog passes them all."""

import datetime
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from reconwatch.catalog.lint import CHECKS, FILES, lint
from reconwatch.catalog.load import BLINDSPOTS, WORLD, load
from reconwatch.document import Problem

TODAY = datetime.date(2026, 11, 24)
SHIPPED = Path(str(files("reconwatch.catalog")))

GOOD = """\
# Two databases.
as_of: 2026-11-01
technique: T1596.005
services:
  - id: alpha
    name: Alpha
    operator: Alpha
    hosts: [alpha.example]
    not_hosts: [blog.alpha.example]
    interface: [web]
    queries:
      - http: /host/{ip}
    references: [https://docs.example/alpha]
    match:
      - http: https://alpha.example/host/203.0.113.10
        targets: [203.0.113.10]
    no_match:
      - tls: blog.alpha.example
  - id: beta
    name: Beta
    operator: Beta
    hosts: [beta.example]
    interface: [web]
    references: [https://docs.example/beta]
    match:
      - tls: beta.example
    no_match:
      - tls: notbeta.example
"""

PATHS = """\
as_of: 2026-11-01
wordlists: []
paths:
  - id: alpha-secrets
    what: a file of secrets
    paths: [/.alpha]
    weight: strong
    references: [https://docs.example/alpha]
    match: [/.alpha]
    no_match: [/alpha]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small catalog without fault."""
    (tmp_path / "services").mkdir()
    (tmp_path / "nursery").mkdir()
    (tmp_path / "services" / "scan_databases.yaml").write_text(GOOD)
    (tmp_path / BLINDSPOTS).write_text("as_of: 2026-11-01\nblindspots: []\n")
    for name in WORLD:
        if name not in ("tools.yaml", "paths.yaml"):
            shutil.copy(SHIPPED / name, tmp_path / name)
    (tmp_path / "scanners.yaml").write_text("as_of: 2026-11-01\nscanners: []\n")
    (tmp_path / "tools.yaml").write_text("as_of: 2026-11-01\ntools: []\n")
    (tmp_path / "paths.yaml").write_text(PATHS)
    return tmp_path


def said(folder: Path, *changes: tuple[str, str], name: str = "services/scan_databases.yaml") -> list[str]:
    path = folder / name
    text = path.read_text() if path.exists() else GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)
    return [str(problem) for problem in lint(folder, TODAY)]


def test_a_good_catalog_has_no_problem(folder: Path) -> None:
    assert lint(folder, TODAY) == []


def test_the_shipped_catalog_has_no_problem() -> None:
    assert lint(today=TODAY) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ([("id: beta", "id: aleph")], "19: aleph is not in order; write it before alpha"),
        (
            [("id: beta", "id: alpha")],
            "19: id alpha is claimed by alpha (services/scan_databases.yaml) too; write it once",
        ),
        (
            [("[beta.example]", "[beta.example, alpha.example]")],
            "19: host alpha.example is claimed by alpha (services/scan_databases.yaml) too; write it once",
        ),
        (
            [("[beta.example]", "[beta.example, co.uk]")],
            "22: co.uk is a public suffix: it would claim everybody's names; write =co.uk or a name below",
        ),
        (
            [("[beta.example]", "[beta.example, github.io]")],
            "22: github.io is a public suffix: it would claim everybody's names; write =github.io or a name below",
        ),
        (
            [("[https://docs.example/beta]", "[a book]")],
            "24: 'a book' is no URL; write where the fact can be read, as a URL",
        ),
        ([("T1596.005", "T1596.006")], "3: T1596.006 is no sub-technique of T1596"),
        ([("T1596.005", "T1596.004")], "3: T1596.004 does not live in scan_databases.yaml; write cdns.yaml"),
        (
            [("[alpha.example]", "[alpha.example, blog.alpha.example]")],
            "8: blog.alpha.example never reaches alpha: its own not_hosts exclude it",
        ),
        ([("- tls: beta.example", "- tls: gamma.example")], "26: gamma.example is claimed by nobody, not by beta"),
        (
            [("targets: [203.0.113.10]", "targets: [203.0.113.11]")],
            "15: https://alpha.example/host/203.0.113.10 asks about 203.0.113.10; write 203.0.113.11",
        ),
        ([("tls: notbeta.example", "tls: www.beta.example")], "28: www.beta.example is claimed by beta"),
        ([("- http: /host/{ip}", "- http: /host/{ip}\n      - http: /bulk")], "13: no example of alpha shows /bulk"),
        (
            [("    interface: [web]\n    queries", "    interface: [web]\n    state: retired\n    queries")],
            "5: alpha is retired: nobody can search there any more; write visit: weak",
        ),
        ([("operator: Beta", "oprator: Beta")], "21: unknown key 'oprator'; write 'operator'"),
    ],
)
def test_each_fault_is_told_at_its_line(folder: Path, changes: list[tuple[str, str]], problem: str) -> None:
    told = said(folder, *changes)
    assert any(line.startswith(f"services/scan_databases.yaml:{problem}") for line in told), told


def test_a_file_that_is_not_yaml_hides_nothing_of_the_others(folder: Path) -> None:
    (folder / "services" / "cdns.yaml").write_text("as_of: [\n")
    told = said(folder, ("id: beta", "id: aleph"))
    assert [line.partition(":")[0] for line in told] == ["services/cdns.yaml", "services/scan_databases.yaml"]


def test_an_old_file_is_a_warning_and_an_error_nowhere(folder: Path) -> None:
    said(folder, ("2026-11-01", "2026-05-01"))
    (found,) = lint(folder, TODAY)
    assert found == Problem(
        "services/scan_databases.yaml",
        2,
        "last gone through 207 days ago",
        "the day on which the whole file was gone through again",
        "warning",
    )
    said(folder, ("2026-05-01", "2026-05-28"))
    assert lint(folder, TODAY) == []


@pytest.mark.parametrize("name", [BLINDSPOTS, *WORLD])
def test_every_file_must_be_there(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert [str(problem) for problem in lint(folder, TODAY)] == [
        f"{name}: is missing; write it, if only with an empty list"
    ]


def test_an_empty_folder_is_no_catalog(tmp_path: Path) -> None:
    assert "services: there are no services; write services/*.yaml" in [
        str(problem) for problem in lint(tmp_path, TODAY)
    ]


def test_the_world_s_ranges_are_read_too(folder: Path) -> None:
    (folder / "scanners.yaml").write_text(
        (SHIPPED / "scanners.yaml").read_text().replace("1.192.192.4/32", "1.192.192/99")
    )
    assert any("scanners.yaml:" in line and "1.192.192/99" in line for line in said(folder))


def test_an_unproven_entry_needs_no_proof_and_is_told_once_it_is_proven(folder: Path) -> None:
    nursery = folder / "nursery" / "scan_databases.yaml"
    entry = "  - {id: gamma, name: Gamma, operator: Gamma, hosts: [gamma.example], interface: [web]}\n"
    nursery.write_text("as_of: 2026-11-01\ntechnique: T1596.005\nservices:\n" + entry)
    assert lint(folder, TODAY) == []
    nursery.write_text(nursery.read_text().replace("gamma.example", "beta.example"))
    assert [str(problem) for problem in lint(folder, TODAY)] == [
        "nursery/scan_databases.yaml:4: host beta.example is claimed by beta already;"
        " write it out of nursery/: it is proven"
    ]


def test_what_lies_in_the_nursery_counts_for_nothing_in_a_run(folder: Path) -> None:
    entry = "  - {id: gamma, name: Gamma, operator: Gamma, hosts: [gamma.example], interface: [web]}\n"
    text = "as_of: 2026-11-01\ntechnique: T1596.005\nservices:\n" + entry
    (folder / "nursery" / "scan_databases.yaml").write_text(text)
    assert set(load(folder).services) == {"alpha", "beta"}


def test_every_check_has_a_name_and_says_what_to_write() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS) >= 12
    assert all(check.recommendation for check in CHECKS)


def test_every_sub_technique_has_its_file() -> None:
    assert sorted(FILES.values()) == sorted(path.name for path in (SHIPPED / "services").glob("*.yaml"))


def test_examples_of_paths_must_hold(folder: Path) -> None:
    told = said(folder, ("match: [/.alpha]", "match: [/.alphabet]"), ("[/alpha]", "[/.ALPHA]"), name="paths.yaml")
    assert told == [
        "paths.yaml:9: /.alphabet does not ask for a file of secrets; write a path that fits, or another example",
        "paths.yaml:10: /.ALPHA asks for a file of secrets; write a path that fits, or another example",
    ]


def test_a_path_s_tool_must_be_one_of_the_catalog(folder: Path) -> None:
    told = said(folder, ("weight: strong", "weight: strong\n    tool: alphascan"), name="paths.yaml")
    assert told == ["paths.yaml:8: 'alphascan' is no tool of the catalog; write the id of an entry in tools.yaml"]
