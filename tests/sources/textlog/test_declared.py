"""What the owner of a log says of it reaches the log that it is about."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.sources.textlog.reading import INTEREST, SAMPLES, WEB, words

from reconwatch.account import Account
from reconwatch.interest import Lookout
from reconwatch.sources.inputs import Inputs, read_inputs
from reconwatch.sources.textlog.declared import Declared, declared_for


def test_a_pattern_is_of_the_name_or_with_a_slash_of_the_path() -> None:
    assert Declared("access.log*").fits("/var/log/nginx/access.log.1.gz")
    assert not Declared("access.log").fits("/var/log/nginx/access.log.1")
    assert Declared("*/nginx/*").fits("/var/log/nginx/access.log")
    assert not Declared("*/nginx/*").fits("/var/log/squid/access.log")
    assert not Declared("ACCESS.log").fits("access.log")


def test_the_first_that_fits_is_about_a_file() -> None:
    said = (Declared("*/a/*", server="192.0.2.1"), Declared("*.log", server="192.0.2.2"))
    assert declared_for("/x/a/b.log", said) is said[0]
    assert declared_for("/x/b.log", said) is said[1]
    assert declared_for("/x/b.json", said) is None


def test_each_log_of_a_folder_has_what_was_said_of_it(tmp_path: Path) -> None:
    web = (SAMPLES / "nginx-combined.log").read_bytes()
    (tmp_path / "www.log").write_bytes(web)
    (tmp_path / "www.log.1.gz").write_bytes(gzip.compress(web))
    (tmp_path / "other.log").write_bytes(web)
    # It begins like one of Zeek's, but its owner knows better.
    (tmp_path / "app.json").write_text('{"ts":1795488541.0,"uid":"x","c":"10.20.1.11","u":"http://crt.sh/"}\n')
    said = (
        Declared("www.log*", server=WEB),
        Declared("app.json", format="json", fields={"ts": "ts", "client": "c", "url": "u"}),
    )
    accounts: list[Account] = []
    shared = Inputs(Lookout(INTEREST), True, lambda line: None, lambda done: None, declared=said)
    told = words(list(read_inputs([tmp_path], shared, accounts)))
    assert told.count(f"192.0.2.66 GET {WEB}/a") == 2
    assert told.count("192.0.2.66 GET crt.sh/?q=a") == 3
    assert "10.20.1.11 GET crt.sh/" in told
    assert {Path(each.path).name: each.blind["undeclared_servers"] for each in accounts} == {
        "www.log": 0, "www.log.1.gz": 0, "other.log": 1, "app.json": 0,
    }  # fmt: skip
