"""`logs` of site.yaml: what is said of a program's logs, and what is refused, with its line and what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconwatch.site import Log, check, load_site
from reconwatch.site_init import draft

NOW = 1_795_521_600.0
OWNED = "owned:\n  domains: [acme.com]\nlogs:\n"
PATTERN = '%>a [%tl] "%rm %ru HTTP/%rv"'
FULL = f"""\
{OWNED}  - files: "*/squid/access.log*"
    pattern: 'logformat own {PATTERN}'
  - {{files: web.log, format: combined, server: "2001:DB8::0:1", zone: Europe/Berlin, fields: {{forwarded: 1}}}}
  - {{files: app.json, format: json, fields: {{ts: "@timestamp", client: peer.0, url: url}}}}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a site.yaml into the working directory."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        Path("site.yaml").write_text(text)
        return Path("site.yaml")

    return written


def test_what_is_said_of_logs_is_read_and_comes_back_from_the_cache(write: Callable[[str], Path]) -> None:
    path = write(FULL)
    for _ in range(2):
        assert load_site(path, now=NOW).logs == (
            Log("*/squid/access.log*", "squid", pattern=f"logformat own {PATTERN}"),
            Log("web.log", "combined", "2001:db8::1", "Europe/Berlin", fields={"forwarded": "1"}),
            Log("app.json", "json", fields={"ts": "@timestamp", "client": "peer.0", "url": "url"}),
        )


def test_without_it_nothing_is_said(write: Callable[[str], Path]) -> None:
    for text in ("owned: {domains: [acme.com]}\n", "owned: {domains: [acme.com]}\nlogs:\n", draft()):
        assert load_site(write(text), now=NOW).logs == ()


@pytest.mark.parametrize(("item", "message"), [
    ("server: 192.0.2.1", "an item of logs: key 'files' is missing; write files: ..."),
    ("files: logs/", "'logs/' fits no file; write 'logs/*'"),
    ("files: a, formt: squid", "unknown key 'formt'; write 'format'"),
    ("files: a, format: squit", "'squit' is not one of bind, combined, dnsmasq, haproxy, json, squid, unbound, w3c,"
     " windows-dns; write 'squid'"),
    ("files: a, server: 192.0.2.0/24", "192.0.2.0/24 is a range; a log is written by one server; write an item of logs"
     " for each server"),
    ("files: a, server: www.acme.com", "'www.acme.com' is a name, not an address or range; write the addresses it"
     " stands for"),
    ("files: a, zone: Mars/Olympus", "no time zone is called 'Mars/Olympus' here; write a name such as Europe/Berlin"),
    ("files: a, pattern: '%ts %ru'", "the pattern does not tell who asked; write %>a in it"),
    ("files: a, pattern: '%>a %ts %ru %'", "no format code begins with '%'; write %% for a percent sign"),
    ("files: a, format: w3c, pattern: '%>a %ts %ru'", "format w3c takes no pattern; write it with format: squid, or"
     " not"),
    ("files: a, format: json", "of JSON lines only you know what their keys mean; write fields: {ts: ..., client: ..."
     "}"),
    ("files: a, fields: {ts: a}", "fields are for formats that need them; write format: json or combined or"
     " haproxy or windows-dns"),
    ("files: a, format: json, fields: {ts: a, client: b, clientport: c}", "no field 'clientport'; known are ts, client,"
     " client_port, server, server_port, host, method, url, uri, user_agent, status, user, sni, forwarded; write"
     " 'client_port'"),
    ("files: a, format: json, fields: {ts: a, client: 7}", "client: 7 is not a key; write client: the key in the log"
     " that holds it"),
    ("files: a, format: haproxy, fields: {host: x}", "host: 'x' is not the number of a column; write host: 1 for the"
     " first"),
    ("files: a, format: combined, fields: {user: 1}", "no field 'user'; known are host, user_agent, forwarded, sni"),
])  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_what_to_write(
    write: Callable[[str], Path], item: str, message: str
) -> None:
    told = [str(each) for each in check(write(f"{OWNED}  - {{{item}}}\n"), now=NOW)]
    assert told == [f"site.yaml:4: {message}"]
