"""What a suricata-verify case requires of the engine and the machine, and when it is to be skipped."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconwatch.rules.engine import Engine

SCRIPT_LIMIT = 60.0
"""Seconds for a script that only asks a question."""

_VERSION = re.compile(r"\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_ON_PLATFORM = re.compile(r"""\s*sys\.platform\s*(==|!=)\s*(["'])(\w+)\2\s*""")


class Unmet(Exception):
    """A requirement that this engine or machine does not meet; the message says which."""


class Senseless(Exception):
    """A requirement that nothing can meet, or that nobody knows."""


def version_of(value: object) -> tuple[int, ...]:
    """A version as its parts that are given: `7`, `7.0`, `7.0.3`, with or without `-dev`. Raises Senseless."""
    found = _VERSION.match(str(value))
    if found is None:
        raise Senseless(f"'{value}' is no version")
    return tuple(int(part) for part in found.groups() if part is not None)


def _full(version: Sequence[int]) -> tuple[int, ...]:
    return (*version, 0, 0)[:3]


class Needs:
    """Judges the `requires` of a case and of its checks, for one engine."""

    def __init__(self, engine: Engine, source: Path, *, allow_shell: bool) -> None:
        self.engine = engine
        self.source = source
        """Where scripts are run: the source tree, or what stands in for it."""
        self.allow_shell = allow_shell
        self._tests: Mapping[str, Callable[[Any, Path], str]] = {
            "min-version": lambda value, _: self._unless(self._compare(value) >= 0, f"requires {value} or newer"),
            "lt-version": lambda value, _: self._unless(self._compare(value) < 0, f"for versions before {value}"),
            "gt-version": lambda value, _: self._unless(self._compare(value) > 0, f"for versions after {value}"),
            "version": lambda value, _: self._unless(self._is(value), f"for version {value} only"),
            "features": self._features,
            "env": self._environment,
            "files": self._files,
            "script": self._scripts,
            "pcap": lambda value, folder: "",
            "lambda": self._expression,
            "os": lambda value, _: self._unless(_begins(platform.system(), value), f"for {value} only"),
            "arch": lambda value, _: self._unless(_begins(platform.machine(), value), f"for {value} only"),
        }

    def check(self, requires: Mapping[str, Any], folder: Path) -> None:
        """Raises Unmet for the first requirement that is not met, Senseless for one that makes no sense."""
        if {"lt-version", "gt-version"} <= requires.keys() and (
            _full(version_of(requires["gt-version"])) >= _full(version_of(requires["lt-version"]))
        ):
            raise Senseless(f"no version is after {requires['gt-version']} and before {requires['lt-version']}")
        for key, value in requires.items():
            if key not in self._tests:
                raise Senseless(f"unknown requirement '{key}'")
            if reason := self._tests[key](value, folder):
                raise Unmet(reason)

    def check_part(self, requires: Mapping[str, Any], whole: Mapping[str, Any], folder: Path) -> None:
        """The requirements of a check, beside those of its case. Raises as `check`.

        suricata-verify's runner fails a check whose requirement repeats or contradicts the case's minimum; so do we.
        """
        minimum = whole.get("min-version")
        if minimum is not None and "lt-version" in requires:
            before = requires["lt-version"]
            if _full(version_of(minimum)) >= _full(version_of(before)):
                raise Senseless(f"the case requires {minimum} or newer, and this check a version before {before}")
        if minimum is not None and requires.get("min-version") == minimum:
            raise Senseless(f"the case requires {minimum} already")
        self.check(requires, folder)

    def _unless(self, met: bool, reason: str) -> str:
        return "" if met else reason

    def _compare(self, value: object) -> int:
        mine, other = self.engine.version, _full(version_of(value))
        return (mine > other) - (mine < other)

    def _is(self, value: object) -> bool:
        parts = version_of(value)
        return self.engine.version[: len(parts)] == parts

    def _features(self, value: Any, _: Path) -> str:
        missing = [each for each in _listed(value) if each not in self.engine.features]
        return f"requires feature {missing[0]}" if missing else ""

    def _environment(self, value: Any, _: Path) -> str:
        missing = [each for each in _listed(value) if each not in os.environ]
        return f"requires environment variable {missing[0]}" if missing else ""

    def _files(self, value: Any, folder: Path) -> str:
        missing = [each for each in _listed(value) if not (folder / each).exists()]
        return f"requires file {missing[0]}" if missing else ""

    def _scripts(self, value: Any, _: Path) -> str:
        if not self.allow_shell:
            return "requires what a script says; scripts are run with --allow-shell only"
        for script in _listed(value):
            try:
                done = subprocess.run(
                    script, shell=True, cwd=self.source, capture_output=True, timeout=SCRIPT_LIMIT, check=False
                )
            except subprocess.TimeoutExpired:
                return f"requires a script that did not end within {SCRIPT_LIMIT:g} s"
            if done.returncode != 0:
                return f"requires that this script succeeds: {script}"
        return ""

    def _expression(self, value: Any, _: Path) -> str:
        """Python code in a case is not run; the one question that cases ask by it is answered."""
        asked = _ON_PLATFORM.fullmatch(str(value))
        if asked is None:
            return f"requires what this Python code says, which is not run: {value}"
        same = sys.platform == asked[3]
        return "" if same == (asked[1] == "==") else f"requires {value}"

    def check_skip(self, skip: Any, dump_config: Callable[[], Mapping[str, str]]) -> None:
        """Raises Unmet with its message if a `skip` of a case concerns us, Senseless if it concerns nobody."""
        if isinstance(skip, bool):
            skip = [{"always": True}] if skip else []
        for each in skip or ():
            if each.get("always"):
                raise Unmet("skipped by default")
            if "uid" in each and os.getuid() == each["uid"]:
                raise Unmet(str(each.get("msg", f"not for user {each['uid']}")))
            if "feature" in each and each["feature"] in self.engine.features:
                raise Unmet(str(each.get("msg", f"not with feature {each['feature']}")))
            if configured := each.get("config"):
                _check_config(configured, dump_config())


def _check_config(skip: Any, config: Mapping[str, str]) -> None:
    """Raises Unmet if the engine is configured as a `skip` says, Senseless if that names nothing."""
    if not isinstance(skip, dict):
        raise Senseless("'config' of a 'skip' must be a mapping of patterns to values")
    for pattern, value in skip.items():
        try:
            named = re.compile(str(pattern))
        except re.error as error:
            raise Senseless(f"'{pattern}' is no pattern: {error}") from error
        for key, configured in config.items():
            if named.match(key) and str(value) == configured:
                raise Unmet(f"not for {key} = {value}")


def _begins(found: str, wanted: object) -> bool:
    return found.lower().startswith(str(wanted).lower())


def _listed(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]
