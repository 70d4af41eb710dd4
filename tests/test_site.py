"""site.yaml: every mistake is told at once, and what it says of an address holds at the time of the event."""

import datetime
import ipaddress
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.document import DocumentError, Problem
from reconwatch.site import MOST_REMEMBERED, PRIVATE, Canary, Owned, Site, Trust, check, load_site

SHARED = Path(__file__).parents[1].parent / "shared" / "captures" / "site.yaml"
NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC).timestamp()
THRESHOLDS = {"Bulk_Search": {"requests": 50.0, "window": 600.0}, "Enumeration_Sweep": {"services": 4.0}}

FULL = """\
owned:
  domains: [Acme-Widgets.com., bücher.example, acme.co.uk]
  ranges: [203.0.113.0/24, "2001:db8:acc::/48", 198.51.100.7]
  asns: [64496, AS64497, as 64498]
  brands: [Acme   Widgets]
  nameservers: [203.0.113.53]
  secondaries: [192.0.2.96/28]
  hosted: yes
inside: [10.0.0.0/8]
roles: {resolvers: [10.20.0.53], proxies: [10.20.0.80, 10.20.0.53], nats: [], mail: [10.30.0.0/24]}
trusted:
  - {who: 10.20.9.0/24, reason: attack-surface team, since: 2026-01-01, until: "2027-06-30T12:00:00Z", for: [lookup]}
  - {who: 10.0.0.0/8, reason: everybody on the day, since: 2026-05-01, until: 2026-05-01, for: [lookup, probe]}
  - {who: 198.51.100.200, reason: the testers, for: [probe]}
canaries:
  - {name: Staging-7f3k2q.acme-widgets.com, planted: certificate transparency, since: 2026-11-01}
  - {address: 203.0.113.200, planted: Shodan}
  - {path: /old-7f3k2q.zip, planted: URLscan}
sources: [{zeek: /var/log/zeek}]
thresholds: {Bulk_Search: {requests: 10}}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a site.yaml into the working directory, so that problems name it as `site.yaml`."""
    monkeypatch.chdir(tmp_path)

    def written(text: str | bytes) -> Path:
        path = Path("site.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


@pytest.fixture
def said(write):
    return lambda text: [str(problem) for problem in check(write(text), now=NOW, thresholds=THRESHOLDS)]


@pytest.fixture
def full(write):
    return load_site(write(FULL), now=NOW, thresholds=THRESHOLDS)


def day(text: str) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def test_a_full_site_is_read_and_normalised(full):
    assert full.owned == Owned(
        domains=("acme-widgets.com", "xn--bcher-kva.example", "acme.co.uk"),
        ranges=tuple(map(ipaddress.ip_network, ("203.0.113.0/24", "2001:db8:acc::/48", "198.51.100.7/32"))),
        asns=(64496, 64497, 64498),
        brands=("acme widgets",),
        nameservers=(ipaddress.ip_network("203.0.113.53"),),
        secondaries=(ipaddress.ip_network("192.0.2.96/28"),),
        hosted=True,
    )
    assert full.inside == (ipaddress.ip_network("10.0.0.0/8"),)
    assert full.canaries == (
        Canary("name", "staging-7f3k2q.acme-widgets.com", "certificate transparency", datetime.date(2026, 11, 1)),
        Canary("address", "203.0.113.200", "Shodan"),
        Canary("path", "/old-7f3k2q.zip", "URLscan"),
    )
    assert full.trusted[0] == Trust(
        ipaddress.ip_network("10.20.9.0/24"),
        "attack-surface team",
        datetime.date(2026, 1, 1),
        datetime.date(2027, 6, 30),
        ("lookup",),
    )
    assert full.sources == ({"zeek": "/var/log/zeek"},)
    assert full.thresholds == {"Bulk_Search": {"requests": 10.0}}
    assert full.path == "site.yaml"
    assert [warning.line for warning in full.warnings] == [13]  # the one day is over


def test_the_shortest_site_has_every_default(write):
    site = load_site(write("owned: {domains: [acme.com]}\ninside:\ncanaries:\nroles: {mail: }\n"))
    assert site.inside == PRIVATE
    assert (site.trusted, site.canaries, site.sources, site.thresholds) == ((), (), (), {})
    assert site.roles_of("10.0.0.1") == ("host",)
    assert site.warnings == ()


@pytest.mark.parametrize(("written", "hosted"), [("yes", True), ("no", False), ("true", True), ("off", False)])
def test_yes_and_no_are_understood(write, written, hosted):
    assert load_site(write(f"owned: {{domains: [acme.com], hosted: {written}}}")).owned.hosted is hosted


def test_without_a_site_nothing_is_owned_and_private_ranges_are_inside():
    site = Site.default()
    assert site.path is None
    assert not site.owns("203.0.113.1")
    for ip in ("10.1.2.3", "172.31.0.1", "192.168.9.9", "100.64.0.1", "fd00::1", "fe80::1"):
        assert site.is_inside(ip)
    for ip in ("172.32.0.1", "8.8.8.8", "100.128.0.1", "169.254.0.1", "127.0.0.1", "2001:db8::1"):
        assert not site.is_inside(ip)


def test_inside_is_what_is_declared_and_what_is_owned(full):
    assert full.is_inside("10.20.1.11")
    assert full.is_inside("203.0.113.9")
    assert full.is_inside("2001:db8:acc:0:1::9")
    assert not full.is_inside("192.168.0.1")
    assert full.owns("198.51.100.7")
    assert not full.owns("198.51.100.8")
    assert not full.owns("10.20.1.11")


@pytest.mark.parametrize(
    "junk", ["", "junk", "10", "10.1", "10.0.0.1/8", "fe80::1%eth0", "10.0.0.1\0", "10.0.0.1 ", "é"]
)
def test_what_is_no_address_is_nobody(full, junk):
    assert not full.is_inside(junk)
    assert not full.owns(junk)
    assert full.roles_of(junk) == ("host",)
    assert full.trust(junk, NOW) is None
    assert full.owned_range(junk) is None


def test_an_ipv4_mapped_address_is_the_ipv4_address(full):
    assert full.owns("::ffff:203.0.113.9")


def test_roles_are_singular_sorted_and_may_be_several(full):
    assert full.roles_of("10.20.0.53") == ("proxy", "resolver")
    assert full.roles_of("10.20.0.80") == ("proxy",)
    assert full.roles_of("10.30.0.99") == ("mail",)
    assert full.roles_of("10.20.1.11") == ("host",)


def test_name_servers_and_secondaries_are_known(full):
    assert full.is_nameserver("203.0.113.53")
    assert not full.is_nameserver("203.0.113.54")
    assert full.is_secondary("192.0.2.99")
    assert not full.is_secondary("192.0.2.1")


def test_the_most_specific_asset_is_named(write):
    site = load_site(write("owned: {domains: [acme.com, eu.acme.com], ranges: [203.0.113.0/24, 203.0.113.8/29]}"))
    assert site.owned_range("203.0.113.9") == "203.0.113.8/29"
    assert site.owned_range("203.0.113.99") == "203.0.113.0/24"
    assert site.owned_domain("www.eu.acme.com") == "eu.acme.com"
    assert site.owned_domain("acme.com") == "acme.com"
    assert site.owned_domain("notacme.com") is None


@pytest.mark.parametrize(
    ("ts", "trusted"),
    [
        (day("2026-01-01") - 0.001, False),
        (day("2026-01-01"), True),
        (day("2027-06-30T23:59:59.999999"), True),
        (day("2027-07-01"), False),
        (float("nan"), False),
    ],
)
def test_trust_holds_for_whole_days_in_utc_at_the_time_of_the_event(full, ts, trusted):
    assert (full.trust("10.20.9.7", ts) is not None) == trusted


def test_trust_holds_for_its_directions(full):
    assert full.trust("198.51.100.200", NOW, "probe").reason == "the testers"
    assert full.trust("198.51.100.200", NOW, "lookup") is None
    assert full.trust("198.51.100.200", NOW) is None


def test_of_several_trusts_the_most_specific_that_holds_wins(full):
    on_the_day = day("2026-05-01T10:00:00")
    assert full.trust("10.20.9.7", on_the_day).reason == "attack-surface team"
    assert full.trust("10.20.9.7", on_the_day, "probe").reason == "everybody on the day"
    assert full.trust("10.1.1.1", on_the_day).reason == "everybody on the day"
    assert full.trust("10.1.1.1", on_the_day + 86400) is None


DAYS = st.dates(datetime.date(1971, 1, 1), datetime.date(2200, 1, 1))


@given(DAYS, DAYS, st.floats(0, 7.2e9))
def test_trust_is_a_matter_of_the_utc_day(one, other, ts):
    since, until = sorted((one, other))
    trust = Trust(ipaddress.ip_network("10.0.0.0/8"), "x", since, until)
    assert trust.holds(ts, "lookup") == (
        since <= datetime.datetime.fromtimestamp(int(ts), datetime.UTC).date() <= until
    )


NETWORKS = st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), max_size=8).flatmap(
    lambda ips: st.tuples(
        *(
            st.integers(8, 128 if ip.version == 6 else 32).map(
                lambda prefix, ip=ip: ipaddress.ip_network((ip, prefix), strict=False)
            )
            for ip in ips
        )
    )
)


