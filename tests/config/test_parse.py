from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from prunetune.config.file.model import ArmSpec, SweepSpec
from prunetune.config.file.overrides import override
from prunetune.config.file.parse import check, load_sweep, parse, parse_tree
from prunetune.config.file.yaml import dump, load
from prunetune.config.parts import Named
from prunetune.config.problems.errors import Problems, SpecError
from prunetune.config.space.ranges import read_numbers
from tests.config.sweeps import SWEEP, line_of, replaced
from tests.config.trees import JUNK, TEXT, WORDS

MINIMAL = {
    "name": "small",
    "workload": {"model": "resnet20", "dataset": "digits"},
    "budgets": [0.5],
    "arms": {"thin": {"method": "width_scaling"}},
}


def problems_of(text: str, tmp_path, overrides=()):
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    return parse(file, overrides)[1].found


def spec_of(text: str, tmp_path, overrides=()) -> SweepSpec:
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    return load_sweep(file, overrides)


def test_the_whole_file_is_read(tmp_path):
    spec = spec_of(SWEEP, tmp_path)
    assert spec.workload.model == Named(name="resnet56", params={"shortcut": "B"})
    assert spec.workload.dense.epochs == 50
    assert spec.training.match == ("scratch_b",)
    assert spec.arms["reinit"].recipe == {"ema": 0.9}
    assert spec.arms["reinit"].method.params == {"from": "pruned"}
    assert list(spec.arms) == ["thin", "pruned", "reinit"]


def test_name_workload_budgets_and_arms_are_enough_and_all_are_needed():
    assert check(SweepSpec.model_validate(MINIMAL)).found == []
    for key in MINIMAL:
        rest = {k: v for k, v in MINIMAL.items() if k != key}
        problems = Problems()
        parse_tree(rest, problems)
        assert [(p.path, p.message) for p in problems.found] == [((key,), "is missing")]
        with pytest.raises(ValidationError):
            SweepSpec.model_validate(rest)


def test_a_spec_survives_being_written_and_read(tmp_path):
    spec = spec_of(SWEEP, tmp_path)
    written = dump(spec.model_dump(mode="json"))
    assert spec_of(written, tmp_path) == spec
    assert SweepSpec.model_validate_json(spec.model_dump_json()) == spec
    assert SweepSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert check(spec).found == []


def test_a_default_that_is_written_out_changes_nothing():
    bare = SweepSpec.model_validate(MINIMAL)
    assert SweepSpec.model_validate(bare.model_dump(mode="json")) == bare


def test_a_spec_is_built_in_python(tmp_path):
    from_file = spec_of(SWEEP, tmp_path)
    built = SweepSpec(
        **{
            **from_file.model_dump(exclude={"training", "arms"}),
            "training": {"match": ("scratch_e", "marginal")},
            "arms": {"thin": ArmSpec(method=Named(name="width_scaling"))},
        }
    )
    assert built.training.match == ("scratch_e", "marginal")
    assert check(built).found == []
    wrong = built.model_copy(update={"recipe": {"weight_deacy": 1, "ema": {"int": [2, 1]}}})
    assert [p.path for p in check(wrong).found] == [
        ("recipe", "weight_deacy"),
        ("recipe", "ema", "int"),
    ]


def test_an_arm_recipe_replaces_fields_whole_and_knows_their_places(tmp_path):
    spec = spec_of(SWEEP, tmp_path)
    tree, places = spec.arm_recipe("pruned")
    assert tree == {**spec.recipe, "batch_size": {"choice": [64, 128]}}
    assert places == {"batch_size": ("arms", "pruned", "recipe", "batch_size")}
    assert spec.arm_recipe("thin") == (dict(spec.recipe), {})


