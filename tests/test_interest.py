"""What is looked for, and what must not leave a source unmasked."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.events import AnyEvent, Connection, DnsAnswer
from reconwatch.interest import CROWD, MOST_MET, Interest, Learned, Lookout
from reconwatch.sources.hindsight import Again, Hindsight, Judge, Outcome
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
        ("/go?u=https://user:ABC@a.example/", "/go?u=https://***@a.example/"),
        ("/go?u=https%3A%2F%2Fuser%3AABC%40a.example%2F", "/go?u=https%3A%2F%2F***%40a.example%2F"),
        ("/go/https%253A%252F%252Fuser:ABC@a.example", "/go/https%253A%252F%252F***@a.example"),
        ("/go?u=https://a.example&who=me@b.example", "/go?u=https://a.example&who=me@b.example"),
        (
            "/go?u=https%3A%2F%2Fa.example%3Fwho%3Dme%40b.example",
            "/go?u=https%3A%2F%2Fa.example%3Fwho%3Dme%40b.example",
        ),
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


ADDRESSES = tuple(f"198.18.4.{n}" for n in range(4))
addresses = st.sampled_from(ADDRESSES)
told = st.lists(
    st.one_of(
        st.builds(answer, st.just(0), st.sampled_from(["api.shodan.io", "www.example.org"]), addresses),
        st.builds(lambda server: hello(0, None, server=server), addresses),
        st.builds(lambda server: get(0, "", "/", server=server), addresses),
        st.builds(lambda server: connection(0, 8443, server=server), addresses),
        st.builds(lambda server: connection(0, 443, server=server, service="ssl"), addresses),
        st.builds(lambda server: hello(0, "www.shodan.io", server=server), addresses),
    ),
    max_size=20,
)
learned = st.frozensets(addresses)


@given(told, learned, learned)
def test_a_reading_and_its_hindsight_tell_what_one_that_knew_better_tells(
    events: list[AnyEvent], knew: frozenset[str], more: frozenset[str]
) -> None:
    began = Learned(knew)
    first = lookout().begun(began, noting=True)
    wanted = [first.wants(event) for event in events]
    better = lookout().begun(Learned(knew | more))
    expected = [better.wants(event) for event in events]
    hindsight = Hindsight(lookout(), began, Again(first.learned, more - knew))
    added = [hindsight.wants(event) for event in events]
    assert [a or b for a, b in zip(wanted, added, strict=True)] == expected
    assert not any(a and b for a, b in zip(wanted, added, strict=True))
    for event, late in zip(events, added, strict=True):
        if late:
            assert first.met is not None
            met = first.met.renamed if isinstance(event, DnsAnswer) else first.met.unknown
            assert met & more


@given(st.permutations(range(4)), st.lists(st.tuples(learned, learned), min_size=4, max_size=4), learned)
def test_what_is_known_after_several_readings_does_not_depend_on_their_order(
    order: list[int], taught: list[tuple[frozenset[str], frozenset[str]]], knew: frozenset[str]
) -> None:
    lessons = [Learned(addresses, dict.fromkeys(others, CROWD // 2)) for addresses, others in taught]
    began = Learned(knew)
    assert began.joined(lessons) == began.joined(lessons[place] for place in order)


def test_a_crowd_may_come_together_over_several_readings() -> None:
    begun = Learned(frozenset(ADDRESSES[:2]))
    half = Learned(others={ADDRESSES[0]: CROWD // 2 + 1})
    assert begun.joined([half]).addresses == set(ADDRESSES[:2])
    after = begun.joined([half, half])
    assert (after.addresses, after.crowded) == ({ADDRESSES[1]}, {ADDRESSES[0]})
    lessons = [Learned(), Learned(begun.addresses)]
    assert Learned(crowded=after.crowded).foreign(lessons) == [{ADDRESSES[1]}, frozenset()]


def met(*events: AnyEvent) -> Outcome:
    """How a reading of these events ends."""
    watch = lookout().begun(Learned(), noting=True)
    for event in events:
        watch.wants(event)
    return Outcome(watch.learned, msgspec.msgpack.encode(watch.met))


def concerned(*outcomes: Outcome) -> list[bool]:
    """Which of the readings are to be done again."""
    foreign = Learned().foreign([outcome.learned for outcome in outcomes])
    judge = Judge(list(zip(outcomes, foreign, strict=True)))
    return [judge.is_concerned(outcome, more) for outcome, more in zip(outcomes, foreign, strict=True)]


NAMING, RENAMING = met(answer(0, "api.shodan.io")), met(answer(0, "www.example.org"))


def test_what_met_an_address_without_a_name_is_read_again_once_another_named_it() -> None:
    for event in (hello(0, None), get(0, "", "/"), connection(0, 8443)):
        assert concerned(met(event), NAMING) == [True, False]
    for event in (hello(0, "www.example.org"), get(0, "www.example.org", "/"), connection(0, 443, service="ssl")):
        assert concerned(met(event), NAMING) == [False, False]


def test_another_name_of_an_address_matters_only_if_anything_without_a_name_went_there() -> None:
    assert concerned(RENAMING, NAMING) == [False, False]
    for event in (hello(0, None), whois(0, "203.0.113.10"), connection(0, 43)):
        assert concerned(RENAMING, met(answer(0, "api.shodan.io"), event)) == [True, False]
        assert concerned(RENAMING, NAMING, met(event))[:2] == [True, False]


def test_what_a_sieve_held_back_may_be_anything_that_the_input_can_hold() -> None:
    questions = Outcome(unseen=frozenset({"dns", "answer"}))
    everything = Outcome(unseen=frozenset({"dns", "answer", "tls", "conn"}))
    assert concerned(questions, NAMING) == [False, False]
    assert concerned(questions, NAMING, met(hello(0, None)))[0]
    assert concerned(everything, NAMING) == [True, False]
    assert concerned(everything, met()) == [False, False]


def test_too_many_addresses_may_be_any() -> None:
    watch = lookout().begun(Learned(), noting=True)
    for n in range(MOST_MET + 1):
        watch.wants(hello(0, None, server=f"n{n}"))
    assert watch.met is not None
    assert watch.met.full
    assert not watch.met.unknown
    assert concerned(Outcome(met=msgspec.msgpack.encode(watch.met)), NAMING) == [True, False]


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
