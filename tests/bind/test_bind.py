"""Binding: names become parts, and all mistakes are reported at once."""

from pathlib import Path

import pytest
import safetensors.torch

from prunetune.agenda import counts, dense_spec
from prunetune.config.file.parse import load_sweep
from prunetune.config.problems.errors import SpecError
from prunetune.config.recipe import Recipe
from prunetune.config.space.space import subtree
from prunetune.plan import Plan
from prunetune.records.record import training_macs
from prunetune.registry import models
from prunetune.sweep import plan_sweep

SWEEPS = sorted(Path("sweeps").glob("*.yaml"))
SMALL = """
name: small
workload: {model: resnet14, dataset: digits, dense: {train: {epochs: 4}}}
budgets: [0.5, 0.25]
arms:
  thin: {method: width_scaling}
  pruned: {method: {channel_pruning: {scope: {choice: [local, protected_global]}}}}
  reinit: {method: {reinit: {from: pruned}}}
recipe: {optimizer: {choice: {sgd: {lr: {float: [0.01, 0.1]}}, adamw: {}}}}
training: {finetune_epochs: 2, match: [scratch_b, scratch_e]}
search: {replicates: 2}
"""


def checkpoint_of(path: Path, folder: Path) -> list[str]:
    """An override that replaces the checkpoint a sweep names by random weights of its network."""
    spec = load_sweep(path)
    if spec.workload.dense.checkpoint is None:
        return []
    entry = models.get(spec.workload.model.name)
    params = entry.params.model_validate(spec.workload.model.params)
    model = entry.part.build(params, 10, (3, 32, 32))
    file = folder / "weights.safetensors"
    safetensors.torch.save_file(model.state_dict(), file)
    return [f"workload.dense.checkpoint.path={file}"]


def write(text: str, folder: Path) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_sweep(write(SMALL, tmp_path_factory.mktemp("small")))


@pytest.mark.slow
@pytest.mark.parametrize("path", SWEEPS, ids=lambda p: p.stem)
def test_every_shipped_sweep_binds_and_each_budget_can_be_met(path: Path, tmp_path: Path):
    plan = plan_sweep(path, overrides=checkpoint_of(path, tmp_path))
    assert not any(study.infeasible for study in plan.studies)
    assert all(reach.within for study in plan.studies for reach in study.reach)


def test_a_plan_survives_json(small: Plan):
    assert Plan.model_validate_json(small.model_dump_json(by_alias=True)) == small


def test_studies_are_arm_by_budget_by_matching_by_replicate(small: Plan):
    ids = [study.id for study in small.studies]
    assert len(set(ids)) == len(ids) == 2 * 2 * (2 + 1 + 2)
    assert "thin@0.5 scratch_b" in ids
    assert "pruned@0.25 r2" in ids
    for study in small.studies:
        if study.arm == "reinit":
            source = small.study(study.source)
            assert (source.arm, source.budget) == ("pruned", study.budget)
            assert source.replicate == study.replicate


def test_the_family_is_every_pair_at_every_budget_and_matching(small: Plan):
    assert len(small.family) == 2 * 2 * 3
    assert len(set(small.family)) == len(small.family)


def test_every_configuration_makes_a_recipe_and_a_method(small: Plan):
    for study in small.studies:
        for option in ("sgd", "adamw"):
            drawn = {"recipe.optimizer": option, "method.scope": "local"}
            config = study.space.draw(lambda d, drawn=drawn: drawn.get(d.path, 0.05))
            recipe = Recipe.model_validate(subtree(config, "recipe"))
            assert recipe.optimizer.name == option
            assert study.space.problems(config) == []


def test_the_plan_states_the_reach_of_each_scope(small: Plan):
    scopes = {r.scope for s in small.studies if s.arm == "pruned" for r in s.reach}
    assert scopes == {"local", "protected_global"}


