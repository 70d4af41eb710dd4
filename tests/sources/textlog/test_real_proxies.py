"""Squid, nginx, HAProxy and Apache write the logs, curl asks; what is read back is what was asked.

With CI=true a server that is not installed is a failure; elsewhere its test is skipped, and says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.sources.textlog.servers import curl, free_port, origin, program, running, until, workplace

from reconwatch.account import Account
from reconwatch.events import AnyEvent, Event, Hello, HttpRequest
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.inputs import Inputs, read_inputs
from reconwatch.sources.textlog.declared import Declared

ALICE, BOB, STRANGER = "127.0.0.11", "127.0.0.12", "127.0.0.66"
HOSTILE = 'x" 200 1 "-" "y" \\ %0d%0a 127.0.0.99 - - [24/Nov/2026:00:00:00 +0000] "GET http://evil.example/ HTTP/1.1"'
"""A user agent that tries to be another line."""


FORGED = 'x" - hier_none/- - [24/nov/2026] "get /" 200 1 "-" "-"'
"""A user name that tries to be another line. Squid refuses one with line breaks, and ends it at a colon."""


class Everything(Lookout):
    """Wants every event; all of loopback is ours."""

    def __init__(self) -> None:
        super().__init__(Interest(networks=frozenset({"127.0.0.0/8"}), relays=frozenset({"127.0.0.80/32"})))

    def wants(self, event: Event) -> bool:
        return True

    def wants_request(self, host: str, uri: str, server: str | None) -> bool:
        return True

    def wants_hello(self, name: str | None, server: str | None) -> bool:
        return True


class Seeking(Lookout):
    """Wants what names a database, and what comes to loopback."""

    def __init__(self) -> None:
        super().__init__(Interest(names=frozenset({"crt.sh", "shodan.io"}), networks=frozenset({"127.0.0.0/8"}),
                                  relays=frozenset({"127.0.0.80/32"})))  # fmt: skip


def read(path: Path, declared: Declared | None = None) -> tuple[list[AnyEvent], Account]:
    """The events of a log, the same with and without the funnel."""
    declarations = () if declared is None else (declared,)
    accounts: list[Account] = []

    def events(*, funnel: bool) -> list[AnyEvent]:
        accounts.clear()
        shared = Inputs(
            Seeking() if funnel else Everything(), funnel, lambda line: None, lambda done: None, declared=declarations
        )
        return list(read_inputs([path], shared, accounts))

    sought = events(funnel=True)
    found = events(funnel=False)
    assert sought == [event for event in found if Seeking().wants(event)]
    (account,) = accounts
    assert account.skipped == {}, path.read_text()
    return found, account


def asked(events: list[AnyEvent]) -> list[tuple[str | None, ...]]:
    """(client, method, host, target, user agent, user) in the order of the log."""
    told = []
    for event in events:
        assert isinstance(event, HttpRequest | Hello)
        if isinstance(event, Hello):
            told.append((event.client, "CONNECT", event.name, None, None, event.user))
        else:
            told.append((event.client, event.method, event.host, event.uri, event.user_agent, event.user))
    return told


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@contextlib.contextmanager
def squid(folder: Path, port: int, *more: str) -> Iterator[None]:
    names = "\n".join(f"127.0.0.1 {name}" for name in ("crt.sh", "www.shodan.io", "api.shodan.io"))
    (folder / "hosts").write_text(names + "\n")
    (folder / "squid.conf").write_text(
        f"""
