"""tools.yaml is computed: from lists of what tools contact, always to the same text."""

import datetime
import json
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from reconwatch.catalog import Catalog, Service
from reconwatch.catalog.compile_tools import compile_tools, main, rows_of, service_of
from reconwatch.catalog.load import load
from reconwatch.catalog.world_schema import read_tools

from ..conftest import SHARED

DAY = datetime.date(2026, 11, 24)
CATALOG = Catalog(
    Service(id=name, name=name, operator=name, technique="T1596.005", hosts=hosts)
    for name, hosts in {
        "alpha": ("alpha.example",),
        "beta": ("beta.example",),
        "gamma": ("busy.example/gamma",),
        "delta": ("=delta.example",),
    }.items()
)


def request(tool: str, url: str, **more: object) -> dict[str, object]:
    row = {"tool": tool, "source_file": "main.go", "example_url": url, "status": "active", "evidence": "file"}
    return row | {"repo": "a/b", "rev": "0123456789ab"} | more


def compiled(*rows: dict[str, object]) -> dict[str, object]:
    return {tool.id: tool for tool in read_tools("tools.yaml", compile_tools(rows, CATALOG, DAY))}


def test_a_small_list_gives_this_text():
    rows = [
        request("finder", "https://api.beta.example/v1?q={domain}"),
        request("finder", "https://alpha.example/{domain}?apikey={key}", source_file="alpha.go"),
        request("finder", "https://delta.example/{ip}", status="removed"),
        {
            "tool": "finder",
            "user_agent": "finder/{version} (+https://a.example)",
            "source_repo": "a/b",
            "source_path": "ua.go",
        },
        {"tool": "finder", "name": "Finder"},
    ]
    assert compile_tools(rows, CATALOG, DAY) == (
        "# Client programs, computed by compile_tools from lists of what their sources contact. "
        "Do not edit: add a row\n# to a list, and compile again.\n"
        "as_of: 2026-11-24\n"
        "tools:\n"
        "  - id: finder\n"
        '    name: "Finder"\n'
        "    kind: recon\n"
        "    services: [alpha, beta]\n"
        "    keyless: [beta]\n"
        "    former: [delta]\n"
        '    agents: [{regex: "finder/[^\\\\s;)]+ \\\\(\\\\+https://a\\\\.example\\\\)"}]\n'
        "    references: [https://github.com/a/b/blob/HEAD/ua.go, https://github.com/a/b/tree/0123456789ab]\n"
    )


def test_the_order_of_the_files_does_not_matter(tmp_path: Path):
    for name, url in {"b": "https://alpha.example/", "a": "https://beta.example/"}.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(request("finder", url)) + "\n")
    paths = sorted(tmp_path.iterdir())
    assert rows_of(paths) == rows_of(reversed(paths))


def test_a_request_to_nobodys_host_or_to_a_busy_hosts_other_path_is_not_the_tools_sign():
    tools = compiled(
        request("finder", "https://nobody.example/"),
        request("finder", "https://busy.example/other"),
        request("finder", "https://busy.example/gamma/{domain}"),
    )
    assert tools["finder"].services == ("gamma",)


def test_a_port_a_user_and_another_scheme_do_not_hide_the_host():
    for url in ("postgresql://guest@delta.example:5432/db", "whois://delta.example/", "https://DELTA.example"):
        assert service_of(url, CATALOG) == "delta"
    for url in ("https://{x}/path", "https://www.delta.example/", "/relative", ""):
        assert service_of(url, CATALOG) is None


def test_what_needs_a_key_in_any_way_is_not_asked_by_a_run_without():
    tools = compiled(
        request("finder", "https://alpha.example/", source_file="alpha.go"),
        request("finder", "https://beta.example/{key}/x", source_file="beta.go"),
        request("finder", "https://delta.example/", source_file="delta.go"),
        {"tool": "finder", "source_file": "alpha.go", "key": True, "repo": "a/b", "rev": "0123456789ab"},
    )
    assert tools["finder"].keyless == ("delta",)


def test_one_request_without_a_key_is_enough():
    tools = compiled(request("finder", "https://alpha.example/{key}"), request("finder", "https://alpha.example/free"))
    assert tools["finder"].keyless == ("alpha",)


def test_what_was_not_read_in_the_tools_own_source_excuses_but_is_not_expected():
    tool = compiled(
        request("f", "https://alpha.example/"), request("f", "https://beta.example/", evidence="unverified")
    )["f"]
    assert (tool.services, tool.former) == (("alpha",), ("beta",))


def test_only_a_source_that_says_so_has_an_order():
    rows = [request("f", "https://delta.example/"), request("f", "https://alpha.example/")]
    assert compiled(*rows)["f"].services == ("alpha", "delta")
    ordered = compiled(
        *rows, {"tool": "f", "ordered": True, "source_file": "main.go", "repo": "a/b", "rev": "0123456789ab"}
    )
    assert (ordered["f"].services, ordered["f"].ordered) == (("delta", "alpha"), True)


def test_a_list_of_links_for_people_is_no_tool():
    assert compiled(
        request("awesome-osint", "https://alpha.example/"), request("f", "https://beta.example/")
    ).keys() == {"f"}


def test_a_prober_is_taken_when_two_lists_know_it():
    def said(tool: str, repo: str, text: str) -> dict[str, object]:
        return {"ua_substring": text, "tool": tool, "category": "scanner-tool", "regex": False, "source_repo": repo} | {
            "source_path": "ua.txt"
        }

    tools = compiled(said("Nikto", "a/a", "Nikto/2"), said("nikto", "b/b", "Nikto"), said("Once", "a/a", "oncebot"))
    assert {name: (tool.kind, tool.agents[0].text) for name, tool in tools.items()} == {"nikto": ("prober", "Nikto")}


def test_a_tool_that_pretends_to_be_bing_is_not_told_by_it():
    bing = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"
    rows = [{"tool": "dnsrecon", "user_agent": bing, "source_repo": "a/b", "source_path": "bing.py"}]
    assert compiled(*rows, request("dnsrecon", "https://alpha.example/"))["dnsrecon"].agents == ()


def test_the_command_writes_the_text_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "finder.jsonl"
    path.write_text(json.dumps(request("finder", "https://crt.sh/?q={domain}")) + "\n")
    main(["--as-of", "2026-11-24", str(path)])
    assert capsys.readouterr().out == compile_tools(rows_of([path]), load(), DAY)


def test_the_tools_that_ship_are_what_the_lists_give():
    folder = SHARED / "endpoints"
    if not folder.is_dir():
        pytest.skip("the endpoint lists lie beside the developers' checkouts only")
    registries = {"ct_logs.jsonl", "whois_servers.jsonl", "rdap_servers.jsonl", "scanners.jsonl"}
    shipped = (files("reconwatch.catalog") / "tools.yaml").read_text(encoding="utf-8")
    with as_file(files("reconwatch.catalog") / "tool_lists") as own:
        paths = [*own.glob("*.jsonl"), *(path for path in folder.glob("*.jsonl") if path.name not in registries)]
        day = datetime.date.fromisoformat(shipped.partition("as_of: ")[2][:10])
        assert compile_tools(rows_of(paths), load(), day) == shipped
