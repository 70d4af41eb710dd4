"""Lines that nobody wants: those that cannot be read are counted, all of a small file and a sample of a large one."""

from __future__ import annotations

import json
from functools import partial

import pytest
from tests.sources.test_eve import TLS, record, request_v3
from tests.sources.test_eve import read as read_eve
from tests.sources.test_zeek import CONNECTION, as_json, header, read, tsv

from reconwatch.catalog import Catalog
from reconwatch.pipeline import Replay
from reconwatch.site import Site
from reconwatch.sources.lines import Blocks

# --- EVE ---------------------------------------------------------------------------------------------------------

OTHER = json.dumps(request_v3("other.example")).encode() + b"\n"
HALF = OTHER[:40] + b"\n"


def test_a_damaged_line_that_names_nothing_is_counted_in_a_small_file_as_without_the_funnel():
    wrong = json.dumps(request_v3("other.example") | {"flow_id": "x"}).encode() + b"\n"
    content = [OTHER, HALF, b"\n", TLS, wrong, OTHER, HALF, TLS, b"\0\0" + OTHER, OTHER[:30]]
    _, account, told = read_eve(*content)
    _, naive, naive_told = read_eve(*content, funnel=False)
    assert account.unreadable == naive.skipped == {"not a JSON object": 3, "a value of the wrong type": 1}
    assert told == naive_told == [
        "eve.json: line 2: not a JSON object", "eve.json: line 5: a value of the wrong type",
    ]  # fmt: skip


def test_of_a_large_file_one_block_in_64_is_looked_at_whole(monkeypatch):
    monkeypatch.setattr("reconwatch.sources.eve.Blocks", partial(Blocks, block=4096))
    content = OTHER * 40_000
    place = content.index(b"\n", len(content) * 3 // 4) + 1
    damaged = content[:place] + (HALF + OTHER) * 5_000 + content[place:]
    _, account, told = read_eve(damaged)
    assert 1 < account.whole == -(-account.blocks // 64)
    assert not account.skipped
    assert not account.unreadable
    about = account.sampled["not a JSON object"] * account.blocks / account.whole
    assert 2_500 < about < 10_000
    line = int(told[0].split(": ")[1].removeprefix("line "))
    assert damaged.split(b"\n")[line - 1] == HALF[:-1]


def test_halves_at_the_ends_of_a_file_stand_for_no_others(monkeypatch):
    monkeypatch.setattr("reconwatch.sources.eve.Blocks", partial(Blocks, block=4096))
    _, account, told = read_eve(OTHER[20:], OTHER * 100, OTHER[:20])
    assert account.whole < account.blocks
    assert account.skipped == {"not a JSON object": 2}
    assert not account.sampled
    assert told == ["eve.json: line 1: not a JSON object"]


def test_an_object_broken_over_two_lines_is_two_damaged_lines():
    for broken in (OTHER.replace(b",", b",\n", 1), OTHER.replace(b",", b",\n", 1) + OTHER[:-1] + OTHER):
        assert read_eve(TLS, broken, TLS)[1].unreadable == read_eve(TLS, broken, TLS, funnel=False)[1].skipped


def test_a_record_that_tells_nothing_may_hold_what_it_likes():
    for funnel in (True, False):
        assert not read_eve(record("mqtt", http="crt.sh", dns=7), funnel=funnel)[1].unreadable


# --- Zeek ---------------------------------------------------------------------------------------------------------


def test_a_row_that_is_cut_and_names_nothing_is_counted_in_a_small_file_as_without_the_funnel():
    content = (
        tsv("dns", ["query=other.example"], ["query=crt.sh"])
        + b"1795493735.9\tC1\t10.20\n\n"
        + tsv("conn", ["proto=tcp"], separator="|")
        + b"1795493735.9|C1\n"
        + header("files", "ts fuid").encode()
        + b"1795493736.5\n"
        + tsv("ssl", ["server_name=other.example"])
        + b"1795493735.9"
    )
    _, account, told = read(content)
    _, naive, naive_told = read(content, funnel=False)
    assert account.unreadable == naive.skipped == {"a row with another number of columns than its header": 3}
    assert told == naive_told == ["log: line 10: a row with another number of columns than its header"]


def test_rows_above_any_header_are_counted():
    content = b"1795493735.9\tC1\t10.20\n" * 3 + tsv("dns", ["query=other.example"])
    assert read(content)[1].unreadable == {"a row with no #fields header above it": 3}


def test_a_json_row_that_is_cut_and_names_nothing_is_counted_in_a_small_file_as_without_the_funnel():
    row = as_json("ssl", server_name="other.example")
    content = b"\n".join([row, row[:50], as_json("ssl"), row, as_json("conn", proto=6, **{"id.resp_p": 80}), row[:9]])
    _, account, told = read(content, "json")
    _, naive, naive_told = read(content, "json", funnel=False)
    assert account.unreadable == naive.skipped == {"not a JSON object": 2, "a value of the wrong type": 1}
    assert told == naive_told == ["log: line 2: not a JSON object", "log: line 5: a value of the wrong type"]


@pytest.mark.parametrize("form", ["tsv", "json"])
def test_of_a_large_log_one_block_in_64_is_looked_at_whole(monkeypatch, form):
    monkeypatch.setattr("reconwatch.sources.zeek.log.Blocks", partial(Blocks, block=4096))
    if form == "tsv":
        content = tsv("dns", *[["query=other.example"]] * 10_000)
    else:
        content = (as_json("ssl", server_name="other.example") + b"\n") * 10_000
    lines = content.splitlines(keepends=True)
    for place in range(5_000, 9_000, 2):
        lines[place] = lines[place][:20] + b"\n"
    _, account, told = read(b"".join(lines), form)
    assert 1 < account.whole == -(-account.blocks // 64)
    assert not account.skipped
    assert 1_000 < account.sampled.total() * account.blocks / account.whole < 4_000
    (warning,) = told
    assert len(lines[int(warning.split(": ")[1].removeprefix("line ")) - 1]) == 21


def test_a_log_that_tells_nothing_may_hold_other_types_under_the_same_names():
    ssh = json.dumps(CONNECTION | {"version": 2, "client": "SSH-2.0-crt.sh"}).encode()
    for funnel in (True, False):
        assert not read(b"\n".join([ssh] * 3), "json", funnel=funnel)[1].unreadable


# --- many inputs --------------------------------------------------------------------------------------------------


def test_of_many_small_files_few_are_looked_at_whole_and_what_the_others_hold_is_an_estimate(tmp_path):
    for number in range(200):
        (tmp_path / f"eve-{number:03}.json").write_bytes(OTHER + HALF + OTHER)
    run = Replay([tmp_path], Catalog([]), Site.default())
    assert list(run.notices()) == []
    assert sum(account.whole for account in run.accounts) == 67
    assert all(account.whole == 1 for account in run.accounts[:64])
    told = run.account()
    assert sum("eve-" in line and "1 line skipped: not a JSON object" in line for line in told) == 67
    assert (
        "not seen: about 133 lines may be damaged in 133 inputs of which no block was looked at whole"
        " (67 in 67 blocks of the others)"
    ) in told
