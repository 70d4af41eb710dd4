"""How a person may write a domain, and which domains nobody can own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.document import Refused
from reconwatch.domains import is_public_suffix, is_shared_suffix, read_domain, read_owned_domain
from reconwatch.site import check

NOW = 1795521600.0
"""2026-11-24T12:00:00Z."""

THRESHOLDS = {"Bulk_Search": {"requests": 50.0, "window": 600.0}, "Enumeration_Sweep": {"services": 4.0}}


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
        ("co.uk", "co.uk is a public suffix: it would claim everybody's names; write your registered domain"),
        ("com", "com is a public suffix: it would claim everybody's names; write your registered domain"),
        ("corp", "corp is a public suffix: it would claim everybody's names; write your registered domain"),
        ("рф", "рф is a public suffix: it would claim everybody's names; write your registered domain"),
        ("https://www.Acme.com/x?y", "'https://www.Acme.com/x?y' is a URL, not a domain; write 'acme.com'"),
        ("acme.com/x", "'acme.com/x' is a URL, not a domain; write 'acme.com'"),
        ("acme.com:443", "'acme.com:443' is a host with a port, not a domain; write 'acme.com'"),
        ("x@acme.com", "'x@acme.com' is an e-mail address, not a domain; write 'acme.com'"),
        ("*.acme.com", "'*.acme.com' is a pattern; a domain stands for all names under it; write 'acme.com'"),
        (".acme.com", "'.acme.com' is a pattern; a domain stands for all names under it; write 'acme.com'"),
        ("203.0.113.7", "'203.0.113.7' is an address, not a domain; write it under 'ranges'"),
        ("2001:db8::1", "'2001:db8::1' is an address, not a domain; write it under 'ranges'"),
        ("foo..com", "'foo..com' is not a domain: a label is empty; write one like acme-widgets.com"),
        ("a b.com", "'a b.com' is not a domain: 'a b' is not a label; write one like acme-widgets.com"),
        ("-a.com", "'-a.com' is not a domain: '-a' is not a label; write one like acme-widgets.com"),
        ("", "a domain is empty; write one like acme-widgets.com, or no item"),
    ],
)
def test_a_wrong_domain_is_told_with_what_to_write(said, item, message):
    assert said(f'owned:\n  domains:\n    - acme.com\n    - "{item}"\n') == [f"site.yaml:4: {message}"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Acme-Widgets.com.", "acme-widgets.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("_dmarc.acme.com", "_dmarc.acme.com"),
        ("acme.co.uk", "acme.co.uk"),
        ("www.ck", "www.ck"),
        ("xn--80ak6aa92e.xn--p1ai", "xn--80ak6aa92e.xn--p1ai"),
        ("corp.internal", "corp.internal"),
    ],
)
def test_a_harmless_spelling_is_normalised(written, read):
    assert read_owned_domain(written) == read


def test_a_suffix_of_a_company_is_shared_but_no_registry():
    assert is_shared_suffix("github.io")
    assert not is_public_suffix("github.io")
    assert is_public_suffix("foo.ck")
    assert not is_shared_suffix("acme.github.io")


def test_the_part_of_the_suffix_list_that_is_read_judges_like_the_whole():
    from publicsuffixlist import PublicSuffixList

    whole, registries = PublicSuffixList(), PublicSuffixList(only_icann=True)
    for name in ("com", "co.uk", "a.co.uk", "github.io", "x.github.io", "foo.ck", "www.ck", "kobe.jp", "city.kobe.jp",
                 "xn--p1ai", "a.xn--p1ai", "nosuch", "a.nosuch", "s3.amazonaws.com", "xn--55qx5d.cn"):  # fmt: skip
        assert is_public_suffix(name) == registries.is_public(name), name
        assert is_shared_suffix(name) == whole.is_public(name), name


@given(st.text(max_size=30))
def test_any_text_is_a_name_in_wire_form_or_refused(text):
    try:
        name = read_domain(text)
    except Refused as refused:
        assert refused.message  # noqa: PT017
    else:
        assert name.isascii()
        assert read_domain(name) == name
