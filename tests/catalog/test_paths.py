"""The paths that only scanners ask for: found in every spelling, and not in what ordinary clients ask for."""

import pytest

from reconwatch.catalog.load import load, load_world

WORLD = load_world(load())


def test_a_path_is_found_whatever_its_case_escapes_and_query():
    for uri in ("/.git/config", "//.GIT/HEAD", "/%2egit/config?x=1", "/.git"):
        assert [path.id for path in WORLD.paths_of(uri)] == ["git-repository"]
    assert [path.tool for path in WORLD.paths_of("/nice%20ports%2C/Tri%6Eity.txt%2ebak")] == ["nmap"]


def test_a_target_that_was_decoded_once_is_not_decoded_again():
    assert WORLD.paths_of("/%2egit/config", True) == ()


ORDINARY = [
    "/", "/robots.txt", "/favicon.ico", "/.well-known/security.txt", "/.well-known/acme-challenge/x",
    "/.well-known/change-password", "/sitemap.xml", "/actuator/health", "/health", "/remote/login", "/git/config",
    "/apple-touch-icon.png", "/index.php?file=/.env", "/search?q=/.git/config", "/widgets.git/info/refs", "",
]  # fmt: skip


@pytest.mark.parametrize("uri", ORDINARY)
def test_what_ordinary_clients_ask_for_is_no_scanner_s_path(uri):
    assert WORLD.paths_of(uri) == ()


def test_a_tool_that_tries_words_is_told_from_one_that_does_not():
    tries = {agent: WORLD.tries_words(WORLD.tools_by_agent(agent)) for agent in ("gobuster/3.6", "Nikto/2.5")}
    assert tries == {"gobuster/3.6": True, "Nikto/2.5": False}
