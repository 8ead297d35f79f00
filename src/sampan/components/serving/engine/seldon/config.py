"""Which images stand for prepackaged servers and explainers, by the ConfigMap `seldon-config` or as upstream ships.

Source: seldon-core 1.18.2 operator/config/manager/configmap.yaml, apis/machinelearning.seldon.io/v1/prepack.go.
LIGHTGBM_SERVER is ours: upstream shows how to add it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAMESPACE, CONFIG_MAP = "seldon-system", "seldon-config"
SELDON, TENSORFLOW, V2, KFSERVING = "seldon", "tensorflow", "v2", "kfserving"
_VERSION = "1.18.2"
_MLSERVER = "seldonio/mlserver:1.3.5"
_SERVERS: Mapping[str, Mapping[str, str]] = {
    "TENSORFLOW_SERVER": {
        TENSORFLOW: "tensorflow/serving:2.1.0",
        SELDON: f"seldonio/tfserving-proxy:{_VERSION}",
    },
    "SKLEARN_SERVER": {SELDON: f"seldonio/sklearnserver:{_VERSION}", V2: f"{_MLSERVER}-sklearn"},
    "XGBOOST_SERVER": {SELDON: f"seldonio/xgboostserver:{_VERSION}", V2: f"{_MLSERVER}-xgboost"},
    "LIGHTGBM_SERVER": {SELDON: f"seldonio/lighgbmserver:{_VERSION}", V2: f"{_MLSERVER}-lightgbm"},
    "MLFLOW_SERVER": {SELDON: f"seldonio/mlflowserver:{_VERSION}", V2: f"{_MLSERVER}-mlflow"},
    "TRITON_SERVER": {V2: "nvcr.io/nvidia/tritonserver:21.08-py3"},
    "HUGGINGFACE_SERVER": {V2: f"{_MLSERVER}-huggingface"},
    "TEMPO_SERVER": {V2: f"{_MLSERVER}-slim"},
}


@dataclass(frozen=True, slots=True)
class SeldonConfig:
    servers: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _SERVERS)
    """By name and protocol, the image."""
    executor: str = f"seldonio/seldon-core-executor:{_VERSION}"
    explainer: str = f"seldonio/alibiexplainer:{_VERSION}"
    explainer_v2: str = f"{_MLSERVER}-alibi-explain"
    is_embedded: bool = True
    """Whether pods are processes of this machine: they are asked at once whether they are ready, and want little."""
    user: int | None = None
    """As which pods run that say nothing of it."""

    def image(self, server: str, protocol: str) -> str:
        """Empty where there is none."""
        images = self.servers.get(server, {})
        others = {V2: KFSERVING, KFSERVING: V2}
        protocol = protocol or SELDON
        return images.get(protocol) or images.get(others.get(protocol, ""), "")

    @staticmethod
    def of(data: Mapping[str, str], *, is_embedded: bool, user: int | None = None) -> SeldonConfig:
        """From the ConfigMap's data. What cannot be read counts as not said."""
        told = _section(data, "predictor_servers")
        servers = {**_SERVERS, **{name: _images(each) for name, each in told.items()}}
        explainer = _section(data, "explainer")
        default = SeldonConfig()
        return SeldonConfig(
            servers,
            explainer=str(explainer.get("image") or default.explainer),
            explainer_v2=str(explainer.get("image_v2") or default.explainer_v2),
            is_embedded=is_embedded,
            user=user,
        )


def _images(server: Any) -> dict[str, str]:
    protocols = server.get("protocols") if isinstance(server, dict) else None
    found = {}
    for protocol, told in (protocols if isinstance(protocols, dict) else {}).items():
        image, version = told.get("image"), told.get("defaultImageVersion")
        if image:
            found[str(protocol)] = f"{image}:{version}" if version else str(image)
    return found


def _section(data: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        found = json.loads(data.get(name) or "{}")
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