@pytest.mark.parametrize(
    "way",
    [
        "{train: {epochs: 3}}",
        "{checkpoint: {path: a.th, epochs: 200}}",
        "{weights: {name: IMAGENET1K_V1}}",
    ],
)
@pytest.mark.parametrize("match", ["marginal", "[scratch_e, scratch_b]"])
@pytest.mark.parametrize("stop", ["null", "asha", "{asha: }", "{asha: {reduction: 4}}"])
def test_every_legal_form_is_read(way, match, stop, tmp_path):
    text = replaced("{train: {epochs: 50, recipe: {}}}", way)
    text = replaced("match: scratch_b", f"match: {match}", text)
    text = replaced("{asha: {reduction: 3}}", stop, text)
    spec = spec_of(text, tmp_path)
    assert (spec.search.early_stopping is None) == (stop == "null")
    dense = spec.workload.dense
    assert sum(w is not None for w in (dense.train, dense.checkpoint, dense.weights)) == 1


# (written, instead, what is marked, words in the message, near match)
WRONG = [
    ("name: resnet56-cifar10", "name: ../up", "name", "letters", None),
    ("name: resnet56-cifar10", "name: dense", "name", "taken", None),
    ("name: resnet56-cifar10", "name: 1e5", "name", "must be text", None),
    ("question:", "qestion:", "qestion", "unknown field", "question"),
    ("tolerance: 0.005", "tolerance: 5", "tolerance", "below 1", None),
    ("tolerance: 0.005", "tolerance: .nan", "tolerance", "finite", None),
    ("budgets: [0.5, 0.25, 0.06]", "budgets: [0.5, 0.25, 0.06, 2x]", "budgets[3]", "same", None),
    ("budgets: [0.5, 0.25, 0.06]", "budgets: []", "budgets", "not be empty", None),
    ("budgets: [0.5, 0.25, 0.06]", "budgets: 0.5", "budgets", "a list", None),
    ("budgets: [0.5,", "budgets: [0.5, half,", "budgets[1]", "not a budget", None),
    ("budgets: [0.5,", "budgets: [0.5, 1.5,", "budgets[1]", "between 0 and 1", None),
    ("trials: 16", "trials: -1", "search.trials", "at least 0", None),
    ("trials: 16", "trials: 1000000", "search.trials", "at most 900", None),
    ("trials: 16", "trials: 99999999999999999999", "search.trials", "of 64 bits", None),
    ("trials: 16", "trials: yes", "search.trials", "whole number", None),
    ("trials: 16", "trials: '16'", "search.trials", "whole number", None),
    ("trials: 16", "trails: 16", "search.trails", "unknown field", "trials"),
    ("match: scratch_b", "match: scratch_c", "training.match", "unknown", "scratch_e"),
    ("match: scratch_b", "match: 3", "training.match", "a list", None),
    ("match: scratch_b", "match: []", "training.match", "not be empty", None),
    ("match: scratch_b", "match: [marginal, marginal]", "training.match", "twice", None),
    ("deterministic: false", "deterministic: off", "resources.deterministic", "true or", None),
    ("gpus: auto", "gpus: atuo", "resources.gpus", "unknown", "auto"),
    ("gpus: auto", "gpus: -1", "resources.gpus", "at least 0", None),
    ("cpus: 1", "cpus: true", "resources.cpus", "whole number", None),
    ("hours: null", "hours: 0", "limits.hours", "above 0", None),
    ("dense: fresh", "dense: frsh", "confirm.dense", "unknown", "fresh"),
    ("early_stopping: {asha:", "early_stopping: {asah:", "search.early_stopping.asah", "", "asha"),
    ("epochs: 50, recipe: {}", "epochs: 0", "workload.dense.train.epochs", "at least 1", None),
    ("dense: {train:", "dense: {weights: {name: V1}, train:", "workload.dense", "one of", None),
    ("recipe: {}}}", "recipe: {mixup: {choice: [0, 1]}}}}", "workload.dense.train.recipe.mixup",
     "nothing is searched", None),
    ("{shortcut: B}", "{shortcut: {choice: [A, B]}}", "workload.model.resnet56.shortcut",
     "nothing is searched", None),
    ("model: {resnet56: {shortcut: B}}", "model: {a: {}, b: {}}", "workload.model", "a name", None),
    ("thin:   {method: width_scaling}", "thin: {methd: width_scaling}", "arms.thin.methd",
     "unknown field", "method"),
    ("  thin:   {method:", "  choice: {method: width_scaling}\n  thin: {method:", "arms.choice",
     "reserved", None),
    ("  thin:   {method:", "  a b: {method: width_scaling}\n  thin: {method:", "arms.a b",
     "letters", None),
    ("{method: width_scaling}", "{method: {choice: {a: {}, b: {}}}}", "arms.thin.method.choice",
     "reserved", None),
    ("recipe: {ema: 0.9}", "recipe: {lender: thin}", "arms.reinit.recipe.lender", "unknown", None),
    ("  weight_decay:", "  from: thin\n  weight_decay:", "recipe.from", "unknown field", None),
    ("weight_decay: {float", "weight_deacy: {float", "recipe.weight_deacy", "unknown",
     "weight_decay"),
    ("{cutout:", "{cutuot:", "recipe.augment.cutuot", "unknown field", "cutout"),
    ("[1e-5, 1e-2], log", "[1e-2, 1e-5], log", "recipe.weight_decay.float", "low is above", None),
    ("[1e-5, 1e-2], log", "[0, 1e-2], log", "recipe.weight_decay.float", "low above 0", None),
    ("[1e-5, 1e-2], log", "[1e-5], log", "recipe.weight_decay.float", "not a range", None),
    ("[1e-5, 1e-2], log", "[1e-5, '1'], log", "recipe.weight_decay.float", "not a range", None),
    ("[1e-5, 1e-2], log", "[1e-5, .inf], log", "recipe.weight_decay.float", "not a range", None),
    ("[1e-5, 1e-2], log", "[1e-5, 1e-2], lgo", "recipe.weight_decay.lgo", "unknown", "log"),
    ("[1e-5, 1e-2], log: true", "[1e-5, 1e-2], log: 1", "recipe.weight_decay.log", "true", None),
    ("[0.0, 0.2], step: 0.05", "[0.0, 0.2], step: 0.15", "recipe.label_smoothing.step", "", None),
    ("[0.0, 0.2], step: 0.05", "[0.0, 0.2], step: 0", "recipe.label_smoothing.step", "above", None),
    ("[0.0, 0.2], step", "[0.1, 0.2], log: true, step", "recipe.label_smoothing.step", "", None),
    ("[0, 16], step: 4", "[0, 16.0], step: 4", "recipe.augment.cutout.int", "not a range", None),
    ("[0, 16], step: 4", "[0, 16], step: 2.0", "recipe.augment.cutout.step", "whole", None),
    ("{choice: [64, 128]}", "{choice: []}", "arms.pruned.recipe.batch_size.choice", "of", None),
    ("{choice: [64, 128]}", "{choice: 64}", "arms.pruned.recipe.batch_size.choice", "not a", None),
    ("{choice: [64, 128]}", "{choice: [64, 64]}", "arms.pruned.recipe.batch_size.choice[1]",
     "twice", None),
    ("{choice: [64, 128]}", "{choice: [64, {int: [1, 2]}]}",
     "arms.pruned.recipe.batch_size.choice[1]", "cannot hold", None),
    ("{choice: [64, 128]}", "{choice: [64], log: true}", "arms.pruned.recipe.batch_size.log",
     "unknown", None),
    ("{choice: [1, 2]}", "{choice: [2, 2]}",
     "arms.pruned.method.channel_pruning.criterion.choice.magnitude.p.choice[1]", "twice", None),
    ("0.06: 4}}", "0.07: 4}}", "arms.pruned.method.channel_pruning.steps.by_budget",
     "the budget 0.06", None),
    ("0.06: 4}}", "0.06: 4, 3x: 2}}", "arms.pruned.method.channel_pruning.steps.by_budget.3x",
     "no budget of this sweep", None),
    ("0.06: 4}}", "0.06: 4, 2x: 2}}", "arms.pruned.method.channel_pruning.steps.by_budget.2x",
     "second spelling", None),
    ("0.06: 4}}", "0.06: 4, low: 2}}", "arms.pruned.method.channel_pruning.steps.by_budget.low",
     "not a budget", None),
    ("{float: [1e-5, 1e-2], log: true}", "{by_budget: 1e-5}", "recipe.weight_decay.by_budget",
     "not one value per budget", None),
    ("{int: [1, 3]}", "{by_budget: {0.5: 1}}",
     "arms.pruned.method.channel_pruning.steps.by_budget.0.25", "within by_budget", None),
    ("recipe.optimizer: sgd,", "optimizer: sgd,", "arms.pruned.first[0].optimizer", "dotted", None),
]  # fmt: skip


