"""suricata-verify's test.yaml as it is written: read with its lines, its shape checked before anything runs.

Read as its runner reads it, as YAML 1.1 with anchors and merge keys (`yes` is true), for what a value means there is
part of the case; but a key given twice, a wrong kind of value and an unknown kind of check are told with their line
instead of ending the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reconwatch.document import DocumentError, Problem, nearest

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "requires": dict, "skip": (bool, list), "pcap": (str, bool), "rules": (str, bool), "args": list, "command": str,
    "exit-code": int, "checks": list, "env": dict, "setup": list, "pre-check": str, "retry": int, "count": int,
    "unix-commands": list, "startup-timeout": (int, float),
}  # fmt: skip
"""The keys of a case and the kind of value each has; a missing value stands for a missing key."""

NEEDED: Mapping[str, frozenset[str]] = {
    "filter": frozenset({"count", "match"}),
    "shell": frozenset({"args"}),
    "file-compare": frozenset({"filename", "expected"}),
    "stats": frozenset(),
}
"""The kinds of check, and the keys that each must have."""
ALLOWED: Mapping[str, frozenset[str]] = {
    "filter": frozenset({"count", "match", "filename", "requires"}),
    "shell": frozenset({"args", "expect", "requires"}),
    "file-compare": frozenset({"filename", "expected", "requires"}),
}
"""The keys that each kind of check may have; those of `stats` are paths."""


class Lined(dict[Any, Any]):
    """A mapping that knows on which line each of its keys stands, counted from 1."""

    line: int = 1
    lines: Mapping[Any, int] = {}

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping if it has none of its own."""
        return self.lines.get(key, self.line)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, with mappings that know their lines."""


def _mapping(loader: Any, node: yaml.MappingNode) -> Lined:
    found = Lined(loader.construct_mapping(node, deep=True))
    found.line = node.start_mark.line + 1
    lines: dict[Any, int] = {}
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if name in lines:
            raise yaml.constructor.ConstructorError(
                None, None, f"key '{name}' stands here again, first on line {lines[name]}", key.start_mark
            )
        lines[name] = key.start_mark.line + 1
    found.lines = lines
    return found


_LEAKED = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What PyYAML's constructors let through of a value that its tag or its look does not allow (`2001-01-99`)."""

_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@dataclass(frozen=True, slots=True)
class Check:
    """One item of `checks`."""

    kind: str
    config: Lined
    line: int


@dataclass(frozen=True, slots=True)
class VerifyFile:
    """A test.yaml that can be run."""

    path: Path
    config: Lined
    checks: tuple[Check, ...]
    warnings: tuple[Problem, ...] = ()

    def line_of(self, key: str) -> int:
        """The line of a top-level key."""
        return self.config.line_of(key)


def load_verify(path: Path) -> VerifyFile:
    """Read a test.yaml. Raises DocumentError with everything that is wrong with it."""
    name = str(path)
    try:
        data = yaml.load(path.read_bytes(), Loader=_Loader)
    except OSError as error:
        raise DocumentError([Problem(name, None, f"cannot be read: {error.strerror or error}")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError([Problem(name, mark.line + 1 if mark else None, f"{error.problem}")]) from error
    except (yaml.YAMLError, *_LEAKED) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        raise DocumentError([Problem(name, None, f"not YAML: {said}")]) from error
    config = data if isinstance(data, Lined) else Lined() if data is None else None
    if config is None:
        raise DocumentError([Problem(name, 1, "a case is a mapping", "checks: ...")])
    problems = [*_problems(config, name)]
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise DocumentError(errors)
    checks = tuple(
        Check(kind, each, item.line_of(kind)) for item in config.get("checks") or () for kind, each in item.items()
    )
    return VerifyFile(path, config, checks, tuple(problems))


def _problems(config: Lined, name: str) -> Iterator[Problem]:
    for key, value in config.items():
        line = config.line_of(key)
        if key not in KINDS:
            close = nearest(str(key), KINDS)
            yield Problem(name, line, f"key '{key}' has no effect", f"'{close}'" if close else "", severity="warning")
        elif value is not None and not isinstance(value, KINDS[key]):
            yield Problem(name, line, f"'{key}' is of the wrong kind")
    for key in ("count", "retry"):
        if isinstance(value := config.get(key), int) and value < 1:
            yield Problem(name, config.line_of(key), f"'{key}' is {value}", "a number from 1 on")
    args = config.get("args")
    if isinstance(args, list) and not all(isinstance(each, str) for each in args):
        yield Problem(name, config.line_of("args"), "an item of 'args' is no text", "it in quotes")
    for key in ("setup", "checks", "skip"):
        if isinstance(items := config.get(key), list) and not all(isinstance(item, Lined) for item in items):
            yield Problem(name, config.line_of(key), f"an item of '{key}' is no mapping")
    checks = config.get("checks")
    for item in checks if isinstance(checks, list) else ():
        for kind, check in item.items() if isinstance(item, Lined) else ():
            yield from _check_problems(name, kind, check, item.line_of(kind))


def _check_problems(name: str, kind: Any, check: Any, line: int) -> Iterator[Problem]:
    if kind not in NEEDED:
        yield Problem(name, line, f"unknown kind of check '{kind}'", " or ".join(NEEDED))
        return
    if not isinstance(check, Lined):
        yield Problem(name, line, f"'{kind}' must be a mapping")
        return
    for key in sorted(NEEDED[kind] - check.keys()):
        yield Problem(name, line, f"'{kind}': key '{key}' is missing")
    if kind in ALLOWED:
        for key in sorted(check.keys() - ALLOWED[kind], key=str):
            yield Problem(name, check.line_of(key), f"unknown key '{key}' in a check '{kind}'")
    if kind != "stats":
        yield from _odd_values(name, kind, check)
    match = check.get("match", {}) if kind == "filter" else check if kind == "stats" else {}
    if not isinstance(match, dict):
        yield Problem(name, check.line_of("match"), "'match' must be a mapping")
        return
    for key, value in match.items():
        if not isinstance(key, str):
            yield Problem(name, check.line, f"the path {key!r} is no text", f'"{key}"')
        elif key in ("has-key", "not-has-key") and not _are_texts(value):
            yield Problem(name, check.line, f"'{key}' names paths, as text")


def _odd_values(name: str, kind: str, check: Lined) -> Iterator[Problem]:
    for key in ("filename", "expected", "args"):
        if key in check and not isinstance(check[key], str):
            yield Problem(name, check.line_of(key), f"'{key}' of a check '{kind}' is no text")
    if not isinstance(check.get("requires") or {}, dict):
        yield Problem(name, check.line_of("requires"), "'requires' must be a mapping")


def _are_texts(value: Any) -> bool:
    return all(isinstance(each, str) for each in (value if isinstance(value, list) else [value]))
