"""`rules build`: what is checked in is what the catalog makes, numbers stay, and nobody's text breaks out of a rule."""

from __future__ import annotations

import datetime
import re
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import ROOT
from tests.rules.suricatas import ENGINES, suricata

from reconwatch.catalog.load import load, load_world
from reconwatch.cli import main
from reconwatch.document import DocumentError
from reconwatch.rules.build import RULES, Plan, accepted, build, install
from reconwatch.rules.draft import Draft, Threshold, content, pcre, quoted
from reconwatch.rules.ledger import FIRST, LAST, LOCAL, NAME, Entry, Ledger, LedgerFull, parse, shared
from reconwatch.rules.lint import lint, parsed
from reconwatch.rules.parties import NOBODY, Parties, others, side
from reconwatch.site import Owned, Roles, Site, Trust

CATALOG = load()
WORLD = load_world(CATALOG)
DAY = datetime.date(2026, 11, 24)
SITE = Site(
    owned=Owned(
        domains=("acme-widgets.com",),
        ranges=(ip_network("203.0.113.0/24"), ip_network("2001:db8:acc:113::/64")),
        asns=(64496,),
        brands=('a";)|\\ b', "x\x1b[31m;", "größe: \u202e", "acme widgets"),
    ),
    inside=(ip_network("10.0.0.0/8"),),
    roles=Roles(resolvers=(ip_network("10.20.0.53"),)),
    trusted=(Trust(ip_network("10.20.9.0/24"), "team", until=datetime.date(2027, 6, 30)),),
)


def plan(site: Site | None = None, engine: int = 7, **more) -> Plan:
    return Plan(CATALOG, WORLD, site, engine, DAY, **more)


@pytest.mark.parametrize("engine", [7, 8])
def test_the_rules_that_are_checked_in_are_what_the_catalog_makes(engine: int) -> None:
    known = shared()
    built = build(plan(engine=engine, local=False), known)
    advice = "the catalog has changed: run `make rules`"
    assert built.ledger.text() == known.text(), advice
    assert built.files[RULES] == (ROOT / "suricata-rules" / f"suricata-{engine}" / RULES).read_text(), advice


@pytest.mark.parametrize("site", [None, SITE], ids=["no site", "site"])
@pytest.mark.parametrize("iprep", [False, True])
@pytest.mark.parametrize("named", ENGINES)
def test_an_engine_takes_every_rule_without_a_warning(named: str, site: Site | None, iprep: bool) -> None:
    engine = suricata(named)
    built = build(plan(site, 8 if engine.version[0] >= 8 else 7, iprep=iprep), shared())
    assert [str(fault) for fault in lint(built.rules)] == []
    loading = accepted(built, engine)
    assert (loading.rejected, loading.warnings, loading.errors) == ((), (), ())
    assert loading.loaded == len(built.rules)


def test_a_build_on_another_day_is_the_same_to_the_byte() -> None:
    first = build(plan(SITE), shared())
    again = build(replace(plan(SITE), day=datetime.date(2027, 1, 1)), first.ledger)
    assert again.files[RULES] == first.files[RULES]
    assert again.ledger.text() == first.ledger.text()


def test_a_site_s_rules_have_everybody_s_sids_and_its_own_lie_apart() -> None:
    built, known = build(plan(SITE), shared()), {entry.key: entry.sid for entry in shared()}
    for entry in built.ledger:
        assert known.get(entry.key, entry.sid) == entry.sid
        assert (entry.sid >= LOCAL) == (entry.key not in known)


def test_trust_that_has_ended_on_the_day_of_the_build_is_none() -> None:
    before, after = (build(replace(plan(SITE), day=datetime.date(2027, 7, day)), shared()) for day in (1, 2))
    assert "10.20.9.0/24" not in before.files[RULES]
    assert before.files[RULES].count("\n") == after.files[RULES].count("\n")
    assert "!10.20.9.0/24" in build(plan(SITE), shared()).files[RULES]
    assert "ends on 2027-06-30: build again then" in build(plan(SITE), shared()).files[RULES]


# ---------------------------------------------------------------- hostile text


