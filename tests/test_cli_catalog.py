"""The catalog's commands as other programs call them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from reconwatch.cli import main
from tests.conftest import ROOT


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["catalog", *(str(argument) for argument in arguments)])


def test_lookup_tells_the_contract_s_json_a_line_each() -> None:
    told = run("lookup", "https://api.shodan.io/shodan/host/203.0.113.10", "www.example.org", "--format", "json")
    assert told.exit_code == 0
    shodan, nobody = [msgspec.json.decode(line) for line in told.stdout.splitlines()]
    assert nobody == {"input": "www.example.org", "claims": []}
    assert shodan == {
        "input": "https://api.shodan.io/shodan/host/203.0.113.10",
        "claims": [
            {"id": "shodan", "technique": "T1596.005", "kind": "url", "strength": "strong", "targets": ["203.0.113.10"]}
        ],
    }


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("crt.sh", "crtsh"),
        ("whois.ripe.net -B 203.0.113.10", "ripe-whois"),
        ("10.113.0.203.origin.asn.cymru.com", "team-cymru-dns"),
        ("66.240.205.34", "shodan"),
    ],
)
def test_lookup_takes_whatever_an_analyst_has_at_hand(text: str, service: str) -> None:
    told = run("lookup", text)
    assert told.exit_code == 0
    assert f" {service} (" in told.stdout


def test_lookup_says_by_its_status_that_nothing_is_claimed() -> None:
    told = run("lookup", "www.example.org")
    assert (told.exit_code, told.stdout) == (1, "www.example.org: not in the catalog\n")


def test_the_shipped_catalog_lints() -> None:
    told = run("lint")
    assert told.exit_code == 0
    assert told.stdout == "good\n"


def test_check_covers_site_and_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["check"]).stdout == "good\n"
    (tmp_path / "site.yaml").write_text("owned:\n  domains: [co.uk]\n")
    told = CliRunner().invoke(main, ["check"])
    assert told.exit_code == 2
    assert "site.yaml:2: " in told.stderr


def test_the_list_is_whole_and_can_be_cut_by_technique() -> None:
    whole, scan = run("list").stdout.splitlines(), run("list", "--technique", "T1596.005").stdout.splitlines()
    assert len(whole) >= 200
    assert 20 < len(scan) < len(whole)
    assert all(" T1596.005 " in line for line in scan)


def test_an_update_is_taken_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    new = tmp_path / "new"
    shutil.copytree(ROOT / "sensor/reconwatch/catalog", new, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    taken = run("update", new)
    assert taken.exit_code == 0, taken.output
    assert taken.stdout.startswith("taken: ")
    (new / "services" / "scan_databases.yaml").write_text("as_of: 2026-11-24\ntechnique: T1596.005\nservices: []\n")
    declined = run("update", new)
    assert declined.exit_code == 1
    assert "not taken: " in declined.stderr
    assert run("lookup", "www.shodan.io").exit_code == 0


def test_coverage_measures_a_list_and_names_what_is_missed(tmp_path: Path) -> None:
    row = {"tool": "t", "service": "s", "kind": "scan-db", "attack": "T1596.005", "core": True, "status": "active"}
    known = row | {"host": "api.shodan.io", "example_url": "https://api.shodan.io/shodan/host/{ip}"}
    unknown = row | {"host": "api.unheard.example", "example_url": "https://api.unheard.example/{ip}"}
    (tmp_path / "t.jsonl").write_text(f"{json.dumps(known)}\n{json.dumps(unknown)}\n")
    told = run("coverage", tmp_path / "t.jsonl")
    assert told.exit_code == 0
    assert told.stdout.startswith("2 hosts: 50.0% claimed")
    assert "t.jsonl:2: scan-db: https://api.unheard.example/{ip}" in told.stdout
