"""A new bait cannot be guessed, looks like one of our names, and comes with all that it takes to plant it."""

import datetime

import pytest
import yaml
from click.testing import CliRunner

from reconwatch import canary
from reconwatch.cli import main
from reconwatch.document import Refused
from reconwatch.domains import read_domain
from reconwatch.site import check

DAY = datetime.date(2026, 11, 24)
PLACES = ["ct", "dns", "whois", "ptr"]


def test_no_two_baits_are_alike_and_each_is_a_name_under_the_domain() -> None:
    names = {canary.new("Acme-Widgets.com.", "ct").name for _ in range(500)}
    assert len(names) == 500
    for name in names:
        assert read_domain(name) == name
        assert name.endswith(".acme-widgets.com")


def test_what_is_drawn_is_more_than_thirty_bits_and_from_the_system_s_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(canary.BASE32)) ** canary.DRAWN >= 2**30
    monkeypatch.setattr(canary.secrets, "choice", lambda among: among[0])
    assert canary.new("acme-widgets.com", "ct").name == "staging-aaaaaaa.acme-widgets.com"


@pytest.mark.parametrize("style", canary.WORDS)
def test_a_style_is_how_the_name_begins(style: canary.Style) -> None:
    name = canary.new("acme-widgets.com", "dns", style).name
    assert name.partition("-")[0] in canary.WORDS[style]


@pytest.mark.parametrize("place", PLACES)
def test_the_lines_for_site_yaml_hold_and_say_where_it_was_planted(place: canary.Place, tmp_path) -> None:
    bait = canary.new("acme-widgets.com", place, today=DAY)
    told = list(canary.instructions(bait))
    lines = [line.removeprefix("  ") for line in told[told.index("  canaries:") :]]
    path = tmp_path / "site.yaml"
    path.write_text("\n".join(["owned: {domains: [acme-widgets.com]}", *lines]))
    assert check(path) == []
    assert yaml.safe_load(path.read_text())["canaries"] == [
        {"name": bait.name, "planted": canary.PLANTED[place], "since": DAY}
    ]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ct", ["certbot certonly", "openssl req -new", "300 IN A"]),
        ("dns", ["dig ", "300 IN A"]),
        ("whois", ["hostmaster@", "IN MX"]),
        ("ptr", ["in-addr.arpa. 3600 IN PTR"]),
    ],
)
def test_each_place_says_what_to_plant(place: canary.Place, words: list[str]) -> None:
    told = "\n".join(canary.instructions(canary.new("acme-widgets.com", place)))
    assert [word for word in words if word not in told] == []


def test_a_domain_without_room_for_a_name_is_refused() -> None:
    with pytest.raises(Refused, match="leaves no room"):
        canary.new(".".join(["a" * 60] * 4) + ".com", "ct")


def test_the_command_prints_the_bait_and_nothing_else() -> None:
    told = CliRunner().invoke(main, ["canary", "new", "--planted", "ptr", "--domain", "acme-widgets.com"])
    assert told.exit_code == 0
    assert told.stderr == ""
    assert told.stdout.startswith("bait: ")


@pytest.mark.parametrize("domain", ["com", "https://acme-widgets.com/", "", "a b", "203.0.113.1"])
def test_a_bad_domain_is_one_line_and_exit_two(domain: str) -> None:
    told = CliRunner().invoke(main, ["canary", "new", "--planted", "ct", "--domain", domain])
    assert told.exit_code == 2
    assert told.stdout == ""
    assert told.stderr.startswith("reconwatch: --domain: ")
    assert told.stderr.count("\n") == 1