http_port 127.0.0.1:{port}
visible_hostname proxy.example
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
coredump_dir {folder}
hosts_file {folder}/hosts
dns_nameservers 127.0.0.1
cache deny all
pinger_enable off
via off
shutdown_lifetime 0 seconds
auth_param basic program /usr/lib/squid/basic_fake_auth
acl bob src {BOB}
acl known proxy_auth REQUIRED
http_access deny bob !known
http_access allow all
access_log stdio:{folder}/native.log squid
access_log stdio:{folder}/combined.log combined
"""
        + "\n".join(more)
        + "\n"
    )
    with running([program("squid"), "-N", "-f", f"{folder}/squid.conf"], port, folder=folder):
        yield


WRITTEN = (
    'logformat own %>a:%>p %la:%lp %6tr [%tl] "%rm %ru HTTP/%rv" %Ss/%03>Hs %<st "%{User-Agent}>h" %[un %{Host}>h %mt'
)


def test_squid_in_its_own_format_in_combined_and_in_one_that_was_written_down() -> None:
    with workplace() as folder, origin() as web:
        port = free_port()
        proxy = f"http://127.0.0.1:{port}"
        with squid(folder, port, WRITTEN, f"access_log stdio:{folder}/own.log own"):
            curl("-x", proxy, "--interface", ALICE, "-A", "plain/1", f"http://crt.sh:{web}/?q=acme-widgets.com")
            curl("-x", proxy, "--interface", ALICE, "-A", HOSTILE, f"http://crt.sh:{web}/a%20b?q=%22%5B")
            curl("-x", proxy, "--interface", ALICE, "-p", f"http://www.shodan.io:{web}/host/203.0.113.10")
            curl("-x", proxy, "--interface", BOB, "-U", "bob smith:secret", "-A", "b", f"http://api.shodan.io:{web}/x")
            curl("-x", proxy, "--interface", BOB, "-A", "b", f"http://user:pw@api.shodan.io:{web}/denied")
            curl("-x", proxy, "--interface", BOB, "-A", "curl", "-U", f"{FORGED}:x", f"http://api.shodan.io:{web}/y")
            curl("--interface", ALICE, f"http://127.0.0.1:{port}/", "-X", "BAD METHOD")
            until(lambda: all(lines(folder / f"{name}.log") >= 7 for name in ("native", "combined", "own")), "the logs")

        native, _ = read(folder / "native.log")
        assert asked(native)[:6] == [
            (ALICE, "GET", "crt.sh", "/?", None, None),
            (ALICE, "GET", "crt.sh", "/a%20b?", None, None),
            (ALICE, "CONNECT", "www.shodan.io", None, None, None),
            (BOB, "GET", "api.shodan.io", "/x", None, "bob smith"),
            (BOB, "GET", "api.shodan.io", "/denied", None, None),
            (BOB, "GET", "api.shodan.io", "/y", None, FORGED),
        ]
        combined, account = read(folder / "combined.log")
        assert asked(combined)[:6] == [
            (ALICE, "GET", "crt.sh", "/?", "plain/1", None),
            (ALICE, "GET", "crt.sh", "/a%20b?", HOSTILE, None),
            (ALICE, "CONNECT", "www.shodan.io", None, None, None),
            (BOB, "GET", "api.shodan.io", "/x", "b", "bob smith"),
            (BOB, "GET", "api.shodan.io", "/denied", "b", None),
            (BOB, "GET", "api.shodan.io", "/y", "curl", FORGED),
        ]
        assert account.holds == {"http", "tls"}
        own, _ = read(folder / "own.log", Declared("own.log", format="squid", pattern=WRITTEN))
        assert asked(own)[:6] == asked(combined)[:6]
        assert {(event.server, event.server_port) for event in own} == {("127.0.0.1", port)}
        assert all(event.client_port for event in own)
        for mine, others in zip(own, native, strict=True):
            assert abs(mine.ts - others.ts) < 1.5  # [%tl] has whole seconds
        assert {event.client for event in native + combined + own} == {ALICE, BOB}
        assert "secret" not in str(native + combined + own)


def test_nginx_in_combined_and_in_json() -> None:
    with workplace() as folder:
        port = free_port()
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "passwords").write_text("carol smith:{PLAIN}secret\n")
        (folder / "nginx.conf").write_text(
            f"""
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  {temporary}
  log_format named escape=json '{{"at":"$time_iso8601","peer":{{"ip":"$remote_addr","port":"$remote_port"}},'
    '"me":"$server_addr:$server_port","vhost":"$host","verb":"$request_method","path":"$request_uri",'
    '"agent":"$http_user_agent","code":$status,"who":"$remote_user","for":"$http_x_forwarded_for"}}';
  log_format forwarded '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for" $host';
  access_log {folder}/combined.log combined;
  access_log {folder}/json.log named;
  access_log {folder}/forwarded.log forwarded;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }}
    location /closed {{ auth_basic a; auth_basic_user_file {folder}/passwords; root {folder}; }} }}
}}
"""
        )
        with running([program("nginx"), "-p", str(folder), "-c", f"{folder}/nginx.conf"], port, folder=folder):
            url = f"http://127.0.0.1:{port}"
            curl("--interface", STRANGER, "-A", "nuclei", "-H", "Host: www.acme-widgets.com", f"{url}/.env?x=%22")
            curl("--interface", STRANGER, "-A", HOSTILE, "-H", "X-Forwarded-For: 127.0.0.99", f"{url}/a")
            curl("--interface", STRANGER, "-A", "c", "-u", "carol smith:secret", f"{url}/closed/x")
            curl("--interface", "127.0.0.80", "-A", "d", "-H", f"X-Forwarded-For: 127.0.0.99, {ALICE}", f"{url}/b")
            curl("--interface", STRANGER, "-A", "e", "--request-target", "http://crt.sh/?q=a", f"{url}/")
            until(lambda: all(lines(folder / f"{n}.log") >= 5 for n in ("combined", "json", "forwarded")), "the logs")

        events, account = read(folder / "combined.log", Declared("combined.log", server="127.0.0.1"))
        assert asked(events) == [
            (STRANGER, "GET", "", "/.env?x=%22", "nuclei", None),
            (STRANGER, "GET", "", "/a", HOSTILE, None),
            (STRANGER, "GET", "", "/closed/x", "c", "carol smith"),
            ("127.0.0.80", "GET", "", "/b", "d", None),
            (STRANGER, "GET", "crt.sh", "/?q=a", "e", None),
        ]
        assert {event.server for event in events} == {"127.0.0.1"}
        assert account.holds == set()
        fields = {
            "ts": "at", "client": "peer.ip", "client_port": "peer.port", "server": "me", "host": "vhost",
            "method": "verb", "uri": "path", "user_agent": "agent", "status": "code", "user": "who", "forwarded": "for",
        }  # fmt: skip
        named, _ = read(folder / "json.log", Declared("json.log", format="json", fields=fields))
        told = asked(named)
        assert [(each[0], *each[3:]) for each in told[:3]] == [(each[0], *each[3:]) for each in asked(events)[:3]]
        assert [each[2] for each in told] == ["www.acme-widgets.com", "127.0.0.1", "127.0.0.1", "127.0.0.1", "crt.sh"]
        # Only what came from a declared proxy or balancer is asked for somebody else.
        assert [each[0] for each in told] == [STRANGER, STRANGER, STRANGER, ALICE, STRANGER]
        assert named[0].server == "127.0.0.1"
        columns = Declared("forwarded.log", format="combined", fields={"forwarded": "1", "host": "2"})
        assert asked(read(folder / "forwarded.log", columns)[0]) == told


class _Syslog:
    """A log host: writes what it is sent to a file, a datagram a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.socket.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        with self.path.open("ab", buffering=0) as log:
            while not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    log.write(self.socket.recv(65_536).rstrip(b"\n") + b"\n")

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self.socket.close()


