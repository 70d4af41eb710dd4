"""What site.yaml says as a whole: contradictions are errors, what cannot have been meant is a warning."""

from pathlib import Path

import pytest

from reconwatch.site import check, load_site

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
    ("entry", "message"),
    [
        ("planted: x", "a canary without a bait; write its name:, address: or path:"),
        ("name: a.acme.com, path: /x, planted: x", "one canary has name and path; write one canary for each"),
        ("nmae: a.acme.com, planted: x", "unknown key 'nmae'; write 'name'"),
        ("name: '*.acme.com'", "'*.acme.com' is a pattern; a domain stands for all names under it; write 'acme.com'"),
        (
            "address: 10.0.0.0/24",
            "10.0.0.0/24 is a range; a canary is one address; write one address, such as 10.0.0.1",
        ),
        ("path: secret", "path 'secret' has no leading slash; write '/secret'"),
        ("path: 'https://acme.com/secret'", "'https://acme.com/secret' is a URL, not a path; write '/secret'"),
        ("path: /", "path '/' is what every visitor asks for; write a path that nobody could guess"),
    ],
)
def test_a_wrong_canary_is_told_with_what_to_write(said, entry, message):
    assert said(f"{OWNED}canaries:\n  - {{{entry}}}\n") == [f"site.yaml:4: {message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("owned: {domains: [acme.com, ACME.com.]}", "1: acme.com stands in domains twice; write it once"),
        (f"{OWNED}  ranges: [203.0.113.0/24, 203.0.113.0/24]",
         "3: 203.0.113.0/24 stands in ranges twice; write it once"),
        (f"{OWNED}roles: {{mail: [10.0.0.1, 10.0.0.1]}}", "3: 10.0.0.1/32 stands in mail twice; write it once"),
        (f"{OWNED}  ranges: [10.1.0.0/16]",
         "3: 10.1.0.0/16 is private: no database can list it; write it under 'inside'"),
        ("owned: {}", "1: nothing is owned: no search can be seen to be about us, and no probe; write your domains"),
        ("owned:\n  domains: [example.com]",
         "2: example.com is a placeholder that nobody owns; write your registered domain"),
        ("owned:\n  domains: [github.io]", "2: github.io gives its customers names of their own: "
                                           "it would claim them all; write your name in it"),
        (f"{OWNED}inside: []", "3: nothing is inside: no lookup will be seen; "
                               "write your networks, or nothing for the private ranges"),
        (f"{OWNED}trusted:\n- {{who: 10.20.9.0/24, reason: attack-surface team,\n   until: 2026-11-23}}",
         "5: trust of 10.20.9.0/24 (attack-surface team) ended 2026-11-23; renew or remove it"),
        (f"{OWNED}trusted:\n- {{who: 198.51.100.0/24, reason: x}}",
         "4: trust of 198.51.100.0/24 (x) can never apply: it is not inside, so it does no lookup; "
         "write for: [probe], or an address that is inside"),
        (f"{OWNED}canaries:\n- {{name: a.other.com, planted: x}}",
         "4: canary a.other.com is under none of owned.domains; write a name under one of them"),
        (f"{OWNED}canaries:\n- {{name: acme.com, planted: x}}",
         "4: canary acme.com is your domain itself: everybody touches it; write a name under it"),
        (f"{OWNED}canaries:\n- {{address: 203.0.113.1, planted: x}}",
         "4: canary 203.0.113.1 is in none of owned.ranges; write an address in one of them"),
        (f"{OWNED}canaries:\n- {{path: /x9}}", "4: a canary that does not say where it was planted cannot say what "
                                               "leaked; write planted: certificate transparency, or wherever it is"),
        (f"{OWNED}canaries:\n- {{path: /x9, planted: x}}\n- {{path: /x9, planted: y}}",
         "5: canary /x9 stands here twice; write it once"),
    ],
)  # fmt: skip
def test_what_cannot_have_been_meant_is_a_warning_and_loads(said, text, message):
    assert said(text) == [f"site.yaml:{message}"]
    assert {problem.severity for problem in load_site(Path("site.yaml"), now=NOW).warnings} == {"warning"}


def test_trust_that_ends_today_has_not_ended(said):
    assert said(f"{OWNED}trusted:\n- {{who: 10.20.9.0/24, reason: x, until: 2026-11-24}}") == []


def test_no_warning_is_told_that_only_follows_from_an_error(said):
    told = said("owned: {domains: [acme..com]}\ncanaries: [{name: a.acme.com, planted: x}]\n")
    assert len(told) == 1
