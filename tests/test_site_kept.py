"""A site that was read before is taken from the cache, equal to what was read, and only while nothing changed."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from reconwatch import cache, site
from reconwatch.document import DocumentError
from reconwatch.site import check, load_site
from reconwatch.site_kept import decode, encode
from tests.test_site import FULL, NOW, THRESHOLDS

DAY = 86400
SENSOR = Path(__file__).parents[1] / "sensor"


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A valid site.yaml in the working directory, whose author is warned of something; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    path = Path("site.yaml")
    sink = "{file: /var/log/rw.jsonl, verdict: escalate, notes: [Bulk_Search], backlog: 200}"
    path.write_text(f"{FULL}sinks: [{sink}]\nstore: {{days: 30, file: /srv/rw.db}}\n")
    return path


@pytest.fixture
def reads(monkeypatch):
    """How often a site was really read."""
    seen = []

    def counted(*args):
        seen.append(args)
        return _read(*args)

    _read = site._read
    monkeypatch.setattr(site, "_read", counted)
    return seen


def load(path, now=NOW, thresholds=THRESHOLDS):
    return load_site(path, now=now, thresholds=thresholds)


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "reconwatch").glob("site-*"))


def test_a_second_load_does_not_read_again_and_says_the_same(path, reads):
    first, second = load(path), load(path)
    assert len(reads) == 1
    assert second == first
    assert second.warnings == first.warnings != ()
    assert second.trust("10.20.9.4", NOW) == first.trust("10.20.9.4", NOW)


@pytest.mark.parametrize(
    "text", ["{domains: [acme.com]}", "{}", "{asns: [1]}\ninside: []", "{ranges: ['2001:db8::/32']}"]
)
def test_every_site_comes_back_as_it_was(path, text):
    path.write_text(f"owned: {text}\n")
    read = load(path)
    back = decode(encode(read))
    assert (back, back.warnings) == (read, read.warnings)


def test_what_would_not_come_back_as_it_is_is_not_kept(path):
    read = load(path)
    assert encode(read) is not None
    for value in (date(2026, 11, 24), 10**40):
        assert encode(replace(read, sources=({"zeek": value},))) is None


def test_another_text_path_day_or_detector_is_read_anew(path, reads):
    load(path)
    load(path.absolute())
    load(path, thresholds={**THRESHOLDS, "Recon_Tool": {}})
    load(path, thresholds=None)
    load(path, now=NOW + DAY)
    path.write_text(path.read_text() + "# seen by all\n")
    load(path)
    assert len(reads) == 6
    load(path, now=NOW + DAY / 4)
    assert len(reads) == 6


def test_a_trust_that_ended_since_is_told(path):
    path.write_text("owned: {domains: [acme.com]}\ntrusted: [{who: 10.0.0.1, reason: x, until: 2026-11-24}]\n")
    assert load(path, now=NOW).warnings == ()
    assert "ended 2026-11-24" in str(load(path, now=NOW + DAY).warnings[0])


def test_another_code_or_package_reads_anew(path, reads, monkeypatch):
    load(path)
    monkeypatch.setattr(cache, "code", lambda: "as it was pulled today")
    load(path)
    monkeypatch.setattr("reconwatch.site_kept.judges", lambda: "another suffix list")
    load(path)
    assert len(reads) == 3


def test_a_module_that_was_touched_is_another_code():
    code = cache.code()
    assert str(SENSOR / "reconwatch" / "site_checks.py") in code
    module = SENSOR / "reconwatch" / "prose.py"
    status = module.stat()
    assert f"{module} {status.st_size} {status.st_mtime_ns}" in code


def test_a_site_with_errors_is_never_kept(path, tmp_path):
    path.write_text("owned: {domains: [com]}\n")
    for _ in range(2):
        with pytest.raises(DocumentError, match="public suffix"):
            load(path)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"\x93", b"foreign", json.dumps([1]).encode()])
def test_a_damaged_file_is_the_same_as_none(path, reads, tmp_path, damage):
    first = load(path)
    (file,) = kept(tmp_path)
    whole = file.read_bytes()
    for wrong in (damage, whole[:-1], whole[: len(whole) // 2], whole.replace(b"203.0.113.0/24", b"203.0.113.0/99")):
        file.write_bytes(wrong)
        assert load(path) == first
        assert file.read_bytes() == whole
    assert len(reads) == 5


def test_a_file_of_another_user_is_the_same_as_none(path, reads, monkeypatch):
    first = load(path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert load(path) == first
    assert len(reads) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(path, reads, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(path) == load(path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    assert load(path) == load(path)
    assert len(reads) == 4


def test_a_check_looks_at_the_file_itself(path, reads):
    load(path)
    assert check(path, now=NOW, thresholds=THRESHOLDS) == list(load(path).warnings)
    assert len(reads) == 2


def test_of_each_kind_only_the_newest_files_stay(path, tmp_path):
    folder = tmp_path / "cache" / "reconwatch"
    folder.mkdir(parents=True)
    for n in range(cache.MOST_FILES + 5):
        (folder / f"site-{n}.cache").write_bytes(b"")
        os.utime(folder / f"site-{n}.cache", (n, n))
    (folder / "services-0.cache").write_bytes(b"")
    load(path)
    names = {file.name for file in folder.iterdir()}
    assert len(names) == cache.MOST_FILES + 1
    assert {"services-0.cache", f"site-{cache.MOST_FILES + 4}.cache"} < names
    assert "site-0.cache" not in names


def test_and_not_more_of_them_than_a_bound_of_bytes(path, tmp_path, monkeypatch):
    for now in (NOW, NOW + DAY, NOW + 2 * DAY):
        load(path, now=now)
    assert len(kept(tmp_path)) == 3
    monkeypatch.setattr(cache, "MOST_BYTES", kept(tmp_path)[0].stat().st_size + 100)
    load(path, now=NOW + 3 * DAY)
    assert len(kept(tmp_path)) == 1
    monkeypatch.setattr(cache, "MOST_BYTES", 0)
    load(path, now=NOW + 4 * DAY)
    assert len(kept(tmp_path)) == 1


def test_only_its_owner_can_read_what_is_kept(path, tmp_path):
    load(path)
    (file,) = kept(tmp_path)
    assert file.stat().st_mode & 0o77 == 0
    assert file.parent.stat().st_mode & 0o77 == 0


def test_a_warm_start_over_logs_imports_nothing_that_only_a_first_one_needs(path, tmp_path):
    log = tmp_path / "dns.log"
    log.write_text('{"_path":"dns","ts":1.0,"uid":"C","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","query":"a.b"}\n')
    code = (
        "import sys\nfrom reconwatch.cli import main\n"
        f"main(['replay', '--jobs', '1', '--site', 'site.yaml', {str(log)!r}], standalone_mode=False)\n"
        "print(*{'pydantic', 'yaml', 'rich', 'numpy', 'publicsuffixlist', 'idna', 'dpkt'} & set(sys.modules))"
    )

    def start() -> str:
        run = [sys.executable, "-c", code]
        return subprocess.run(
            run, env={**os.environ, "PYTHONPATH": str(SENSOR)}, capture_output=True, text=True, check=True
        ).stdout

    assert "pydantic" in start()
    assert start() == "\n"
