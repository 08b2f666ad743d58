from __future__ import annotations

import pytest
import torch

from prunetune.train.ema import Ema
from tests.train.conftest import tiny_network


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_the_average_equals_its_closed_form_in_weights_and_running_statistics(decay: float) -> None:
    model = tiny_network().double()
    ema = Ema(model, decay)
    states = [{k: v.clone() for k, v in model.state_dict().items()}]
    for step in range(12):
        with torch.no_grad():
            for value in model.state_dict().values():
                value += 1 if value.dtype == torch.int64 else torch.randn_like(value)
        ema.update(model, step)
        states.append({k: v.clone() for k, v in model.state_dict().items()})
    decays = [min(decay, (1 + step) / (10 + step)) for step in range(12)]
    shares = [1.0]
    for d in decays:
        shares = [share * d for share in shares] + [1 - d]
    assert sum(shares) == pytest.approx(1)
    for key, average in ema.module.state_dict().items():
        if average.is_floating_point():
            closed = sum(share * state[key] for share, state in zip(shares, states, strict=True))
            torch.testing.assert_close(average, closed)
        else:
            assert torch.equal(average, states[-1][key])


def test_the_average_does_not_touch_the_model_and_has_no_gradient() -> None:
    model = tiny_network()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ema = Ema(model, 0.9)
    ema.update(model, 0)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert not any(p.requires_grad for p in ema.module.parameters())
    assert all(p.requires_grad for p in model.parameters())
