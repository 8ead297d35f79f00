"""A component of an InferenceService as a pod template: its runtime, its storage and its agent in it.

Refuses what no pod can be made of, with the reason that its status is to give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.components.serving.api.config import Config
from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.labels import PREDICTOR
from sampan.components.serving.controller.agents import PodAgents
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.inference_services.around_one import Surroundings
from sampan.components.serving.controller.local_models import waiting
from sampan.components.serving.controller.local_models.waiting import Waiting
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.inference_services import pods
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.pods import Runtime, SpecError
from sampan.components.serving.engine.inference_services.revisions import PROBE_SECONDS
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.metrics.injection import with_accelerator, with_metrics
from sampan.components.serving.engine.selection.choosing import UnselectableError, select
from sampan.components.serving.engine.selection.merging import merged
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.kube import meta
from sampan.kube.meta import Object

_PROBE_SECONDS = 10
"""Kubernetes' own, in mode Standard."""
_NONSENSE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What comes of reading a spec that no schema has seen to."""


class RefusedError(Exception):
    """No pod can be made of a component as things are."""

    def __init__(self, component: str, reason: str, message: str, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.component = component
        self.reason = reason
        self.message = message
        self.may_pass = may_pass
        """Whether it may be otherwise without the object being changed."""


@dataclass(frozen=True, slots=True)
class Made:
    plain: Object
    """As the spec and the runtime say it."""
    injected: Object
    """With what brings the model in, the agent, and what names the revision in metrics."""
    runtime: Mapping[str, str] = field(default_factory=dict)
    """For the status: which runtime it is."""


class Templates:
    def __init__(self, around: Around, surroundings: Surroundings, credentials: Credentials) -> None:
        self._around = surroundings
        self.storage = ModelStorage(around, credentials)
        self.local_models = Waiting(around, INFERENCE_SERVICES, "PredictorReady")
        self._agents = PodAgents(around, credentials)

    async def of(self, isvc: Object, component: Component, *, has_revisions: bool) -> Made:
        """Raises RefusedError, ApiError."""
        try:
            return await self._of(isvc, component, has_revisions)
        except (UnselectableError, SpecError) as error:
            raise RefusedError(component.kind, error.reason, str(error)) from error
        except StorageError as error:
            raise RefusedError(component.kind, error.reason, error.message, may_pass=True) from error
        except _NONSENSE as error:
            message = f"spec.{component.kind} cannot be read: {type(error).__name__}: {error}"
            raise RefusedError(component.kind, "InvalidPredictorSpec", message) from error

    async def _of(self, isvc: Object, component: Component, has_revisions: bool) -> Made:
        if component.spec.get("workerSpec") is not None:
            raise SpecError(
                "spec.predictor.workerSpec asks for a model on several machines, which is not supported here: take"
                " it away, or use a container that spreads its model by itself"
            )
        if component.kind == PREDICTOR and (why := self.local_models.why(isvc)):
            raise RefusedError(component.kind, waiting.REASON, why, may_pass=True)
        runtime, told = self._runtime(isvc, component)
        predictor = reading.predictor(isvc).name
        disallowed = self._around.configured().disallowed
        namespace, data = meta.namespace(isvc), self._around.data
        images = Config.of(data).explainer_images
        plain = pods.template(isvc, component, runtime, disallowed, predictor, images)
        seconds = PROBE_SECONDS if has_revisions else _PROBE_SECONDS
        injected = pods.with_default_probes(plain, period_seconds=seconds)
        injected = await self.storage.add(component.spec, injected, namespace, self.storage.config(data))
        injected = await self._agents.add(component.spec, injected, namespace, data)
        injected = with_metrics(with_accelerator(injected), data, has_revisions=has_revisions)
        return Made(plain, pods.canonical(injected), told)

    def _runtime(self, isvc: Object, component: Component) -> tuple[Runtime | None, Mapping[str, str]]:
        if component.kind != PREDICTOR or component.model is None:
            return None, {}
        spec = dict(component.spec)
        selected = select(
            spec, meta.name(isvc), self._around.runtimes(meta.namespace(isvc)), self._around.of_cluster()
        )
        found = merged(selected, isvc, spec)
        runtime = selected.runtime
        name = "clusterServingRuntimeName" if runtime.is_cluster else "servingRuntimeName"
        labels = {**found.labels, **selected.labels}
        return Runtime(found.pod_spec, labels, found.annotations), {name: runtime.name}