@pytest.mark.parametrize("budget", ["0", "1", "-2x", ".nan", "50%", "half"])
def test_a_single_wrong_budget_is_one_mistake(budget, tmp_path):
    """A list whose every item is wrong is not messages to be empty as well."""
    text = replaced("budgets: [0.5, 0.25, 0.06]", f"budgets: [{budget}]")
    assert [place_of(p) for p in problems_of(text, tmp_path) if p.path[0] == "budgets"] == [
        "budgets[0]"
    ]


@pytest.mark.parametrize(("old", "new", "place", "words", "near"), WRONG)
def test_a_mistake_is_reported_with_its_place_and_line(old, new, place, words, near, tmp_path):
    text = replaced(old, new)
    found = problems_of(text, tmp_path)
    here = [p for p in found if place_of(p) == place and words in p.message]
    assert len(here) == 1, [str(p) for p in found]
    assert here[0].near == near
    if words != "the budget 0.06":  # there the mark is the by_budget itself
        assert here[0].line == line_of(new.splitlines()[0], text)
    assert all(p.line for p in found)
    assert len({(p.path, p.message) for p in found}) == len(found)


def place_of(problem) -> str:
    return str(problem).partition(": ")[2].partition(": ")[0]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path):
    text = SWEEP
    for old, new in [
        ("name: resnet56-cifar10", "name: a/b"),
        ("budgets: [0.5,", "budgets: [0.5, half,"),
        ("{choice: [64, 128]}", "{choice: []}"),
        ("weight_decay: {float", "weight_deacy: {float"),
        ("[0.0, 0.2], step: 0.05", "[0.2, 0.0]"),
        ("trials: 16", "trials: -1"),
        ("seed: 0", "seed: 0\nseed: 1"),
    ]:
        text = replaced(old, new, text)
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_sweep(file)
    lines = [p.line for p in caught.value.problems]
    assert len(lines) == 7
    assert lines == sorted(lines)
    assert "7 problems" in str(caught.value)