WRONG = [
    ("resnet14", "resnet15", "workload.model", "resnet14"),
    ("digits", "digitz", "workload.dataset", "digits"),
    ("width_scaling", "width_scalin", "arms.thin.method", "width_scaling"),
    ("from: pruned", "from: reinit", "arms.reinit.method.reinit.from", "pruned"),
    ("scope: {choice: [local,", "scope: {choice: [locl,", "scope.choice[0]", "local"),
    ("adamw: {}", "adam: {}", "recipe.optimizer", "adamw"),
    ("[0.01, 0.1]", "[-0.1, 0.1]", "sgd.lr", "above 0"),
    ("replicates: 2", "sampler: grid", "search.sampler", "step"),
    ("[0.5, 0.25]", "[0.5, 0.0001]", "budgets[1]", "smallest network"),
    ("epochs: 4}", "epochs: 4, recipe: {batch_size: 0}}", "batch_size", "at least 1"),
    ("replicates: 2", "sampler: {tpe: {startup: 3}}", "search.sampler.tpe.startup", "n_startup"),
    ("name: small", "name: small\nplugins: [no_such_module]", "plugins[0]", "imported"),
    ("name: small", "name: small\nplugins: [no_such_module]", "plugins[0]", "beside the sweep"),
    ("[0.5, 0.25]", "[50%, 0.25]", "budgets[0]", "did you mean 0.5"),
    ("[0.01, 0.1]", "[0.01, 0.1]}, momentum: {values: [0.8, 0.9]", "sgd.momentum",
     "{choice: [0.8, 0.9]}"),
    ("[0.01, 0.1]", "[0.01, 0.1]}, momentum: [0.8, 0.9], nesterov: {choice: [true]",
     "sgd.momentum", "{choice: [0.8, 0.9]}"),
    ("scope: {choice: [", "criterion: {values: [magnitude, lamp]}, scope: {choice: [",
     "method.channel_pruning.criterion", "{choice: [magnitude, lamp]}"),
    ("replicates: 2", "replicates: 2}\ntracking: {uri: None", "tracking.uri", "none (no MLflow)"),
    ("digits", "{image_folder: {root: $NO_SUCH_FOLDER}}", "workload.dataset.image_folder.root",
     "$NO_SUCH_FOLDER is not set"),
    ("name: small", "name: mlflow.db", "name", "sweep-mlflow.db"),
    ("dense: {train: {epochs: 4}}", "dense: {checkpoint: {path: no.th, epochs: 4}}",
     "workload.dense.checkpoint", "no.th"),
    ("epochs: 4}", "epochs: 4, recipe: {batch_size: [32, 64]}}", "batch_size",
     "must be a whole number; got [32, 64]; allowed"),
    ("from: pruned", "from: {pruned: {}}", "arms.reinit.method.reinit.from", "pruned"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "place", "said"), WRONG)
def test_a_mistake_is_reported_with_its_place_and_its_cure(right, wrong, place, said, tmp_path):
    assert right in SMALL
    with pytest.raises(SpecError) as error:
        plan_sweep(write(SMALL.replace(right, wrong), tmp_path))
    messages = [str(p) for p in error.value.problems if place in str(p)]
    assert messages, str(error.value)
    assert any(said in line for line in messages)
    assert all(p.line for p in error.value.problems)


