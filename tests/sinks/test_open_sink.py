import io
import subprocess
import sys
import tempfile

import pytest
from msgspec.structs import replace as but

from reconwatch.sinks import SINKS, open_sink

every_format = pytest.mark.parametrize("name", list(SINKS))


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ValueError, match="no output format 'xml'; choose one of table, jsonl, notice-log, eve"):
        open_sink("xml", io.StringIO())


@every_format
def test_text_and_binary_streams_get_the_same(name, search):
    text, binary, wrapped = io.StringIO(), io.BytesIO(), io.BytesIO()
    over = io.TextIOWrapper(wrapped, encoding="utf-8")
    for stream in (text, binary, over):
        sink = open_sink(name, stream)
        sink.write(but(search, msg="Bücher"))
        sink.close()
    assert text.getvalue().encode() == binary.getvalue() == wrapped.getvalue()


@pytest.mark.parametrize("name", ["jsonl", "notice-log", "eve"])
def test_a_machine_format_is_utf8_whatever_the_streams_encoding(name, search):
    raw, plain = io.BytesIO(), io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1", newline="\r\n")
    for each in (stream, plain):
        sink = open_sink(name, each)
        sink.write(but(search, msg="Bücher 检索"))
        sink.close()
    assert raw.getvalue() == plain.getvalue()
    assert "Bücher 检索".encode() in raw.getvalue()


@every_format
def test_close_completes_once_and_leaves_the_stream_open(name, search):
    stream = io.StringIO()
    sink = open_sink(name, stream)
    sink.write(search)
    sink.flush()
    sink.close()
    written = stream.getvalue()
    sink.close()
    assert stream.getvalue() == written
    assert not stream.closed
    with pytest.raises(ValueError, match="this sink is closed"):
        sink.write(search)


@pytest.mark.parametrize("name", ["jsonl", "notice-log", "eve"])
def test_a_line_is_out_after_flush(name, search):
    with tempfile.NamedTemporaryFile() as file:
        sink = open_sink(name, file)
        sink.write(search)
        sink.flush()
        with open(file.name, encoding="utf-8") as again:  # noqa: PTH123 (the same file, read by another)
            assert search.id in again.read()


class Dribble(io.RawIOBase):
    """An unbuffered file that takes seven bytes at a time."""

    def __init__(self):
        self.taken = b""

    def writable(self):
        return True

    def write(self, data):
        self.taken += bytes(data[:7])
        return min(len(data), 7)


@every_format
def test_a_stream_that_takes_little_still_gets_everything(name, search):
    dribble, whole = Dribble(), io.BytesIO()
    for stream in (dribble, whole):
        sink = open_sink(name, stream)
        sink.write(search)
        sink.close()
    assert dribble.taken == whole.getvalue()


def test_rich_is_loaded_only_when_a_table_is_drawn():
    code = "import reconwatch.sinks, reconwatch.explanation, sys; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
