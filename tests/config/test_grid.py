from __future__ import annotations

from itertools import product

import pytest

from prunetune.config.space.grid import EndlessError, Grid
from prunetune.config.space.space import Choice, Constant, Dimension, Float, Int, Space

NESTED = Space(
    dimensions=(
        Dimension(path="a", domain=Choice(options=("x", "y", "z"))),
        Dimension(path="a.x.n", domain=Int(low=1, high=4), when=(("a", "x"),)),
        Dimension(path="a.y.c", domain=Choice(options=(True, None)), when=(("a", "y"),)),
        Dimension(
            path="a.y.c.d", domain=Int(low=0, high=9, step=3), when=(("a", "y"), ("a.y.c", True))
        ),
        Dimension(path="k", domain=Constant(value=7)),
        Dimension(path="s", domain=Float(low=0.1, high=0.4, step=0.1)),
        Dimension(path="one", domain=Float(low=2.0, high=2.0)),
    )
)


def listed(space: Space) -> list[dict]:
    """All configurations by brute force: every value of every dimension, active or not."""

    def values(domain):
        match domain:
            case Constant(value=value):
                return [value]
            case Choice(options=options):
                return list(options)
            case Int(low=low, high=high, step=step):
                return list(range(low, high + 1, step))
        return [2.0] if domain.low == domain.high else [0.1, 0.2, 0.3, 0.4]

    found = []
    for point in product(*(values(d.domain) for d in space.dimensions)):
        at = dict(zip((d.path for d in space.dimensions), point, strict=True))
        config = space.draw(lambda d, at=at: at[d.path])
        if config not in found:
            found.append(config)
    return found


def test_a_grid_holds_every_configuration_once():
    grid = Grid(NESTED)
    assert [grid[i] for i in range(grid.size)] == listed(NESTED)
    assert grid.size == (4 + (4 + 1) + 1) * 4


@pytest.mark.parametrize("rank", [-1, 40])
def test_a_rank_outside_the_grid_is_refused(rank):
    with pytest.raises(IndexError):
        Grid(NESTED)[rank]


def test_a_large_grid_is_counted_not_listed():
    many = Space(
        dimensions=tuple(Dimension(path=f"d{i}", domain=Int(low=1, high=10**6)) for i in range(30))
    )
    grid = Grid(many)
    assert grid.size == 10**180
    assert set(grid[grid.size - 1].values()) == {10**6}
    assert not many.problems(grid[123456789**10])


def test_a_float_without_step_has_no_grid():
    space = Space(dimensions=(Dimension(path="lr", domain=Float(low=0.1, high=1.0)),))
    with pytest.raises(EndlessError, match="lr"):
        Grid(space)


@pytest.mark.parametrize("low", [0.0, 0.1, 1 / 3, 1e-9, 123456.789])
@pytest.mark.parametrize("step", [0.1, 0.025, 1 / 3, 7.0])
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_every_tick_of_a_stepped_range_is_within_it(low, step, count):
    domain = Float(low=low, high=low + (count - 1) * step, step=step)
    assert domain.ticks == count
    ticks = [domain.tick(n) for n in range(count)]
    assert all(domain.holds(tick) for tick in ticks)
    assert ticks == sorted(set(ticks))
