"""A sample of each format gives what was asked, by whom, and for whom."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.sources.textlog.reading import SAMPLES, WEB, read, sample, words

from reconwatch.logformat import EXTRA_FIELDS, JSON_FIELDS, LOG_FORMATS
from reconwatch.site_schema import LogModel
from reconwatch.sources.textlog.asked import Asked
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.formats import FORMATS

FORGED_NAME = 'x" - hier_none/- - [24/nov/2026] "get /" 200 1 "-" "-"'
LOOKUPS = [
    "10.20.1.11 GET crt.sh/?",
    "10.20.1.11 GET crt.sh/a%20b?",
    "10.20.1.11 connect www.shodan.io",
    "10.20.1.12 (bob smith) GET api.shodan.io/x",
    "10.20.1.12 GET api.shodan.io/denied",
    f"10.20.1.12 ({FORGED_NAME}) GET api.shodan.io/y",
]
OWN = 'logformat own %>a:%>p %la:%lp %6tr [%tl] "%rm %ru HTTP/%rv" %Ss/%03>Hs %<st "%{User-Agent}>h" %[un %{Host}>h %mt'
PROBES = [
    f"192.0.2.66 GET {WEB}/.env?x=%22",
    f"192.0.2.66 GET {WEB}/a",
    f"192.0.2.66 (carol smith) GET {WEB}/closed/x",
    f"10.20.0.80 GET {WEB}/b",
    "192.0.2.66 GET crt.sh/?q=a",
]


def test_the_formats_that_a_site_may_name_are_those_that_are_read() -> None:
    assert set(LOG_FORMATS) <= {each.name for each in FORMATS}
    named = next(each for each in get_args(LogModel.model_fields["format"].annotation) if get_args(each))
    assert get_args(named) == LOG_FORMATS
    known = {"client", "server", "host", "status", "user", "sni", "forwarded", "client_port", "server_port", "method"}
    assert known <= set(Asked.__dataclass_fields__)
    assert set(JSON_FIELDS) == known | {"ts", "url", "uri", "user_agent"}
    assert set(EXTRA_FIELDS) <= set(JSON_FIELDS)


@pytest.mark.parametrize("name", ["squid.log", "squid-combined.log"])
def test_squid(name: str) -> None:
    events, account = sample(name)
    assert words(events) == LOOKUPS
    assert account.holds == {"http", "tls"}
    assert {event.source for event in events} == {"squid" if name == "squid.log" else "combined"}


def test_squid_as_it_was_told_to_write() -> None:
    events, _ = sample("squid-own.log", format="squid", pattern=OWN)
    assert words(events) == LOOKUPS
    assert {event.server for event in events} == {"10.20.0.80"}


def test_nginx_s_lines_are_probes_of_the_server_that_was_declared() -> None:
    events, account = sample("nginx-combined.log", server=WEB)
    assert words(events) == PROBES
    assert account.holds == set()
    assert not account.blind


def test_an_undeclared_web_server_s_log_says_once_what_it_cannot_tell() -> None:
    events, account = sample("nginx-combined.log")
    assert words(events) == ["192.0.2.66 GET crt.sh/?q=a"]
    assert account.blind == {"undeclared_servers": 1}


def test_further_columns_are_what_their_owner_says() -> None:
    events, _ = sample("nginx-forwarded.log", format="combined", server=WEB, fields={"forwarded": "1", "host": "2"})
    # What a stranger says of himself is not believed; what the declared proxy says is, up to whom it does not know.
    assert [event.client for event in events] == ["192.0.2.66"] * 3 + ["10.20.1.11", "192.0.2.66"]
    assert words(events)[0] == "192.0.2.66 GET www.acme-widgets.com/.env?x=%22"


NGINX = {
    "ts": "at", "client": "peer.ip", "client_port": "peer.port", "server": "me", "host": "vhost", "method": "verb",
    "uri": "path", "user_agent": "agent", "status": "code", "user": "who", "forwarded": "for",
}  # fmt: skip


def test_nginx_in_json() -> None:
    events, account = sample("nginx.json", format="json", fields=NGINX)
    assert [event.client for event in events] == ["192.0.2.66"] * 3 + ["10.20.1.11", "192.0.2.66"]
    assert {(event.server, event.client_port is None) for event in events} == {(WEB, False), (WEB, True)}
    assert not account.blind


def test_envoy_and_mitmproxy_in_json() -> None:
    envoy = {
        "ts": "start_time", "client": "downstream_remote_address", "server": "downstream_local_address",
        "host": "authority", "method": "method", "uri": "path", "user_agent": "user_agent", "status": "response_code",
        "forwarded": "x_forwarded_for",
    }  # fmt: skip
    (probe,), _ = sample("envoy.json", format="json", fields=envoy)
    assert words([probe]) == ["192.0.2.66 GET www.acme-widgets.com/.env"]
    assert (probe.client_port, probe.server, probe.ts) == (44412, WEB, 1_795_488_541.123)
    mitmproxy = {
        "ts": "time", "client": "client.0", "client_port": "client.1", "method": "request.method",
        "url": "request.url", "user_agent": "request.agent", "status": "status",
    }  # fmt: skip
    events, account = sample("mitmproxy.json", format="json", fields=mitmproxy)
    assert words(events) == [
        "10.20.1.11 GET api.shodan.io/shodan/host/203.0.113.10?key=***",
        "10.20.1.12 connect crt.sh",
    ]
    assert account.holds == {"http", "tls"}


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424"])
def test_haproxy(form: str) -> None:
    fields = {"host": "1", "user_agent": "2"}
    events, account = sample(f"haproxy-{form}.log", server=WEB, format="haproxy", fields=fields)
    assert words(events)[0] == "192.0.2.66 GET www.acme-widgets.com/.git/config"
    assert [event.uri for event in events] == ["/.git/config", "/a%22b", "/denied"]
    assert events[1].user_agent == (
        'x" 200 1 "-" "y" \\ %0d%0a 10.20.1.99 - - [24/Nov/2026:00:00:00 +0000] "GET http://evil.example/ HTTP/1.1"}|{'
    )
    assert events[0].client_port
    assert sample(f"haproxy-{form}.log")[1].blind == {"undeclared_servers": 1}
    assert account.holds == set()


def test_apache() -> None:
    events, _ = sample("apache-vhost.log", server=WEB)
    assert words(events) == [
        "192.0.2.66 GET www.acme-widgets.com/wp-login.php?a=%22\\",
        "192.0.2.66 GET www.acme-widgets.com/b",
        "10.20.1.11 GET crt.sh/?q=acme-widgets.com",
        "10.20.1.11 connect crt.sh",
    ]
    assert words(sample("apache-common.log")[0]) == words(events)[2:]


def test_iis() -> None:
    events, account = sample("iis.log")
    assert words(events) == [
        f"192.0.2.66 GET {WEB}/.env",
        f"10.20.1.13 (ACME\\carol) GET {WEB}/login.aspx?ReturnUrl=%2fadmin",
        f"192.0.2.67 GET {WEB}/.git/config",
    ]
    assert events[0].user_agent == "Mozilla/5.0 (compatible; Nuclei)"
    assert (events[0].ts, events[0].server_port, events[0].status) == (1_795_488_541.0, 443, 404)
    assert account.holds == set()
    assert not account.blind


def test_proxysg() -> None:
    events, account = sample("proxysg.log")
    assert words(events) == [
        "10.20.1.11 (alice) GET crt.sh/?q=acme-widgets.com",
        "10.20.1.12 connect www.shodan.io",
        "10.20.1.12 (bob) GET api.shodan.io/shodan/host/203.0.113.10?key=***",
    ]
    assert {event.server for event in events} == {"10.20.0.80"}
    assert account.holds == {"http", "tls"}


AS_WRITTEN = {
    "nginx.json": {"format": "json", "fields": NGINX},
    "nginx-forwarded.log": {"format": "combined", "fields": {"forwarded": "1"}},
    "mitmproxy.json": {"format": "json", "fields": {"ts": "time", "client": "client.0", "url": "request.url"}},
    "envoy.json": {"format": "json", "fields": {"ts": "start_time", "client": "downstream_remote_address"}},
    "squid-own.log": {"pattern": OWN, "format": "squid"},
}


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_nobody_acts_but_who_sent_something(name: str) -> None:
    """The agents and names of the samples try to make lines of 10.20.1.99's."""
    events, _ = sample(name, **{"server": WEB, **AS_WRITTEN.get(name, {})})
    assert "10.20.1.99" not in {event.client for event in events}


def test_a_server_that_writes_an_address_which_is_not_ours_is_nobody_s_until_its_owner_speaks() -> None:
    behind = (SAMPLES / "iis.log").read_text().replace(WEB, "10.1.2.3")
    events, account = read(behind)
    assert (events, account.blind) == ([], {"undeclared_servers": 1})
    events, account = read(behind, Declared(server=WEB))
    assert ([event.server for event in events], account.blind) == ([WEB] * 3, {})
    nginx = (SAMPLES / "nginx.json").read_text().replace(WEB, "10.1.2.3")
    events, account = read(nginx, Declared(format="json", fields=NGINX))
    assert (words(events), account.blind) == (["192.0.2.66 GET crt.sh/?q=a"], {"undeclared_servers": 1})
