"""Squid's `logformat`, compiled: what is in a line of it, and which formats are refused."""

from __future__ import annotations

import pytest

from reconwatch.logformat import LogformatError, compiled, percent_decoded

NATIVE = "logformat squid %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt"
COMBINED = '%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh'


def test_squid_s_own_formats_as_its_manual_writes_them() -> None:
    line = "1795488541.320     28 10.20.1.12 TCP_TUNNEL/200 1903 CONNECT www.shodan.io:443 bob smith HIER_DIRECT/::1 -"
    assert compiled(NATIVE).values(line) == {
        "seconds": "1795488541", "milliseconds": "320", "elapsed": "28", "client": "10.20.1.12", "status": "200",
        "method": "CONNECT", "url": "www.shodan.io:443", "user": "bob smith",
    }  # fmt: skip
    line = '10.20.1.11 - - [24/Nov/2026:02:49:01 +0000] "GET http://crt.sh/? HTTP/1.1" 200 9 "-" "a \\"b\\" \\\\" X:Y'
    assert compiled(COMBINED).values(line) == {
        "client": "10.20.1.11", "stamp": "24/Nov/2026:02:49:01 +0000", "method": "GET", "url": "http://crt.sh/?",
        "status": "200", "user_agent": 'a "b" \\',
    }  # fmt: skip
    assert compiled(COMBINED).values(line.replace("[", "(")) is None


@pytest.mark.parametrize(("code", "written"), [
    ("%6ru", "     x"), ("%-6ru", "x     "), ("%06tr %ru", "000012 x"), ("%.3ru", "abc"), ("%%%ru", "%x"),
    ("%>ru", "x"), ("%http::ru", "x"), ("%ru %ssl::bump_mode", "x splice"), ("%ru %unknown::thing{a b}", "x anything"),
    ("%ru %>h{User-Agent} %>h{Host}", "x curl/7.88.1 crt.sh"), ("%ru %'{X}>h", "x  a b "), ('%ru "%note"', 'x "a b"'),
    ("%ru %{Cookie}>h", "x -"), ("%ru %>p %<p", "x 4711 -"),
])  # fmt: skip
def test_widths_and_quotes_and_codes_that_say_nothing_to_us(code: str, written: str) -> None:
    found = compiled(f"%>a %ts {code}").values(f"10.20.1.11 1795488541 {written}")
    assert found is not None
    assert found["client"] == "10.20.1.11"
    assert found["url"].strip() in ("x", "abc")


def test_headers_are_named_before_or_behind_their_code() -> None:
    for code in ("%{User-Agent}>h", "%>h{User-Agent}", "%http::>h{user-agent}", '"%{User-Agent}>h"'):
        text = '"curl"' if '"' in code else "curl"
        found = compiled(f"%>a %ts %ru {code}").values(f"10.20.1.11 1795488541 x {text}")
        assert found is not None
        assert found["user_agent"] == "curl"


def test_times_as_their_own_strftime_writes_them() -> None:
    found = compiled("%>a %{%Y-%m-%dT%H:%M:%S%z}tl %ru").values("10.20.1.11 2026-11-24T02:49:01+0000 x")
    assert found is not None
    assert found["stamp"] == "2026-11-24T02:49:01+0000"


@pytest.mark.parametrize(("pattern", "message", "write"), [
    ("%ts %ru", "the pattern does not tell who asked", "%>a in it"),
    ("%>a %ru", "the pattern does not tell when", "%ts.%03tu or [%tl] in it"),
    ("%>a %ts", "the pattern does not tell what was asked for", "%ru in it"),
    ("%>a %ts %ru 100%", "no format code begins with '%'", "%% for a percent sign"),
    ("%ts %ru %>a %'{X}>h", "%>a stands between two values that may hold blanks", "%>a in front of them"),
    ("%ts %un %>a %ru", "%>a stands between two values that may hold blanks", "%>a in front of them"),
])  # fmt: skip
def test_a_format_that_does_not_surely_tell_who_asked_for_what_is_refused(
    pattern: str, message: str, write: str
) -> None:
    with pytest.raises(LogformatError) as error:
        compiled(pattern)
    assert error.value.message.startswith(message)
    assert error.value.write == write


@pytest.mark.parametrize(
    "pattern", ["%>a %ts %un %ru", "%ts %un %ru %>a", '%ts "%un" %>a "%ru"', "%ts %>a %'{X}>h %'{Y}>h %ru"]
)
@pytest.mark.parametrize("text", ["a 10.20.1.99 b", "10.20.1.99 -", "x 1795488541 y 10.20.1.99"])
def test_who_asked_is_the_same_whatever_a_client_says(pattern: str, text: str) -> None:
    line = pattern.replace("%ts", "1795488541").replace("%>a", "10.20.1.11").replace("%ru", text).replace("%un", text)
    line = line.replace("%'{X}>h", text).replace("%'{Y}>h", text)
    found = compiled(pattern).values(line)
    assert found is not None
    assert found["client"] == "10.20.1.11"


def test_percent_encoding_of_what_is_no_text_stays_visible() -> None:
    assert percent_decoded("bob%20smith") == "bob smith"
    assert percent_decoded("%ff") == "\\xff"