HAPROXY = """
global
{logs}
defaults
  log global
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend www
  mode http
  bind 127.0.0.1:{port}
  option httplog
  capture request header Host len 64
  capture request header User-Agent len 256
  capture response header Server len 40
  http-request deny if {{ path /denied }}
  default_backend web
frontend raw
  mode tcp
  bind 127.0.0.1:{plain}
  option tcplog
  default_backend rawweb
backend web
  mode http
  server one 127.0.0.1:{web}
backend rawweb
  mode tcp
  server one 127.0.0.1:{web}
"""


def test_haproxy_by_syslog_in_both_of_its_forms() -> None:
    haproxy = program("haproxy")
    with workplace() as folder, origin() as web:
        port, plain = free_port(), free_port()
        hosts = {form: _Syslog(folder / f"{form}.log") for form in ("rfc3164", "rfc5424")}
        logs = "\n".join(f"  log 127.0.0.1:{host.port} len 8192 format {form} local0" for form, host in hosts.items())
        (folder / "haproxy.cfg").write_text(HAPROXY.format(logs=logs, port=port, plain=plain, web=web))
        with running([haproxy, "-db", "-f", f"{folder}/haproxy.cfg"], port, plain, folder=folder):
            url = f"http://127.0.0.1:{port}"
            curl("--interface", STRANGER, "-A", "zgrab/0.x", "-H", "Host: www.acme-widgets.com", f"{url}/.git/config")
            curl("--interface", STRANGER, "-A", HOSTILE + "}|{", f"{url}/a%22b#c")
            curl("--interface", STRANGER, "-A", "d", f"{url}/denied")
            curl("--interface", STRANGER, f"http://127.0.0.1:{plain}/nothing-told")
            with socket.create_connection(("127.0.0.1", port), source_address=(STRANGER, 0)) as bad:
                bad.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
                bad.recv(1000)
            until(lambda: all(b"BADREQ" in host.path.read_bytes() for host in hosts.values()), "the log of HAProxy")
        for host in hosts.values():
            host.close()
        fields = {"host": "1", "user_agent": "2"}
        zone = os.environ.get("TZ") or "UTC"
        told = []
        for form in hosts:
            declared = Declared(f"{form}.log", format="haproxy", server="127.0.0.1", fields=fields, zone=zone)
            events, _ = read(folder / f"{form}.log", declared)
            told.append(asked(events))
            assert all(event.client_port for event in events)
        assert told[0] == told[1]
        by_path = {each[3]: each for each in told[0]}
        assert by_path["/.git/config"] == (STRANGER, "GET", "www.acme-widgets.com", "/.git/config", "zgrab/0.x", None)
        assert by_path["/denied"][4] == "d"
        assert by_path["/a%22b"][4] == HOSTILE + "}|{"
        assert {each[0] for each in told[0]} <= {STRANGER, "127.0.0.1"}
        assert "/nothing-told" not in by_path


