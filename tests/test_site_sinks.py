"""`sinks` and `store` of site.yaml: what is read, and what is refused with its line and what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconwatch.detectors import default_thresholds
from reconwatch.notices import NOTES
from reconwatch.sinks.eve import SIGNATURES
from reconwatch.site import check, load_site
from reconwatch.site_init import draft
from reconwatch.site_outlets import Keeping, SinkSetting
from reconwatch.store import Backlog, Retention
from reconwatch.store.configured import backlogs_of, outputs_of, retention_of
from reconwatch.store.lines import FORMATS

PLACES = "write file: /path, syslog: /dev/log or zeek: ws://127.0.0.1:27759, an item for each"
OWNED = "owned:\n  domains: [acme.com]\n"
FULL = f"""\
{OWNED}sinks:
  - {{file: /var/log/rw/all.jsonl}}
  - file: /var/log/rw/eve.json
    format: eve
    name: siem
    verdict: investigate
    notes: [Targeted_Search, Bulk_Search, Targeted_Search]
    backlog: 500
  - syslog: udp://[2001:DB8::1]
  - {{zeek: "wss://zeek.acme.com:27759/v1/messages/json", ca_file: /etc/reconwatch/zeek.pem, notes: [Campaign]}}
store: {{file: /srv/rw.db, days: 30, megabytes: 100}}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a site.yaml into the working directory."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        Path("site.yaml").write_text(text)
        return Path("site.yaml")

    return written


def test_sinks_and_store_are_read_and_come_back_from_the_cache(write: Callable[[str], Path]) -> None:
    path = write(FULL)
    for _ in range(2):
        site = load_site(path)
        assert site.sinks == (
            SinkSetting(file="/var/log/rw/all.jsonl", name="file:/var/log/rw/all.jsonl"),
            SinkSetting(
                file="/var/log/rw/eve.json",
                format="eve",
                name="siem",
                verdict="investigate",
                notes=("Targeted_Search", "Bulk_Search"),
                backlog=500,
            ),
            SinkSetting(syslog="udp://[2001:db8::1]:514", name="syslog:udp://[2001:db8::1]:514"),
            SinkSetting(
                zeek="wss://zeek.acme.com:27759",
                ca_file="/etc/reconwatch/zeek.pem",
                name="zeek:wss://zeek.acme.com:27759",
                notes=("Campaign",),
            ),
        )
        assert site.store == Keeping("/srv/rw.db", 30, 100)


def test_what_the_service_makes_of_them(write: Callable[[str], Path]) -> None:
    site = load_site(write(FULL))
    assert [each.name for each in outputs_of(site)] == [
        "file:/var/log/rw/all.jsonl",
        "siem",
        "syslog:udp://[2001:db8::1]:514",
        "zeek:wss://zeek.acme.com:27759",
    ]
    assert backlogs_of(site)["siem"] == Backlog(notices=500)
    assert retention_of(site) == Retention(30, 100_000_000)


def test_without_them_there_is_no_sink_and_the_store_has_its_defaults(write: Callable[[str], Path]) -> None:
    for text in (OWNED, f"{OWNED}sinks:\nstore:\n", draft()):
        site = load_site(write(text))
        assert (site.sinks, site.store) == ((), Keeping())
        assert retention_of(site) == Retention()


