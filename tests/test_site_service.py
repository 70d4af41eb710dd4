"""`service` of site.yaml: where the service answers, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconwatch.site import check, load_site
from reconwatch.site_outlets import LISTEN, Watching

NO_PLACE = "is not an address and port to listen at; write '127.0.0.1:15960', or 'off'"
OWNED = "owned: {domains: [acme.com]}\n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("site.yaml")


def test_by_default_it_answers_on_loopback(path: Path) -> None:
    path.write_text(OWNED)
    assert load_site(path).service.place == ("127.0.0.1", 15960)
    assert Watching() == Watching(LISTEN)


@pytest.mark.parametrize(("listen", "place"), [
    ("127.0.0.1:9000", ("127.0.0.1", 9000)),
    ("localhost:9000", ("127.0.0.1", 9000)),
    ('"[::1]:9000"', ("::1", 9000)),
    ("10.0.0.5:9000", ("10.0.0.5", 9000)),
    ("off", None),
])  # fmt: skip
def test_where_it_answers_is_read_and_comes_back_from_the_cache(path: Path, listen: str, place: object) -> None:
    path.write_text(f"{OWNED}service: {{listen: {listen}}}\n")
    for _ in range(2):
        assert load_site(path).service.place == place


@pytest.mark.parametrize(("service", "message"), [
    ("listen: 9000", f"9000 {NO_PLACE}"),
    ("listen: 'sensor:9000'", f"'sensor:9000' {NO_PLACE}"),
    ("listen: '127.0.0.1:0'", f"'127.0.0.1:0' {NO_PLACE}"),
    ("listen: '1.2.3:80'", f"'1.2.3:80' {NO_PLACE}"),
    ("listen: '8.8.8.8:80'",
     "8.8.8.8 is public, and nobody who asks there is asked who he is; write '127.0.0.1:15960', or 'off'"),
    ("port: 80", "unknown key 'port'; known here: listen"),
])  # fmt: skip
def test_what_is_wrong_is_refused_with_its_line(path: Path, service: str, message: str) -> None:
    path.write_text(f"{OWNED}service: {{{service}}}\n")
    assert [str(each) for each in check(path)] == [f"site.yaml:2: {message}"]
