"""What all mappings of site.yaml have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from reconwatch.document import Refused
from reconwatch.document_errors import shown


def read_text(value: Any) -> str:
    """Text for people, in one line. Raises Refused if there is none."""
    if isinstance(value, str) and value.strip():
        return " ".join(value.split())
    if isinstance(value, str):
        raise Refused("the text is empty", write="what a reader of a notice should know")
    raise Refused(f"this must be text, not {shown(value)}", write=f'"{value}" in quotes' if value is not None else "")


Text = Annotated[str, BeforeValidator(read_text)]


class Section(BaseModel):
    """A mapping of site.yaml. Unknown keys are refused; a key without a value means its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data
