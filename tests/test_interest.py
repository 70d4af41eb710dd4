"""What is looked for, and what must not leave a source unmasked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.events import Connection
from reconwatch.interest import CROWD, Interest, Lookout
from tests.story import answer, connection, get, hello, query, whois


def lookout() -> Lookout:
    return Lookout(
        Interest(
            names=frozenset({"shodan.io", "=crt.sh"}),
            asides=frozenset({"=dns.google"}),
            paths=frozenset({("www.google.com", "/transparencyreport")}),
            ports=frozenset({43}),
            secrets=frozenset({("fofa.info", "email")}),
            secret_paths=frozenset({("keyed.example", "/api/{secret}/host/{ip}")}),
        )
    )


@pytest.mark.parametrize("name", ["shodan.io", "api.shodan.io", "API.Shodan.IO", "shodan.io.", "crt.sh"])
def test_a_name_is_wanted_by_whole_labels_in_any_case(name: str) -> None:
    assert lookout().names(name)


@pytest.mark.parametrize("name", ["notshodan.io", "shodan.io.example", "www.crt.sh", "io", "", "shodan.ioo"])
def test_a_neighbour_is_not_wanted(name: str) -> None:
    assert not lookout().names(name)


def test_every_kind_of_event_is_wanted_by_its_name() -> None:
    for event in (query(0, "api.shodan.io"), hello(0, "api.shodan.io"), get(0, "api.shodan.io", "/")):
        assert lookout().wants(event)
    for event in (query(0, "www.example.org"), hello(0, "www.example.org"), get(0, "www.example.org", "/")):
        assert not lookout().wants(event)


def test_a_busy_host_is_wanted_by_its_path_and_never_by_its_name() -> None:
    assert lookout().wants(get(0, "www.google.com", "/transparencyreport/api"))
    assert not lookout().wants(get(0, "www.google.com", "/search?q=transparencyreport"))
    assert not lookout().wants(hello(0, "www.google.com"))


def test_whois_is_wanted_whoever_serves_it() -> None:
    assert lookout().wants(whois(0, "example.com"))
    assert lookout().wants(connection(0, 43))
    assert not lookout().wants(connection(0, 44))


def test_an_aside_is_wanted_where_it_is_used_and_teaches_no_address() -> None:
    seeking = lookout()
    assert seeking.wants(hello(0, "dns.google"))
    assert not seeking.wants(query(0, "dns.google"))
    assert not seeking.wants(answer(0, "dns.google"))
    assert seeking.addresses == set()


def test_an_answer_teaches_where_bare_connections_matter() -> None:
    seeking = lookout()
    assert not seeking.wants(connection(0, 5432))
    assert seeking.wants(answer(1, "www.shodan.io"))
    assert seeking.wants(connection(2, 5432))
    assert seeking.wants(hello(2, None))
    assert not seeking.wants(connection(2, 443, service="ssl"))


def test_the_same_address_under_another_name_is_wanted_so_that_the_last_name_counts() -> None:
    seeking = lookout()
    seeking.wants(answer(0, "www.shodan.io"))
    assert seeking.wants(answer(1, "www.example.org"))


def test_an_address_of_a_crowd_of_names_speaks_for_none() -> None:
    seeking = lookout()
    seeking.wants(answer(0, "www.shodan.io"))
    for n in range(CROWD + 1):
        assert seeking.wants(answer(n, f"{n}.example.org"))
    assert not seeking.wants(answer(999, "another.example.org"))
    assert not seeking.wants(connection(999, 5432))
    seeking.wants(answer(1000, "www.shodan.io"))
    assert seeking.addresses == set()


@pytest.mark.parametrize(
    ("uri", "masked"),
    [
        ("/shodan/host/203.0.113.10?key=ABC", "/shodan/host/203.0.113.10?key=***"),
        ("/x?q=a&apikey=ABC&page=2", "/x?q=a&apikey=***&page=2"),
        ("/x?API_KEY=ABC", "/x?API_KEY=***"),
        ("/x?api%5Fkey=ABC", "/x?api%5Fkey=***"),
        ("/x?token=a%26b&q=c", "/x?token=***"),
        ("/x;token=ABC?q=a", "/x;token=***"),
        (
            "/go?u=https%3A%2F%2Fa.example%2F%3Fkey%3DABC%26q%3Db",
            "/go?u=https%3A%2F%2Fa.example%2F%3Fkey%3D***%26q%3Db",
        ),
        ("/go?u=https://user:pass@a.example/", "/go?u=https://***@a.example/"),
        ("/x?%6bey=ABC", "/x?%6bey=***"),
        ("/x?apikey%5B%5D=ABC&q=a", "/x?apikey%5B%5D=***&q=a"),
        ("/x?api.key=ABC", "/x?api.key=***"),
        ("/x?oauth_token=ABC", "/x?oauth_token=***"),
        ("/x?password=a%26ABC&q=b", "/x?password=***&q=b"),
        ("/x?monkey=ABC&q=key", "/x?monkey=ABC&q=key"),
        ("/x?key=", "/x?key="),
        ("/keys/public", "/keys/public"),
    ],
)
def test_credentials_are_masked_and_nothing_else(uri: str, masked: str) -> None:
    told = lookout().mask("api.example", uri)
    assert "ABC" not in told or "monkey" in told
    assert told.startswith(masked.partition("***")[0])
    assert ("***" in told) == ("***" in masked)


def test_a_decoded_value_ends_at_the_next_parameter_only() -> None:
    assert lookout().mask("api.example", "/x?password=a b#c&q=d", decoded=True) == "/x?password=***&q=d"


def test_what_a_service_calls_a_credential_is_masked_there_only() -> None:
    assert lookout().mask("fofa.info", "/?email=a@b.c&q=x") == "/?email=***&q=x"
    assert lookout().mask("other.example", "/?email=a@b.c") == "/?email=a@b.c"


def test_a_key_in_the_path_is_masked_where_the_service_puts_one() -> None:
    assert lookout().mask("api.keyed.example", "/api/ABC123/host/8.8.8.8?x=1") == "/api/***/host/8.8.8.8?x=1"
    assert lookout().mask("notkeyed.example", "/api/ABC123/host/8.8.8.8") == "/api/ABC123/host/8.8.8.8"


@given(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9]{16}", fullmatch=True), st.sampled_from("?&"))
def test_a_key_is_masked_whatever_stands_before_it(before: str, secret: str, lead: str) -> None:
    assert secret not in lookout().mask("api.example", f"/{before}{lead}key={secret}").removeprefix(f"/{before}")


@given(st.text(max_size=300))
def test_masking_twice_is_masking_once(uri: str) -> None:
    masked = lookout().mask("api.example", uri)
    assert lookout().mask("api.example", masked) == masked


def test_connections_into_a_network_of_interest_are_wanted_whatever_they_are():
    lookout = Lookout(Interest(networks=frozenset({"203.0.113.0/24", "2001:db8:acc::/48"})))

    def wants(server, **more):
        return lookout.wants(Connection(ts=1.0, client="198.51.100.9", server=server, source="test", **more))

    assert wants("203.0.113.255", service="ssl")
    assert wants("2001:db8:acc:ffff::1", proto="udp", server_port=53)
    assert not wants("203.0.114.0")
    assert not wants("2001:db8:acd::1")
    assert not wants("::ffff:203.0.113.9")


def test_interests_are_joined_with_their_networks():
    joined = Interest(networks=frozenset({"203.0.113.0/24"})) | Interest(networks=frozenset({"198.51.100.0/24"}))
    assert joined.networks == {"203.0.113.0/24", "198.51.100.0/24"}
