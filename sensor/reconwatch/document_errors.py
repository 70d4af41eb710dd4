"""pydantic's complaints as located problems, in words that say what to write."""

from __future__ import annotations

import datetime
import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from reconwatch.document import Problem, Refused, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from reconwatch.document import Document, Place

LONGEST_SHOWN = 60
"""Characters of a wrong value that a message repeats: enough to find it, too few to fill a terminal."""

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "date_type": "a date",
    "date_parsing": "a date",
    "date_from_datetime_parsing": "a date",
    "date_from_datetime_inexact": "a date",
}
"""pydantic's error types of a wrong kind of value, and the words for the right kind."""


def located(document: Document, model: type[BaseModel], error: ValidationError) -> Iterator[Problem]:
    """Every complaint of one validation, as a problem at its line.

    pydantic complains once for each member of a union. Members that wanted another kind of value are told in one
    problem, or in none if the value had the kind of a member that then complained about something further in.
    """
    details = [(*_place(document.data, detail["loc"]), detail) for detail in error.errors(include_url=False)]
    further_in = {
        place[:length] for place, _, detail in details for length in range(len(place) + (detail["type"] == "missing"))
    }
    kinds: dict[Place, list[str]] = {}
    misspelt = {
        (place[:-1], _unknown(model, place)[1].strip("'"))
        for place, _, detail in details
        if detail["type"] == "extra_forbidden"
    }
    for place, rest, detail in details:
        if wanted := _WANTED.get(detail["type"]):
            if place in further_in:
                continue
            if wanted not in kinds.setdefault(place, []):
                kinds[place].append(wanted)
        elif detail["type"] != "missing" or (place, *rest) not in misspelt:
            yield document.problem(place, *_words(model, place, rest, detail))
    values = {place: detail["input"] for place, _, detail in details}
    for place, wanted_kinds in kinds.items():
        yield document.problem(place, *_wrong_kind(place, wanted_kinds, values[place]))


def _place(data: Any, loc: tuple[str | int, ...]) -> tuple[Place, Place]:
    """The part of a pydantic location that the document has, and what is left: union tags, keys that are missing."""
    place: list[str | int] = []
    for index, step in enumerate(loc):
        within = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if step in within:
            place.append(step)
            data = within[step]
        elif step == loc[-1] and index == len(loc) - 1:
            return tuple(place), (step,)
    return tuple(place), ()


def _words(model: type[BaseModel], place: Place, rest: Place, detail: ErrorDetails) -> tuple[str, str]:
    """(message, what to write) for one complaint."""
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return _unknown(model, place)
    if kind == "missing":
        if not rest:
            return f"key '{place[-1]}' has no value", f"{place[-1]}: ..."
        name = rest[-1]
        return f"{_subject(place)}: key '{name}' is missing", f"{name}: ..."
    refusal = detail.get("ctx", {}).get("error")
    if isinstance(refusal, Refused):
        return refusal.message, refusal.write
    if kind == "literal_error":
        expected = detail.get("ctx", {}).get("expected", "")
        return _choice(value, [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")])
    if kind == "too_short" and not value:
        return f"{_subject(place)} is empty", "at least one item"
    said = refusal if refusal is not None else detail["msg"]
    return f"{_subject(place)}: {str(said)[:1].lower()}{str(said)[1:]}", ""


def _wrong_kind(place: Place, wanted: list[str], value: Any) -> tuple[str, str]:
    write = ""
    if wanted == ["a list"] and isinstance(value, str | int | float | datetime.date):
        write = f"[{value}]"
    elif wanted == ["text"] and isinstance(value, int | float | datetime.date):
        write = f'"{shown(value)}" in quotes'
    elif wanted == ["a date"]:
        write = "a date such as 2027-06-30"
    return f"{_subject(place)} must be {' or '.join(wanted)}, not {shown(value)}", write


def _choice(value: Any, known: list[str]) -> tuple[str, str]:
    close = nearest(value, known) if isinstance(value, str) else None
    return f"{shown(value)} is not one of {', '.join(known)}", f"'{close}'" if close else ""


def _subject(place: Place) -> str:
    """A place as a person names it: `trusted.until`. Which of a list's items is meant, the line says."""
    name = ".".join(step for step in place if isinstance(step, str)) or "the file"
    return f"an item of {name}" if place and isinstance(place[-1], int) else name


def shown(value: Any) -> str:
    """A value as a message repeats it: short, and never more than its kind when it is not a scalar."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str():
            return f"'{value}'" if len(value) <= LONGEST_SHOWN else f"'{value[:LONGEST_SHOWN]}...'"
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def _unknown(model: type[BaseModel], place: Place) -> tuple[str, str]:
    """An unknown key: the nearest one known there, the section where it is known, or all that are known."""
    key = str(place[-1]) if place else "?"
    fields = {name: kind for each in _models_at(model, place[:-1]) for name, kind in _fields(each).items()}
    message = f"unknown key '{key}'"
    for name, kind in fields.items():
        if any(key in _fields(inner) for inner in _models_of(kind)):
            return message, f"it under '{name}'"
    if close := nearest(key, fields):
        return message, f"'{close}'"
    return f"{message}; known here: {', '.join(fields)}", ""


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Each key a model reads, as written in a document, with its type."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models_at(model: type[BaseModel], place: Place) -> list[type[BaseModel]]:
    """The models that read a place; several where a union leaves it open."""
    kinds: list[Any] = [model]
    for step in place:
        kinds = [inner for kind in kinds for inner in _step(kind, step)]
    return [found for kind in kinds for found in _models_of(kind)]


def _members(kind: Any) -> list[Any]:
    """A type without its annotations, a union as its members."""
    if get_origin(kind) is Annotated:
        return _members(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [member for arg in get_args(kind) for member in _members(arg)]
    return [kind]


def _models_of(kind: Any) -> list[type[BaseModel]]:
    return [member for member in _members(kind) if isinstance(member, type) and issubclass(member, BaseModel)]


def _step(kind: Any, step: str | int) -> Iterator[Any]:
    """The types found one step further in."""
    for member in _members(kind):
        if isinstance(member, type) and issubclass(member, BaseModel):
            fields = _fields(member)
            if step in fields:
                yield fields[str(step)]
            elif "root" in member.model_fields:
                yield from _step(member.model_fields["root"].annotation, step)
        elif args := get_args(member):
            yield args[-1] if isinstance(step, str) else args[0]