@given(NETWORKS, NETWORKS, st.ip_addresses())
def test_the_prefix_tree_agrees_with_a_plain_search(inside, owned, other):
    site = Site(inside=inside, owned=Owned(ranges=owned))
    for ip in (other, *(network[-1] for network in (*inside, *owned))):
        mapped = (ip.ipv4_mapped if ip.version == 6 else None) or ip
        covering = [network for network in owned if network.version == mapped.version and mapped in network]
        assert site.owns(str(ip)) == bool(covering)
        assert site.is_inside(str(ip)) == any(mapped in network for network in (*inside, *owned))
        if covering:
            assert site.owned_range(str(ip)) == str(max(covering, key=lambda network: network.prefixlen))


def test_the_memory_of_addresses_is_bounded():
    site = Site.default()
    for number in range(MOST_REMEMBERED + 10):
        site.is_inside(str(ipaddress.ip_address(0x0A000000 + number)))
    assert len(site._standings) <= MOST_REMEMBERED


def test_a_site_is_a_frozen_value_that_can_be_sent_to_another_process(full):
    full.is_inside("10.1.1.1")
    again = pickle.loads(pickle.dumps(full))
    assert again == full
    assert again.is_inside("10.1.1.1")
    assert full != Site.default()
    with pytest.raises(AttributeError):
        full.inside = ()
    with pytest.raises(TypeError):
        hash(full)


