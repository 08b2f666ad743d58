"""Binding: the names in a sweep file become the things they name, and the file becomes a plan.

Every part that parsed is bound, so that one reading tells all errors. No image is opened and
nothing is trained; the dense network is built without data, to count it.
"""

from __future__ import annotations

from prunetune.bind.lookup import Parts
from prunetune.bind.spaces import Spaces
from prunetune.bind.sparsify import check_sparsifying
from prunetune.bind.study_builder import StudyBuilder, family
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import Problems
from prunetune.config.samplers import check_sampler
from prunetune.config.space.space import Space
from prunetune.plan import DensePlan, Plan
from prunetune.registry import load_plugins
from prunetune.workload import Workload

UNCOUNTED = 10**9
"""Dense MACs to go on with where the network is unknown, so that other errors are found too."""


def bind(spec: SweepSpec, problems: Problems, source: str = "") -> Plan:
    """What `spec` means; SpecError with all its problems, those of parsing included."""
    for i, module in enumerate(spec.plugins):
        try:
            load_plugins([module])
        except Exception as error:  # whatever goes wrong in it is its author's to mend
            why = f"{type(error).__name__}: {error}"
            problems.add(("plugins", i), f"cannot be imported: {why}", value=module)
    parts = Parts(spec, problems)
    workload = parts.workload()
    spaces = Spaces(spec, parts, workload.macs if workload else UNCOUNTED)
    dense_space = spaces.dense()
    by_study = spaces.by_study()
    fresh = parts.dense_fresh()
    parts.check_matching()
    parts.check_control()
    check_sparsifying(spec, problems, by_study, workload)
    check_sampler(spec.search.sampler, problems)
    bound = StudyBuilder(spec, parts, workload, by_study) if workload else None
    if bound and not problems.under("arms"):  # whatever else is wrong, budgets can be tried
        bound.reached()
    problems.check(source)
    assert workload is not None
    assert bound is not None
    studies = bound.bound()
    problems.check(source)
    early = spec.search.early_stopping
    return Plan(
        sweep=spec.name,
        question=spec.question,
        workload=workload.to_json(),
        data_key=workload.data_key(),
        train_size=workload.info.train_size,
        val_size=workload.info.val_size,
        test_size=workload.info.test_size,
        dense=_dense(spec, workload, dense_space),
        tolerance=spec.tolerance,
        studies=studies,
        family=tuple(family(studies, spec.confirm.control)),
        confirm=spec.confirm,
        dense_fresh=fresh,
        sampler=spec.search.sampler,
        early_stopping=early.asha if early else None,
        replicates=spec.search.replicates,
        resources=spec.resources.model_dump(mode="json"),
        limits=spec.limits.model_dump(mode="json"),
        tracking=spec.tracking.model_dump(mode="json"),
        plugins=spec.plugins,
        seed=spec.seed,
    )


def _dense(spec: SweepSpec, workload: Workload, space: Space) -> DensePlan:
    way, weights = spec.workload.dense, workload.weights
    config = space.constants()
    return DensePlan(
        source="train" if way.train else "checkpoint" if way.checkpoint else "weights",
        epochs=way.epochs,
        config=config,
        salient=space.salient(config),
        path=(weights.path or weights.name) if weights else None,
        sha256=weights.sha256 if weights else None,
        architecture=workload.architecture.model_dump(mode="json"),
        macs=workload.macs,
        params=workload.n_params,
    )
