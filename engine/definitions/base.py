"""What all definitions share: immutable, strict about their keys, some with a short form."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Definition(BaseModel):
    """Base of all definitions: immutable, and an unknown key is an error.

    Numbers are finite: JSON, in which definitions are kept, has no others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ShortForm(Definition):
    """A definition that may also be written as a single text, which is the value of one key."""

    short_key: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {cls.short_key: value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Let an editor accept both forms."""
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}
