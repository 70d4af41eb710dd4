"""`reconwatch run` between two Zeeks: what the one sights is noticed, and raised in the other, once each."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from reconwatch.rules.zeek.build import install, site_files
from tests.conftest import ROOT
from tests.zeek.test_broker import Zeek
from tests.zeek.test_broker_played import WAITS, with_an_end
from tests.zeek.test_logs import rooms
from tests.zeek_server import until

SITE = (ROOT / "pcaps" / "demo-site.yaml").read_text()
Keys = Counter[tuple[str, str]]


class Running:
    """The service; what it says stands in a file."""

    def __init__(self, folder: Path, sensor: str, desk: str) -> None:
        self._folder = folder
        (folder / "site.yaml").write_text(
            f"{SITE}sources: [{{websocket: '{sensor}'}}]\n"
            f"sinks: [{{zeek: '{desk}'}}, {{file: {folder}/notices.jsonl}}]\n"
            f"store: {{file: {folder}/reconwatch.db}}\nservice: {{listen: off}}\n"
        )
        with (folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "reconwatch", "run", "--site", folder / "site.yaml"], stderr=said
            )

    def said(self) -> str:
        return (self._folder / "said").read_text()

    def notices(self) -> list[dict[str, object]]:
        path = self._folder / "notices.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def keys(self) -> Keys:
        return Counter((str(each["id"]), str(each["rev"])) for each in self.notices())

    def all_acknowledged(self) -> bool:
        """Whether the position of the Zeek is behind the last notice."""
        with closing(sqlite3.connect(f"file:{self._folder}/reconwatch.db?mode=ro", uri=True)) as store:
            (last,) = store.execute("SELECT max(seq) FROM notices").fetchone()
            (taken,) = store.execute("SELECT seq FROM sinks WHERE name LIKE 'zeek:%'").fetchone()
        return bool(last == taken)

    def ends(self, how: int) -> None:
        self._process.send_signal(how)
        self._process.wait(60)


def raised(desk: Zeek) -> Keys:
    words = [str(row["sub"]).split() for row in desk.log("notice")]
    return Counter((each[1].removeprefix("id="), each[2].removeprefix("rev=")) for each in words)


def test_what_a_zeek_sights_is_raised_in_another_over_kills_of_all_three(tmp_path: Path) -> None:
    sees, tells = tmp_path / "sensor", tmp_path / "desk"
    install(site_files(rooms()[1]), sees)
    tells.mkdir()
    capture = sees / "played.pcap"
    capture.write_bytes(with_an_end((ROOT / "pcaps" / "lookups.pcap").read_bytes()))
    sensor = Zeek(sees, WAITS.format(folder=sees), capture)
    desk = Zeek(tells, "redef LogAscii::use_json = T;\n")

    def all_told(service: Running, more: Callable[[set[object]], bool]) -> Callable[[], bool]:
        def told() -> bool:
            notes = {each["note"] for each in service.notices()}
            return more(notes) and raised(desk) == service.keys() and service.all_acknowledged()

        return told

    def starts() -> Running:
        sensor.starts()
        desk.starts()
        return Running(tmp_path, sensor.url, desk.url)

    service = starts()
    try:
        assert until(all_told(service, lambda notes: {"Heartbeat", "Targeted_Search"} <= notes)), service.said()
        for each in (service, sensor, desk):
            each.ends(signal.SIGKILL)
        service = starts()
        assert until(all_told(service, lambda notes: "Input_Gap" in notes)), service.said()
        assert set(raised(desk).values()) == {1}
        assert sum(note["note"] == "Input_Gap" for note in service.notices()) == 1
    finally:
        for each in (service, sensor, desk):
            each.ends(signal.SIGKILL)
    assert [row for row in desk.log("reporter") if row["level"] != "Reporter::INFO"] == []
