"""Feeds that go bad are refused and the last good one goes on; what a site's list means when events are compared."""

from __future__ import annotations

import ipaddress
import json
import multiprocessing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.story import HOST, NOON, SITE, get, hello, query

from reconwatch.events import Connection
from reconwatch.intel import Intelligence, load_feed
from reconwatch.intel.compiled import Builder, Compiled, Facts, joined
from reconwatch.intel.feeds import kept_file
from reconwatch.intel.indicator import key_of
from reconwatch.intel.seen import note_seen, seen
from reconwatch.site import Feed


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def feed(tmp_path: Path, text: str | None, name: str = "feed", **options: Any) -> Feed:
    path = tmp_path / f"{name}.txt"
    if text is not None:
        path.write_text(text)
    return Feed(str(path), name, line=7, **options)


def knows(*lines: str, tmp_path: Path, **options: Any) -> Intelligence:
    return Intelligence([load_feed(feed(tmp_path, "\n".join(lines), **options))], SITE)


TEN = "".join(f"n{n}.example\n" for n in range(10))


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is empty"), ("# nothing\n", "is in no format"), ("<html>gone</html>", "is in no format"),
     ("n1.example\n" * 9, "shrank from 10 to 1 entry"),
     ("".join(f"n{n}.example\n" for n in range(4)), "shrank from 10 to 4 entries"),
     ("10.0.0.1\n", "holds no indicator")],
)  # fmt: skip
def test_a_feed_that_went_bad_is_refused_and_the_last_good_one_goes_on(tmp_path: Path, text: str, why: str) -> None:
    assert load_feed(feed(tmp_path, TEN)).refused is None
    for _ in range(2):
        loaded = load_feed(feed(tmp_path, text), "site.yaml")
        assert loaded.refused is not None
        assert (loaded.refused.file, loaded.refused.line) == ("site.yaml", 7)
        assert why in str(loaded.refused)
        assert "the last good one goes on (10 entries" in str(loaded.refused)
        assert len(loaded.indicators) == 10
    assert load_feed(feed(tmp_path, TEN)).refused is None


def test_a_feed_that_is_gone_is_refused_too(tmp_path: Path) -> None:
    load_feed(feed(tmp_path, TEN))
    Path(feed(tmp_path, None).path).unlink()
    loaded = load_feed(feed(tmp_path, None))
    assert "cannot be read" in str(loaded.refused)
    assert len(loaded.indicators) == 10


def test_a_bad_feed_of_which_nothing_is_kept_leaves_nothing(tmp_path: Path) -> None:
    loaded = load_feed(feed(tmp_path, ""))
    assert "nothing is kept of it" in str(loaded.refused)
    assert len(loaded.indicators) == 0


def test_a_feed_may_shrink_by_half_or_where_the_site_says_so(tmp_path: Path) -> None:
    load_feed(feed(tmp_path, TEN))
    assert load_feed(feed(tmp_path, "".join(f"n{n}.example\n" for n in range(5)))).refused is None
    assert load_feed(feed(tmp_path, "n1.example\n", may_shrink=True)).refused is None


def test_a_feed_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_feed(feed(tmp_path, TEN + "10.0.0.1\n"))
    monkeypatch.setattr("reconwatch.intel.feeds._read", lambda *_: pytest.fail("it was read again"))
    again = load_feed(feed(tmp_path, None))
    assert b"".join(again.indicators.packed()) == b"".join(first.indicators.packed())
    assert again.passed == first.passed != ()


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-1], lambda raw: raw[:10], lambda raw: b"", lambda raw: raw + b"x"]
)
def test_what_is_kept_and_damaged_is_made_anew(tmp_path: Path, damage: Any) -> None:
    load_feed(feed(tmp_path, TEN))
    file = kept_file(feed(tmp_path, None), "feed")
    assert file is not None
    file.write_bytes(damage(file.read_bytes()))
    assert len(load_feed(feed(tmp_path, None)).indicators) == 10


def test_a_folder_is_one_feed(tmp_path: Path) -> None:
    folder = tmp_path / "misp"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    for name in "ab":
        event = {"Event": {"Attribute": [{"type": "domain", "value": f"{name}.example", "to_ids": True}]}}
        (folder / f"{name}.json").write_text(json.dumps(event))
    assert len(load_feed(Feed(str(folder), "misp")).indicators) == 2


def test_a_domain_stands_for_what_is_under_it_by_whole_labels(tmp_path: Path) -> None:
    known = knows("evil.example", "github.io", tmp_path=tmp_path)
    assert [known.has_name(name) for name in ("evil.example", "A.Evil.Example.", "notevil.example", "example")] == [
        True, True, False, False
    ]  # fmt: skip
    assert known.has_name("github.io")
    assert not known.has_name("somebody.github.io")


def test_every_range_that_holds_an_address_counts(tmp_path: Path) -> None:
    known = knows("198.51.100.0/24", "198.51.100.0/28", "198.51.100.7", "2001:db8:5::/48", tmp_path=tmp_path)
    event = hello(0, None, server="198.51.100.7")
    assert [each.value for each in known.touched(event)] == ["198.51.100.7", "198.51.100.0/24", "198.51.100.0/28"]
    assert known.has_address("2001:db8:5::9")
    assert not known.has_address("2001:db8:6::9")
    assert not known.has_address("198.51.101.7")
    assert not known.has_address("no address")


def test_urls_match_whatever_their_encoding_port_and_scheme(tmp_path: Path) -> None:
    known = knows("https://user@Evil.Example:8443/a%20b?c=1#frag", tmp_path=tmp_path)
    assert known.has_request("evil.example", "/a%20b?c=1")
    assert known.has_request("evil.example", "/a b?c=1")
    assert not known.has_request("evil.example", "/a%20b")
    assert not known.has_name("evil.example")


