"""Logs that know no ports (a proxy's, a resolver's) beside captures and engines that do: counted once."""

from __future__ import annotations

from typing import Any

import msgspec

from reconwatch.events import AnyEvent
from reconwatch.witnesses import Witnesses
from tests.story import OTHER, get, hello, query


def logged(event: AnyEvent, late: float = 0, source: str = "squid", input: int = 9, **changes: Any) -> AnyEvent:
    """The event as a log tells it that knows neither ports nor where its writer listens."""
    changes = {"client_port": None, "server": None, "server_port": None, "uid": None, **changes}
    return msgspec.structs.replace(event, ts=event.ts + late, source=source, input=input, **changes)


def told(*events: AnyEvent) -> list[tuple[str, ...]]:
    """Who told each observation."""
    witnesses = Witnesses()
    found = [witnesses.observe(event, "") for event in sorted(events, key=lambda event: event.ts)]
    return [(each.event.source, *each.also) for each in found if each is not None]


def test_a_request_on_the_wire_and_in_the_proxy_s_log_is_one() -> None:
    seen = get(10, "crt.sh", "/?q=a")
    assert told(seen, logged(seen, 0.2)) == [(seen.source, "squid")]


def test_whoever_stamps_it_first() -> None:
    seen = get(10, "crt.sh", "/?q=a")
    assert told(logged(seen, -0.2), seen) == [(seen.source, "squid")]


def test_every_record_of_the_log_is_a_witness_of_one_observation_only() -> None:
    asked = [query(ts, "api.shodan.io", port=40_000 + ts) for ts in (0, 4, 8)]
    log = [logged(each, 0.5, "unbound") for each in asked]
    assert told(*asked, *log) == [(asked[0].source, "unbound")] * 3
    assert len(told(*asked, *log, logged(asked[0], 20, "unbound"))) == 4


def test_two_logs_of_the_same_proxy_and_the_wire_are_three_witnesses() -> None:
    seen = hello(0, "crt.sh", transport="connect")
    log = [logged(seen, 0.1 * number, source, number) for number, source in enumerate(("squid", "clf"), 1)]
    assert told(seen, *log) == [(seen.source, "squid", "clf")]
    assert told(*log) == [("squid", "clf")]


def test_a_log_whose_file_was_changed_between_two_requests_tells_two() -> None:
    first = logged(get(0, "crt.sh", "/?q=a"), input=1)
    assert len(told(first, logged(first, 3, input=2))) == 2


def test_another_client_or_name_and_a_minute_s_distance_are_something_else() -> None:
    seen = hello(0, "crt.sh")
    for other in (logged(seen, client=OTHER), logged(seen, name="www.shodan.io"), logged(seen, 61)):
        assert len(told(seen, other)) == 2


def test_a_proxy_that_leaves_out_the_query_tells_of_the_same_request() -> None:
    seen = get(0, "crt.sh", "/?q=a")
    assert len(told(seen, logged(seen, uri="/?"))) == 1
    assert len(told(seen, logged(seen, uri="/?q=b"))) == 2


def test_a_log_that_knows_its_own_address_speaks_of_no_other() -> None:
    seen = query(0, "api.shodan.io")
    assert len(told(seen, logged(seen, 0.1, server=seen.server))) == 1
    assert len(told(seen, logged(seen, 0.1, server="203.0.113.53"))) == 2


def test_of_several_requests_the_nearest_is_meant() -> None:
    near, far = get(0, "crt.sh", "/?q=a", port=1), get(30, "crt.sh", "/?q=a", port=2)
    assert told(near, far, logged(far, 1)) == [(near.source,), (far.source, "squid")]


def test_a_thousand_of_one_name_within_a_minute_are_a_thousand() -> None:
    asked = [query(n / 100, "api.shodan.io", port=40_000 + n) for n in range(1_000)]
    log = [logged(each, 0.004, "unbound") for each in asked]
    assert told(*asked, *log) == [(asked[0].source, "unbound")] * 1_000
