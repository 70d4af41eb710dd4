"""YAML with places: what a person wrote, and the line each part of it stands on, so that every error can name one.

`text_of` reads a file, `load` its text; `validate` makes a pydantic model of a document, or tells every problem:

    document = load(text_of(Path("site.yaml"), "site.yaml"), "site.yaml")
    model = validate(document, SiteModel)       # DocumentError: "site.yaml:7: unknown key 'domians'; write 'domains'"

A validator of the model raises `Refused(message, write=...)` to say what to write instead. Plain (unquoted) scalars
are read as YAML 1.2 reads them, plus dates: the extras of YAML 1.1 would silently turn the country `NO` into false,
the address 2001:10:20:30:40:50:1:2 into one number, and 010 into 8. Aliases, merge keys and tags are refused: a
configuration says what it means where it stands. This module imports neither YAML nor pydantic until it is used.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import yaml
    from pydantic import BaseModel

Place = tuple[str | int, ...]
"""The way from the top of a document to a part of it: `("owned", "domains", 0)`."""

Model = TypeVar("Model", bound="BaseModel")

DEEPEST = 40
"""Nesting beyond this is no configuration; the bound keeps a hostile file from exhausting the stack."""

TOO_DEEP = f"nested more than {DEEPEST} deep"


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a document. `str()` is the line a person reads."""

    file: str
    line: int | None
    """Counted from 1; None when the file as a whole is meant."""
    message: str
    advice: str = ""
    """What to write instead, without the word "write"; empty when the message says it all."""
    severity: Literal["error", "warning"] = "error"
    """An error refuses the document; a warning is something its author would want to know."""

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.message}" + (f"; write {self.advice}" if self.advice else "")


class DocumentError(ValueError):
    """A document that cannot be used. Holds every problem found, errors and warnings, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[DocumentError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class Refused(ValueError):
    """Raised by a validator of a model: the value is wrong, and this is what to write instead."""

    def __init__(self, message: str, *, write: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.write = write


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says (dicts, lists, text, numbers, booleans, dates, None), and where it says it."""

    name: str
    data: Any
    lines: Mapping[Place, int]
    """The line of each mapping's key and of each sequence's item, counted from 1."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the text itself and still left something to read, such as a key given twice."""

    def line(self, place: Place) -> int | None:
        """The line of a place, or of the nearest marked place around it."""
        for length in range(len(place), -1, -1):
            if (line := self.lines.get(place[:length])) is not None:
                return line
        return None

    def problem(
        self, place: Place, message: str, write: str = "", severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """A problem of this document at a place."""
        return Problem(self.name, self.line(place), message, write, severity)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems in the order in which they stand in their files, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line or 0)))


