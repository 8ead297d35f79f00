"""The containers of explainers that a spec names by their library: `art`, `alibi`, `aix`. Pure. Called by pods.py.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1/explainer_art.go; kserve/kserve 0.5.1 (KFServing)
pkg/apis/serving/v1beta1/{explainer_alibi,explainer_aix360}.go, whose explainers KServe has given up since.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.inference_services.spec import Component

_DEFAULTS = {
    "art": ("kserve/art-explainer", "latest", "SquareAttack"),
    "alibi": ("kserve/alibi-explainer", "v0.10.1", "AnchorTabular"),
    "aix": ("kserve/aix-explainer", "v0.10.1", "LimeImages"),
}
"""Image and version where neither the spec nor the ConfigMap says one; and the kind."""
EXPLAINERS = tuple(_DEFAULTS)
_NOT_OF_THE_CONTAINER = ("type", "config", "storageUri", "runtimeVersion", "storage")


def container(of: Component, images: Mapping[str, tuple[str, str]]) -> dict[str, Any] | None:
    """None where the spec names no library. `images` are the ConfigMap's images and versions."""
    for name in EXPLAINERS:
        said = of.spec.get(name)
        if isinstance(said, Mapping):
            return _container(name, said, images.get(name) or ("", ""))
    return None


def _container(name: str, said: Mapping[str, Any], configured: tuple[str, str]) -> dict[str, Any]:
    image, version, kind = _DEFAULTS[name]
    own = {key: copy.deepcopy(value) for key, value in said.items() if key not in _NOT_OF_THE_CONTAINER}
    version = str(said.get("runtimeVersion") or configured[1] or version)
    return {
        **own,
        "name": labels.CONTAINER,
        "image": str(said.get("image") or f"{configured[0] or image}:{version}"),
        "args": [*_arguments(name, said, str(said.get("type") or kind)), *(said.get("args") or ())],
    }


def _arguments(name: str, said: Mapping[str, Any], kind: str) -> list[str]:
    config: Mapping[str, Any] = said.get("config") or {}
    settings = [each for key in sorted(config) for each in (f"--{key}", str(config[key]))]
    stored = ["--storage_uri", labels.MODEL_DIR] if said.get("storageUri") else []
    if name == "alibi":
        # What follows the kind is the kind's own.
        return [*stored, kind, *settings]
    return [{"art": "--adversary_type", "aix": "--explainer_type"}[name], kind, *stored, *settings]