@given(st.text(min_size=1))
def test_no_text_ends_a_value(text: str) -> None:
    options = (("flow", "established,to_server"), content(text), pcre(re.escape(text)))
    limit = Threshold("limit", "by_src", 1, 60)
    draft = Draft("k", "http", "any any", "any any", text, options, "misc-activity", "T1596", "Low", limit)
    rule = parsed(draft.text(FIRST, 1, "2026-11-24", "2026-11-24"))
    assert rule is not None
    assert [keyword for keyword, _ in rule.options] == [
        "msg", "flow", "content", "pcre", "threshold", "reference", "classtype", "metadata", "sid", "rev",
    ]  # fmt: skip
    assert rule.text.isascii()
    assert rule.text.isprintable()


@given(st.text())
def test_a_content_says_its_bytes(text: str) -> None:
    written = content(text)[1] or ""
    raw = re.sub(rb"\|([0-9a-f ]*)\|", lambda found: bytes.fromhex(found[1].decode()), written.strip('"').encode())
    assert raw == text.encode()


def test_a_message_keeps_what_means_nothing_to_an_engine() -> None:
    assert quoted('Shodan (www.shodan.io): "x"; \\ ü') == '"Shodan (www.shodan.io): _x__ _ _"'


# ---------------------------------------------------------------- ledger

OLD = Ledger([Entry(FIRST, 3, "2026-01-01", "2026-02-02", "active", "a" * 16, "lookup/a/dns/a.example")])


def test_what_changes_gets_a_revision_and_what_does_not_keeps_its_days() -> None:
    same = OLD.brought_up({"lookup/a/dns/a.example": "a" * 16}, "2026-11-24", local=False)
    other = OLD.brought_up({"lookup/a/dns/a.example": "b" * 16}, "2026-11-24", local=False)
    assert same.text() == OLD.text()
    assert str(next(iter(other))) == f"{FIRST} 4 2026-01-01 2026-11-24 active {'b' * 16} lookup/a/dns/a.example"


def test_a_sid_that_is_free_again_is_nobody_s() -> None:
    gone = OLD.brought_up({"lookup/b/dns/b.example": "c" * 16}, "2026-11-24", local=False)
    assert [(entry.sid, entry.state) for entry in gone] == [(FIRST, "retired"), (FIRST + 1, "active")]
    back = gone.brought_up({"lookup/a/dns/a.example": "a" * 16}, "2026-11-25", local=False)
    assert next((entry.sid, entry.state, entry.rev) for entry in back) == (FIRST, "active", 3)


def test_a_full_block_is_an_error_and_not_somebody_else_s_number() -> None:
    full = Ledger([Entry(LAST, 1, "2026-01-01", "2026-01-01", "active", "a" * 16, "k")])
    with pytest.raises(LedgerFull, match="all sids from 1960000 to 1999999 are taken"):
        full.brought_up({"k": "a" * 16, "new": "b" * 16}, "2026-11-24", local=True)


def test_a_ledger_survives_its_text_and_tells_every_broken_line() -> None:
    assert parse(OLD.text(), "x").text() == OLD.text()
    line = str(next(iter(OLD)))
    with pytest.raises(DocumentError) as error:
        parse(f"{line}\nnonsense\n{line}\n{line.replace('1900000', '1234567')}2\n", NAME)
    assert [str(problem) for problem in error.value.problems] == [
        "sids.ledger:2: this is no line of a ledger; write it as it was, from a backup",
        "sids.ledger:3: sid 1900000 stands in line 1 too; write it once",
        "sids.ledger:3: key lookup/a/dns/a.example stands in line 1 too; write it once",
        "sids.ledger:4: sid 1234567 is none of ours; write one of 1900000 to 1999999",
    ]


# ---------------------------------------------------------------- sides of a header


@pytest.mark.parametrize(
    ("networks", "without", "written"),
    [
        (["10.0.0.0/8"], ["10.20.9.0/24"], "[10.0.0.0/8,!10.20.9.0/24]"),
        (["10.20.9.0/25", "192.0.2.0/24"], ["10.20.9.0/24"], "192.0.2.0/24"),
        (["10.20.9.0/24"], ["10.20.9.0/24"], NOBODY),
        (["10.0.0.0/8", "10.1.0.0/16"], ["203.0.113.1"], "10.0.0.0/8"),
        (["2001:db8::/32", "10.0.0.1"], [], "[10.0.0.1,2001:db8::/32]"),
    ],
)
def test_a_side_is_what_is_left_and_negates_only_what_it_holds(networks, without, written: str) -> None:
    assert side(map(ip_network, networks), map(ip_network, without)) == written


