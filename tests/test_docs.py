"""What the documents show is what the program does."""

import re
import shlex

import pytest
from click.testing import CliRunner

from reconwatch.cli import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def shown() -> tuple[list[str], list[str]]:
    """(the command's words, the lines of its output; `...` stands for any number of lines)."""
    block = re.search(r"```console\n\$ reconwatch (.*?)\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return shlex.split(block[1]), block[2].splitlines()


def test_the_readme_shows_the_real_output_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, lines = shown()
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 0
    real = iter(told.stdout.splitlines() + told.stderr.splitlines())
    skipping = False
    for line in lines:
        if line == "...":
            skipping = True
            continue
        found = next((each for each in real if each == line), None) if skipping else next(real, None)
        assert found == line
        skipping = False


def test_every_file_that_a_document_links_to_exists() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_every_option_the_readme_names_exists() -> None:
    options = {option for command in main.commands.values() for p in command.params for option in p.opts}
    assert set(re.findall(r"`(--[a-z-]+)", README)) <= options


def test_every_note_in_the_readme_has_a_detector() -> None:
    from reconwatch.detectors import DETECTORS, PROBE_DETECTORS
    from reconwatch.detectors.certificate_exposed import CertificateExposed
    from reconwatch.detectors.scans import Scans

    told = README.partition("| note |")[2].partition("\n\n")[0]
    notes = {each.note for each in (*DETECTORS, *PROBE_DETECTORS, CertificateExposed)} | set(Scans.thresholds)
    assert set(re.findall(r"^\| `(\w+)`", told, re.MULTILINE)) == notes


def test_every_test_that_the_threat_model_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text()))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(names) > 20
    assert {name for name in names if not re.search(rf"^ *def {name}\(", tests, re.MULTILINE)} == set()


def test_every_metric_that_is_told_of_exists() -> None:
    from reconwatch.metrics import families
    from tests.vitals import VITALS

    page = (ROOT / "docs" / "service.md").read_text().partition("| metric")[2].partition("\n\n")[0]
    told = {
        name.partition("{")[0] for row in page.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }
    real = {family[0].removeprefix("reconwatch_") for family in families(VITALS)}
    assert {name for name in told if not any(each.endswith(name) for each in real)} == set()
    assert len(told) > 20
