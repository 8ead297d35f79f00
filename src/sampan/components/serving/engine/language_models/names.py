"""Names and labels of what is made for an LLMInferenceService.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/{workload,workload_single_node,workload_lora,
router_discovery_filter}.go, pkg/constants/constants.go; knative.dev/pkg kmeta/names.go (ChildName).
"""

from __future__ import annotations

import hashlib
import re

from sampan.components.serving.api.labels import LLM_INFERENCE_SERVICE
from sampan.kube import meta
from sampan.kube.meta import Object

MAIN = "main"
"""The container that serves the model."""
PORT = 8000
LORA_ROOT = "/mnt/lora"
PUBLISHERS = "publishers/"
"""What every model's name among those of all namespaces begins with."""
OWNER = LLM_INFERENCE_SERVICE
ROLE = "llm-d.ai/role"
BOTH, DECODE, PREFILL = "both", "decode", "prefill"
RESERVED = frozenset(
    {
        *("api", "apis", "openapi", "openid", "version", "healthz", "livez", "readyz", "metrics", "ui"),
        *(
            "serving",
            "seldon",
            "publishers",
            "pipeline",
            "pipelines",
            "katib",
            "artifacts",
            "content",
            "system",
        ),
        *("k8s", "visualizations", "cluster", "runs", "training", "tuning", "upload", "ws", "logs"),
    }
)
"""Namespaces whose names are the platform's own paths: there a service is reached by its host alone."""
_LONGEST, _DIGEST = 63, 32
_NO_PATH = re.compile(r"[^a-zA-Z0-9._-]")
_NO_END = re.compile(r"[^a-zA-Z0-9]+$")


def child(parent: str, suffix: str) -> str:
    """Both, if a label may be so long; else with a digest in place of what is too much."""
    room = _LONGEST - _DIGEST
    if len(parent) <= _LONGEST - len(suffix):
        return parent + suffix
    if room - len(suffix) > 0:
        digest = hashlib.md5(parent.encode(), usedforsecurity=False).hexdigest()
        return parent[: room - len(suffix)] + digest + suffix
    digest = hashlib.md5((parent + suffix).encode(), usedforsecurity=False).hexdigest()
    made = parent[:room] + digest
    return _NO_END.sub("", made + suffix[: _LONGEST - len(made)])


def deployment(name: str) -> str:
    return child(name, "-kserve")


def prefill(name: str) -> str:
    return child(name, "-kserve-prefill")


def service(name: str) -> str:
    return child(name, "-kserve-workload-svc")


def pool(name: str) -> str:
    return child(name, "-inference-pool")


def qualified(namespace: str, model: str) -> str:
    """A model's name among those of all namespaces."""
    return f"{PUBLISHERS}{namespace}/models/{model}"


def adapter_path(name: str) -> str:
    """Where an adapter's files are."""
    found = _NO_PATH.sub("-", name)
    return f"{LORA_ROOT}/{found if found not in ('', '.', '..') else 'adapter'}"


def own_labels(obj: Object, component: str = "llminferenceservice-workload") -> dict[str, str]:
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/name": meta.name(obj),
        "app.kubernetes.io/part-of": "llminferenceservice",
    }


def pod_labels(obj: Object, role: str) -> dict[str, str]:
    suffix = "-prefill" if role == PREFILL else ""
    component = f"llminferenceservice-workload{suffix}"
    return {
        **own_labels(obj, component),
        "kserve.io/component": "workload",
        ROLE: role,
        OWNER: meta.name(obj),
    }


def selector(obj: Object) -> dict[str, str]:
    """Of the pods that serve, in whatever role."""
    return {
        "app.kubernetes.io/name": meta.name(obj),
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
    }
