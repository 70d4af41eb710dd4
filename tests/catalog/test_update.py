"""A new catalog is taken whole or not at all, and a sensor is never blinded by a bad one."""

import datetime
import os
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from reconwatch.catalog.lint import texts_of
from reconwatch.catalog.load import chosen, home, load, load_world
from reconwatch.catalog.update import Update, update
from reconwatch.document import DocumentError

TODAY = datetime.date(2026, 11, 24)
SHIPPED = Path(str(files("reconwatch.catalog")))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A copy of the shipped catalog, as somebody might hand it over."""
    folder = tmp_path / "new"
    for name, text in texts_of(None).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """Where a site's catalog lives; nothing yet."""
    return tmp_path / "data" / "reconwatch" / "catalog"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def declined(told: Update, destination: Path) -> tuple[str, ...]:
    assert not told.taken
    assert not destination.exists()
    assert any(line.startswith("not taken: ") for line in told.lines())
    return told.why


def drop(folder: Path, name: str, share: float) -> None:
    """Leave out the last entries of a file of services."""
    path = folder / "services" / name
    head, *entries = re.split(r"(?m)^(?=  - id: )", path.read_text())
    path.write_text(head + "".join(entries[: len(entries) - int(len(entries) * share)]))


def test_a_good_set_is_taken_and_loaded_from_there(new: Path, destination: Path) -> None:
    edit(new / "services" / "scan_databases.yaml", "name: Shodan\n", "name: Shodan, renamed\n")
    told = update(new, destination, TODAY)
    assert (told.taken, told.why, told.problems) == (True, (), ())
    assert list(told.lines()) == ["taken: as many entries as before in every list"]
    catalog = load(destination)
    assert catalog.services["shodan"].name == "Shodan, renamed"
    assert load_world(catalog, destination).facts.scanners
    assert texts_of(destination) == texts_of(new)


def test_a_second_update_replaces_the_first_in_one_step_and_leaves_no_litter(new: Path, destination: Path) -> None:
    for name in ("one", "two", "three"):
        edit(new / "services" / "scan_databases.yaml", "name: Shodan", f"name: Shodan {name}")
        assert update(new, destination, TODAY).taken
    assert load(destination).services["shodan"].name.startswith("Shodan three")
    present = destination.resolve()
    others = sorted(path for path in destination.parent.iterdir() if path not in (destination, present))
    assert len(others) == 1, "the set before the present one may still be read"


def test_a_set_with_errors_is_declined_with_each_of_them(new: Path, destination: Path) -> None:
    edit(new / "services" / "cdns.yaml", "technique: T1596.004", "technique: T1596.009")
    told = update(new, destination, TODAY)
    assert re.fullmatch(r"\d+ errors?", declined(told, destination)[0])
    assert any("services/cdns.yaml:" in line and "T1596.009" in line for line in told.lines())


def test_a_file_that_lost_more_than_thirty_percent_is_declined_though_the_whole_is_as_large(
    new: Path, destination: Path
) -> None:
    (new / "tools.yaml").write_text("as_of: 2026-11-24\ntools: []\n")  # else its services would be unknown
    (new / "paths.yaml").write_text("as_of: 2026-11-24\nwordlists: []\npaths: []\n")  # and its tools
    (new / "scanners.yaml").write_text(re.sub(r"\n    databases: \[.*\]", "", (new / "scanners.yaml").read_text()))
    drop(new, "cdns.yaml", 0.5)
    why = declined(update(new, destination, TODAY), destination)
    assert any(reason.startswith("services/cdns.yaml: ") for reason in why)
    assert any(reason.startswith("tools: 0 entries instead of ") for reason in why)
    assert not any(reason.startswith("services: ") for reason in why)


