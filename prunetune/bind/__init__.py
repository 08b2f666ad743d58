"""Binding: the names in a sweep file become the parts they name, and the file becomes a plan.

Every part that parsed is bound, so that one reading reports all errors. Binding opens no image and
trains nothing; it builds the dense network without data, to count its MACs.
"""

from __future__ import annotations

from prunetune.bind.cells import CellBuilder
from prunetune.bind.family import comparison_family
from prunetune.bind.lookup import Parts
from prunetune.bind.matchings import check_matchings
from prunetune.bind.recipe_sources import check_recipe_sources
from prunetune.bind.registering import check_tests, register
from prunetune.bind.single_images import check_single_images
from prunetune.bind.sparsify import check_sparsifying
from prunetune.bind.study_builder import StudyBuilder
from prunetune.compress.proof.proved_groups import left_alone
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import Problems
from prunetune.config.samplers import check_sampler
from prunetune.config.space.space import Space
from prunetune.plan import DensePlan, LeftAlone, Plan, Study, prunes_channels
from prunetune.registry import PluginError, load_plugins
from prunetune.workload import Workload

PLACEHOLDER_MACS = 10**9
"""Stands for the dense MACs where the network is unknown, so that other errors are found too."""


def bind(spec: SweepSpec, problems: Problems, source: str = "") -> Plan:
    """The plan that `spec` means.

    Raises:
        SpecError: the spec cannot run; holds all its problems, those of parsing included.
    """
    if problems.full:  # what is wrong no longer keeps a part from being bound
        problems.check(source)
    _load_plugins(spec, problems)
    parts = Parts(spec, problems)
    workload = parts.workload()
    builder = CellBuilder(spec, parts, workload.macs if workload else PLACEHOLDER_MACS)
    dense_space = builder.dense_space()
    cells = builder.cells()
    dense_fresh = parts.dense_fresh()
    check_matchings(spec, parts, problems)
    check_recipe_sources(spec, parts, problems, cells)
    parts.check_control()
    check_tests(spec, problems)
    check_sparsifying(spec, problems, cells, workload)
    check_sampler(spec.search.sampler, problems)
    if workload:
        check_single_images(spec, problems, cells, workload, dense_space)
    study_builder = StudyBuilder(spec, parts, workload, cells) if workload else None
    arms_right = not (problems.full or problems.under(("arms",)))
    if study_builder and arms_right:  # budgets do not need the other fields
        study_builder.find_reach()
    problems.check(source)
    assert workload is not None
    assert study_builder is not None
    studies = study_builder.studies()
    problems.check(source)
    return _plan(spec, workload, _dense_plan(spec, workload, dense_space), studies, dense_fresh)


def _load_plugins(spec: SweepSpec, problems: Problems) -> None:
    for i, module in enumerate(spec.plugins):
        try:
            load_plugins([module])
        except PluginError as error:
            problems.add(("plugins", i), str(error), value=module)


def _plan(
    spec: SweepSpec,
    workload: Workload,
    dense: DensePlan,
    studies: tuple[Study, ...],
    dense_fresh: bool,
) -> Plan:
    early = spec.search.early_stopping
    family = tuple(comparison_family(studies, spec.confirm.control))
    return Plan(
        sweep=spec.name,
        question=spec.question,
        workload=workload.to_json(),
        data_key=workload.data_key(),
        train_size=workload.info.train_size,
        val_size=workload.info.val_size,
        test_size=workload.info.test_size,
        dense=dense,
        tolerance=spec.tolerance,
        studies=studies,
        family=family,
        confirm=spec.confirm,
        dense_fresh=dense_fresh,
        sampler=spec.search.sampler,
        early_stopping=early.asha if early else None,
        replicates=spec.search.replicates,
        resources=spec.resources.model_dump(mode="json"),
        limits=spec.limits.model_dump(mode="json"),
        tracking={  # fields that came later are left out at their default, for the plan's hash
            "uri": spec.tracking.uri,
            "experiment": spec.tracking.experiment,
            **spec.tracking.model_dump(mode="json", exclude_defaults=True),
        },
        plugins=tuple(dict.fromkeys([*spec.plugins, *workload.modules()])),
        seed=spec.seed,
        left_alone=_left_alone(workload, studies),
        registration=register(
            studies,
            family,
            spec.confirm,
            spec.search.replicates,
            one_dense_each=not dense_fresh and dense.source == "train",
        ),
    )


def _left_alone(workload: Workload, studies: tuple[Study, ...]) -> tuple[LeftAlone, ...]:
    """The channels that no study can take from the dense network, if one would take any."""
    scaled = getattr(workload.family, "scales_groups", False)  # thin networks lack them as well
    if scaled or any(map(prunes_channels, studies)):
        return left_alone(workload.architecture)
    return ()


def _dense_plan(spec: SweepSpec, workload: Workload, space: Space) -> DensePlan:
    way, weights = spec.workload.dense, workload.weights
    config = space.constants()
    return DensePlan(
        source="train" if way.train else "checkpoint" if way.checkpoint else "weights",
        epochs=way.epochs,
        config=config,
        salient=space.salient(config),
        images=way.loaded.images if way.loaded else None,
        val_seen=way.loaded.val_seen if way.loaded else None,
        path=(weights.path or weights.name) if weights else None,
        sha256=weights.sha256 if weights else None,
        architecture=workload.architecture.model_dump(mode="json"),
        macs=workload.macs,
        params=workload.n_params,
    )
