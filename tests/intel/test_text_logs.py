"""Indicators and baits in logs of proxies and name servers, with the sieve and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.intel.test_replay import matches, replayed, words

from reconwatch.site import load_site

SITE = """
owned:
  domains: [acme-widgets.com]
  ranges: [203.0.113.0/24]
  nameservers: [203.0.113.53]
canaries:
  - {name: staging-7f3k2q.acme-widgets.com, planted: certificate transparency}
"""
SQUID = """\
1795488541.320      3 10.20.1.11 TCP_MISS/200 239 GET http://www.example.org/ - HIER_DIRECT/198.18.240.3 text/html
1795488767.170     28 10.20.1.12 TCP_TUNNEL/200 1903 CONNECT cdn.bad.example:443 - HIER_DIRECT/198.19.107.156 -
1795488768.227      1 10.20.1.12 TCP_MISS/200 239 GET http://files.example.org/drop/x.zip - HIER_DIRECT/198.18.240.3 -
"""
UNBOUND = """\
[1795488645] unbound[30213:0] query: 10.20.1.11 www.example.org. A IN
[1795488646] unbound[30213:0] query: 10.20.1.11 cdn.BAD.example. A IN
"""
BIND = """\
24-Nov-2026 04:18:48.673 queries: info: client @0x7ff5 192.0.2.66#43033 (www.acme-widgets.com): query: \
www.acme-widgets.com IN A -E(0)K (203.0.113.53)
24-Nov-2026 04:18:50.673 queries: info: client @0x7ff5 192.0.2.67#43034 (staging-7f3k2q.acme-widgets.com): query: \
staging-7f3k2q.acme-widgets.com IN A -E(0)K (203.0.113.53)
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def told(content: str, feed: str, tmp_path: Path) -> list[object]:
    (tmp_path / "site.yaml").write_text(SITE)
    (tmp_path / "a.log").write_text(content)
    return list(replayed([tmp_path / "a.log"], load_site(tmp_path / "site.yaml"), feed, tmp_path, confidence=80))


def test_a_proxy_s_log_shows_names_and_urls(tmp_path: Path) -> None:
    notices = told(SQUID, "bad.example\nhttp://files.example.org/drop/x.zip\n", tmp_path)
    assert words(notices) == {
        ("lookup", "10.20.1.12", "domain bad.example"),
        ("lookup", "10.20.1.12", "URL files.example.org/drop/x.zip"),
    }


def test_a_resolver_s_log_shows_names(tmp_path: Path) -> None:
    assert words(told(UNBOUND, "bad.example\n", tmp_path)) == {("lookup", "10.20.1.11", "domain bad.example")}


def test_our_name_server_s_log_shows_who_is_listed_and_who_touches_a_bait(tmp_path: Path) -> None:
    notices = told(BIND, "192.0.2.66\n", tmp_path)
    assert words(notices) == {("probe", "192.0.2.66", "address 192.0.2.66")}
    (bait,) = [each for each in notices if each.note == "Canary_Touched"]
    assert (bait.actor.ip, bait.direction) == ("192.0.2.67", "probe")
    assert len(matches(notices)) == 1
