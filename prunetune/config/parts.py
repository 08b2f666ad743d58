"""Named parts as a sweep file states them: `name`, or `{name: {its parameters}}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

NAMED_FORM = "write a name, or {name: {parameters}}"


class Params(BaseModel):
    """Base of every model of parameters: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Kind:
    """Marks a `Named` field with the registry that knows the name: `Kind("criteria")`."""

    kind: str


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
