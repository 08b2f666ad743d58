"""Fields that people write elsewhere, or under another name, and where a sweep file has them."""

from __future__ import annotations

from collections.abc import Iterable

_HOMES = {
    "workload": "model dataset dense",
    "workload.dense": "train checkpoint weights",
    "workload.dataset.NAME": "root mean std val_fraction train_limit",
    "arms.NAME": "method first",
    "arms.NAME.method.channel_pruning": "criterion scope steps sparsify",
    "recipe": "optimizer schedule batch_size weight_decay norm_weight_decay label_smoothing mixup "
    "cutmix grad_clip ema augment",
    "recipe.augment": "crop padding flip cutout",
    "recipe.optimizer.sgd": "lr momentum nesterov",
    "recipe.optimizer.adamw": "betas",
    "recipe.schedule.cosine": "warmup_epochs",
    "recipe.schedule.multistep": "milestones gamma",
    "training": "finetune_epochs sparsify_epochs match",
    "search": "trials sampler early_stopping replicates",
    "search.early_stopping": "asha",
    "search.early_stopping.asha": "reduction run_on",
    "confirm": "seeds top margin control looks contrasts",
    "resources": "cpus gpus max_concurrent deterministic",
    "limits": "hours",
    "tracking": "uri experiment optuna register_models",
}
"""Place -> the fields there; NAME stands for a name that the file chooses."""
_PLACES = {field: f"{home}.{field}" for home, fields in _HOMES.items() for field in fields.split()}
_OTHER_NAMES = {
    "learning_rate": "lr",
    "wd": "weight_decay",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "lr_schedule": "schedule",
    "warmup": "warmup_epochs",
    "clip_grad_norm": "grad_clip",
    "augmentation": "augment",
    "data": "dataset",
    "methods": "method",
    "n_trials": "trials",
    "num_samples": "trials",
    "num_trials": "trials",
    "n_seeds": "seeds",
    "matching": "match",
    "concurrency": "max_concurrent",
    "mlflow": "uri",
    "tracking_uri": "uri",
    "time_limit": "hours",
}
"""The name that people know from elsewhere -> the field's name here."""
_OPTIONS = ("storage", "address", "offline")
"""Words that are options of `prunetune sweep`, not fields."""
_EPOCHS = (
    "training.finetune_epochs (after pruning), workload.dense.train.epochs (the dense network) or "
    "training.match: epochs=60 (networks from scratch)"
)


def field_meant(path: tuple[str | int, ...]) -> str | None:
    """Where a sweep file has what somebody wrote at `path`; None where nothing can be guessed.

    A field of a recipe is looked for in the recipe that `path` lies in, or nearest to it.
    """
    name = str(path[-1])
    if name == "epochs":
        return _EPOCHS
    if name in _OPTIONS and len(path) == 1:
        return f"the option --{name} of the command"
    place = _PLACES.get(_OTHER_NAMES.get(name, name))
    if place is None:
        return None
    if place.startswith("recipe."):
        place = ".".join((*_owner_of_recipe(path), place))
    elif path[0] == "arms" and len(path) > 1:
        place = place.replace("arms.NAME", f"arms.{path[1]}")
    return None if place == ".".join(map(str, path)) else place


def misplaced_places() -> Iterable[str]:
    """Every place that `field_meant` may name for a file without arms: dotted, without notes."""
    return _PLACES.values()


def _owner_of_recipe(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys above the recipe that `path` lies in or nearest to."""
    if "recipe" in path:
        return tuple(map(str, path[: path.index("recipe")]))
    if path[:2] == ("workload", "dense"):
        return ("workload", "dense", "train")
    return ("arms", str(path[1])) if path[0] == "arms" and len(path) > 2 else ()
