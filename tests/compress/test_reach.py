from __future__ import annotations

from typing import Any

import pytest

from prunetune.compress.method import Infeasible, Target, reach
from prunetune.config.parts import Named
from prunetune.registry import methods
from tests.compress.nets import architecture, context

NETWORK = architecture("resnet14", shortcut="A")
SHARES = (0.5, 0.1, 0.002)


@pytest.mark.parametrize(("method", "params"), [
    ("width_scaling", {}), ("channel_pruning", {"scope": "local"}),
    ("channel_pruning", {"scope": "protected_global", "floor": 0.3}),
])  # fmt: skip
def test_reach_promises_what_the_method_does(method: str, params: dict[str, Any]) -> None:
    part, stated = methods.checked(Named(name=method, params=params))
    givens = [context(NETWORK, share) for share in SHARES]
    promised = reach(method, stated, NETWORK, [given.target for given in givens])
    assert promised is not None
    assert promised[0].within
    assert not promised[-1].within
    for given, promise in zip(givens, promised, strict=True):
        if not promise.within:
            with pytest.raises(Infeasible) as miss:
                part(stated).run(given)
            assert promise.nearest_macs == miss.value.nearest_macs
            assert promise.reason == str(miss.value)
            continue
        macs = part(stated).run(given).macs
        assert macs >= promise.smallest_macs
        if params.get("scope") != "protected_global":
            assert macs == promise.nearest_macs


def test_a_borrowed_architecture_has_no_reach_of_its_own() -> None:
    target = Target(1, 2, 0.005)
    _, params = methods.checked(Named(name="reinit", params={"from": "pruned"}))
    assert reach("reinit", params, NETWORK, [target]) is None


def test_reinit_trains_its_sources_architecture() -> None:
    given = context(NETWORK, 0.5)
    given.source = architecture("resnet14", widths=(4, 8, 16))
    reinit = methods.make(Named(name="reinit", params={"from": "thin"}))
    assert reinit.run(given).architecture == given.source
    assert reinit.takes_architecture
    assert not reinit.inherits
