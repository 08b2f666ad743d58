"""Checks the files of this folder, or your own, without a cloud: a typo is found before it costs.

    python experiments/cluster/validate.py [FILE...]

Cluster files pass Ray's own check, which looks at no cloud's fields. Those of each machine are
checked by what the cloud's own library knows: botocore's RunInstances, and the Instance in Google's
discovery document. Manifests are checked by KubeRay's schemas (kuberay-schemas.json.xz, made from
ray-project/kuberay, Apache-2.0; the licence is in it). It needs `pip install -e '.[dev]'`.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RAYS_OWN = {"aws": {"SubnetIds"}, "gcp": {"sourceInstanceTemplate", "networkConfig"}}
"""Fields of a machine that Ray takes out before it asks the cloud."""


def problems_of(document: Any) -> list[str]:
    """What is wrong in one document of a cluster file; empty if nothing is."""
    if not isinstance(document, dict):
        return ["is no mapping"]
    if "apiVersion" in document:
        return list(_manifest_problems(document))
    return list(_cluster_problems(document))


def _cluster_problems(cluster: dict[str, Any]) -> Iterator[str]:
    """A cluster file of Ray's launcher: Ray's schema, then each machine by its cloud."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    try:
        validate_config(prepare_config(json.loads(json.dumps(cluster))))
    except Exception as error:  # of jsonschema, of Ray and of click
        yield str(error).strip().partition("\n")[0]
        return
    provider = cluster["provider"]["type"]
    for key in cluster["provider"].keys() - _provider_fields():
        yield f"provider: {key!r} is not known to Ray"
    check = {"aws": _aws_problems, "gcp": _gcp_problems}.get(provider)
    for name, node_type in cluster.get("available_node_types", {}).items():
        own = RAYS_OWN.get(provider, set())
        machine = {k: v for k, v in node_type["node_config"].items() if k not in own}
        for problem in check(machine) if check else ():
            yield f"available_node_types.{name}.node_config: {problem}"


@cache
def _provider_fields() -> set[str]:
    """What Ray knows of providers; its own check lets other fields pass."""
    schema = json.loads((files("ray.autoscaler") / "ray-schema.json").read_bytes())
    return set(schema["properties"]["provider"]["properties"])


def _aws_problems(machine: dict[str, Any]) -> Iterator[str]:
    from botocore.validate import ParamValidator

    shape = _run_instances()
    request = {"MinCount": 1, "MaxCount": 1, **machine}
    report = ParamValidator().validate(request, shape)
    yield from report.generate_report().splitlines()
    yield from _foreign_words(request, shape, "")


@cache
def _run_instances() -> Any:
    """What EC2 takes when it is asked for machines."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    service = ServiceModel(Loader().load_service_model("ec2", "service-2"))
    return service.operation_model("RunInstances").input_shape


def _foreign_words(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Words that are not among those that a field allows; botocore checks their type alone."""
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        for key in value.keys() & members.keys():
            yield from _foreign_words(value[key], members[key], f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _foreign_words(item, getattr(shape, "member", None), path)
    elif (allowed := getattr(shape, "enum", None)) and value not in allowed:
        yield f"{path.lstrip('.')}: {value!r} is not among the {len(allowed)} words that EC2 knows"


def _gcp_problems(machine: dict[str, Any]) -> Iterator[str]:
    yield from _schema_problems(machine, _compute_instance())


@cache
def _compute_instance() -> dict[str, Any]:
    """Google's Instance as a JSON schema that is closed against unknown fields."""
    document = files("googleapiclient.discovery_cache.documents") / "compute.v1.json"
    schemas = json.loads(document.read_bytes())["schemas"]
    return {"$ref": "#/$defs/Instance", "$defs": {k: _closed(v) for k, v in schemas.items()}}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema of a discovery document as JSON schema."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    kind = schema.get("type", "any")
    made: dict[str, Any] = {} if kind == "any" else {"type": kind}
    if schema.get("format") in ("int64", "uint64"):  # text in JSON; numbers are understood
        made["type"] = ["string", "integer"]
    if "enum" in schema:
        made["enum"] = schema["enum"]
    if "items" in schema:
        made["items"] = _closed(schema["items"])
    if "properties" in schema:
        made["properties"] = {k: _closed(v) for k, v in schema["properties"].items()}
    if kind == "object":
        more = schema.get("additionalProperties")
        made["additionalProperties"] = _closed(more) if more else False
    return made


def _manifest_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """A manifest of Kubernetes: KubeRay's kinds, and a network policy (its rules are KubeRay's)."""
    schemas, kind = _kuberay(), manifest.get("kind")
    for key in manifest.get("metadata", {}).keys() - {"name", "namespace", "labels", "annotations"}:
        yield f"metadata: {key!r} is not known"
    if kind == "NetworkPolicy":
        yield from _schema_problems(manifest, _network_policy(schemas))
    elif kind in schemas:
        yield from _schema_problems(manifest, schemas[kind])
    else:
        yield f"kind: {kind!r} is none of RayCluster, RayJob, RayService, NetworkPolicy"


def _network_policy(schemas: Any) -> dict[str, Any]:
    """A network policy for what comes in, as JSON schema."""
    policy = schemas["RayCluster"]["properties"]["spec"]["properties"]["networkPolicy"]
    rules = policy["properties"]["head"]["properties"]["ingressRules"]
    selector = rules["items"]["properties"]["from"]["items"]["properties"]["podSelector"]
    types = {"type": "array", "items": {"enum": ["Ingress", "Egress"]}}
    spec = {"podSelector": selector, "policyTypes": types, "ingress": rules}
    fields = {"apiVersion": {}, "kind": {}, "metadata": {}, "spec": _exactly(spec)}
    return _exactly(fields)


def _exactly(fields: dict[str, Any]) -> dict[str, Any]:
    """A mapping of these fields and no others."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


@cache
def _kuberay() -> Any:
    return json.loads(lzma.decompress((HERE / "kuberay-schemas.json.xz").read_bytes()))


def _schema_problems(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(schema).iter_errors(value):
        yield f"{'.'.join(map(str, error.path)) or '(the whole)'}: {error.message[:300]}"


def main(paths: list[str]) -> int:
    """Check the files, print what is wrong, and return the exit code."""
    chosen = [Path(path) for path in paths] or sorted(HERE.glob("*.yaml"))
    code = 0
    for path in chosen:
        documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
        problems = [problem for document in documents for problem in problems_of(document)]
        print(f"{path}: {'; '.join(problems) or 'right'}")
        code = 2 if problems else code
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
