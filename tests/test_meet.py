"""Names for addresses, witnesses of one event, upstream views, and visits."""

from itertools import chain

import msgspec

from reconwatch.events import AnyEvent
from reconwatch.meet import Meet
from reconwatch.visits import Visit
from tests.story import (
    CATALOG,
    HOST,
    OTHER,
    PROXY,
    RESOLVER,
    SITE,
    answer,
    connection,
    get,
    hello,
    query,
    whois,
)  # fmt: skip


def visits(*events: AnyEvent) -> list[Visit]:
    meet = Meet(CATALOG, SITE.roles_of)
    return list(meet.visits(sorted(events, key=lambda event: (event.ts, event.kind))))


def summary(*events: AnyEvent) -> list[tuple[str, str, int, str]]:
    return [(visit.client, visit.service, visit.count, visit.counted) for visit in visits(*events)]


def used(*events: AnyEvent) -> list[tuple[str, str, int, str]]:
    """Without the visits that resolved a name and no more."""
    return [visit for visit in summary(*events) if visit[3] != "dns names"]


def test_a_query_and_the_hello_after_it_are_one_visit_counted_by_the_hello() -> None:
    events = (
        query(0, "api.shodan.io"),
        query(0, "api.shodan.io", qtype=28),
        answer(0.1, "api.shodan.io"),
        hello(0.2, "api.shodan.io"),
    )
    assert summary(*events) == [(HOST, "shodan", 1, "connections")]


def test_the_best_layer_is_counted() -> None:
    events = query(0, "crt.sh"), hello(1, "crt.sh"), get(2, "crt.sh", "/?q=a"), get(3, "crt.sh", "/?q=b")
    assert summary(*events) == [(HOST, "crt-sh", 2, "http requests")]


def test_address_types_and_retries_of_a_name_are_one_name() -> None:
    events = [query(n, "crt.sh", qtype=qtype, port=40000 + n) for n, qtype in enumerate((1, 28, 65, 1))]
    assert summary(*events, query(5, "www.crt.sh")) == [(HOST, "crt-sh", 2, "dns names")]


def test_a_pause_of_thirty_seconds_ends_a_visit() -> None:
    events = hello(0, "crt.sh", port=1), hello(29.9, "crt.sh", port=2), hello(59.9, "crt.sh", port=3)
    assert [visit.count for visit in visits(*events)] == [2, 1]


def test_a_visit_without_end_is_cut() -> None:
    events = [get(n * 10, "crt.sh", f"/?q={n}") for n in range(100)]
    found = visits(*events)
    assert sum(visit.count for visit in found) == 100
    assert max(visit.last - visit.first for visit in found) < 300
    assert len(found) == 4


def test_a_thousand_requests_at_once_are_cut_into_bounded_visits() -> None:
    found = visits(*(get(n / 1000, "crt.sh", f"/?q={n}") for n in range(1500)))
    assert [visit.count for visit in found] == [512, 512, 476]


def test_a_connection_to_port_43_gets_its_servers_name_from_the_answer() -> None:
    assert summary(answer(0, "whois.ripe.net"), connection(1, 43)) == [(HOST, "ripe-whois", 1, "connections")]


def test_an_answer_to_somebody_else_names_a_whois_server_too() -> None:
    assert used(answer(0, "whois.ripe.net", client=OTHER), connection(1, 43)) == [
        (HOST, "ripe-whois", 1, "connections")
    ]


def test_a_whois_query_and_its_connection_are_one() -> None:
    assert summary(connection(1, 43), whois(1.1, "acme-widgets.com")) == [(HOST, "whois", 1, "connections")]


def test_an_answer_whose_question_was_not_seen_tells_of_the_question() -> None:
    assert summary(answer(0, "crt.sh")) == [(HOST, "crt-sh", 1, "dns names")]


def test_an_expired_answer_names_nothing() -> None:
    assert used(answer(0, "crt.sh", ttl=300), connection(299, 5432)) == [(HOST, "crt-sh", 1, "connections")]
    assert used(answer(0, "crt.sh", ttl=300), connection(301, 5432)) == []


def test_the_last_name_given_to_an_address_is_the_one_that_counts() -> None:
    events = answer(0, "crt.sh"), answer(1, "www.example.org"), connection(2, 5432)
    assert used(*events) == []