OWNED = "owned:\n  domains: [acme.com]\n"


def test_harmless_spellings_of_a_range_are_normalised(write):
    site = load_site(write(f'{OWNED}  ranges: [203.0.113.0/255.255.255.0, "::ffff:198.51.100.1", "2001:DB8:0::/48"]'))
    assert list(map(str, site.owned.ranges)) == ["203.0.113.0/24", "198.51.100.1/32", "2001:db8::/48"]


def test_thresholds_are_not_judged_without_a_table(write):
    site = load_site(write(f"{OWNED}thresholds: {{Anything: {{x: 1}}}}"))
    assert site.thresholds == {"Anything": {"x": 1.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "site.yaml: the file is empty"),
        (b"- a", "site.yaml:1: the file must be a mapping (key: value), not a list"),
        (b"\n\nx: \xff", "site.yaml:3: byte 0xff is not UTF-8; write the file in UTF-8"),
        (b"inside: []", "site.yaml:1: the file: key 'owned' is missing; write owned: ..."),
        (b"owned:\ninside: []", "site.yaml:1: key 'owned' has no value; write owned: ..."),
        (b"owned:\n\t- x", "site.yaml:2: a tab cannot indent or separate in YAML; write spaces"),
        (b"owned: {domains: [*.acme.com]}",
         "site.yaml:1: 'owned: {domains: [*.acme.com]}': a value cannot start with * or & in YAML; write it in quotes"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_site_is_one_line(said, text, message):
    assert said(text) == [message]


def test_a_missing_file_is_one_line():
    with pytest.raises(DocumentError, match=r"^nowhere.yaml: cannot be read: No such file or directory$"):
        load_site(Path("nowhere.yaml"))


def test_twelve_mistakes_are_told_in_one_run_in_the_order_of_their_lines(said):
    assert said("""\
owned:
  domians: [acme.com]
  domains: [co.uk]
  ranges: [203.0.113.5/24,
           0.0.0.0/0]
  asns: [ASx]
  brands: [ab]
  brands: [acme]
insde: [10.0.0.0/8]
roles: {proxies: [ten]}
trusted:
  - {who: 10.0.0.0/8, reason: x, since: 2027-01-02,
     until: 2027-01-01}
canaries:
  - {name: a.acme.com, path: /x}
thresholds:
  Bulk_Serch: {requests: 5}
""") == [
        "site.yaml:2: unknown key 'domians'; write 'domains'",
        "site.yaml:3: co.uk is a public suffix: it would claim everybody's names; write your registered domain",
        "site.yaml:4: 203.0.113.5/24 has host bits set; write 203.0.113.0/24",
        "site.yaml:5: 0.0.0.0/0 is too broad to be one organisation's; write a prefix of at least /8",
        "site.yaml:6: 'ASx' is not an AS number; write it like AS64496",
        "site.yaml:7: brand 'ab' is shorter than 3 characters and would match everywhere; "
        "write a longer form, such as the company's full name",
        "site.yaml:8: key 'brands' stands here again, first on line 7; write it once",
        "site.yaml:9: unknown key 'insde'; write 'inside'",
        "site.yaml:10: 'ten' is not an address or range; write it like 203.0.113.0/24 or 2001:db8::/48",
        "site.yaml:13: until 2027-01-01 is before since 2027-01-02; write a day from 2027-01-02 on",
        "site.yaml:15: one canary has name and path; write one canary for each",
        "site.yaml:17: no detector raises 'Bulk_Serch'; write 'Bulk_Search'",
    ]


def test_ended_trust_still_holds_for_what_was_done_before(write):
    site = load_site(write(f"{OWNED}trusted:\n- {{who: 10.20.9.0/24, reason: x, until: 2020-01-01}}"), now=NOW)
    assert site.trust("10.20.9.1", day("2019-12-31")).reason == "x"
    assert site.trust("10.20.9.1", NOW) is None


def test_a_thing_written_twice_is_owned_once(write):
    assert load_site(write("owned: {domains: [acme.com, ACME.com.]}")).owned.domains == ("acme.com",)


def test_check_returns_problems_and_raises_nothing(write):
    assert check(write(OWNED)) == []
    assert isinstance(check(write("a: b"))[0], Problem)


def test_the_site_of_the_shared_captures_loads():
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not on this machine")
    site = load_site(SHARED, now=NOW)
    assert site.warnings == ()
    assert site.roles_of("10.20.0.53") == ("resolver",)
    assert site.trust("10.20.9.4", NOW).reason == "attack-surface team"
    assert site.is_inside("2001:db8:acc:1::5")
    assert site.owned_domain("staging-7f3k2q.acme-widgets.com") == "acme-widgets.com"


def test_a_second_load_takes_little(write):
    path = write(FULL)
    load_site(path)
    started = time.perf_counter()
    load_site(path)
    assert time.perf_counter() - started < 0.06


def test_importing_costs_neither_yaml_nor_pydantic_nor_the_suffix_list():
    heavy = "{'yaml', 'pydantic', 'publicsuffixlist', 'idna', 'radix'}"
    code = f"import sys, reconwatch.site as s; s.Site.default(); sys.exit(bool({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[1] / "sensor"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_page_about_site_yaml_tells_the_truth(write):
    page = (Path(__file__).parents[1] / "docs" / "site.md").read_text(encoding="utf-8")
    good, logs, followed, sinks, intel, bad = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    output, warning = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert load_site(write(good), now=NOW).warnings == ()
    assert check(write(f"owned: {{domains: [acme-widgets.com]}}\n{logs}"), now=NOW) == []
    assert check(write(f"owned: {{domains: [acme-widgets.com]}}\n{followed}"), now=NOW) == []
    assert check(write(f"owned: {{domains: [acme-widgets.com]}}\n{sinks}"), now=NOW) == []
    assert check(write(f"owned: {{domains: [acme-widgets.com]}}\n{intel}"), now=NOW) == []
    assert [str(problem) for problem in check(write(bad), now=NOW)] == output.splitlines()
    assert [str(problem) for problem in check(write(good), now=day("2027-07-01"))] == warning.splitlines()
    for network in PRIVATE:
        assert f"`{network}`" in page
