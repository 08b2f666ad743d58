"""Random trees of plain data, and of what looks like a sweep file's."""

from __future__ import annotations

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(1 - 2**63, 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXT
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
WORDS = (
    st.sampled_from(["choice", "int", "float", "by_budget", "from", "log", "step", "0.5"]) | TEXT
)
RANGES = st.dictionaries(WORDS, st.lists(SCALARS, max_size=3) | SCALARS, max_size=3)
JUNK = TREES | RANGES | st.dictionaries(WORDS, RANGES, max_size=2)
