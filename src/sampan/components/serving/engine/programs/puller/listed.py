"""The list of models that a pod is to serve: `models.json` of a ConfigMap, mounted.

Source: kserve/kserve v0.20.0 pkg/modelconfig/configmap.go, pkg/apis/serving/v1alpha1/trained_model.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "models.json"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Model:
    uri: str
    framework: str = ""
    memory: str = ""

    def to_json(self) -> str:
        told = asdict(self)
        return json.dumps({"storageUri": told.pop("uri"), **told}, sort_keys=True)


def read(folder: Path) -> dict[str, Model] | None:
    """By name; None where there is no list that can be read. What is no model in it is left out."""
    try:
        found = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, list):
        return None
    models = {}
    for each in found:
        name, told = (each.get("modelName"), each.get("modelSpec")) if isinstance(each, dict) else ("", None)
        # It becomes the name of a folder.
        if isinstance(name, str) and _NAME.fullmatch(name) and isinstance(told, dict):
            models[name] = model(told)
    return models


def model(told: Mapping[str, object]) -> Model:
    return Model(*(str(told.get(key) or "") for key in ("storageUri", "framework", "memory")))