def test_a_list_that_was_emptied_is_declined(new: Path, destination: Path) -> None:
    (new / "scanners.yaml").write_text("as_of: 2026-11-24\nscanners: []\n")
    why = declined(update(new, destination, TODAY), destination)
    assert why[0].startswith("scanners: 0 entries instead of ")
    assert why[0].endswith("more than 30 % fewer")


def test_a_missing_file_is_declined(new: Path, destination: Path) -> None:
    (new / "services" / "whois_rdap.yaml").unlink()
    assert declined(update(new, destination, TODAY), destination)


def test_an_empty_or_absent_folder_is_declined(tmp_path: Path, destination: Path) -> None:
    assert declined(update(tmp_path, destination, TODAY), destination)
    assert declined(update(tmp_path / "absent", destination, TODAY), destination)


def test_an_older_set_is_declined(new: Path, destination: Path) -> None:
    for path in new.rglob("*.yaml"):
        path.write_text(re.sub(r"(?m)^as_of: .*$", "as_of: 2026-11-01", path.read_text()))
    assert declined(update(new, destination, TODAY), destination) == ("it is older than the present one (as_of)",)


def test_a_folder_that_somebody_made_by_hand_is_left_alone(new: Path, destination: Path) -> None:
    shutil.copytree(new, destination)
    told = update(new, destination, TODAY)
    assert told.why == (f"{destination} was not made by an update; move it away",)
    assert not destination.is_symlink()


def test_a_present_set_that_does_not_read_cannot_be_compared_with(new: Path, destination: Path) -> None:
    assert update(new, destination, TODAY).taken
    (destination.resolve() / "tools.yaml").write_text("as_of: [\n")
    told = update(new, destination, TODAY)
    assert told.why == (f"{destination} does not read, so nothing can be compared; remove it",)


def test_a_disk_that_fails_leaves_what_was_there(new: Path, destination: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert update(new, destination, TODAY).taken
    before = destination.resolve()

    def full(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "replace", full)
    told = update(new, destination, TODAY)
    assert (told.taken, "No space left on device" in told.why[0]) == (False, True)
    assert destination.resolve() == before
    assert sorted(destination.parent.iterdir()) == sorted([destination, before])


# ---------------------------------------------------------------- which catalog a run reads


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    found = home()
    assert found == tmp_path / "data" / "reconwatch" / "catalog"
    return found


def test_what_ships_is_read_until_there_is_an_update(data_home: Path, new: Path) -> None:
    assert chosen() is None
    assert update(new, data_home, TODAY).taken
    assert chosen() == data_home.resolve()


def test_a_renewed_package_wins_over_an_older_update(data_home: Path, new: Path) -> None:
    assert update(new, data_home, TODAY).taken
    for path in data_home.resolve().rglob("*.yaml"):
        path.write_bytes(re.sub(rb"(?m)^as_of: .*$", b"as_of: 2026-11-01", path.read_bytes()))
    assert chosen() is None
    assert chosen(data_home) == data_home.resolve(), "who names a folder means it"


def test_an_update_from_before_a_file_was_added_is_passed_over(data_home: Path, new: Path) -> None:
    assert update(new, data_home, TODAY).taken
    (data_home.resolve() / "paths.yaml").unlink()
    assert chosen() is None


def test_a_folder_that_everybody_can_write_to_is_refused(data_home: Path, new: Path) -> None:
    assert update(new, data_home, TODAY).taken
    (data_home.resolve() / "services").chmod(0o777)
    with pytest.raises(DocumentError, match="services: everybody can write to it; write chmod o-w"):
        chosen()
    (data_home.resolve() / "services").chmod(0o755)
    data_home.parent.chmod(0o777)
    with pytest.raises(DocumentError, match="everybody can write"):
        chosen()


def test_a_folder_of_another_user_is_refused(data_home: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert update(new, data_home, TODAY).taken
    if os.geteuid() == 0:
        os.chown(data_home.resolve() / "services" / "cdns.yaml", 65534, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(DocumentError, match=r"cdns.yaml: belongs to another user"):
        chosen()