def test_others_are_everybody_else() -> None:
    assert others([ip_network("10.0.0.0/8")]) == "!10.0.0.0/8"
    assert others([]) == "any"


def test_a_site_whose_inside_is_all_trusted_has_no_clients_and_says_so() -> None:
    quiet = replace(SITE, inside=(ip_network("10.20.9.0/24"),), owned=Owned(domains=("acme-widgets.com",)))
    built = build(plan(quiet), shared())
    assert Parties.of(quiet, DAY).clients == NOBODY
    assert "Nobody inside is left to watch: no rules for lookups." in built.notes
    assert not [family for family in built.families if not family.startswith("relay")]


# ---------------------------------------------------------------- lint

GOOD = (
    'alert dns $HOME_NET any -> any any (msg:"RECONWATCH x"; flow:to_server; dns.query; content:"shodan.io"; nocase;'
    " threshold:type limit, track by_src, count 1, seconds 3600; reference:url,attack.mitre.org/techniques/T1596/;"
    " classtype:misc-activity; metadata:mitre_tactic_id TA0043, mitre_technique_id T1596, confidence Low,"
    " created_at 2026_11_24, updated_at 2026_11_24; sid:1900000; rev:1;)"
)


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ((" RECONWATCH x", "x"), None), (("RECONWATCH x", "x"), "message"), (("sid:1900000", "sid:1"), "number"),
        (("rev:1", "rev:0"), "number"), (('"shodan.io"', '"sho"'), "content"), (("flow:to_server; ", ""), "direction"),
        (("dns.query", "http.host"), "case"), (("seconds 3600", "seconds 1"), "threshold"),
        (("confidence Low,", ""), "metadata"), (("T1596,", "T9,"), "metadata"), (("url,", "url,https://"), "metadata"),
        (("misc-activity", "trojan-activity"), "metadata"), (("shodan", "shödan"), "size"),
        (("alert", "drop"), "syntax"),
        (('content:"shodan.io"; ', ""), "content"),
    ],
)  # fmt: skip
def test_a_fault_is_found_by_its_check(change: tuple[str, str], check: str | None) -> None:
    assert GOOD.replace(*change) != GOOD or check is None
    assert {fault.check for fault in lint([GOOD.replace(*change)])} == ({check} if check else set())


def test_two_rules_of_one_sid_are_a_fault() -> None:
    assert [str(fault) for fault in lint([GOOD, GOOD])] == [
        "sid 1900000: unique: rule 1 has this sid too; a sid of its own"
    ]


# ---------------------------------------------------------------- the command


def test_the_command_writes_all_files_and_leaves_no_others(tmp_path: Path) -> None:
    suricata()
    done = CliRunner().invoke(main, ["rules", "build", "-o", str(tmp_path / "out"), "--engine", "7", "--iprep"])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "reconwatch-categories.txt", "reconwatch-reputation.list", "reconwatch.rules", "sids.ledger",
    ]  # fmt: skip


def test_nothing_is_written_that_an_engine_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suricata()
    monkeypatch.setattr(Draft, "body", lambda self: (("msg", '"RECONWATCH x"'), ("no.keyword", None)))
    done = CliRunner().invoke(main, ["rules", "build", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "nothing was written" in done.output
    assert not (tmp_path / "out").exists()


def test_an_engine_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["rules", "build", "-o", str(tmp_path), "--engine-path", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "no program there" in done.output


def test_a_broken_ledger_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("nonsense\n")
    done = CliRunner().invoke(main, ["rules", "build", "-o", str(tmp_path)])
    assert done.exit_code == 2
    assert f"{NAME}:1: this is no line of a ledger" in done.output
    assert (tmp_path / NAME).read_text() == "nonsense\n"


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    built = build(plan(), shared())
    with pytest.raises(OSError, match="file"):
        install(built, tmp_path / "file" / "out", tmp_path / NAME)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
