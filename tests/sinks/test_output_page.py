"""docs/output.md shows what the code writes, not what it once wrote."""

import io
import json
import re
from pathlib import Path

from reconwatch.sinks import open_sink

PAGE = (Path(__file__).parents[2] / "docs" / "output.md").read_text(encoding="utf-8")


def example(section):
    return re.search(rf"^## {section}\n.*?^```\w*\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[1]


def written(name, *notices, width=None):
    stream = io.StringIO()
    sink = open_sink(name, stream, width=width)
    for notice in notices:
        sink.write(notice)
    sink.close()
    return stream.getvalue()


def test_its_jsonl_is_real(search):
    assert json.loads(example("jsonl")) == json.loads(written("jsonl", search))


def test_its_table_is_real(search, lookup):
    assert example("table") == written("table", lookup, search, width=80)


def test_its_notice_log_is_real(search):
    cut = re.sub(
        r"^(#(?:fields|types)(?:\t[^\t]+){3}).*$", r"\1\t...", written("notice-log", search), flags=re.MULTILINE
    )
    assert example("notice-log") == cut


def test_its_eve_is_real(search):
    whole = written("eve", search)
    start = re.sub(r"\n *", "", example("eve")).partition(", ...")[0]
    assert whole.startswith(start)


def test_it_explains_every_field(search):
    assert [name for name in json.loads(written("jsonl", search)) if f"`{name}`" not in PAGE] == []
