"""No sentence is stronger than its interval, whatever the numbers are."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.analysis.verdicts.answer import answer
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.frontier_sentences import frontier_sentence
from prunetune.analysis.verdicts.frontiers import FrontierVerdict, Tilt
from prunetune.analysis.verdicts.judged import ImageSpread, Judged, Levels, Measure, judged
from prunetune.analysis.verdicts.labels import judged_label, verdict_label
from prunetune.analysis.verdicts.sentences import sentence
from prunetune.analysis.verdicts.verdict import ArmResult, Verdict, conclude, weakest_claim
from prunetune.analysis.verdicts.wording import interval_words
from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.corrections import JUST_OFF_ZERO
from prunetune.statistics.intervals import ALPHA
from tests.analysis.sweeps import make_plan

PLAN = make_plan({"a": "width_scaling", "b": "channel_pruning"})
MARGIN = PLAN.confirm.margin
accuracies = st.floats(-0.2, 0.2) | st.floats(-1e-4, 1e-4)
claims = st.builds(
    Claim,
    subject=st.sampled_from(["arms", "found", "stated"]),
    dense_networks=st.sampled_from([None, 1, 2, 3, 5]),
).filter(lambda c: c.subject != "arms" or not c.one_dense)


@st.composite
def measures(draw: Any) -> tuple[Measure, Levels]:
    """Any difference with any error at any step of any correction."""
    contrast = Contrast(
        difference=draw(accuracies), error=draw(st.floats(1e-5, 0.1)),
        df=draw(st.floats(1.5, 100)), n=draw(st.integers(3, 20)), paired=draw(st.booleans()),
    )  # fmt: skip
    images = draw(st.none() | st.builds(ImageSpread, st.floats(0, 1e-3), st.just(10_000)))
    reasons = ("a diverged",) if draw(st.booleans()) else ()
    measure = Measure(
        contrast, draw(claims), draw(st.sampled_from(["confirm seed", "search"])), contrast.n,
        images, reasons, {"a": "some runs of a diverged"} if draw(st.booleans()) else {},
    )  # fmt: skip
    family = draw(st.integers(1, 28))
    steps = draw(st.integers(1, family))
    closed = draw(st.sampled_from([None, "single budgets come later"]))
    levels = Levels(
        p=1.0 if closed else min(1.0, steps * contrast.p), raw=contrast.p,
        interval=ALPHA / family, equivalence=ALPHA / family, margin=MARGIN, closed=closed,
    )  # fmt: skip
    return measure, levels


@st.composite
def verdicts(draw: Any) -> Verdict:
    measure, levels = draw(measures())
    difference = measure.contrast.difference
    pair = Pair(**judged(measure, "a", "b", levels), difference=difference)
    arms = {"a": ArmResult(mean=0.6 + difference, n=5), "b": ArmResult(mean=0.6, n=5)}
    judgement, winner = conclude([pair], ["a", "b"])
    best = "a" if difference >= 0 else "b"
    ends = ("low", "high", "new_low", "new_high")
    lead = {name: getattr(pair, name) for name in ends}
    if best == "b":
        minus = {n: None if v is None else -v for n, v in lead.items()}
        lead = dict(
            zip(ends, [minus[n] for n in ("high", "low", "new_high", "new_low")], strict=True)
        )
    return Verdict(
        budget=0.25, matching=None, arms=arms, pairs=(pair,), verdict=judgement, winner=winner,
        best=best, runner_up="b" if best == "a" else "a", difference=abs(difference), p=pair.p,
        claim=weakest_claim([pair]), shift=pair.shift, decides_at=pair.decides_at, **lead,
    )  # fmt: skip


@st.composite
def frontiers(draw: Any) -> FrontierVerdict:
    measure, levels = draw(measures())
    slope, error = draw(accuracies), draw(st.floats(1e-5, 0.1))
    significant = draw(st.booleans())
    low, high = slope - 2 * error, slope + 2 * error
    if significant:
        low, high = (
            (max(low, JUST_OFF_ZERO), high) if slope > 0 else (low, min(high, -JUST_OFF_ZERO))
        )
    wider = draw(st.none() | st.floats(0, 0.1))
    tilt = Tilt(
        slope=slope, low=low, high=high, df=5, p=0.01 if significant else 0.4,
        change=-slope, change_low=-high, change_high=-low,
        change_new_low=None if wider is None else -high - wider,
        change_new_high=None if wider is None else -low + wider,
    )  # fmt: skip
    return FrontierVerdict(
        **judged(measure, "a", "b", levels), matching=None, budgets=(0.8, 0.5, 0.3, 0.2),
        form=draw(st.sampled_from(["searched", "found", "stated"])), searches=4,
        area=measure.contrast.difference, df=measure.contrast.df,
        tilt=draw(st.none() | st.just(tilt)),
        crossing=draw(st.none() | st.floats(0.2, 0.8)),
    )  # fmt: skip


def numbers(text: str) -> tuple[float, float]:
    """The ends of the interval that a phrase states, in accuracy."""
    text = text.replace("\N{MINUS SIGN}", "-")
    low, high = text.removesuffix(" points").split(" to ")
    ends = [0.0 if e.split()[-1] == "0" else float(e) for e in (low, high)]
    return ends[0] / 100, ends[1] / 100


@given(st.tuples(accuracies, st.floats(0, 0.1)))
def test_the_interval_in_words_holds_the_interval_in_numbers(ends: tuple[float, float]) -> None:
    low, high = ends[0], ends[0] + ends[1]
    words = interval_words(low, high)
    stated = numbers(words)
    assert stated[0] <= low + 1e-12
    assert stated[1] >= high - 1e-12
    assert stated[1] - stated[0] <= ends[1] + 2.1e-4
    assert ("above 0" in words) <= (low > 0)
    assert ("below 0" in words) <= (high < 0)


def check(text: str, verdict: Judged) -> None:
    """What a sentence about one comparison may contain."""
    outside = verdict.low is not None and (verdict.low > 0 or (verdict.high or 0) < 0)
    beyond = verdict.new_low is not None and (verdict.new_low > 0 or (verdict.new_high or 0) < 0)
    if " beats " in text:
        assert verdict.verdict == "wins"
        assert outside
        assert (verdict.p or 0) <= ALPHA
        assert beyond or "on these 10000 test images" in text.lower()
    if "are equivalent" in text:
        assert verdict.verdict == "equivalent"
        assert (verdict.reach or 1) < MARGIN
        assert "on these 10000 test images" in text.lower()
    if verdict.subject == "found":
        assert not re.search(r"(^|, )[ab] (beats|and [ab] are equivalent)", text)
    if verdict.subject == "stated" and (" beats " in text or "are equivalent" in text):
        assert "with the recipes of the sweep file, " in text
    one_dense = verdict.dense_networks is not None and verdict.dense_networks < 3
    if one_dense and (" beats " in text or "are equivalent" in text):
        assert "dense network" in text
    assert ("for new test images" in text) <= (verdict.new_low is not None)


@settings(max_examples=100)
@given(verdicts())
def test_sentences_at_a_budget_claim_what_the_interval_shows(verdict: Verdict) -> None:
    (pair,) = verdict.pairs
    text = sentence(PLAN, verdict)
    check(text.replace("With the", "with the"), pair)
    assert (" beats " in text) == (verdict.verdict == "wins")
    assert ("are equivalent" in text) == (verdict.verdict == "equivalent")
    assert ("Undecided" in text) == (verdict.verdict == "undecided")
    for reservation in pair.reservations:
        assert reservation in text
    if pair.new_low is None:
        assert "over seeds alone" in text or verdict.verdict == "equivalent"
    label = verdict_label(verdict)
    assert ("wins" in label) == (verdict.winner is not None)
    assert ("recipe" in label) == (verdict.winner is not None and pair.subject != "arms")


@settings(max_examples=100)
@given(frontiers())
def test_sentences_over_a_frontier_claim_what_the_interval_shows(verdict: FrontierVerdict) -> None:
    text = frontier_sentence(PLAN, verdict)
    about_area, _, about_tilt = text.partition("The answer turns with the budget: ")
    check(about_area.replace("With the", "with the"), verdict)
    assert (" beats " in text) == (verdict.verdict == "wins")
    assert ("turns with the budget" in text) == (
        verdict.tilt is not None and verdict.tilt.significant
    )
    if verdict.tilt is not None and verdict.tilt.significant:
        check_turn(about_tilt, verdict.tilt)
    assert ("wins" in judged_label(verdict)) == (verdict.verdict == "wins")


def check_turn(text: str, tilt: Tilt) -> None:
    """What a sentence about the change with the budget may contain."""
    low, high = tilt.change_new_low, tilt.change_new_high
    beyond = low is not None and high is not None and (low > 0 or high < 0)
    assert text.startswith("on these 10000 test images ") != beyond
    assert ("On other test images it may not turn." in text) == (low is not None and not beyond)
    assert ("for new test images" in text) == (low is not None)
    for new in {True, False} - {low is None}:
        marker = "for new test images " if new else "interval on these 10000 test images "
        marker = marker if new or low is None else "; on these 10000 test images "
        stated = numbers(re.split(r"[;,]", text.partition(marker)[2])[0])
        ends = (low, high) if new else (tilt.change_low, tilt.change_high)
        assert None not in ends
        behind = sorted(end if tilt.change > 0 else -end for end in ends if end is not None)
        assert stated[0] <= behind[0] + 1e-12
        assert stated[1] >= behind[1] - 1e-12


@settings(max_examples=60)
@given(frontiers(), verdicts())
def test_the_answer_is_no_stronger_than_its_sentences(
    frontier: FrontierVerdict, verdict: Verdict
) -> None:
    over = answer(PLAN, [frontier], [verdict])
    check(over.replace("With the", "with the"), frontier)
    at = answer(PLAN, [], [verdict])
    check(at.replace("With the", "with the"), verdict.pairs[0])
    assert (" beats " in at) == (verdict.verdict == "wins")
    withheld = answer(PLAN, [frontier], [verdict], ["it is too weak"])
    assert " beats " not in withheld
    assert "are equivalent" not in withheld


@given(measures())
def test_a_verdict_turns_at_the_shift_that_is_stated(given_: tuple[Measure, Levels]) -> None:
    """One comparison alone: a little less changes nothing, a little more does."""
    measure, levels = given_
    if levels.closed or measure.flattered:
        return
    before = judged(measure, "a", "b", levels)
    if before.get("shift") is None:
        return
    step = 1e-6 + 1e-6 * before["shift"]

    def after(shift: float) -> str:
        contrast = measure.contrast.model_copy(
            update={"difference": measure.contrast.difference + shift}
        )
        scale = levels.p / levels.raw if levels.raw else 1.0
        moved = Levels(
            p=min(1.0, scale * contrast.p), raw=contrast.p, interval=levels.interval,
            equivalence=levels.equivalence, margin=levels.margin,
        )  # fmt: skip
        shifted = Measure(contrast, measure.claim, measure.unit, measure.values)
        return str(judged(shifted, "a", "b", moved).get("verdict", "undecided"))

    verdict = before.get("verdict", "undecided")
    if levels.p < 1 and levels.raw > 1e-12:
        inside = [after(sign * max(0.0, before["shift"] - step)) for sign in (1, -1)]
        outside = [after(sign * (before["shift"] + step)) for sign in (1, -1)]
        assert inside == [verdict, verdict]
        assert outside != [verdict, verdict]
