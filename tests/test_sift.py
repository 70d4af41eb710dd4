"""A visit becomes a sighting: who, which service, which of our assets."""

import pytest

from reconwatch.events import AnyEvent
from reconwatch.meet import Meet
from reconwatch.sift import Sift
from reconwatch.sightings import Sighting
from tests.story import CATALOG, HOST, RESOLVER, SITE, answer, connection, get, hello, query, whois


def seen(*events: AnyEvent, sees_connections: bool = True) -> list[Sighting]:
    sift = Sift(CATALOG, SITE, sees_connections=sees_connections)
    return [s for visit in Meet(CATALOG, SITE.roles_of).visits(events) if (s := sift.sighting(visit)) is not None]


def targets(sighting: Sighting) -> list[str]:
    return [target.value for target in sighting.targets]


def test_a_request_names_our_asset_in_its_url() -> None:
    (sighting,) = seen(get(0, "api.shodan.io", "/shodan/host/203.0.113.10?key=***"))
    assert targets(sighting) == ["203.0.113.10"]
    assert (sighting.queries, sighting.target_kinds, sighting.technique) == (1, ("http",), "T1596.005")
    assert sighting.naming[0].detail == "GET /shodan/host/203.0.113.10?key=***"


def test_a_url_that_the_source_has_decoded_already_names_the_same() -> None:
    (raw,) = seen(get(0, "crt.sh", "/?q=%25.acme-widgets.com"))
    (decoded,) = seen(get(0, "crt.sh", "/?q=%.acme-widgets.com", decoded=True))
    assert raw.targets == decoded.targets
    assert targets(raw) == ["acme-widgets.com"]


def test_a_whois_line_names_our_range() -> None:
    (sighting,) = seen(answer(0, "whois.ripe.net"), whois(1, "-V Md5.5.17 203.0.113.10"))
    assert (sighting.service, targets(sighting), sighting.target_kinds) == ("ripe-whois", ["203.0.113.10"], ("whois",))


def test_a_lookup_that_is_made_in_dns_names_its_target_there() -> None:
    (sighting,) = seen(query(0, "10.113.0.203.origin.asn.cymru.com", qtype=16))
    assert (targets(sighting), sighting.connected) == (["203.0.113.10"], True)
    (stranger,) = seen(query(0, "8.8.8.8.origin.asn.cymru.com", qtype=16))
    assert targets(stranger) == []


def test_a_retry_of_a_dns_query_is_not_a_second_search() -> None:
    name = "10.113.0.203.origin.asn.cymru.com"
    (sighting,) = seen(query(0, name, port=1), query(5, name, port=2), query(6, "11.113.0.203.origin.asn.cymru.com"))
    assert (sighting.queries, sighting.count) == (2, 2)


def test_our_own_name_in_a_database_s_dns_name_is_ordinary_resolution() -> None:
    (sighting,) = seen(query(0, "acme-widgets.com.shodan.io"))
    assert targets(sighting) == []
    assert sighting.connected is False


def test_a_name_that_was_only_resolved_is_no_use_where_connections_would_be_seen() -> None:
    (sighting,) = seen(query(0, "www.shodan.io"))
    assert not sighting.connected
    (sighting,) = seen(query(0, "www.shodan.io"), sees_connections=False)
    assert sighting.connected


def test_a_stranger_s_visit_is_not_our_lookup() -> None:
    assert seen(hello(0, "www.shodan.io", client="192.0.2.66")) == []


def test_a_server_of_ours_that_searches_is_an_actor_too() -> None:
    (sighting,) = seen(hello(0, "www.shodan.io", client="203.0.113.10"))
    assert sighting.actor.ip == "203.0.113.10"


def test_the_resolver_s_own_visit_is_marked_as_its_clients() -> None:
    (sighting,) = seen(query(0, "www.shodan.io", client=RESOLVER))
    assert sighting.actor.role == ("resolver",)
    assert sighting.actor.stands_for_others


def test_upstream_views_are_evidence_and_never_counted() -> None:
    (sighting,) = seen(query(0, "crt.sh"), query(0.1, "crt.sh", client=RESOLVER))
    assert (sighting.count, sighting.evidence_total) == (1, 2)
    assert sighting.evidence[1].detail == "upstream: A crt.sh"


def test_a_nameless_connection_says_how_its_server_was_named() -> None:
    (sighting,) = seen(query(0, "crt.sh"), answer(0, "crt.sh"), connection(1, 5432))
    assert sighting.evidence[-1].detail == "TCP connection to port 5432, server named by DNS"
    assert sighting.evidence[-1].host == "crt.sh"


def test_a_long_visit_shows_its_first_and_last_events() -> None:
    (sighting,) = seen(*(get(n / 10, "ip-api.com", f"/json/203.0.113.{n}") for n in range(100)))
    assert sighting.evidence_total == sighting.queries == 100
    assert [piece.detail for piece in sighting.evidence] == [
        f"GET /json/203.0.113.{n}" for n in (*range(10), *range(90, 100))
    ]


@pytest.mark.parametrize("uri", ["/", "/?q=notacme-widgets.com", "/ip/203.0.114.10"])
def test_a_neighbour_is_not_named(uri: str) -> None:
    (sighting,) = seen(get(0, "crt.sh", uri))
    assert sighting.targets == ()
    assert sighting.actor.ip == HOST
