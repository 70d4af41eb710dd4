"""The honest account: what the inputs could not show."""

from reconwatch.account import Account
from reconwatch.blindness import Blindness
from reconwatch.catalog import Blindspot, Catalog
from reconwatch.events import AnyEvent, DnsAnswer
from tests.story import NOON, OTHER, RESOLVER, get, hello

CATALOG = Catalog(
    [],
    [
        Blindspot("doh", "used DNS over HTTPS", ("=dns.google", "cloudflare-dns.com")),
        Blindspot("ech", "sent a hello whose name is encrypted", ("=cloudflare-ech.com",)),
    ],
)

EVERYTHING = {"dns", "tls", "http", "whois", "conn"}


def account(*, holds: set[str] = EVERYTHING, **blind: int) -> Account:
    told = Account("eve.json", holds=holds)
    told.blind.update(blind)
    return told


def lines(*events: AnyEvent, accounts: list[Account] | None = None) -> list[str]:
    blindness = Blindness(CATALOG)
    for event in events:
        blindness.watch(event)
    return blindness.lines([account()] if accounts is None else accounts)


def test_a_run_that_missed_nothing_has_nothing_to_tell() -> None:
    assert lines() == []


def test_encrypted_visits_are_told_by_the_number_of_clients() -> None:
    assert lines(hello(0, "crt.sh"), hello(1, "crt.sh"), hello(2, "crt.sh", client=OTHER)) == [
        "2 clients asked over TLS or QUIC: that a service was used is seen, not what for"
    ]


def test_dns_over_https_and_encrypted_hellos_are_told_of() -> None:
    told = lines(hello(0, "dns.google"), hello(1, "chrome.cloudflare-dns.com"), hello(2, "cloudflare-ech.com"))
    assert "1 client used DNS over HTTPS" in told
    assert "1 client sent a hello whose name is encrypted" in told


def test_an_exact_name_does_not_stand_for_its_children() -> None:
    assert not [line for line in lines(hello(0, "notes.dns.google")) if "DNS over HTTPS" in line]


def test_a_name_that_offers_encrypted_hellos_is_told_of() -> None:
    offer = DnsAnswer(ts=NOON, client=OTHER, server=RESOLVER, source="capture", name="crt.sh", addresses=(), ech=True)
    assert lines(offer) == ["1 names of interest offer encrypted hellos (ECH): visits may hide there"]


def test_a_request_with_a_body_may_hide_its_question() -> None:
    post = get(0, "search.censys.io", "/api/v2/hosts/search")
    post = type(post)(**{name: getattr(post, name) for name in post.__struct_fields__} | {"method": "POST"})
    assert lines(post) == ["requests whose question may lie in their body, which no input holds: 1"]


def test_kinds_that_no_input_holds_are_told_with_what_that_costs() -> None:
    told = lines(accounts=[account(holds={"dns", "answer"}), account(holds={"conn"})])
    assert [line.partition(":")[0] for line in told] == [
        "no TLS or QUIC hellos", "no HTTP requests",
        "no WHOIS text (captures hold it, and logs of the package in Zeek)",
    ]  # fmt: skip


def test_what_one_input_holds_the_others_need_not() -> None:
    assert lines(accounts=[account(holds={"dns"}), account()]) == []


def test_the_sensor_s_own_loss_and_cut_packets_are_summed_over_the_inputs() -> None:
    told = lines(accounts=[account(sensor_drops=3, cut_packets=1), account(sensor_drops=4)])
    assert "packets that the sensor itself reports lost: 7" in told
    assert any(line.startswith("packets cut short") and line.endswith(": 1") for line in told)


def test_what_was_skipped_is_told_by_input_and_reason() -> None:
    damaged = account()
    damaged.skip("not JSON", "line 3")
    damaged.skip("not JSON", "line 9")
    assert lines(accounts=[damaged]) == ["eve.json: 2 lines skipped: not JSON"]


def test_an_input_that_failed_holds_nothing_and_is_told_elsewhere() -> None:
    failed = account()
    failed.fail("empty file")
    assert lines(accounts=[failed]) == []


def sampled(*, blocks: int, whole: int, bad: int) -> Account:
    told = Account("eve.json", holds=EVERYTHING, blocks=blocks, whole=whole)
    for line in range(bad):
        told.skip("not JSON", f"line {line}", sampled=True)
    return told


def test_damage_seen_in_a_sample_is_told_as_an_estimate_of_the_whole() -> None:
    assert lines(accounts=[sampled(blocks=128, whole=2, bad=20)]) == [
        "eve.json: about 1,280 lines are damaged (20 in 2 of 128 blocks looked at whole)"
    ]


def test_an_estimate_comes_on_top_of_what_was_counted() -> None:
    damaged = sampled(blocks=128, whole=2, bad=20)
    damaged.skip("not JSON", "line 7")
    assert lines(accounts=[damaged]) == [
        "eve.json: 1 line skipped: not JSON",
        "eve.json: about 1,280 more lines are damaged (20 in 2 of 128 blocks looked at whole)",
    ]


def test_where_every_block_was_looked_at_whole_the_count_is_exact_and_says_so() -> None:
    damaged = sampled(blocks=1, whole=1, bad=2)
    damaged.skip("not JSON", "line 7")
    assert lines(accounts=[damaged]) == ["eve.json: 3 lines skipped: not JSON"]


def test_only_the_first_of_a_reason_is_told_at_once_in_a_sample_or_not() -> None:
    told: list[str] = []
    damaged = Account("eve.json", warn=told.append)
    damaged.skip("not JSON", lambda: "line 3", sampled=True)
    damaged.skip("not JSON", "line 4")
    damaged.skip("not JSON", lambda: "line 5", sampled=True)
    assert told == ["eve.json: line 3: not JSON"]


def test_zeek_s_own_word_on_its_losses_is_told_by_the_worst_of_the_inputs() -> None:
    told = [account(), account()]
    for each, percent in zip(told, (1.25, 3.1), strict=True):
        each.lost(percent)
        each.lost(0.5)
    assert lines(accounts=told) == ["Zeek's capture_loss.log reports up to 3.1 % of traffic lost"]


def test_a_loss_too_small_for_a_figure_is_told_and_none_is_not() -> None:
    little, none = account(), account()
    little.lost(0.004)
    none.lost(0.0)
    none.lost(float("nan"))
    assert lines(accounts=[little]) == ["Zeek's capture_loss.log reports less than 0.1 % of traffic lost"]
    assert lines(accounts=[none]) == []
