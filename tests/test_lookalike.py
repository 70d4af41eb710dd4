"""Names that are taken for ours."""

import pytest

from reconwatch.lookalike import Lookalikes, one_apart

LOOKALIKES = Lookalikes(["acme-widgets.com", "cat.example.co.uk"], ["acme widgets"])


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("acme-widgets.net", "under another suffix"),
        ("www.acme-widgets.co.uk", "under another suffix"),
        ("acmewidgets.com", "under another suffix"),  # the brand
        ("acme-wldgets.com", "looks like"),
        ("acrne-widgets.com", "looks like"),
        ("acme-w1dgets.org", "looks like"),
        ("a-c-m-e-widgets.com", "looks like"),
        ("xn--cme-widgets-xij.com", "looks like"),  # Cyrillic a
        ("acme-widget.com", "one letter"),
        ("acme-wigdets.com", "one letter"),
        ("acme-widgetss.com", "one letter"),
        ("login-acme-widgets.com", "among other words"),
        ("*.acme-widgets-portal.de", "among other words"),
        ("acme-widgets.com.login.evil.test", "in front of another"),
        ("www.acme-widgets.com.evil.test", "in front of another"),
    ],
)
def test_a_name_that_resembles_ours_is_told_and_how(name: str, how: str) -> None:
    found = LOOKALIKES.resembles(name)
    assert found is not None
    assert how in found.how


@pytest.mark.parametrize(
    "name",
    [
        "www.example.org", "widgets.com",
         "acme.com", "acme-gadgets.com", "com", "", "cats.co.uk", "notacme-widgetsinc.com",
        "macme-widgets-inc.example", "example.co.uk", "xn--", "xn--0.com",
    ],
)  # fmt: skip
def test_other_names_do_not(name: str) -> None:
    assert LOOKALIKES.resembles(name) is None


def test_short_words_are_sought_alone() -> None:
    short = Lookalikes(["abb.com"])
    assert short.resembles("abb.net") is not None
    assert [short.resembles(name) for name in ("abc.com", "my-abb.com", "4bb.com", "ab.com")] == [None] * 4


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("acme", "acme", False),
        ("acme", "acne", True),
        ("acme", "acm", True),
        ("acme", "amce", True),
        ("acme", "cmea", False),
    ],
)
def test_one_letter_apart(one: str, other: str, apart: bool) -> None:
    assert one_apart(one, other) is one_apart(other, one) is apart
