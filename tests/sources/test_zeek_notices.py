"""Rows of notice.log: what they tell, and what is wrong with hostile and damaged ones."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sources.test_zeek_sighted import CONNECTION, as_json, as_tsv, read

from reconwatch.events import Raised

COLUMNS = [
    *CONNECTION, "fuid", "file_mime_type", "file_desc", "proto", "note", "msg", "sub", "src", "dst", "p", "n",
    "peer_descr", "actions", "email_dest", "suppress_for", "remote_location.country_code", "remote_location.region",
    "remote_location.city", "remote_location.latitude", "remote_location.longitude",
]  # fmt: skip
SUB = "technique=T1596.002,T1596.005 score=25 verdict=monitor services=shodan,censys"
ROW: dict[str, Any] = {
    "ts": 1795510931.25, "uid": "C1", "id.orig_h": "10.20.1.11", "id.orig_p": 54445, "id.resp_h": "198.18.24.131",
    "id.resp_p": 443, "proto": "tcp", "note": "ReconWatch::Targeted_Search", "msg": "10.20.1.11 looked us up",
    "sub": f"{SUB} targets=domain:acme-widgets.com,brand:acme widgets,range:203.0.113.0/24", "src": "10.20.1.11",
    "dst": "198.18.24.131", "p": 443, "n": 3,
    "actions": ["Notice::ACTION_LOG"], "email_dest": [], "suppress_for": 86400.0,
}  # fmt: skip
NOBODY = dict.fromkeys([*CONNECTION[1:], "src", "dst", "p"])


def both(row: dict[str, Any]) -> list[Raised]:
    """The events of a row: TSV and JSON, funnel and oracle tell the same."""
    told = [
        read(content, funnel=funnel)[0]
        for content in (as_tsv("notice", COLUMNS, row), as_json(row))
        for funnel in (True, False)
    ]
    assert told.count(told[0]) == len(told), told
    return [event for event in told[0] if isinstance(event, Raised)]


def test_a_notice_of_the_package() -> None:
    assert both(ROW) == [Raised(
        ts=1795510931.25, client="10.20.1.11", client_port=54445, server="198.18.24.131", server_port=443,
        source="zeek/notice", uid="C1", note="ReconWatch::Targeted_Search", msg="10.20.1.11 looked us up", count=3,
        score=25, techniques=("T1596.002", "T1596.005"), services=("censys", "shodan"),
        assets=("domain:acme-widgets.com", "brand:acme widgets", "range:203.0.113.0/24"),
    )]  # fmt: skip


def test_one_of_no_connection_and_without_services_and_targets() -> None:
    [event] = both(ROW | NOBODY | {"src": "2001:DB8::0:1", "sub": SUB.replace("shodan,censys", "") + " targets="})
    assert (event.client, event.server, event.client_port, event.services, event.assets) == (
        "2001:db8::1", None, None, (), (),
    )  # fmt: skip


def test_who_it_is_about_need_not_have_begun_the_connection() -> None:
    [event] = both(ROW | {"src": "198.18.24.131", "dst": "10.20.1.11"})
    assert (event.client, event.client_port, event.server) == ("198.18.24.131", None, "10.20.1.11")


def test_a_newer_package_may_say_more_and_reconwatch_itself_says_nothing_new() -> None:
    assert both(ROW | {"sub": f"{SUB} key=a=b targets=asn:AS64496"})[0].assets == ("asn:AS64496",)
    assert both(ROW | {"sub": "reconwatch id=rw-0123456789abcdef rev=1 score=25"}) == []
    assert both(ROW | {"sub": "verdict=monitor score=25 technique=T1596.005 id=rw-0123456789abcdef rev=1"}) == []


def test_another_package_s_notice_and_one_about_nobody() -> None:
    [event] = both(ROW | {"note": "SSH::Password_Guessing", "sub": "Sampled servers: 203.0.113.10", "n": None})
    assert (event.note, event.score, event.count) == ("SSH::Password_Guessing", None, None)
    assert both(ROW | NOBODY | {"note": "CaptureLoss::Too_Much_Loss", "sub": None}) == []


@pytest.mark.parametrize("funnel", [True, False], ids=["funnel", "oracle"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"note": None, "sub": None}, "a row with no note"),
        ({"sub": None}, "a row with a sub that is not as the package inside Zeek writes it"),
        ({"sub": ""}, "a row with a sub that is not as the package inside Zeek writes it"),
        ({"sub": "score=many technique= services= targets="}, "a row with a sub that is not as the package inside"),
        ({"sub": f"{SUB.replace('25', '9' * 5000)} targets="}, "a row with a sub that is not as the package inside"),
        ({"sub": f"{SUB.replace('25', '٣')} targets="}, "a row with a sub that is not as the package inside"),
        ({"src": "somebody"}, "a row with no usable address"),
        (NOBODY, "a row with no usable address"),
        ({"ts": None}, "a row with no usable time"),
        ({"n": "three"}, "a value of the wrong type"),
        ({"n": 1.5}, "a value of the wrong type"),
    ],
)
def test_a_damaged_row_is_told_and_the_next_one_is_read(damage: dict[str, Any], reason: str, funnel: bool) -> None:
    bad = ROW | damage
    for content in (as_tsv("notice", COLUMNS, bad, ROW), as_json(ROW) + as_json(bad) + as_json(ROW)):
        events, account, told = read(content, funnel=funnel)
        if damage.get("note", "") is None and content.startswith(b"{"):
            continue  # in JSON nothing says then what log it is of
        assert events
        assert account.skipped.total() == 1
        assert next(iter(account.skipped)).startswith(reason)
        assert len(told) == 1


def test_hostile_text_is_kept_as_it_is_and_no_longer_than_a_message() -> None:
    [event] = both(ROW | {"msg": "x" * 4000})
    assert event.msg == "x" * 512
    row = as_tsv("notice", COLUMNS, ROW | {"msg": r"a\x09b\x1b[2J\\"})
    assert [event.msg for event in read(row)[0] if isinstance(event, Raised)] == ["a\tb\\x1b[2J\\"]


def test_credentials_of_a_url_that_a_message_quotes_are_struck_out() -> None:
    row = ROW | {"note": "HTTP::SQL_Injection_Victim", "msg": "saw /a?key=abc&q=1 and http://me:pw@host/"}
    assert both(row)[0].msg == "saw /a?key=***&q=1 and http://***@host/"


def test_older_logs_lack_columns_and_newer_ones_have_more() -> None:
    for columns in ([each for each in COLUMNS if each not in ("email_dest", "n")], [*COLUMNS, "community_id"]):
        [event] = read(as_tsv("notice", columns, ROW))[0]
        assert isinstance(event, Raised)
    assert read(as_tsv("alarms", COLUMNS, ROW))[0] != []
