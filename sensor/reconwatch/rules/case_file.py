"""Our own case.yaml: a capture, the rules to run over it, what must alert and what must not.

capture: lookups.pcap
rules: [lookups.rules]            # without it, the *.rules beside the file
expect: {1900001: 2, 1900002: {min: 1}}
silent: [1900100]                 # or `all`: nothing but what is expected
rejected: [1900300]               # what the engine must not accept
vars: {HOME_NET: "[203.0.113.0/24]"}
engine: {min: "7.0.0", below: "9", features: [HAVE_JA4]}
args: [--simulate-ips]
name: lookups                     # without it, the folder's
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from reconwatch.document import Document, DocumentError, Refused, load, text_of, validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconwatch.document import Place, Problem

HIGHEST_SID = 2**32 - 1
"""A sid has 32 bits, and 0 is none (Suricata, detect-sid.c)."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Range(_Strict):
    """How often a rule may alert."""

    min: int = Field(default=0, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _is_some(self) -> _Range:
        if self.max is not None and self.max < self.min:
            raise Refused(f"no count is from {self.min} to {self.max}", write=f"{{min: {self.max}, max: {self.min}}}")
        return self


def _version(value: Any) -> Any:
    if isinstance(value, float):
        raise Refused(f"the version {value} looks like a number, which 7.10 and 7.1 would share", write=f'"{value}"')
    text = str(value)
    if isinstance(value, bool) or not all(part.isascii() and part.isdecimal() for part in text.split(".")):
        raise Refused(f"'{value}' is no version", write='one like "7.0.10"')
    return text


_Version = Annotated[str, BeforeValidator(_version)]


class _Engine(_Strict):
    """For which engines a case is meant."""

    min: _Version | None = None
    below: _Version | None = None
    features: list[str] = []


def _all_or_sids(value: list[int] | str) -> list[int] | str:
    if isinstance(value, str) and value != "all":
        raise Refused(f"'{value}' says nothing of silence", write="all, or a list of sids")
    return value


class _CaseModel(_Strict):
    capture: str
    rules: list[str] | None = None
    expect: dict[str, int | _Range] = {}
    silent: Annotated[list[int] | str, AfterValidator(_all_or_sids)] = []
    rejected: list[int] = []
    vars: dict[str, str] = {}
    engine: _Engine = _Engine()
    args: list[str] = []
    name: str | None = Field(default=None, min_length=1)


@dataclass(frozen=True, slots=True)
class Expected:
    """How often a rule is to alert."""

    sid: int
    least: int
    most: int | None
    """None: as often as it likes."""
    line: int | None

    def holds(self, count: int) -> bool:
        """Whether that many alerts are as expected."""
        return self.least <= count and (self.most is None or count <= self.most)

    def __str__(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        if self.most == 0:
            return "no"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case.yaml that can be run."""

    path: Path
    name: str | None
    """The name that it gives itself."""
    capture: Path
    rules: tuple[Path, ...]
    expected: tuple[Expected, ...]
    """What must alert and what must not, by sid."""
    only: bool
    """`silent: all`: no other rule may alert."""
    only_line: int | None
    rejected: tuple[int, ...]
    rejected_line: int | None
    addresses: Mapping[str, str]
    ports: Mapping[str, str]
    arguments: tuple[str, ...]
    least_version: str | None
    version_below: str | None
    features: tuple[str, ...]

    @property
    def judges(self) -> bool:
        """It says what it expects; if not, `--update` may write that."""
        return bool(self.expected or self.only or self.rejected)


def load_case(path: Path) -> CaseFile:
    """Read a case.yaml. Raises DocumentError with everything that is wrong with it, missing files too."""
    document = load(text_of(path, str(path)), str(path), number_keys=True)
    model = validate(document, _CaseModel)
    problems = [*_missing(document, model, path.parent), *_wrong_sids(document, model)]
    if problems:
        raise DocumentError(problems)
    given = None if model.rules is None else tuple(path.parent / each for each in model.rules)
    ports = {name for name in model.vars if name.endswith("PORTS")}
    return CaseFile(
        path=path,
        name=model.name,
        capture=path.parent / model.capture,
        rules=rules_beside(path.parent) if given is None else given,
        expected=tuple(_expected(document, model)),
        only=model.silent == "all",
        only_line=document.line(("silent",)),
        rejected=tuple(model.rejected),
        rejected_line=document.line(("rejected",)),
        addresses={name: value for name, value in model.vars.items() if name not in ports},
        ports={name: value for name, value in model.vars.items() if name in ports},
        arguments=tuple(model.args),
        least_version=model.engine.min,
        version_below=model.engine.below,
        features=tuple(model.engine.features),
    )


def rules_beside(folder: Path) -> tuple[Path, ...]:
    """The rule files of a folder, which are meant where none are named."""
    return tuple(sorted(folder.glob("*.rules")))


def _missing(document: Document, model: _CaseModel, folder: Path) -> Iterator[Problem]:
    if not (folder / model.capture).is_file():
        yield document.problem(("capture",), f"there is no capture {model.capture}")
    for number, each in enumerate(model.rules or ()):
        if not (folder / each).is_file():
            yield document.problem(("rules", number), f"there is no rule file {each}")


def _sids(model: _CaseModel) -> Iterator[tuple[int | str, Place]]:
    """Every sid, and where it stands."""
    for key in model.expect:
        yield (int(key) if key.isascii() and key.isdecimal() else key), ("expect", key)
    for number, sid in enumerate(model.silent if isinstance(model.silent, list) else ()):
        yield sid, ("silent", number)
    for number, sid in enumerate(model.rejected):
        yield sid, ("rejected", number)


def _wrong_sids(document: Document, model: _CaseModel) -> Iterator[Problem]:
    seen: dict[int, Place] = {}
    for sid, place in _sids(model):
        if isinstance(sid, str) or not 1 <= sid <= HIGHEST_SID:
            yield document.problem(place, f"'{sid}' is no sid", f"a number from 1 to {HIGHEST_SID}")
        elif sid in seen:
            yield document.problem(place, f"sid {sid} stands here again, first on line {document.line(seen[sid])}")
        else:
            seen[sid] = place


def _expected(document: Document, model: _CaseModel) -> Iterator[Expected]:
    for key, count in model.expect.items():
        least, most = (count, count) if isinstance(count, int) else (count.min, count.max)
        yield Expected(int(key), least, most, document.line(("expect", key)))
    for number, sid in enumerate(model.silent if isinstance(model.silent, list) else ()):
        yield Expected(sid, 0, 0, document.line(("silent", number)))