def test_right_values_are_kept_beside_wrong_ones(tmp_path):
    text = replaced("trials: 16", "trials: -1")
    text = replaced("0.25, 0.06]", "0.25, 0.06, 7]", text)
    text = replaced("name: resnet56-cifar10", "name: a/b", text)
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    spec, problems = parse(file)
    assert len(problems.found) == 3
    assert spec is not None
    assert spec.search.trials == 16
    assert spec.budgets == (0.5, 0.25, 0.06)
    assert list(spec.arms) == ["thin", "pruned", "reinit"]


@pytest.mark.parametrize(
    ("override", "look", "value"),
    [
        ("search.trials=4", lambda s: s.search.trials, 4),
        ("limits={hours: 1.5}", lambda s: s.limits.hours, 1.5),
        ("budgets[1]=0.3x", None, None),
        ("budgets[1]=4x", lambda s: s.budgets[1], "4x"),
        ("budgets.0=63M", lambda s: s.budgets[0], "63M"),
        ("plugins=[my.parts]", lambda s: s.plugins, ("my.parts",)),
        ("workload.dataset.cifar10.root=/a", lambda s: s.workload.dataset.params["root"], "/a"),
        ("arms.thin.method.width_scaling.round=8", lambda s: s.arms["thin"].method.params,
         {"round": 8}),
        ("arms.pruned.method.channel_pruning.steps.by_budget.0.5=2",
         lambda s: s.arms["pruned"].method.params["steps"]["by_budget"]["0.5"], 2),
        ("arms.pruned.first[0].recipe.optimizer.sgd.lr=1e-5",
         lambda s: s.arms["pruned"].first[0]["recipe.optimizer.sgd.lr"], 1e-5),
        ("recipe.ema=", lambda s: s.recipe["ema"], None),
        ("question=a=b", lambda s: s.question, "a=b"),
    ],
)  # fmt: skip
def test_an_override_replaces_the_value_in_the_file(override, look, value, tmp_path):
    if look is None:
        assert problems_of(SWEEP, tmp_path, [override])
        return
    assert look(spec_of(SWEEP, tmp_path, [override])) == value


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("search.trails=4", ("search", "trails")),
        ("serch.trials=4", ("serch",)),
        ("budgets[9]=0.5", ("budgets", 9)),
        ("budgets.first=0.5", ("budgets", "first")),
        ("seed.a=1", ("seed", "a")),
        ("search.trials", ("--set",)),
        ("=4", ("--set",)),
        ("search.trials=[", ("--set",)),
        ("search.trials=many", ("search", "trials")),
        ("search={trials: 1, trials: 2}", ("--set",)),
    ],
)
def test_an_override_that_leads_nowhere_is_reported(override, place, tmp_path):
    found = problems_of(SWEEP, tmp_path, [override])
    assert [p.path for p in found] == [place]
    assert not found[0].line  # it stands on no line of the file


