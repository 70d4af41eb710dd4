"""The first test of the design, for probes: any number of partitions, any order, the same notices."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detectors.probes import emitted, told
from tests.story import probe

from reconwatch.detectors.canary_touched import CanaryTouched
from reconwatch.detectors.name_probe import NameProbe
from reconwatch.detectors.service_probe import ServiceProbe
from reconwatch.sightings import Bait, Probe, Sought

NAMES = [None, "203.0.113.10", *(f"host{n}.acme-widgets.com" for n in range(20)), "google.example", "mail.example"]
BAITS = [
    Bait("name", "host3.acme-widgets.com", "WHOIS"),
    Bait("address", "203.0.113.77", None),
    Bait("path", "/x", "CT"),
]
SOUGHT = [Sought(f"path-{n}", f"thing {n}", n % 2 == 0, n % 6 == 0) for n in range(12)]

probes = st.builds(
    lambda at, name, **facts: probe(
        at, name=name, zone="acme-widgets.com" if name and name.startswith("host") else None, **facts
    ),
    st.one_of(st.floats(0, 60), st.floats(42_600, 43_800), st.floats(0, 200_000)),
    client=st.sampled_from(["192.0.2.66", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"]),
    server=st.sampled_from([f"203.0.113.{n}" for n in range(10, 18)]),
    kind=st.sampled_from(["tls", "http", "quic", "dns", "conn"]),
    opening=st.sampled_from([True, False, None]),
    trusted=st.sampled_from([None, None, "audit", "checks"]),
    name=st.sampled_from(NAMES),
    uri=st.sampled_from([None, None, "/", "/.well-known/acme-challenge/x"]),
    tool=st.sampled_from([None, None, "Nmap", "gobuster"]),
    wordlist=st.booleans(),
    paths=st.lists(st.sampled_from(SOUGHT), max_size=2, unique=True).map(tuple),
    status=st.sampled_from([None, 200, 404]),
    canaries=st.lists(st.sampled_from(BAITS), max_size=2, unique=True).map(tuple),
)


@settings(max_examples=60)
@given(st.lists(probes, max_size=80), st.integers(1, 5), st.randoms(use_true_random=False))
def test_partitions_and_disorder_change_nothing(items: list[Probe], partitions: int, chance) -> None:
    shuffled = chance.sample(items, len(items))
    for detector in (CanaryTouched(), NameProbe({"names": 4, "day": 400}), ServiceProbe()):
        expected = told(emitted(detector, items))
        assert told(emitted(detector, shuffled)) == expected
        assert told(emitted(detector, shuffled, partitions)) == expected