def test_an_answer_to_another_client_does_not_name_a_web_server() -> None:
    assert used(answer(0, "crt.sh", client=OTHER), connection(1, 8080)) == []


def test_a_connection_whose_own_record_says_its_name_is_not_named_by_dns() -> None:
    assert used(answer(0, "crt.sh"), connection(1, 443, service="ssl"), hello(1.1, "www.example.org")) == []


def test_a_hello_without_a_name_is_named_by_dns() -> None:
    assert summary(answer(0, "crt.sh"), hello(1, None)) == [(HOST, "crt-sh", 1, "connections")]


def test_a_connection_that_never_came_about_is_no_visit() -> None:
    assert used(answer(0, "whois.ripe.net"), connection(1, 43, established=False)) == []


def test_what_two_inputs_told_is_one_event_with_two_witnesses() -> None:
    (visit,) = visits(get(0, "crt.sh", "/?q=%25.x", told=0), get(0.3, "crt.sh", "/?q=%.x", told=1, decoded=True))
    assert visit.count == 1
    assert visit.events[0].also == ("input1",)


def test_a_request_repeated_within_one_flow_counts_each_time_whoever_tells() -> None:
    told_twice = [get(n, "crt.sh", "/?q=x", told=told) for n in range(3) for told in (0, 1)]
    assert summary(*told_twice) == [(HOST, "crt-sh", 3, "http requests")]


def test_a_witness_that_missed_a_request_takes_none_away() -> None:
    events = [get(n, "crt.sh", "/?q=x", told=0) for n in range(3)] + [get(2.1, "crt.sh", "/?q=x", told=1)]
    assert summary(*events) == [(HOST, "crt-sh", 3, "http requests")]


def test_the_same_five_tuple_an_hour_later_is_another_event() -> None:
    events = hello(0, "crt.sh", told=0), hello(3600, "crt.sh", told=1)
    assert len(visits(*events)) == 2


def test_a_long_polled_flow_is_remembered_in_bounds_and_counted_right() -> None:
    polled = [get(n * 20, "crt.sh", "/?q=x", told=told) for n in range(500) for told in (0, 1)]
    assert sum(visit.count for visit in visits(*polled)) == 500


def test_a_witness_that_comes_late_to_a_long_flow_doubles_nothing() -> None:
    alone = [get(n * 20, "crt.sh", "/?q=x", told=0) for n in range(20)]
    late = [get(n * 20, "crt.sh", "/?q=x", told=1) for n in range(15, 20)]
    assert sum(visit.count for visit in visits(*alone, *late)) == 20


def test_two_events_of_one_engine_in_rotated_logs_are_two() -> None:
    def told(after: float, file: int) -> AnyEvent:
        return msgspec.structs.replace(get(after, "crt.sh", "/?q=x", told=file), source="eve/http", uid="7")

    assert summary(told(0, 0), told(2, 1)) == [(HOST, "crt-sh", 2, "http requests")]
    assert summary(told(0, 0), told(0, 1)) == [(HOST, "crt-sh", 1, "http requests")]


def test_a_byte_that_is_no_utf8_is_the_same_however_it_is_spelt() -> None:
    events = get(0, "crt.sh", "/?q=%E9", told=0), get(0.1, "crt.sh", "/?q=\\xe9", told=1, decoded=True)
    assert summary(*events) == [(HOST, "crt-sh", 1, "http requests")]


def test_zeek_s_two_rows_of_a_quic_session_are_one_quic_visit() -> None:
    (visit,) = visits(hello(0, "crt.sh", told=0), hello(0.1, "crt.sh", told=1, transport="quic"))
    assert visit.count == 1
    assert [told.event.transport for told in visit.events] == ["quic"]  # type: ignore[union-attr]


def test_a_request_that_only_the_proxy_shows_is_its_client_s() -> None:
    (visit,) = visits(query(0, "crt.sh"), get(0.2, "crt.sh", "/?q=acme-widgets.com", client=PROXY))
    assert (visit.client, visit.count, visit.counted) == (HOST, 1, "http requests")
    assert [told.upstream for told in visit.events] == [False, False]


def test_a_proxy_s_own_visit_to_another_host_of_the_service_is_its_own() -> None:
    assert summary(query(0, "api.shodan.io"), hello(1, "shodan.io", client=PROXY)) == [
        (HOST, "shodan", 1, "dns names"),
        (PROXY, "shodan", 1, "connections"),
    ]


