"""What a suricata-verify case requires, judged for an engine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import pytest

from reconwatch.rules.engine import Engine
from reconwatch.rules.verify_needs import Needs, Senseless, Unmet

ENGINE = Engine(Path("/suricata"), (7, 0, 10), frozenset({"HAVE_LUA", "MAGIC"}), None)


def needs(folder: Path, *, allow_shell: bool = False) -> Needs:
    return Needs(ENGINE, folder, allow_shell=allow_shell)


@pytest.mark.parametrize(
    "requires",
    [
        {"min-version": 7},
        {"min-version": "7.0.10"},
        {"min-version": 6.0},
        {"min-version": "7.0.10-dev"},
        {"lt-version": 8},
        {"lt-version": "7.0.11"},
        {"gt-version": "7.0.9"},
        {"gt-version": 6, "lt-version": 8},
        {"version": 7},
        {"version": "7.0"},
        {"version": "7.0.10"},
        {"features": ["HAVE_LUA", "MAGIC"]},
        {"features": "MAGIC"},
        {"env": ["PATH"]},
        {"files": ["here"]},
        {"pcap": False},
        {"os": platform.system().upper()},
        {"arch": platform.machine()[:3]},
        {"lambda": 'sys.platform != "win32"'},
        {"lambda": "sys.platform == 'linux'"},
    ],
)
def test_a_requirement_is_met(tmp_path: Path, requires: dict[str, Any]) -> None:
    (tmp_path / "here").touch()
    needs(tmp_path).check(requires, tmp_path)


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        ({"min-version": 8}, "requires 8 or newer"),
        ({"min-version": "7.0.11"}, "requires 7.0.11 or newer"),
        ({"lt-version": 7}, "for versions before 7"),
        ({"lt-version": "7.0.10"}, "for versions before 7.0.10"),
        ({"gt-version": "7.0.10"}, "for versions after 7.0.10"),
        ({"version": 6}, "for version 6 only"),
        ({"version": "7.0.1"}, "for version 7.0.1 only"),
        ({"features": ["MAGIC", "GeoIP2"]}, "requires feature GeoIP2"),
        ({"env": ["RECONWATCH_NONE"]}, "requires environment variable RECONWATCH_NONE"),
        ({"files": ["not-here"]}, "requires file not-here"),
        ({"os": "plan9"}, "for plan9 only"),
        ({"arch": "vax"}, "for vax only"),
        ({"script": ["true"]}, "scripts are run with --allow-shell only"),
        ({"lambda": 'sys.platform == "win32"'}, "requires sys.platform"),
        ({"lambda": "__import__('os').system('touch /tmp/x')"}, "this Python code says, which is not run"),
    ],
)
def test_a_requirement_that_is_not_met_is_named(tmp_path: Path, requires: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unmet, match=reason.replace(".", r"\.")):
        needs(tmp_path).check(requires, tmp_path)


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        ({"min-versoin": 8}, "unknown requirement 'min-versoin'"),
        ({"min-version": "new"}, "'new' is no version"),
        ({"lt-version": 7, "gt-version": "7.0.0"}, "no version is after 7.0.0 and before 7"),
    ],
)
def test_a_requirement_that_nothing_meets_is_an_error(tmp_path: Path, requires: dict[str, Any], told: str) -> None:
    with pytest.raises(Senseless, match=told):
        needs(tmp_path).check(requires, tmp_path)


@pytest.mark.parametrize("config", [["a"], {"(": "no"}])
def test_a_skip_that_names_nothing_is_an_error(tmp_path: Path, config: object) -> None:
    with pytest.raises(Senseless):
        needs(tmp_path).check_skip([{"config": config}], lambda: {"a": "no"})


def test_a_script_is_run_in_the_source_tree_when_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "in-source").touch()
    needs(tmp_path, allow_shell=True).check({"script": ["test -e in-source"]}, tmp_path)
    with pytest.raises(Unmet, match="requires that this script succeeds: test -e elsewhere"):
        needs(tmp_path, allow_shell=True).check({"script": ["test -e elsewhere"]}, tmp_path)


def test_a_script_that_is_not_allowed_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(Unmet):
        needs(tmp_path).check({"script": ["touch ran"]}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_check_may_not_repeat_or_contradict_its_case(tmp_path: Path) -> None:
    with pytest.raises(Senseless, match="requires 7 already"):
        needs(tmp_path).check_part({"min-version": 7}, {"min-version": 7}, tmp_path)
    with pytest.raises(Senseless, match="this check a version before 6"):
        needs(tmp_path).check_part({"lt-version": 6}, {"min-version": 7}, tmp_path)
    needs(tmp_path).check_part({"lt-version": 8}, {"min-version": 7}, tmp_path)
    with pytest.raises(Unmet):
        needs(tmp_path).check_part({"min-version": 8}, {"min-version": 7}, tmp_path)


@pytest.mark.parametrize(
    ("skip", "reason"),
    [
        (True, "skipped by default"),
        ([{"uid": os.getuid()}], f"not for user {os.getuid()}"),
        ([{"feature": "NONE"}, {"feature": "MAGIC", "msg": "no magic, please"}], "no magic, please"),
        ([{"config": {r"app-layer\..*\.enabled": "no"}}], r"not for app-layer\..*\.enabled = no"),
    ],
)
def test_a_case_may_say_when_it_is_to_be_skipped(tmp_path: Path, skip: Any, reason: str) -> None:
    with pytest.raises(Unmet) as caught:
        needs(tmp_path).check_skip(skip, lambda: {"app-layer.x.enabled": "no"} if "config" in str(skip) else {})
    assert str(caught.value).startswith(reason.partition(r"\.")[0])


@pytest.mark.parametrize("skip", [None, False, [{"uid": -1}], [{"feature": "NONE"}], [{"config": {"a.b": "yes"}}]])
def test_a_skip_that_does_not_concern_us_is_none(tmp_path: Path, skip: Any) -> None:
    needs(tmp_path).check_skip(skip, lambda: {"a.b": "no"})
