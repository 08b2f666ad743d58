"""What a part of each kind must be; checked when it registers, so that the error names the part.

Only what can be seen without calling the part is checked: whether it is a class, an object or a
function, what it has, and how many arguments that takes. `prunetune.testing` checks the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel


class ContractError(TypeError):
    """A part is not what its kind must be; the message names the part and the cure."""

    exit_code = 2


@dataclass(frozen=True)
class Contract:
    """What the parts of one kind have in common."""

    form: Literal["class", "object", "function"]
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Method -> the arguments that it is called with; the name of a function is empty."""
    constants: tuple[str, ...] = ()
    """Attributes of the class that must be stated."""


CONTRACTS: Mapping[str, Contract] = {
    "models": Contract(
        "object",
        {
            "build": ("params", "classes", "input_shape"),
            "initialise": ("model",),
            "stage_widths": ("params",),
            "inner_widths": ("params",),
            "with_widths": ("params", "widths", "inner"),
        },
    ),
    "datasets": Contract(
        "class", {"info": (), "digest": (), "open": ("seed", "device", "download")}
    ),
    "methods": Contract("class", {"run": ("context",)}, ("inherits", "takes_architecture")),
    "criteria": Contract(
        "class", {"applies": ("model", "group"), "score": ("scene",)}, ("about", "needs")
    ),
    "regularizers": Contract(
        "class", {"applies": ("model", "group"), "hook": ("groups", "steps")}, ("about",)
    ),
    "optimizers": Contract("function", {"": ("params", "groups")}),
    "schedules": Contract("function", {"": ("params", "step", "total_steps", "steps_per_epoch")}),
}
"""The contract of each kind; `prunetune/README.md` names the files that explain them."""


def check_contract(kind: str, name: str, part: object, params: object) -> None:
    """Refuse a part that cannot be one of this kind.

    Raises:
        ContractError: it is a class where an object is due or the like, or lacks something.
    """
    who = f"{kind}: {name!r}"
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        raise ContractError(
            f"{who}: params is {params!r}; write a class that derives from prunetune.plugin.Params"
        )
    contract = CONTRACTS[kind]
    if wrong := _wrong_form(contract.form, kind, name, part):
        raise ContractError(f"{who}: {wrong}")
    if faults := [*_faults(contract, part)]:
        raise ContractError(f"{who}: {_name_of(part)} {'; '.join(faults)}")


def _wrong_form(form: str, kind: str, name: str, part: object) -> str | None:
    """Why the part has not this form, with the cure; None if it has."""
    is_class = isinstance(part, type)
    if form == "object" and is_class:
        made = f"{kind}.register({name!r}, params=…)({_name_of(part)}())"
        return f"a class is registered where an object is due; register an object of it: {made}"
    if form == "class" and not is_class:
        return f"{_name_of(part)} is registered where a class is due; put the decorator on a class"
    if form == "function" and not callable(part):
        return f"{_name_of(part)} is registered where a function is due"
    return None


def _faults(contract: Contract, part: Any) -> Iterator[str]:
    for name, arguments in contract.calls.items():
        called = getattr(part, name, None) if name else part
        if not callable(called):
            yield f"lacks the method {name}({', '.join(arguments)})"
        elif not _takes(called, len(arguments) + (contract.form == "class")):
            yield f"is called as {name}({', '.join(arguments)}), which it does not take"
    for name in contract.constants:
        if not hasattr(part, name):
            yield f"lacks the class attribute {name}"


def _takes(called: Any, count: int) -> bool:
    """Whether so many arguments in order can be given; true where Python cannot tell."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _name_of(part: object) -> str:
    named = getattr(part, "__name__", None)
    return str(named) if named else f"an object of {type(part).__name__}"
