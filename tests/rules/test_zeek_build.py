"""Scripts of the package inside Zeek are what the catalog says, and spell it as Zeek reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conftest import ROOT

from reconwatch.catalog.load import load, load_world
from reconwatch.cli import main
from reconwatch.rules.zeek import script
from reconwatch.rules.zeek.build import catalog_files, install, site_files
from reconwatch.site import load_site

CHECKED_IN = ROOT / "zeek-scripts" / "catalog"


def test_what_is_checked_in_is_what_the_catalog_says() -> None:
    catalog = load()
    made = catalog_files(catalog, load_world(catalog))
    assert {path.name for path in CHECKED_IN.iterdir()} == set(made)
    for name, text in made.items():
        assert (CHECKED_IN / name).read_text(encoding="utf-8") == text, f"{name} is old: run `make rules`"


def test_every_script_is_loaded() -> None:
    catalog = load()
    made = catalog_files(catalog, load_world(catalog))
    loaded = re.findall(r"^@load \./(.+)$", made.pop("__load__.zeek"), re.MULTILINE)
    assert [f"{name}.zeek" for name in loaded] == sorted(made)


def test_strings_say_what_would_end_them_in_bytes() -> None:
    assert script.string('a"b\\c\nd\u00fc') == r'"a\x22b\x5cc\x0ad\xc3\xbc"'


def test_text_in_a_pattern_stands_for_itself() -> None:
    assert script.literal("a/b.c (d)") == r"a\/b\.c\ \(d\)"


def test_networks_of_ipv6_stand_in_brackets() -> None:
    assert [script.network(text) for text in ("10.0.0.0/8", "2001:db8::/32")] == ["10.0.0.0/8", "[2001:db8::]/32"]


def test_a_site_says_all_that_main_asks_for() -> None:
    text = site_files(load_site(ROOT / "pcaps" / "demo-site.yaml"))["site.zeek"]
    said = set(re.findall(r"^redef ReconWatch::(\w+)", text, re.MULTILINE))
    main_script = (ROOT / "zeek-scripts" / "main.zeek").read_text(encoding="utf-8")
    asked = set(re.findall(r"^\toption (\w+):", main_script, re.MULTILINE)) - {"sees_connections"}
    assert asked <= said
    assert '$reason="attack-surface team", $until=double_to_time(1814400000.0)' in text  # 2027-07-01 00:00 UTC
    assert '["113.0.203.in-addr.arpa"] = "reverse-dns"' in text


def test_a_hostile_reason_stays_a_string(tmp_path: Path) -> None:
    said = 'owned: {domains: [acme-widgets.com]}\ntrusted:\n  - {who: 10.0.0.1, reason: "x\\"); system(\\"id"}\n'
    (tmp_path / "site.yaml").write_text(said, encoding="utf-8")
    text = site_files(load_site(tmp_path / "site.yaml"))["site.zeek"]
    assert r'$reason="x\x22); system(\x22id"' in text


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install({"a.zeek": "old", "b.zeek": "old"}, tmp_path)
    written = Path.write_text

    def full(path: Path, text: str, **more: str) -> int:
        if path.name == "b.zeek":
            raise OSError(28, "No space left on device")
        return written(path, text, **more)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        install({"a.zeek": "new", "b.zeek": "new"}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.zeek": b"old", "b.zeek": b"old"}


def test_the_command_writes_the_catalog_or_a_site(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["rules", "build", "--zeek", "--shared-sids", "-o", str(tmp_path / "catalog")])
    assert (ran.exit_code, "scripts for Zeek in" in ran.output) == (0, True), ran.output
    site = ["--site", str(ROOT / "pcaps" / "demo-site.yaml")]
    ran = CliRunner().invoke(main, ["rules", "build", "--zeek", *site, "-o", str(tmp_path / "site")])
    assert ran.exit_code == 0, ran.output
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["site.zeek"]


def test_options_of_suricata_are_refused_for_zeek(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["rules", "build", "--zeek", "--engine", "8", "-o", str(tmp_path)])
    assert ran.exit_code == 2
    assert list(tmp_path.iterdir()) == []