def test_all_errors_are_reported_at_once(tmp_path):
    text = SMALL
    for right, wrong, *_ in WRONG[:7]:
        text = text.replace(right, wrong)
    with pytest.raises(SpecError) as error:
        plan_sweep(write(text, tmp_path))
    assert len(error.value.problems) >= 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("def broken(:", "SyntaxError"),
        (
            "from prunetune.registry import schedules\n"
            "from prunetune.config.parts import Params\n"
            "schedules.names()\n"
            "schedules.register('cosine', params=Params)(print)",
            "'cosine' is taken",
        ),
    ],
)
def test_a_plug_in_that_breaks_is_reported_beside_other_problems(
    content, said, tmp_path, monkeypatch
):
    module = f"broken_plugin_{len(content)}"
    (tmp_path / f"{module}.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = SMALL.replace("name: small", f"name: small\nplugins: [{module}]")
    with pytest.raises(SpecError) as error:
        plan_sweep(write(text.replace("adamw: {}", "adam: {}"), tmp_path))
    messages = [str(p) for p in error.value.problems]
    assert any("plugins[0]" in line and said in line for line in messages)
    assert any("adam" in line for line in messages)


def test_a_configuration_beyond_the_last_trial_is_refused(tmp_path):
    first = "{method: width_scaling, first: [{recipe.optimizer: adamw}, {recipe.optimizer: adamw}]}"
    text = SMALL.replace("{method: width_scaling}", first).replace("replicates: 2", "trials: 1")
    with pytest.raises(SpecError) as error:
        plan_sweep(write(text, tmp_path))
    (message,) = [str(p) for p in error.value.problems]
    assert "arms.thin.first[1]: would never be tried" in message


def test_budgets_and_sampler_are_checked_although_the_recipe_is_wrong(tmp_path):
    text = SMALL.replace("[0.5, 0.25]", "[0.5, 0.0001]").replace("replicates: 2", "sampler: tpee")
    with pytest.raises(SpecError) as error:
        plan_sweep(write(text.replace("adamw: {}", "adam: {}"), tmp_path))
    assert [p.path[0] for p in error.value.problems] == ["budgets", "recipe", "search"]


@pytest.mark.parametrize(
    ("model", "weights", "said"),
    [
        ("resnet18", "IMAGENET1K_V9", "did you mean 'IMAGENET1K_V1'"),
        ("resnet18", "IMAGENET1K_V1", "tells 1000 classes apart, the data set has 10"),
        ("resnet14", "IMAGENET1K_V1", "give a file"),
    ],
)
def test_weights_by_name_are_checked_before_anything_runs(model, weights, said, tmp_path):
    dense = f"dense: {{weights: {{name: {weights}, epochs: 90}}}}"
    text = SMALL.replace("dense: {train: {epochs: 4}}", dense).replace("resnet14", model)
    with pytest.raises(SpecError) as error:
        plan_sweep(write(text.replace("digits", "cifar10"), tmp_path))
    (message,) = [str(p) for p in error.value.problems]
    assert "workload.dense.weights" in message
    assert said in message


@pytest.mark.slow
def test_the_headline_sweep_trains_at_most_80_000_epochs():
    assert counts(plan_sweep("sweeps/resnet56.yaml")).total.epochs <= 80_000


def test_a_root_is_the_same_place_from_any_working_directory(tmp_path, monkeypatch):
    (tmp_path / "images" / "train" / "a").mkdir(parents=True)
    (tmp_path / "images" / "train" / "a" / "0.jpg").touch()
    (tmp_path / "images" / "train" / "b").mkdir()
    (tmp_path / "images" / "train" / "b" / "0.jpg").touch()
    (tmp_path / "images" / "val" / "a").mkdir(parents=True)
    (tmp_path / "images" / "val" / "a" / "0.jpg").touch()
    monkeypatch.chdir(tmp_path)
    text = SMALL.replace("digits", "{image_folder: {root: images, val_fraction: 0.5}}")
    plan = plan_sweep(write(text.replace("resnet14", "resnet18"), tmp_path))
    assert plan.workload["dataset"]["image_folder"]["root"] == str(tmp_path / "images")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file of weights of the dense network of SMALL."""
    import safetensors.torch

    from prunetune.registry import models

    entry = models.get("resnet14")
    model = entry.part.build(entry.params(), 10, (1, 8, 8))
    safetensors.torch.save_file(model.state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def loading(path: Path, more: str = "") -> str:
    dense = f"dense: {{checkpoint: {{path: {path}{more}}}}}"
    return SMALL.replace("dense: {train: {epochs: 4}}", dense)


def test_loaded_weights_are_matched_and_identified_by_their_hash(published: Path, tmp_path: Path):
    plan = plan_sweep(write(loading(published, ", epochs: 9"), tmp_path))
    assert (plan.dense.source, plan.dense.epochs, plan.dense_fresh) == ("checkpoint", 9, False)
    published.write_bytes(published.read_bytes()[:-4] + b"\0\0\0\0")
    assert plan_sweep(write(loading(published, ", epochs: 9"), tmp_path)).dense.sha256 != (
        plan.dense.sha256
    )


def test_weights_without_epochs_allow_marginal_matching_alone(published: Path, tmp_path: Path):
    with pytest.raises(SpecError, match=r"training\.match.*marginal"):
        plan_sweep(write(loading(published), tmp_path))
    text = loading(published).replace("match: [scratch_b, scratch_e]", "match: marginal")
    assert plan_sweep(write(text, tmp_path)).dense.epochs is None


@pytest.mark.parametrize("images", [100, 1293, 50_000])
def test_epochs_of_loaded_weights_are_counted_in_their_own_images(
    published: Path, tmp_path: Path, images: int
):
    text = loading(published, f", epochs: 9, images: {images}, val_seen: true")
    plan = plan_sweep(write(text, tmp_path))
    assert (plan.dense.epochs, plan.dense.images, plan.dense.val_seen) == (9, images, True)
    inherited = dense_spec(plan, 0, 0).inherited_macs
    assert inherited == training_macs(plan.dense.macs, images, 9) == 27 * images * plan.dense.macs
    thin = next(s for s in plan.studies if s.arm == "thin" and s.matching == "scratch_e")
    k1 = 9 * images / plan.train_size
    assert abs(thin.epochs - k1) <= 0.5
    thin = next(s for s in plan.studies if s.arm == "thin" and s.matching == "scratch_b")
    target = training_macs(thin.target_macs, plan.train_size, thin.epochs)
    pruned = next(s for s in plan.studies if s.inherits and s.budget == thin.budget)
    whole = inherited + training_macs(thin.target_macs, plan.train_size, pruned.epochs)
    assert abs(target - whole) <= training_macs(thin.target_macs, plan.train_size) / 2


def test_loaded_weights_that_do_not_say_their_images_had_as_many_as_here(
    published: Path, tmp_path: Path
):
    text = loading(published, ", epochs: 9")
    plan = plan_sweep(write(text, tmp_path))
    text = loading(published, f", epochs: 9, images: {plan.train_size}")
    stated = plan_sweep(write(text, tmp_path))
    assert (plan.dense.images, plan.dense.val_seen) == (None, None)
    assert [s.epochs for s in plan.studies] == [s.epochs for s in stated.studies]
    assert dense_spec(plan, 0, 0) == dense_spec(stated, 0, 0)


def test_a_broken_or_foreign_file_of_weights_is_refused_by_name(published: Path, tmp_path: Path):
    published.write_bytes(published.read_bytes()[:1000])
    with pytest.raises(SpecError, match=r"workload\.dense\.checkpoint.*w\.safetensors"):
        plan_sweep(write(loading(published, ", epochs: 9"), tmp_path))