def text_of(path: Path, name: str) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises DocumentError with one problem."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DocumentError([Problem(name, None, f"cannot be read: {error.strerror or error}")]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        wrong = Problem(name, line, f"byte {raw[error.start]:#04x} is not UTF-8", "the file in UTF-8")
        raise DocumentError([wrong]) from error


def load(text: str, name: str, *, number_keys: bool = False) -> Document:
    """Read one YAML document. `Document.problems` holds what is wrong with a text that can still be read.

    With `number_keys` a whole number may be a key, which is its text: `{1900001: 2}` is `{"1900001": 2}`.
    Raises DocumentError if the text is not YAML: nothing after such a place can be trusted.
    """
    from yaml import MarkedYAMLError
    from yaml.reader import ReaderError

    reader = _Reader(text, name, number_keys=number_keys)
    try:
        data = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message, write = _syntax(error, text, mark)
        wrong = Problem(name, mark.line + 1 if mark else None, message, write)
        raise DocumentError([*reader.problems, wrong]) from error
    except (ReaderError, UnicodeEncodeError) as error:
        raise DocumentError([*reader.problems, _unprintable(text, name)]) from error
    return Document(name, data, reader.lines, tuple(reader.problems))


def validate(document: Document, model: type[Model], *, context: Mapping[str, Any] | None = None) -> Model:
    """The document as a model; `context` reaches the model's validators.

    Raises DocumentError with all problems of the text and of its content, each with its line.
    """
    found, problems = examine(document, model, context=context)
    if found is None:
        raise DocumentError(problems)
    return found


def examine(
    document: Document, model: type[Model], *, context: Mapping[str, Any] | None = None
) -> tuple[Model | None, list[Problem]]:
    """What `validate` finds, without raising: the model (None if there is any error) and all problems."""
    from pydantic import ValidationError

    from reconwatch.document_errors import located

    problems = list(document.problems)
    found = None
    if document.data is None:
        problems.append(Problem(document.name, None, "the file is empty"))
    else:
        try:
            found = model.model_validate(document.data, context=dict(context or {}))
        except ValidationError as error:
            problems.extend(located(document, model, error))
    if any(problem.severity == "error" for problem in problems):
        found = None
    return found, problems


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most likely meant; None if none is near."""
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _plain(text: str) -> Any:
    """The value of an unquoted scalar. What only looks like a date or number stays text, for the model to refuse."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            return text
    return text


class _Reader:
    """Builds plain data from YAML events; an event, unlike a composed node, still shows aliases and tags."""

    def __init__(self, text: str, name: str, *, number_keys: bool = False) -> None:
        self.text = text
        self.name = name
        self.number_keys = number_keys
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._events: Iterator[yaml.Event] = iter(())

    def document(self) -> Any:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = yaml.parse(self.text, Loader=loader)
        next(self._events)
        if not isinstance(next(self._events), yaml.DocumentStartEvent):
            return None
        first = next(self._events)
        self.lines[()] = _line(first)
        data = self._value(first, (), self.lines)
        next(self._events)
        if isinstance(again := next(self._events), yaml.DocumentStartEvent):
            self._wrong(again, "a second document (---) starts here; a file holds one")
        return data

    def _wrong(self, event: yaml.Event, message: str, write: str = "") -> None:
        self.problems.append(Problem(self.name, _line(event), message, write))

    def _value(self, event: yaml.Event, place: Place, lines: dict[Place, int]) -> Any:
        import yaml

        if len(place) > DEEPEST:
            self._too_deep(event)
        if isinstance(event, yaml.AliasEvent):
            self._wrong(event, f"aliases (*{event.anchor}) are not read", "the value itself")
            return None
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._wrong(event, f"tags ({tag}) are not read", "the plain value")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place, lines)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place, lines)
        assert isinstance(event, yaml.ScalarEvent)
        return _plain(event.value) if event.implicit[0] else event.value

    def _sequence(self, place: Place, lines: dict[Place, int]) -> list[Any]:
        import yaml

        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*place, len(items))
            lines[here] = _line(event)
            items.append(self._value(event, here, lines))
        return items

    def _mapping(self, place: Place, lines: dict[Place, int]) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, place)
            if key is None or key in found:
                if key is not None:
                    earlier = lines[(*place, key)]
                    self._wrong(event, f"key '{key}' stands here again, first on line {earlier}", "it once")
                self._value(next(self._events), (*place, key or ""), {})  # its own problems count, its content does not
                continue
            lines[(*place, key)] = _line(event)
            found[key] = self._value(next(self._events), (*place, key), lines)
        return found

    def _key(self, event: yaml.Event, place: Place) -> str | None:
        """The text of a key; None, with a problem, if it is not text."""
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            self._value(event, (*place, "?"), {})
            self._wrong(event, "a key must be text", "key: value")
            return None
        if event.implicit[0] and event.value == "<<":
            self._wrong(event, "merge keys (<<) are not read", "the keys themselves")
            return None
        if self.number_keys and event.implicit[0] and event.value.isascii() and event.value.isdecimal():
            return str(event.value)
        if event.implicit[0] and not isinstance(_plain(event.value), str):
            self._wrong(event, f"key {event.value or 'without a name'} is not text", f'"{event.value}": in quotes')
            return None
        return str(event.value)

    def _too_deep(self, event: yaml.Event) -> NoReturn:
        self._wrong(event, TOO_DEEP)
        raise DocumentError(self.problems)


def _line(event: yaml.Event) -> int:
    """Where an event starts, counted from 1."""
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _syntax(error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> tuple[str, str]:
    """A parser's complaint in words that say what to do: (message, what to write)."""
    said = " ".join(part for part in (error.context, error.problem) if part)
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or "'\\t'" in said:
        return "a tab cannot indent or separate in YAML", "spaces"
    if "mapping values are not allowed" in said:
        return "a second ': ' on one line, or a wrong indent", "text that holds ': ' in quotes"
    if "cannot start any token" in said:
        return f"{line.strip()!r} cannot start with this character in YAML", "it in quotes"
    if "maximum nesting depth" in said:  # libyaml from 0.2.6 has a bound of its own, and its scanner runs ahead of us
        return TOO_DEEP, ""
    if "scanning an alias" in said or "scanning an anchor" in said:
        return f"{line.strip()!r}: a value cannot start with * or & in YAML", "it in quotes"
    return f"not YAML: {said}", ""


def _unprintable(text: str, name: str) -> Problem:
    """The first character that YAML does not allow."""
    allowed = re.compile("[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
    matched = allowed.match(text)
    at = matched.end() if matched else 0
    shown = f"U+{ord(text[at]):04X}" if at < len(text) else "a character"
    return Problem(name, text.count("\n", 0, at) + 1, f"{shown} is not allowed in YAML", "the file as plain text")
