"""How the catalog is measured, and that it meets its bars over what real tools contact."""

import json
from pathlib import Path

import pytest
from tests.conftest import SHARED

from reconwatch.catalog import Catalog, Service
from reconwatch.catalog.coverage import Coverage, coverage
from reconwatch.catalog.load import load, load_world

SMALL = Catalog(
    [
        Service("crtsh", "crt.sh", "Sectigo", "T1596.003", ("crt.sh",)),
        Service("google-ct", "Google CT", "Google", "T1596.003", ("www.google.com/transparencyreport/",)),
        Service("shodan", "Shodan", "Shodan", "T1596.005", ("shodan.io",)),
    ]
)


def endpoint(host: str, path: str = "/", **more: object) -> dict[str, object]:
    row = {"tool": "t", "host": host, "example_url": f"https://{host}{path}", "kind": "scan-db"}
    return row | {"attack": "T1596.005", "core": True, "status": "active"} | more


def measured(folder: Path, *rows: object, catalog: Catalog = SMALL) -> Coverage:
    path = folder / "list.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return coverage(catalog, [path])


def test_a_host_is_claimed_with_the_right_sub_technique_or_missed(tmp_path: Path) -> None:
    told = measured(tmp_path, endpoint("api.shodan.io"), endpoint("crt.sh"), endpoint("unheard.example"))
    assert (told.total, told.hosts) == (3, {"scan-db": 3})
    assert round(told.claimed, 3) == 0.667
    assert round(told.right, 3) == 0.333
    assert [each.row.host for each in told.missed] == ["unheard.example"]
    assert [(each.row.host, each.service) for each in told.misattributed] == [("crt.sh", "crtsh")]


def test_what_is_debatable_or_gone_does_not_count(tmp_path: Path) -> None:
    told = measured(tmp_path, endpoint("a.example", core=False), endpoint("b.example", status="removed"))
    assert (told.total, told.claimed, told.missed) == (0, 1.0, ())


def test_a_busy_host_is_claimed_by_the_path_of_its_url_only(tmp_path: Path) -> None:
    ct = {"kind": "certificates", "attack": "T1596.003"}
    told = measured(
        tmp_path,
        endpoint("www.google.com", "/transparencyreport/api?domain={domain}", **ct),
        endpoint("www.google.com", "/other", **ct),
    )
    assert [each.row.line for each in told.missed] == [2]


def test_a_search_engine_that_a_service_claims_by_host_is_told_though_it_does_not_count(tmp_path: Path) -> None:
    row = endpoint("search.shodan.io", kind="search-engine", attack=None, core=False)
    told = measured(tmp_path, row, endpoint("www.google.com", kind="code-search", attack=None, core=False))
    assert [each.row.host for each in told.forbidden] == ["search.shodan.io"]
    assert told.total == 0


def test_the_registries_have_columns_of_their_own(tmp_path: Path) -> None:
    told = measured(
        tmp_path,
        {"host": ".whois-servers.net", "zones": ["x"]},
        {"host": "rdap.example", "scopes": ["tld"]},
        {"url": "https://log.crt.sh/2026h1", "operator": "Sectigo", "state": {}},
    )
    assert told.hosts == {"whois": 1, "rdap": 1, "ct-log": 1}
    assert [each.row.host for each in told.missed] == ["whois-servers.net", "rdap.example"]


def test_a_bad_row_is_counted_and_located_and_the_rest_is_measured(tmp_path: Path) -> None:
    told = measured(
        tmp_path, "{", "[]", endpoint("crt.sh", core="yes"), "", endpoint("api.shodan.io"), {"ua_substring": "x"}
    )
    assert [problem.line for problem in told.bad] == [1, 2, 3]
    assert (told.total, told.claimed, list(told.passed.values())) == (1, 1.0, [1])


def test_a_person_reads_what_is_missed_by_kind(tmp_path: Path) -> None:
    lines = list(measured(tmp_path, endpoint("api.shodan.io"), endpoint("unheard.example")).lines())
    assert lines[:3] == ["2 hosts: 50.0% claimed, 50.0% with the right sub-technique", "  scan-db: 1 of 2", "missed:"]
    assert lines[3].endswith("list.jsonl:2: scan-db: https://unheard.example/")


@pytest.fixture(scope="module")
def shipped() -> Coverage:
    """The shipped catalog over the lists of real tools and registries."""
    folder = SHARED / "endpoints"
    if not folder.is_dir():
        pytest.skip("the endpoint lists lie beside the developers' checkouts only")
    catalog = load()
    return coverage(catalog, sorted(folder.glob("*.jsonl")), load_world(catalog))


def test_the_catalog_claims_what_real_tools_contact(shipped: Coverage) -> None:
    told = "\n".join(shipped.lines())
    assert shipped.total > 2000, told
    assert shipped.bad == (), told
    assert shipped.claimed >= 0.97, told
    assert shipped.right >= 0.95, told


def test_search_engines_and_code_search_are_never_claimed_by_host(shipped: Coverage) -> None:
    assert shipped.forbidden == ()


def test_no_kind_is_left_behind(shipped: Coverage) -> None:
    for kind, hosts in shipped.hosts.items():
        missed = {each.row.host for each in shipped.missed if each.row.kind == kind}
        assert len(missed) <= 0.03 * hosts, f"{kind}: {sorted(missed)}"
