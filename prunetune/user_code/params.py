"""The parameters of a part that is a class of the user's: its import path and its arguments."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from prunetune.config.parts import Params
from prunetune.user_code.code_digest import code_digest
from prunetune.user_code.find import ClassError, find


class ClassParams(Params):
    """A class of the user's, and how to call it."""

    model_config = ConfigDict(populate_by_name=True)

    class_: Annotated[
        str,
        Field(
            alias="class",
            description="import path of a class, or of a function that returns its object; the "
            "module may lie beside the sweep file",
        ),
    ]
    args: Annotated[dict[str, Any], Field(description="its arguments, by name")] = {}  # noqa: RUF012
    digest: Annotated[
        str | None, Field(description="of the code of the class; filled in when a sweep is planned")
    ] = None

    @field_validator("class_")
    @classmethod
    def _is_path(cls, path: str) -> str:
        parts = path.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise ValueError("must be an import path, like my_package.SmallCNN")
        return path

    @model_serializer(mode="wrap")
    def _by_alias(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        facts: dict[str, Any] = handler(self)
        return {"class": facts.pop("class_", self.class_), **facts}

    @property
    def module(self) -> str:
        """The name of the module that has the class."""
        return self.class_.rpartition(".")[0]

    def pinned(self) -> Self:
        """These parameters with the digest of the code, which a plan holds fast.

        Raises:
            ClassError: the class cannot be imported, or the digest is stated and another.
        """
        self.found()
        return self.model_copy(update={"digest": code_digest(self.module)})

    def found(self) -> Any:
        """The class.

        Raises:
            ClassError: it cannot be imported, or its code is not that of the digest.
        """
        found = find(self.class_)
        if self.digest is not None and self.digest != (actual := code_digest(self.module)):
            raise ClassError(
                f"{self.class_}: its code has changed: its digest is {actual}, {self.digest} was "
                "recorded; bring the former code back, or, to take the class as it is now, leave "
                "out `digest`",
                "digest",
            )
        return found

    def made(self, **more: Any) -> Any:
        """The class called with the arguments, and with `more`.

        Raises:
            ClassError: see `found`; or the call raises anything.
        """
        called = self.found()
        try:
            return called(**{**self.args, **more})
        except Exception as error:  # whatever a class of the user's may raise
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ClassError(f"{self.class_}{_signature(called)} raises {why}", "args") from error


def _signature(called: Any) -> str:
    try:
        return str(inspect.signature(called))
    except (TypeError, ValueError):
        return ""
