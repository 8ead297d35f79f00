"""What `inferenceservice-config` says of the routers of graphs.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/inferencegraph/controller.go (RouterConfig),
config/configmap/inferenceservice.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube import quantities


@dataclass(frozen=True, slots=True)
class RouterConfig:
    image: str = "kserve/router:v0.20.0"
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    pull_policy: str = ""
    pull_secrets: tuple[str, ...] = ()
    propagated: tuple[str, ...] | None = None
    """Patterns of the headers that go to each step; None where nothing is said of them."""

    @staticmethod
    def of(data: Mapping[str, str]) -> RouterConfig:
        """From the ConfigMap's data. What cannot be read counts as not said."""
        try:
            section = json.loads(data["router"])
        except (KeyError, ValueError, TypeError):
            return RouterConfig()
        return _read(section) if isinstance(section, dict) else RouterConfig()


def _read(section: Mapping[str, Any]) -> RouterConfig:
    told: dict[str, Any] = {}
    for key, name in (
        ("cpuRequest", "cpu_request"),
        ("cpuLimit", "cpu_limit"),
        ("memoryRequest", "memory_request"),
        ("memoryLimit", "memory_limit"),
    ):
        if _is_amount(section.get(key)):
            told[name] = str(section[key])
    for key, name in (("image", "image"), ("imagePullPolicy", "pull_policy")):
        if isinstance(section.get(key), str) and section[key]:
            told[name] = section[key]
    headers = section.get("headers")
    if isinstance(headers, Mapping) and isinstance(headers.get("propagate"), list):
        told["propagated"] = tuple(map(str, headers["propagate"]))
    secrets = section.get("imagePullSecrets")
    told["pull_secrets"] = tuple(map(str, secrets)) if isinstance(secrets, list) else ()
    return RouterConfig(**told)


def _is_amount(value: Any) -> bool:
    try:
        return quantities.parse(value) >= 0
    except (ValueError, TypeError):
        return False
