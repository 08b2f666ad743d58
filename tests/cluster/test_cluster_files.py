"""The files under experiments/cluster are what Ray, clouds and KubeRay take; typos are refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import yaml

from experiments.cluster.validate import main, problems_of

FOLDER = Path(__file__).parents[2] / "experiments" / "cluster"
CLUSTERS = ("aws.yaml", "gcp.yaml", "on-premises.yaml")
MANIFESTS = ("kuberay-cluster.yaml", "kuberay-job.yaml", "kuberay-network.yaml")
FREE = {"resources", "requests", "limits", "file_mounts", "nodeSelector", "rayStartParams", "items"}
"""Mappings whose keys are names of one's own."""

Place = tuple[str | int, ...]


def document(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def value_at(tree: Any, place: Place) -> Any:
    for part in place:
        tree = tree[part]
    return tree


def mappings(tree: Any, at: Place = ()) -> Iterator[Place]:
    """The places of all mappings whose keys somebody must know."""
    if isinstance(tree, dict):
        free = at and at[-1] in FREE and all(not isinstance(v, dict | list) for v in tree.values())
        if not free and at != ("available_node_types",):
            yield at
        for key, value in tree.items():
            yield from mappings(value, (*at, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from mappings(value, (*at, index))


@pytest.mark.parametrize("name", [*CLUSTERS, *MANIFESTS])
def test_a_file_is_right(name: str) -> None:
    assert problems_of(document(name)) == []


@pytest.mark.parametrize("name", [*CLUSTERS, *MANIFESTS])
def test_a_field_that_nobody_knows_is_refused_wherever_it_stands(name: str) -> None:
    places = list(mappings(document(name)))
    assert len(places) >= 3
    missed = []
    for place in places:
        tree = copy.deepcopy(document(name))
        value_at(tree, place)["zzz"] = "1"
        if not any("zzz" in problem for problem in problems_of(tree)):
            missed.append(place)
    assert missed == []


WORKER = ("available_node_types", "worker")
MACHINE = (*WORKER, "node_config")
GROUP = ("spec", "workerGroupSpecs", 0)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("aws.yaml", ("max_workers",), "16"),
        ("aws.yaml", ("head_node_type",), "haed"),
        ("aws.yaml", (*WORKER, "min_workers"), "none"),
        ("aws.yaml", (*MACHINE, "InstanceType"), "g5.xlarg"),
        ("aws.yaml", (*MACHINE, "InstanceMarketOptions", "MarketType"), "spott"),
        ("aws.yaml", (*MACHINE, "MetadataOptions", "HttpTokens"), "requird"),
        ("aws.yaml", (*MACHINE, "BlockDeviceMappings", 0, "Ebs", "VolumeSize"), "100"),
        ("gcp.yaml", (*MACHINE, "scheduling", "provisioningModel"), "SPOTT"),
        ("gcp.yaml", (*MACHINE, "scheduling", "automaticRestart"), "no"),
        ("gcp.yaml", (*MACHINE, "disks", 0, "boot"), "yes"),
        ("on-premises.yaml", ("provider", "worker_ips"), "192.0.2.11"),
        ("kuberay-cluster.yaml", (*GROUP, "maxReplicas"), "16"),
        ("kuberay-cluster.yaml", ("spec", "authOptions", "mode"), "tokn"),
        ("kuberay-cluster.yaml", ("kind",), "RayClustr"),
        ("kuberay-job.yaml", ("spec", "backoffLimit"), "10"),
        ("kuberay-network.yaml", ("spec", "ingress", 1, "ports", 0, "port"), [8265]),
    ],
)
def test_a_wrong_value_is_refused(name: str, place: Place, value: Any) -> None:
    tree = document(name)
    assert value_at(tree, place) != value
    value_at(tree, place[:-1])[place[-1]] = value
    assert problems_of(tree)


def test_the_command_says_where_a_typo_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (FOLDER / "aws.yaml").read_text(encoding="utf-8")
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("SpotInstanceType", "SpotInstanceTyp"))
    assert main([str(file)]) == 2
    said = capsys.readouterr().out
    assert "worker.node_config" in said
    assert "SpotInstanceTyp" in said


def test_workers_are_spot_machines_with_a_gpu_and_the_head_runs_no_trial() -> None:
    for name in ("aws.yaml", "gcp.yaml"):
        types = document(name)["available_node_types"]
        head, worker = types["head"], types["worker"]
        assert head["resources"] == {"CPU": 0, "GPU": 0}
        assert worker["min_workers"] == 0
        assert worker["max_workers"] == document(name)["max_workers"] > 0
        assert worker["resources"]["GPU"] == 1
        market = worker["node_config"]
        spot = market.get("InstanceMarketOptions") or market["scheduling"]
        assert "spot" in str(spot).lower()
        assert "spot" not in str(head).lower()
    spec = document("kuberay-cluster.yaml")["spec"]
    (group,) = spec["workerGroupSpecs"]
    (head,) = spec["headGroupSpec"]["template"]["spec"]["containers"]
    (worker,) = group["template"]["spec"]["containers"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert "nvidia.com/gpu" not in head["resources"]["limits"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert (group["replicas"], group["minReplicas"]) == (0, 0)


def test_every_ray_asks_for_a_token_and_shows_its_dashboard_to_nobody_else() -> None:
    for name in CLUSTERS:
        cluster = document(name)
        commands = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
        assert all("RAY_AUTH_MODE=token ray" in command for command in commands)
        assert "--dashboard-host=127.0.0.1" in " ".join(commands)
        assert cluster["file_mounts"]["~/.ray/auth_token"]
    for name in MANIFESTS[:2]:
        spec = document(name)["spec"]
        assert spec.get("rayClusterSpec", spec)["authOptions"] == {"mode": "token"}


def test_every_option_of_ray_start_exists() -> None:
    from ray.scripts.scripts import start

    options = {option.lstrip("-") for parameter in start.params for option in parameter.opts}
    used = set()
    for path in FOLDER.iterdir():
        if path.suffix in (".yaml", ".sh", ".md"):
            text = path.read_text(encoding="utf-8").replace("\\\n", " ").replace("\n    ", " ")
            for command in re.findall(r"ray start ([^\n&;`]*)", text):
                used.update(re.findall(r"--([a-z-]+)", command))
    spec = document("kuberay-cluster.yaml")["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        used.update(group["rayStartParams"])
    assert len(used) > 8
    assert used <= options


def test_the_job_starts_the_cluster_that_stands_beside_it() -> None:
    cluster = document("kuberay-cluster.yaml")["spec"]
    assert document("kuberay-job.yaml")["spec"]["rayClusterSpec"] == cluster


def test_all_name_the_version_of_ray_that_is_installed() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("[!k]*.yaml"))
    text += (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    named = re.findall(r"ray(?:\[[a-z,]*\]==|:)([0-9.]+)", text)
    assert len(named) > 3
    assert set(named) == {document("kuberay-cluster.yaml")["spec"]["rayVersion"]}
    assert tuple(map(int, named[0].split("."))) >= tuple(map(int, ray.__version__.split(".")[:2]))