def mutations(tree):
    """A tree with one of its values replaced, dropped, or moved under another key."""

    @st.composite
    def mutate(draw):
        changed = copy.deepcopy(tree)
        for _ in range(draw(st.integers(1, 3))):
            node = changed
            while True:
                keys = list(node) if isinstance(node, dict) else range(len(node))
                if not keys:
                    break
                key = draw(st.sampled_from(list(keys)))
                if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                    node = node[key]
                    continue
                action = draw(st.sampled_from(["replace", "drop", "rename"]))
                value = node.pop(key)
                if action == "replace" and isinstance(node, dict):
                    node[key] = draw(JUNK)
                elif action == "replace":
                    node.insert(key, draw(JUNK))
                elif action == "rename" and isinstance(node, dict):
                    node[draw(WORDS)] = value
                break
        return changed

    return mutate()


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(mutations(load(SWEEP)[0]))
def test_no_tree_brings_the_reader_down(tree):
    data, problems = load(dump(tree))
    assert data == tree or json.dumps(data) == json.dumps(tree)
    spec = parse_tree(data, problems)
    assert spec is not None or problems.found
    assert all(str(p) for p in problems.found)
    if not problems.found:
        assert check(spec).found == []


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(list(SweepSpec.model_fields)) | TEXT, JUNK))
def test_no_mapping_at_all_brings_the_reader_down(tree):
    problems = Problems()
    assert parse_tree(tree, problems) is not None or problems.found


@settings(max_examples=100)
@given(st.lists(st.text(max_size=20) | st.from_regex(r"[a-z\.\[\]0-9]{0,12}=.{0,8}"), max_size=3))
def test_no_override_brings_the_reader_down(overrides):
    tree, problems = load(SWEEP)
    override(tree, overrides, problems)
    parse_tree(tree, problems)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode(errors="replace")))
def test_no_file_brings_the_reader_down(tmp_path, content):
    file = tmp_path / "sweep.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError):
        load_sweep(file)


@pytest.mark.parametrize("depth", [50, 150, 250, 400])
def test_no_depth_brings_the_reader_down(depth, tmp_path):
    deep = "{a: " * depth + "1" + "}" * depth
    text = replaced("{method: width_scaling}", f"{{method: {{w: {deep}}}}}")
    with pytest.raises(SpecError):
        spec_of(text + "x: 1\n", tmp_path)


@pytest.mark.parametrize(("high", "step"), [(0.001, 0.01), (0.01, 0.004), (1, 0.3), (1, 7)])
def test_the_allowed_value_for_a_step_that_misses_the_end_makes_a_range(high, step):
    """Either a step, or a high that the step leads to: taken at its word it is right."""

    def read(high: float, step: float) -> Problems:
        problems = Problems()
        read_numbers({"float": [0, high], "step": step}, (), problems)
        return problems

    (message,) = read(high, step).found
    *_, number = re.findall(r"[0-9.]+", message.allowed)
    mended = (
        (high, float(number)) if message.allowed.startswith("at most") else (float(number), step)
    )
    assert not read(*mended).found
    assert mended[0] > 0
