"""Names lose the prefixes that all have, and are matched one to one."""

from __future__ import annotations

import pytest

from prunetune.models.layer_names import sources, without_prefixes


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model.net.network."])
def test_known_prefixes_go_however_many_there_are(prefix):
    names = ["conv.weight", "module.bias", "fc.model.bias"]
    stripped = without_prefixes([prefix + name for name in names])
    assert stripped == {prefix + name: name for name in names}


@pytest.mark.parametrize(
    "names",
    [
        ["module.conv.weight", "head.weight"],  # not all have it
        ["features.0.weight", "features.1.weight"],  # not a known one
        ["model", "model.weight"],  # a name is never emptied
        ["model"],
        [],
    ],
)
def test_other_names_stay(names):
    assert without_prefixes(names) == {name: name for name in names}


def test_no_name_is_used_twice():
    assert sources(["a", "module.a"], ["a"]) == {"a": "a"}
    assert sources(["a", "module.a"], ["a", "module.a"]) == {"a": "a", "module.a": "module.a"}
    assert sources(["a.b", "c"], ["a.module.b", "module.a.b", "c"]).keys() == {"a.b", "c"}


def test_a_name_that_is_given_means_itself():
    expected = ["module.a.weight", "head.weight"]
    assert sources(expected, expected) == {name: name for name in expected}
    given = ["module.module.a.weight", "module.head.weight"]
    assert sources(expected, given) == dict(zip(expected, given, strict=True))
