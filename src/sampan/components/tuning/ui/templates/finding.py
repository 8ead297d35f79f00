"""The trial templates that a user may see: keys of ConfigMaps with a label of Katib's.

Source: kubeflow/katib 0.19 pkg/ui/v1beta1/util.go (getTrialTemplates); those of the managers' namespace are for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.ui import template_text
from sampan.kube import meta
from sampan.ui.api import Api, ApiFailureError, segment

LABEL = {labels.COMPONENT: labels.TRIAL_TEMPLATES}
_SELECTOR = {"labelSelector": f"{labels.COMPONENT}={labels.TRIAL_TEMPLATES}"}


@dataclass(frozen=True, slots=True)
class Template:
    namespace: str
    config_map: str
    key: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.config_map}/{self.key}"

    @property
    def kind(self) -> str:
        """Of the object; empty where it is none."""
        try:
            return str(template_text.parsed(self.text).get("kind") or "")
        except ValueError:
            return ""


async def find(api: Api, namespace: str) -> list[Template]:
    """Of the namespace, and of the managers'. What may not be seen is left out."""
    found: list[Template] = []
    for each in dict.fromkeys((namespace, labels.NAMESPACE)):
        try:
            answer = await api.get(config_maps(each), _SELECTOR)
        except ApiFailureError:
            continue
        found += read(answer.get("items") or ())
    return found


def read(config_maps: Iterable[Mapping[str, Any]]) -> list[Template]:
    """By name. Pure."""
    return [
        Template(meta.namespace(each), meta.name(each), str(key), str(text))
        for each in sorted(config_maps, key=meta.name)
        for key, text in sorted((each.get("data") or {}).items())
    ]


def config_maps(namespace: str, name: str = "") -> str:
    """The API's path."""
    root = f"/api/v1/namespaces/{segment(namespace)}/configmaps"
    return f"{root}/{segment(name)}" if name else root