def test_agents_and_fingerprints_match_in_any_case(tmp_path: Path) -> None:
    agents = knows("BadBot/1.0 (x)", tmp_path=tmp_path, kind="agent")
    assert agents.touched(msgspec.structs.replace(get(0, "some.example", "/"), user_agent="badbot/1.0 (X)"))
    prints = knows("A" * 32, tmp_path=tmp_path, name="ja3", kind="ja3")
    greeting = hello(0, "some.example")
    assert [each.by for each in prints.touched(msgspec.structs.replace(greeting, ja3="a" * 32))] == ["ja3"]
    assert prints.touched(greeting) == ()


def test_validity_is_judged_at_the_time_of_the_event(tmp_path: Path) -> None:
    known = knows(
        "domain,valid_from,valid_until", "evil.example,2026-11-24T12:00:00Z,2026-11-24T13:00:00Z", tmp_path=tmp_path
    )
    assert [bool(known.touched(query(after, "evil.example"))) for after in (-1, 0, 3599, 3600)] == [
        False,
        True,
        True,
        False,
    ]
    assert not known.touches(query(3600, "evil.example"))
    assert known.out_of_time == 1


def test_the_surest_of_all_feeds_counts_and_all_are_named(tmp_path: Path) -> None:
    feeds = [feed(tmp_path, "evil.example\n", name, confidence=sure) for name, sure in (("a", 20), ("b", 90))]
    (found,) = Intelligence(map(load_feed, feeds), SITE).touched(query(0, "x.evil.example"))
    assert (found.confidence, found.sources, found.value) == (90, ("a", "b"), "evil.example")


def test_what_a_warning_list_holds_is_no_indicator_and_is_counted(tmp_path: Path) -> None:
    lists = [
        {"name": "h", "version": 1, "type": "hostname", "list": ["good.example"]},
        {"name": "c", "version": 1, "type": "cidr", "list": ["198.51.100.0/24"]},
        {"name": "s", "version": 1, "type": "substring", "list": ["sinkhole"]},
        {"name": "e", "version": 1, "type": "string", "list": ["exact.example"]},
    ]
    feeds = [
        feed(
            tmp_path,
            "good.example\na.good.example\n198.51.100.7\nmy-sinkhole.example\nexact.example\nb.exact.example\nevil.example\n",
        )
    ]
    feeds += [feed(tmp_path, json.dumps(each), str(each["name"])) for each in lists]
    known = Intelligence(map(load_feed, feeds), SITE)
    assert known.spelt_names() == {"b.exact.example", "evil.example"}
    assert known.spelt_networks() == frozenset()
    assert known.taken_out() == {"benign": 5}
    assert not known.touches(query(0, "x.good.example"))


def test_what_is_ours_is_no_indicator_and_told(tmp_path: Path) -> None:
    known = knows(
        "acme-widgets.com", "www.acme-widgets.com", "203.0.113.9", "203.0.0.0/16", "evil.example", tmp_path=tmp_path
    )
    assert known.spelt_names() == {"evil.example"}
    assert not known.has_address("203.0.113.9")
    told = [str(problem) for problem in known.problems()]
    assert len(told) == 2
    assert all("is ours or holds what is ours, and feed lists it" in line for line in told)


def test_matches_are_remembered_across_runs_at_the_same_time(tmp_path: Path) -> None:
    its = feed(tmp_path, TEN)
    load_feed(its)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(note_seen, [(its, {f"dn{n}.example".encode(): (float(n), float(n))}) for n in range(10)])
    assert len(seen(its)) == 10


def test_many_indicators_are_one_run_of_bytes_that_comes_back_as_it_was() -> None:
    builder = Builder()
    for n in range(20_000):
        builder.add(key_of(None, f"n{n}.evil.example"), Facts(n % 101, source=f"s{n % 3}"))
        builder.add(key_of(None, f"n{n}.evil.example"), Facts(n % 50, source=f"s{n % 3}"))
    compiled = builder.finish()
    assert len(compiled) == 20_000
    raw = b"".join(compiled.packed())
    assert len(raw) < 20_000 * 110
    back = Compiled.unpacked(memoryview(raw))
    for n in (0, 777, 19_999):
        (row,) = back.rows(key_of(None, f"n{n}.evil.example"))
        assert back.facts(row) == Facts(max(n % 101, n % 50), source=f"s{n % 3}")
    both = joined([back, back])
    assert len(list(both.rows(key_of(None, "n5.evil.example")))) == 2
    with pytest.raises(ValueError, match="not compiled"):
        Compiled.unpacked(memoryview(raw[:-1]))


def test_spans_of_addresses_are_joined_and_hold_what_is_listed(tmp_path: Path) -> None:
    known = knows("198.51.100.0/25", "198.51.100.128/25", "198.51.100.9", "2001:db8:5::1", tmp_path=tmp_path)
    firsts, lasts = known.network_bounds(4)
    block = ipaddress.ip_network("198.51.100.0/24")
    assert firsts[0] == int(block[0])
    assert lasts[-1] == int(block[-1])
    assert list(known.network_bounds(6)[0]) == [int(ipaddress.ip_address("2001:db8:5::1")) >> 64]


def test_a_connection_without_a_listed_end_touches_nothing(tmp_path: Path) -> None:
    known = knows("198.51.100.7", tmp_path=tmp_path)
    assert known.touched(Connection(ts=NOON, client=HOST, server="198.51.100.8", source="x", opening=True)) == ()
