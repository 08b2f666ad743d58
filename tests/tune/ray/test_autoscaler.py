"""How far an autoscaler may grow its cluster, from its configuration."""

from ray.autoscaler._private.kuberay import node_provider

from prunetune.tune.ray import autoscaler
from prunetune.tune.ray.autoscaler import growth_in
from prunetune.tune.resources import NO_GROWTH, GrowthLimit, NodeType

GPU = {"CPU": 8, "GPU": 1}
CLUSTER = {
    "max_workers": 10,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "spot": {"resources": GPU, "min_workers": 0, "max_workers": 6},
        "any": {"resources": {"CPU": 4}},
    },
}


def test_worker_nodes_count_and_the_head_does_not():
    assert growth_in(CLUSTER) == GrowthLimit((NodeType(GPU, 6), NodeType({"CPU": 4}, 10)), most=10)


def test_the_sum_of_all_kinds_bounds_a_cluster_that_states_no_bound():
    kinds = {name: kind for name, kind in CLUSTER["available_node_types"].items() if name != "any"}
    assert growth_in({"available_node_types": kinds}) == GrowthLimit((NodeType(GPU, 6),), most=6)


def test_without_an_autoscaler_nothing_grows():
    assert growth_in(None) == growth_in({}) == NO_GROWTH


def container(**limits):
    return {"spec": {"containers": [{"name": "ray", "resources": {"limits": limits}}]}}


def test_on_kubernetes_the_ray_cluster_says_how_far_it_grows(tmp_path, monkeypatch):
    workers = {
        "groupName": "gpu", "minReplicas": 0, "maxReplicas": 5, "rayStartParams": {},
        "template": container(cpu="8", memory="16Gi", **{"nvidia.com/gpu": "1"}),
    }  # fmt: skip
    head = {"rayStartParams": {"num-cpus": "0"}, "template": container(cpu="2", memory="4Gi")}
    answer = {
        "metadata": {"name": "mine", "namespace": "team"},
        "spec": {"headGroupSpec": head, "workerGroupSpecs": [workers]},
    }

    class Api:
        def __init__(self, namespace):
            assert namespace == "team"

        def get(self, path):
            assert path == "rayclusters/mine"
            return answer

    monkeypatch.setattr(node_provider, "KubernetesHttpApiClient", Api)
    monkeypatch.setenv("RAY_CLUSTER_NAME", "mine")
    monkeypatch.setattr(autoscaler, "_NAMESPACE", tmp_path / "namespace")
    (tmp_path / "namespace").write_text("team")
    growth = growth_in(autoscaler._on_kubernetes())
    assert growth.most == 5
    assert [(t.resources["CPU"], t.resources["GPU"], t.most) for t in growth.types] == [(8, 1, 5)]


def test_a_pod_that_may_not_read_its_ray_cluster_does_not_know(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_CLUSTER_NAME", "mine")
    monkeypatch.setattr(autoscaler, "_NAMESPACE", tmp_path / "namespace")
    assert autoscaler._on_kubernetes() is None
    (tmp_path / "namespace").write_text("team")
    assert autoscaler._on_kubernetes() is None
