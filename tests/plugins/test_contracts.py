"""A part that cannot be one of its kind is refused where it registers, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.config.parts import Params
from prunetune.contracts import CONTRACTS, ContractError
from prunetune.models.vgg import CifarVGGFamily
from prunetune.registry import KINDS, PluginError, load_plugins


class Nothing:
    """Has none of the methods of any part."""


def refused(kind: str, part: object, params: object = Params) -> str:
    with pytest.raises(ContractError) as error:
        KINDS[kind].register("wrong", params=params)(part)  # type: ignore[arg-type]
    assert "wrong" not in KINDS[kind].names()
    return str(error.value)


def test_every_kind_has_a_contract() -> None:
    assert CONTRACTS.keys() == KINDS.keys()


def test_a_class_where_an_object_is_due() -> None:
    message = refused("models", CifarVGGFamily)
    assert "models.register('wrong', params=…)(CifarVGGFamily())" in message


@pytest.mark.parametrize("kind", [k for k, c in CONTRACTS.items() if c.form == "class"])
def test_an_object_where_a_class_is_due(kind: str) -> None:
    assert "an object of Nothing is registered where a class is due" in refused(kind, Nothing())


@pytest.mark.parametrize("kind", ["optimizers", "schedules"])
def test_something_that_cannot_be_called(kind: str) -> None:
    assert "where a function is due" in refused(kind, Nothing())


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_missing_is_named(kind: str) -> None:
    contract = CONTRACTS[kind]
    if contract.form == "function":
        message = refused(kind, lambda: None)
        assert f"is called as ({', '.join(contract.calls[''])}), which it does not take" in message
    else:
        message = refused(kind, Nothing if contract.form == "class" else Nothing())
        assert all(f"lacks the method {name}(" in message for name in contract.calls)
        assert all(f"lacks the class attribute {name}" in message for name in contract.constants)


def test_a_method_of_other_arguments() -> None:
    class Other(CifarVGGFamily):
        def build(self, params: object) -> None:  # type: ignore[override]
            """Takes too little."""

    message = refused("models", Other("vgg11", ()))
    assert message.endswith(
        "is called as build(params, classes, input_shape), which it does not take"
    )


def test_parameters_that_are_no_model() -> None:
    assert "derives from prunetune.plugin.Params" in refused("schedules", print, {"power": 1.0})


def test_a_plugin_that_registers_such_a_part_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong_family.py").write_text(
        "from prunetune.plugin import FixedFamily, Params, models\n"
        "@models.register('wrong', params=Params)\n"
        "class Wrong(FixedFamily):\n    ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"^plug-in 'wrong_family' cannot be imported: Contract"):
        load_plugins(["wrong_family"])