def test_a_cut_visit_says_that_it_goes_on() -> None:
    found = visits(*(get(n * 20, "crt.sh", f"/?q={n}") for n in range(40)), get(2000, "crt.sh", "/?q=x"))
    assert [visit.continues for visit in found] == [False, True, True, False]
    assert sum(count for visit in found for _, count in visit.minutes) == 41


def test_a_whois_server_of_ours_that_no_catalog_knows_is_no_database() -> None:
    meet = Meet(CATALOG, SITE.roles_of, SITE.is_inside)
    assert list(meet.visits([connection(0, 43, server="10.20.0.99"), whois(0.1, "x", server="10.20.0.99")])) == []


def test_an_answer_to_the_only_client_of_the_other_family_names_a_server() -> None:
    events = query(0, "crt.sh"), answer(0, "crt.sh", "2001:db8:ffff::1")
    visit = connection(1, 5432, client="2001:db8:acc:1::16", server="2001:db8:ffff::1")
    assert used(*events, visit) == [("2001:db8:acc:1::16", "crt-sh", 1, "connections")]
    other = query(0.1, "crt.sh", client=OTHER), answer(0.1, "crt.sh", "2001:db8:ffff::1", client=OTHER)
    assert used(*events, *other, visit) == []


def test_a_request_without_a_host_is_named_by_dns() -> None:
    assert used(query(0, "crt.sh"), answer(0, "crt.sh"), get(1, "", "/?q=x")) == [(HOST, "crt-sh", 1, "http requests")]


def test_the_resolvers_upstream_query_belongs_to_its_clients_visit() -> None:
    (visit,) = visits(query(0, "crt.sh"), query(0.01, "crt.sh", client=RESOLVER))
    assert (visit.client, visit.count) == (HOST, 1)
    assert [told.upstream for told in visit.events] == [False, True]


def test_a_minimised_upstream_query_belongs_there_too() -> None:
    events = query(0, "10.113.0.203.origin.asn.cymru.com"), query(0.01, "asn.cymru.com", client=RESOLVER, qtype=2)
    assert summary(*events) == [(HOST, "team-cymru-dns", 1, "dns names")]


def test_an_upstream_view_stamped_before_its_client_belongs_there_too() -> None:
    events = query(0, "crt.sh", client=PROXY), get(0.4, "crt.sh", "/?q=x", server=PROXY)
    assert summary(*events) == [(HOST, "crt-sh", 1, "http requests")]


def test_the_view_behind_a_proxy_and_a_resolver_belongs_to_the_first_client() -> None:
    events = (
        hello(0, "crt.sh", transport="connect", server=PROXY),
        query(0.1, "crt.sh", client=PROXY),
        query(0.2, "crt.sh", client=RESOLVER),
        hello(0.3, "crt.sh", client=PROXY),
        hello(0.3, "crt.sh", server=PROXY),
    )
    assert summary(*events) == [(HOST, "crt-sh", 1, "connections")]


def test_a_resolver_whose_clients_are_not_seen_is_a_visitor_itself() -> None:
    assert summary(query(0, "crt.sh", client=RESOLVER)) == [(RESOLVER, "crt-sh", 1, "dns names")]
    assert summary(query(0, "crt.sh"), query(9, "crt.sh", client=RESOLVER)) == [
        (HOST, "crt-sh", 1, "dns names"),
        (RESOLVER, "crt-sh", 1, "dns names"),
    ]


def test_a_busy_host_is_visited_by_path_only() -> None:
    assert summary(hello(0, "www.google.com"), get(1, "www.google.com", "/search?q=x")) == []
    assert summary(get(1, "www.google.com", "/transparencyreport/api?domain=x")) == [
        (HOST, "transparency", 1, "http requests")
    ]


def test_no_event_is_lost_or_doubled_between_visits() -> None:
    events = [hello(n * 7, "shodan.io", port=n, client=client) for n in range(60) for client in (HOST, OTHER)]
    found = visits(*events)
    assert sum(visit.count for visit in found) == 120
    assert len(set(chain.from_iterable((told.event for told in visit.events) for visit in found))) == 120


def test_what_is_remembered_is_forgotten_in_time() -> None:
    meet = Meet(CATALOG, SITE.roles_of)
    for n in range(2000):
        list(meet.feed(query(n, "crt.sh", port=n)))
    assert len(meet._asked) < 20
    assert len(meet._witnesses._tellings) < 70
