"""An InferenceService read: which components it has, how they run, and what else their spec says.

Source: kserve/kserve 0.20 pkg/apis/serving/v1beta1 (component.go, predictor.go, transformer.go, explainer.go) and
pkg/controller/v1beta1/inferenceservice/utils/utils.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels, models
from sampan.components.serving.api.labels import EXPLAINER, PREDICTOR, TRANSFORMER
from sampan.components.serving.engine.inference_services import names
from sampan.components.serving.engine.selection.merging import pod_spec
from sampan.kube import meta
from sampan.kube.meta import Object

_MULTI_MODEL = "MULTI_MODEL_SERVER"


@dataclass(frozen=True, slots=True)
class Component:
    """Predictor, transformer or explainer of an InferenceService; a canary of its predictor too."""

    kind: str
    spec: Mapping[str, Any]
    name: str
    """Of its Service: `NAME-predictor`."""
    canary: str = ""
    """The name of the canary that it is of, in mode Standard."""

    @property
    def pod_fields(self) -> dict[str, Any]:
        """Its part of a PodSpec."""
        return pod_spec(dict(self.spec))

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [each for each in self.spec.get("containers") or () if isinstance(each, dict)]

    @property
    def model(self) -> Mapping[str, Any] | None:
        """Whichever way its spec says it."""
        found = self.spec.get(models.framework(dict(self.spec)))
        return found if isinstance(found, Mapping) else None

    @property
    def concurrency(self) -> int:
        return int(self.spec.get("containerConcurrency") or 0)

    @property
    def has_agent_before_it(self) -> bool:
        """Whether requests come to the agent first."""
        return self.spec.get("logger") is not None or self.spec.get("batcher") is not None


def components(isvc: Object) -> tuple[Component, ...]:
    """Predictor first."""
    spec, name = meta.spec(isvc), meta.name(isvc)
    found = []
    for kind in names.COMPONENTS:
        part = spec.get(kind)
        if isinstance(part, Mapping) or kind == PREDICTOR:
            part = part if isinstance(part, Mapping) else {}
            variant = str(part.get("name") or "") if kind == PREDICTOR else ""
            found.append(Component(kind, part, names.component_name(name, kind, variant)))
    return tuple(found)


def component(isvc: Object, kind: str) -> Component | None:
    return next((each for each in components(isvc) if each.kind == kind), None)


def predictor(isvc: Object) -> Component:
    return components(isvc)[0]


def entry(isvc: Object) -> Component:
    """Which component requests come to that ask for no explanation."""
    return component(isvc, TRANSFORMER) or predictor(isvc)


def explainer(isvc: Object) -> Component | None:
    return component(isvc, EXPLAINER)


def is_stopped(isvc: Object) -> bool:
    return meta.annotations(isvc).get(labels.STOP, "").lower() == "true"


def deployment_mode(isvc: Object, default: str) -> str:
    """The one that its status has recorded, else the one it asks for. ModelMesh stays as it is: nobody acts on it."""
    recorded = str(meta.status(isvc).get("deploymentMode") or "")
    if recorded:
        return labels.MODES.get(recorded, recorded)
    wanted = meta.annotations(isvc).get(labels.DEPLOYMENT_MODE, "")
    if wanted == "ModelMesh":
        return wanted
    return labels.MODES.get(wanted) or labels.MODES.get(default, default)


def is_cluster_local(isvc: Object) -> bool:
    held = meta.labels(isvc)
    return labels.CLUSTER_LOCAL in (
        held.get(labels.VISIBILITY),
        held.get("networking.knative.dev/visibility"),
    )


def storage_uri(of: Component) -> str:
    """Of its model, or what a container of the user's own asks for by the variable STORAGE_URI."""
    if of.model is not None:
        return str(of.model.get("storageUri") or "")
    for container in of.containers:
        if of.kind != PREDICTOR or container.get("name") == labels.CONTAINER:
            return env_value(container, "STORAGE_URI")
    return ""


def is_multi_model(of: Component) -> bool:
    """Whether its models come as TrainedModels."""
    if of.kind != PREDICTOR:
        return False
    if of.model is None:
        return bool(of.containers) and env_value(of.containers[0], _MULTI_MODEL) == "true"
    name = str((of.model.get("modelFormat") or {}).get("name") or "")
    if "huggingface" in (name, models.framework(dict(of.spec))):
        return False
    return not (of.model.get("storageUri") or of.model.get("storage") or of.spec.get("storageUris"))


def env_value(container: Mapping[str, Any], name: str) -> str:
    for each in container.get("env") or ():
        if isinstance(each, Mapping) and each.get("name") == name:
            return str(each.get("value") or "")
    return ""
