"""Blocks of whole lines, whatever the reads they come from."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from reconwatch.account import Account
from reconwatch.sources.lines import Block, Blocks, _Newlines
from reconwatch.sources.sieve import EveryLine


class Trickle(io.RawIOBase):
    """Gives what is in it in pieces of the given sizes."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._content, self._sizes, self._turn = content, sizes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        size = min(self._sizes[self._turn % len(self._sizes)], len(buffer), len(self._content))
        self._turn += 1
        buffer[:size] = self._content[:size]
        self._content = self._content[size:]
        return size


def read(content: bytes, sizes: list[int] | None = None, **bounds: int) -> tuple[list[tuple[int, int, bytes]], Account]:
    """(line number, offset, line) of every line."""
    account = Account("log")
    found = []
    for block in Blocks(Trickle(content, sizes or [1 << 20]), account, **bounds):
        for start, end in EveryLine().lines(block):
            found.append((block.line_number(start), block.offset + start, block.line(start, end)))
    return found, account


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"x").replace(b"\0", b"y").rstrip(b"\r"))),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    block=st.integers(2, 64),
    ends=st.booleans(),
)
def test_whatever_the_reads_every_line_comes_once_in_order_with_its_number_and_place(lines, sizes, block, ends):
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    if content.startswith(b"\xef\xbb\xbf"):
        return
    found, account = read(content, sizes, block=block)
    assert [line for _, _, line in found] == expected
    assert [number for number, _, _ in found] == list(range(1, len(expected) + 1))
    assert all(content[place : place + len(line)] == line for _, place, line in found)
    assert account.records == len(expected)
    assert not account.skipped


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert read(b"\xef\xbb\xbf#fields\tts\nx\n")[0] == [(1, 3, b"#fields\tts"), (2, 14, b"x")]


def test_the_last_line_may_lack_its_newline_and_lines_may_end_in_crlf():
    assert [line for _, _, line in read(b"a\r\nb\r\n\r\nc")[0]] == [b"a", b"b", b"", b"c"]


def test_nuls_that_a_truncation_left_in_front_of_a_line_are_dropped():
    assert [line for _, _, line in read(b"\0\0\0{}\na\0b\n")[0]] == [b"{}", b"a\0b"]


def test_a_line_longer_than_a_block_grows_the_buffer():
    found, account = read(b"a\n" + b"x" * 1000 + b"\nb\n", [64], block=16, longest=2000)
    assert [line for _, _, line in found] == [b"a", b"x" * 1000, b"b"]
    assert not account.skipped


def test_a_line_beyond_the_bound_is_one_located_skip_and_reading_goes_on_behind_it():
    told = []
    account = Account("log", warn=told.append)
    content = b"a\nb\n" + b"x" * 5000 + b"\nc\n" + b"y" * 3000 + b"\nd\ne"
    found = []
    for block in Blocks(Trickle(content, [37]), account, block=16, longest=500):
        found += [(block.line_number(s), block.line(s, e)) for s, e in EveryLine().lines(block)]
    assert found == [(1, b"a"), (2, b"b"), (4, b"c"), (6, b"d"), (7, b"e")]
    assert account.records == 7
    assert account.skipped == {"a line longer than 500 bytes": 2}
    assert told == ["log: line 3: a line longer than 500 bytes; is this a text log?"]


def test_an_endless_line_is_skipped_once_and_ends_with_the_input():
    found, account = read(b"a\n" + b"\0" * 100_000, [1000], block=64, longest=4096)
    assert [line for _, _, line in found] == [b"a"]
    assert sum(account.skipped.values()) == 1


def test_the_rest_of_a_block_keeps_its_line_numbers():
    block = Block(bytearray(b"a\nb\nc\n"), 0, 6, 100, 7)
    rest = block.rest(2)
    assert (rest.first_line, rest.line_number(4), rest.offset) == (8, 9, 100)
    assert block.rest(99).start == 6


def test_one_block_in_64_is_to_be_looked_at_whole_in_whatever_pieces_it_comes() -> None:
    for sizes in ([100], [10], [30, 70]):
        account = Account("log")
        whole = [
            block.offset // 100
            for block in Blocks(Trickle(b"123456789\n" * 1_290, sizes), account, block=100)
            if block.whole
        ]
        assert set(whole) == {0, 64, 128}
        assert (account.blocks, account.whole) == (129, 3)


def test_a_last_line_without_a_newline_is_no_block_and_always_to_be_checked() -> None:
    account = Account("log")
    blocks = list(Blocks(Trickle(b"123456789\n" * 20 + b"half", [100]), account, block=100))
    assert [block.whole for block in blocks] == [True, False, True]
    assert (account.blocks, account.whole) == (2, 1)


def test_newlines_are_counted_alike_with_and_without_numpy(monkeypatch) -> None:
    content = b"a\nbb\n\n" * 1_000 + b"end"
    counted = []
    for after in (0, 1 << 40):
        monkeypatch.setattr("reconwatch.sources.lines.VECTOR_AFTER", after)
        newlines = _Newlines()
        monkeypatch.setattr(newlines, "_numpy", None)
        monkeypatch.setattr("reconwatch.sources.lines._newlines", newlines)
        found, account = read(content, [97], block=128)
        counted.append((found, account.records))
    assert counted[0] == counted[1]
    assert counted[0][1] == 3_001


def test_numpy_counts_from_the_start_where_the_size_of_the_file_is_worth_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("reconwatch.sources.lines.VECTOR_AFTER", 1_000)
    path = tmp_path / "log"
    for lines, worth in ((10, False), (500, True)):
        newlines = _Newlines()
        monkeypatch.setattr(newlines, "_numpy", None)
        monkeypatch.setattr("reconwatch.sources.lines._newlines", newlines)
        path.write_bytes(b"a\n" * lines)
        account = Account("log")
        with path.open("rb", buffering=0) as stream:
            next(iter(Blocks(stream, account, block=100)))
        assert (newlines._numpy is not None) == worth
        assert account.records == min(lines, 50)