def test_apache_as_web_server_and_as_forward_proxy() -> None:
    apache = program("apache2")
    with workplace() as folder, origin() as web:
        port = free_port()
        modules = ("mpm_event", "authz_core", "proxy", "proxy_http", "proxy_connect")
        load = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules)
        (folder / "apache.conf").write_text(
            f"""
ServerRoot {folder}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
Listen 127.0.0.1:{port}
ServerName www.acme-widgets.com
User www-data
Group www-data
{load}
ErrorLog {folder}/error.log
ProxyRequests On
AllowCONNECT 1-65535
LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" vhost_combined
LogFormat "%h %l %u %t \\"%r\\" %>s %O" common
CustomLog {folder}/vhost.log vhost_combined
CustomLog {folder}/common.log common
DocumentRoot {folder}
"""
        )
        with running([apache, "-f", f"{folder}/apache.conf", "-DFOREGROUND"], port, folder=folder):
            url = f"http://127.0.0.1:{port}"
            curl("--interface", STRANGER, "-A", "nikto", f"{url}/wp-login.php?a=%22\\")
            curl("--interface", STRANGER, "-A", HOSTILE, f"{url}/b")
            curl("-x", url, "--interface", ALICE, "-A", "p", f"http://localhost:{web}/?q=acme-widgets.com")
            curl("-x", url, "--interface", ALICE, "-p", "-A", "p", f"http://localhost:{web}/")
            until(lambda: lines(folder / "vhost.log") >= 4 and lines(folder / "common.log") >= 4, "the logs of Apache")
        events, _ = read(folder / "vhost.log", Declared("vhost.log", server="127.0.0.1"))
        assert asked(events) == [
            (STRANGER, "GET", "www.acme-widgets.com", "/wp-login.php?a=%22\\", "nikto", None),
            (STRANGER, "GET", "www.acme-widgets.com", "/b", HOSTILE, None),
            (ALICE, "GET", "localhost", "/?q=acme-widgets.com", "p", None),
            (ALICE, "CONNECT", "localhost", None, None, None),
        ]
        common, account = read(folder / "common.log")
        # Nobody said whose server it is, so only what names its host is told; and that is said.
        assert [each[:4] for each in asked(common)] == [
            (ALICE, "GET", "localhost", "/?q=acme-widgets.com"),
            (ALICE, "CONNECT", "localhost", None),
        ]
        assert account.blind["undeclared_servers"] == 1
        assert json.dumps([each.ts for each in common])
