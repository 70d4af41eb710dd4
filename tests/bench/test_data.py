"""What is read, and what is said when there is nothing."""

import gzip
from pathlib import Path

import pytest
from tests.bench import data
from tests.bench.data import ADDRESSES, Data, NoDataError, generated, given, leave_out_flows, lines_in
from tests.bench.works import works


def silent(line: str) -> None:
    pass


def test_without_generators_and_without_data_it_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "GENERATORS", tmp_path / "absent")
    with pytest.raises(NoDataError, match=r"make bench CAPTURE=file\.pcap.*make bench LOGS=folder"):
        generated(tmp_path / "cache", 10, silent)


def test_data_that_were_made_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def generate(script: str, amount: str, path: str, *options: str) -> None:
        made.append(" ".join([script, amount, *options]))
        if script == "load_capture.py":
            Path(path).write_bytes(b"capture")
            return
        for folder in ("zeek-tsv", "zeek-json"):
            (Path(path) / folder).mkdir(parents=True)
        (Path(path) / "eve.json").write_text('{"event_type":"flow"}\n{"event_type":"dns"}\n')

    monkeypatch.setattr(data, "_generate", generate)
    first = generated(tmp_path, 10, silent)
    assert made == ["load_capture.py 1000", "load_logs.py 10", "load_logs.py 10 --own 0.3"]
    assert generated(tmp_path, 10, silent) == first
    assert len(made) == 3
    assert [work.amount for work in works(first)] == [7, 1, 2, 2, 2, 6 + ADDRESSES]


def test_data_whose_making_was_broken_off_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(script: str, amount: str, path: str, *options: str) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "_generate", broken)
    with pytest.raises(KeyboardInterrupt):
        generated(tmp_path, 10, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["part-capture-1000.pcap"]


def test_a_capture_alone_is_one_work(tmp_path: Path) -> None:
    capture = tmp_path / "own.pcap"
    capture.write_bytes(b"12345")
    assert [(work.key, work.amount) for work in works(given(capture, None))] == [("capture", 5)]


def test_bars_of_speed_are_for_generated_data_only(tmp_path: Path) -> None:
    eve = tmp_path / "eve.json"
    eve.write_text("{}\n")
    [own] = works(Data(generated=False, eve=eve))
    [ours] = works(Data(generated=True, eve=eve))
    assert (own.least, {each.most for each in own.beside}) == (None, {None})
    assert (ours.least, {each.program.name: each.most for each in ours.beside}) == (
        2.0e6,
        {"grep, UTF-8": None, "grep, `LC_ALL=C`": None, "jq": 0.04, "DuckDB": 0.35},
    )


def test_an_eve_file_alone_is_one_work(tmp_path: Path) -> None:
    eve = tmp_path / "some.json"
    eve.write_text("{}\n{}\n")
    assert [(work.key, work.amount) for work in works(given(None, eve))] == [("eve", 2)]


def test_of_a_folder_of_logs_what_is_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "zeek-tsv").mkdir()
    for name in ("dns.log", "http.log", "conn.log"):
        (tmp_path / "zeek-tsv" / name).write_text("line\n")
    assert [(work.title, work.amount) for work in works(given(None, tmp_path))] == [
        ("Zeek TSV dns, http", 2),
        ("Zeek TSV conn", 1),
    ]


def test_what_is_given_and_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match=r"absent\.pcap is not there"):
        given(tmp_path / "absent.pcap", None)
    with pytest.raises(NoDataError, match=r"holds neither eve\.json nor zeek-tsv/ or zeek-json/"):
        given(None, tmp_path)


def test_flow_records_are_left_out_and_nothing_else(tmp_path: Path) -> None:
    eve, kept = tmp_path / "eve.json", tmp_path / "kept.json"
    eve.write_text('{"event_type":"flow"}\n{"event_type":"tls"}\n{"event_type":"dns"}\n')
    leave_out_flows(eve, kept)
    assert kept.read_text() == '{"event_type":"tls"}\n{"event_type":"dns"}\n'


def test_lines_are_counted_in_plain_and_in_gzip_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"1\n2\n3\n")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"1\n2\n"))
    assert [lines_in(tmp_path / name) for name in ("plain", "packed.gz")] == [3, 2]
