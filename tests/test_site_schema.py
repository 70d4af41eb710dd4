"""Each value of site.yaml that is wrong is told with its line and what to write instead."""

from pathlib import Path

import pytest

from reconwatch.site import check

NOW = 1795521600.0
"""2026-11-24T12:00:00Z."""

THRESHOLDS = {"Bulk_Search": {"requests": 50.0, "window": 600.0}, "Enumeration_Sweep": {"services": 4.0}}
OWNED = "owned:\n  domains: [acme.com]\n"


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What is said of the text of a site.yaml, named as such because the test runs beside it."""
    monkeypatch.chdir(tmp_path)

    def problems(text):
        path = Path("site.yaml")
        path.write_text(text, encoding="utf-8")
        return [str(problem) for problem in check(path, now=NOW, thresholds=THRESHOLDS)]

    return problems


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("203.0.113.5/24", "203.0.113.5/24 has host bits set; write 203.0.113.0/24"),
        ("2001:db8::1/64", "2001:db8::1/64 has host bits set; write 2001:db8::/64"),
        ("0.0.0.0/0", "0.0.0.0/0 is too broad to be one organisation's; write a prefix of at least /8"),
        ("128.0.0.0/1", "128.0.0.0/1 is too broad to be one organisation's; write a prefix of at least /8"),
        ("::/0", "::/0 is too broad to be one organisation's; write a prefix of at least /7"),
        ("203.0.113.0/33", "'/33' is not a prefix length; write a number up to 32"),
        ("2001:db8::/129", "'/129' is not a prefix length; write a number up to 128"),
        ("203.0.113.1-203.0.113.3", "'203.0.113.1-203.0.113.3' is a span, not a range; "
                                    "write 203.0.113.1/32, 203.0.113.2/31"),
        ("1.0.0.1-9.255.255.254", "'1.0.0.1-9.255.255.254' is a span, not a range; "
                                  "write the CIDR ranges it is made of"),
        ("fe80::1%eth0", "'fe80::1%eth0' names an interface; write 'fe80::1'"),
        ("10.20", "'10.20' is not a whole address; write 10.20.0.0/16"),
        ("10/8", "'10/8' is not a whole address; write 10.0.0.0/8"),
        ("010.1.1.1", "'010.1.1.1' has leading zeros, which some programs read as octal; write it without them"),
        ("www.acme.com", "'www.acme.com' is a name, not an address or range; write the addresses it stands for"),
        ("300.1.1.1", "'300.1.1.1' is not an address or range; write it like 203.0.113.0/24 or 2001:db8::/48"),
    ],
)  # fmt: skip
def test_a_wrong_range_is_told_with_what_to_write(said, item, message):
    assert said(f'{OWNED}  ranges: [203.0.113.0/24,\n    "{item}"]\n') == [f"site.yaml:4: {message}"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("0", "AS number 0 is out of range; write one from 1 to 4294967294"),
        ("AS4294967295", "AS number 4294967295 is out of range; write one from 1 to 4294967294"),
        ("-5", "AS number -5 is out of range; write one from 1 to 4294967294"),
        ("AS1.10", "'AS1.10' is not an AS number; write 65546"),
        ("1.5", "1.5 is not an AS number; write it like AS64496"),
        ("true", "true is not an AS number; write it like AS64496"),
        ("acme", "'acme' is not an AS number; write it like AS64496"),
    ],
)
def test_a_wrong_as_number_is_told_with_what_to_write(said, item, message):
    assert said(f"{OWNED}  asns: [64496, {item}]\n") == [f"site.yaml:3: {message}"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ('" "', "a brand is empty; write the name as people search for it, or no item"),
        ("ab", "brand 'ab' is shorter than 3 characters and would match everywhere; "
               "write a longer form, such as the company's full name"),
        ("4711", 'a brand must be text, not 4711; write "4711" in quotes'),
        ("[x]", "a brand must be text, not a list"),
    ],
)  # fmt: skip
def test_a_wrong_brand_is_told_with_what_to_write(said, item, message):
    assert said(f"{OWNED}  brands: [{item}]\n") == [f"site.yaml:3: {message}"]


@pytest.mark.parametrize(
    ("entry", "messages"),
    [
        ("who: 10.0.0.1, reason: x, since: 2027-01-02, until: 2027-01-01",
         ["until 2027-01-01 is before since 2027-01-02; write a day from 2027-01-02 on"]),
        ("who: 10.0.0.1, reason: x, until: 2027-02-30", ["'2027-02-30' is not a date; write one like 2027-06-30"]),
        ("who: 10.0.0.1, reason: x, until: 30.06.2027",
         ["'30.06.2027' is not a date that all read alike; write the year first: 2027-06-30"]),
        ("who: 10.0.0.1, reason: x, until: 5/6/2027",
         ["'5/6/2027' is not a date that all read alike; write the year first: 2027-05-06 or 2027-06-05"]),
        ("who: 10.0.0.1, reason: x, until: 20270630", ["20270630 is not a date; write one like 2027-06-30"]),
        ("who: 10.0.0.1, reason: x, for: [lookups]", ["'lookups' is not one of lookup, probe; write 'lookup'"]),
        ("who: 10.0.0.1, reason: x, for: probe", ["trusted.for must be a list, not 'probe'; write [probe]"]),
        ("who: 10.0.0.1, reason: x, for: []", ["trusted.for is empty; write at least one item"]),
        ("who: 10.0.0.1", ["an item of trusted: key 'reason' is missing; write reason: ..."]),
        ("who: 10.0.0.1, reason: ", ["key 'reason' has no value; write reason: ..."]),
        ("who: 10.0.0.1, raeson: x", ["unknown key 'raeson'; write 'reason'"]),
        ('who: 10.0.0.1, reason: " "', ["the text is empty; write what a reader of a notice should know"]),
        ("who: 10.0.0.5/8, until: never", [
            "an item of trusted: key 'reason' is missing; write reason: ...",
            "10.0.0.5/8 has host bits set; write 10.0.0.0/8",
            "'never' is not a date; write one like 2027-06-30"]),
    ],
)  # fmt: skip
def test_a_wrong_trust_is_told_with_what_to_write(said, entry, messages):
    told = said(f"{OWNED}trusted:\n  - {{{entry}}}\n")
    assert sorted(told) == sorted(f"site.yaml:4: {message}" for message in messages)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("insde: []", "unknown key 'insde'; write 'inside'"),
        ("domains: [acme.com]", "unknown key 'domains'; write it under 'owned'"),
        ("roles: {resolver: [10.0.0.1]}", "unknown key 'resolver'; write 'resolvers'"),
        ("roles: {proxies: [ten]}", "'ten' is not an address or range; write it like 203.0.113.0/24 or 2001:db8::/48"),
        ("roles: {proxies: 10.0.0.1}", "roles.proxies must be a list, not '10.0.0.1'; write [10.0.0.1]"),
        ("inside: 10.0.0.0/8", "inside must be a list, not '10.0.0.0/8'; write [10.0.0.0/8]"),
        ("sources: {a: b}", "sources must be a list, not a mapping"),
        ("sinks: [a]", "an item of sinks must be a mapping (key: value), not 'a'"),
        ("thresholds: {Bulk_Serch: {}}", "no detector raises 'Bulk_Serch'; write 'Bulk_Search'"),
        ("thresholds: {X: {}}", "no detector raises 'X'; known here: Bulk_Search, Enumeration_Sweep"),
        ("thresholds: {Bulk_Search: {requets: 1}}", "Bulk_Search has no threshold 'requets'; write 'requests'"),
        ("thresholds: {Bulk_Search: {requests: x}}", "a threshold must be a number, not 'x'; write it in digits"),
        ("thresholds: {Bulk_Search: {requests: true}}", "a threshold must be a number, not true; write it in digits"),
        ("thresholds: {Bulk_Search: {requests: -1}}", "a threshold cannot be negative, as -1 is; write 0 or more"),
        ("owned: {}", "key 'owned' stands here again, first on line 1; write it once"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_what_to_write(said, line, message):
    assert said(f"{OWNED}{line}\n") == [f"site.yaml:3: {message}"]
