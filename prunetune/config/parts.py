"""Named parts as a sweep file states them: `name`, or `{name: {its parameters}}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

KIND_KEY = "x-kind"
"""Marks a field that names a part in a JSON Schema, with the kind of the part."""
NAMED_FORM = "write a name, or {name: {parameters}}"


def named_meant(value: Any) -> str | None:
    """A part as we write it, where it is written as `{name: sgd, lr: 0.1}`; None for all else."""
    if not isinstance(value, dict):
        return None
    word = next((word for word in ("name", "type") if isinstance(value.get(word), str)), None)
    if word is None:
        return None
    params = ", ".join(f"{key}: {given}" for key, given in value.items() if key != word)
    return f"{{{value[word]}: {{{params}}}}}" if params else str(value[word])


class Params(BaseModel):
    """Base of every model of parameters: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Kind:
    """Marks a `Named` field with the registry that knows the name: `Kind("criteria")`."""

    kind: str

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The field's JSON Schema, marked with the kind."""
        return {**handler(core_schema), KIND_KEY: self.kind}


@dataclass(frozen=True)
class Form:
    """Marks text of a certain form with an example of it: `Form("epochs=60")`."""

    example: str


class Named(Params):
    """The name and the parameters of a part, not yet checked against the part."""

    name: str
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and len(value) == 1:
            ((name, params),) = value.items()
            if isinstance(name, str) and isinstance(params, dict | None):
                return {"name": name, "params": params or {}}
        if isinstance(value, dict) and set(value) <= {"name", "params"} and "name" in value:
            return value  # built in Python: Named(name="sgd")
        raise ValueError(NAMED_FORM)

    @model_serializer
    def _dump(self) -> Any:
        return {self.name: self.params} if self.params else self.name