@pytest.mark.parametrize(("item", "message"), [
    ("format: jsonl", "a sink without a place; " + PLACES),
    ("file: /x, syslog: /dev/log", "a sink with file and syslog; " + PLACES),
    ("syslog: /dev/log, format: eve", "a syslog has a format of its own; write no format"),
    ("zeek: 'ws://h:1', format: jsonl", "a zeek has a format of its own; write no format"),
    ("zeek: 'ws://h:1', ca_file: /a", "'ca_file' says nothing of ws://, which is not encrypted; write wss://, or no"
     " ca_file"),
    ("file: /x, ca_file: /a", "'ca_file' is for a zeek with wss://; write the sink without ca_file"),
    ("zeek: 'ws://h'", "'ws://h' is not the address of Zeek's WebSocket API; write one like ws://127.0.0.1:27759"),
    ("zeek: 'ws://h:1', syslog: /dev/log", "a sink with syslog and zeek; " + PLACES),
    ("syslog: siem.acme.com", "'siem.acme.com' is not where a syslog listens;"
     " write /dev/log, udp://host:514 or tcp://host:514"),
    ("syslog: 'tcp://me:secret@siem:514'", "'tcp://me:secret@siem:514' is not where a syslog listens;"
     " write /dev/log, udp://host:514 or tcp://host:514"),
    ("syslog: 'udp://siem:99999'", "'udp://siem:99999' is not where a syslog listens;"
     " write /dev/log, udp://host:514 or tcp://host:514"),
    ("file: notices.jsonl", "'notices.jsonl' depends on where the service is started;"
     " write '/var/log/reconwatch/notices.jsonl'"),
    ("file: /var/log/rw/", "'/var/log/rw/' is not the path of a file; write '/var/log/rw/notices.jsonl'"),
    ("file: 'https://siem/x'", "'https://siem/x' is a URL, not a file; write the path of a file"),
    ("file: 7", "7 is not the path of a file; write one like /var/log/reconwatch/notices.jsonl"),
    ("file: /x, format: table", "'table' is not one of jsonl, notice-log, eve"),
    ("file: /x, format: jsnol", "'jsnol' is not one of jsonl, notice-log, eve; write 'jsonl'"),
    ("file: /x, verdict: high", "'high' is not one of monitor, investigate, escalate"),
    ("file: /x, notes: [Targeted_Serach]", "no notice is called 'Targeted_Serach'; write 'Targeted_Search'"),
    ("file: /x, notes: Bulk_Search", "sinks.notes must be a list, not 'Bulk_Search'; write [Bulk_Search]"),
    ("file: /x, backlog: 5", "5 is not a number of notices that may wait; write a whole number from 100 to 10000000"),
    ("exec: /bin/sh, file: /x", "unknown key 'exec'; known here: file, syslog, zeek, ca_file, "
     "format, name, verdict, notes, backlog"),
])  # fmt: skip
def test_an_item_that_is_wrong_is_refused(write: Callable[[str], Path], item: str, message: str) -> None:
    assert [str(each) for each in check(write(f"{OWNED}sinks:\n  - {{{item}}}\n"))] == [f"site.yaml:4: {message}"]


@pytest.mark.parametrize(("store", "message"), [
    ("file: rw.db", "'rw.db' depends on where the service is started; write '/var/lib/reconwatch/rw.db'"),
    ("days: 0", "0 is not a number of days; write a whole number from 1 to 36500"),
    ("megabytes: 1", "1 is not a number of megabytes; write a whole number from 10 to 1000000"),
    ("path: /x", "unknown key 'path'; known here: file, days, megabytes"),
])  # fmt: skip
def test_a_store_that_is_wrong_is_refused(write: Callable[[str], Path], store: str, message: str) -> None:
    assert [str(each) for each in check(write(f"{OWNED}store: {{{store}}}\n"))] == [f"site.yaml:3: {message}"]


def test_two_sinks_may_not_share_a_file_or_a_name(write: Callable[[str], Path]) -> None:
    items = "  - {file: /a, name: x}\n  - {file: /b, name: x}\n  - {file: /a}\n"
    assert [str(each) for each in check(write(f"{OWNED}sinks:\n{items}"))] == [
        "site.yaml:5: the sink of line 4 has this name, too; write another name",
        "site.yaml:6: the sink of line 4 has this file, too; write another file",
    ]


def test_every_note_has_a_name_that_a_sink_may_ask_for() -> None:
    assert set(NOTES) == set(SIGNATURES)
    assert set(default_thresholds()) <= set(NOTES)


def test_every_format_that_site_yaml_takes_can_be_written() -> None:
    from reconwatch.site_sinks import SinkModel

    assert [SinkModel(file="/x", format=form).format for form in FORMATS] == list(FORMATS)  # type: ignore[arg-type]
