"""The table, its verdicts, and the file that keeps it."""

from pathlib import Path

from tests.bench.measure import Measured, Usage
from tests.bench.programs import GREP, JQ, ZEEK
from tests.bench.table import BEGIN, END, Result, put_into, section
from tests.bench.works import Beside, Work


def runs(*cpu: float, output: bytes = b"", megabytes: int = 50) -> Measured:
    return Measured([Usage(each, megabytes * 1_000_000, 20_000_000, 0, output=output) for each in cpu])


def work(tmp_path: Path, *beside: Beside) -> Work:
    path = tmp_path / "log"
    path.write_bytes(b"\n" * 1_000_000)
    return Work("log", "some log", (path,), "lines", 2.0e6, beside)


def rows(told: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("|")][2:]


def test_each_figure_stands_beside_its_bar(tmp_path: Path) -> None:
    measured = {"reconwatch": runs(0.2, 0.4, 0.3, output=b"{}\n"), "grep, UTF-8": runs(1, 1, 1, output=b"1200\n")}
    told = section([Result(work(tmp_path, Beside(GREP, 0.25)), measured)], ["Facts."])
    bars = "50 / 20 (<= 400: met / <= 300: met)"
    assert rows(told) == [
        [
            "some log, 1 M lines",
            "reconwatch",
            "0.30 (0.20 to 0.40)",
            "3.33 M lines",
            "",
            ">= 2 M lines: met",
            "1",
            bars,
        ],
        ["", "grep, UTF-8", "1.00 (1.00 to 1.00)", "1 M lines", "0.3", "<= 0.25: **not met**", "1,200", "50 / 20"],
    ]
    assert told.startswith("Facts.\n\nBars met: 3; not met: 1; rows not measured: 0.\n\n| work |")


def test_a_ratio_without_a_bar_has_no_verdict(tmp_path: Path) -> None:
    measured = {"reconwatch": runs(1.0), "grep, UTF-8": runs(2.0, output=b"0\n")}
    _, grep = rows(section([Result(work(tmp_path, Beside(GREP)), measured)], []))
    assert grep[4:6] == ["0.5", ""]


def test_too_slow_and_too_large_is_told(tmp_path: Path) -> None:
    [ours] = rows(section([Result(work(tmp_path), {"reconwatch": runs(1.0, megabytes=401)})], []))
    assert ours[5] == ">= 2 M lines: **not met**"
    assert ours[7] == "401 / 20 (<= 400: **not met** / <= 300: met)"


def test_what_was_not_measured_is_named_with_the_reason_and_its_bar(tmp_path: Path) -> None:
    measured = {
        "reconwatch": runs(0.3),
        "Zeek": Measured(failure="zeek is not on PATH"),
        "jq": Measured(failure="it failed (status 5)"),
    }
    told = section([Result(work(tmp_path, Beside(ZEEK, 0.1), Beside(JQ)), measured)], [])
    assert [row[1:6] for row in rows(told)[1:]] == [
        ["Zeek", "not measured: zeek is not on PATH", "", "", "<= 0.1"],
        ["jq", "not measured: it failed (status 5)", "", "", ""],
    ]
    assert "rows not measured: 2" in told


def test_where_reconwatch_failed_there_is_nothing_to_compare(tmp_path: Path) -> None:
    measured = {"reconwatch": Measured(failure="it failed (status 2)"), "grep, UTF-8": runs(1.0, output=b"0\n")}
    told = rows(section([Result(work(tmp_path, Beside(GREP, 0.4)), measured)], []))
    assert [row[2] for row in told] == [
        "not measured: it failed (status 2)",
        "not measured: nothing to compare it with",
    ]


def test_the_table_takes_the_place_of_the_one_before_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    kept = tmp_path / "RESULTS.md"
    kept.write_text(f"# Measured\n\nbefore\n\n{BEGIN}\n\nold\n\n{END}\n\nafter\n")
    put_into(kept, "new")
    assert kept.read_text() == f"# Measured\n\nbefore\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"


def test_a_file_without_a_table_gets_one_at_its_end(tmp_path: Path) -> None:
    kept = tmp_path / "RESULTS.md"
    put_into(kept, "new")
    put_into(kept, "newer")
    assert kept.read_text() == f"# Measured\n\n{BEGIN}\n\nnewer\n\n{END}\n"
