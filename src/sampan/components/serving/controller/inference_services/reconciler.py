"""One InferenceService, from its spec to its status.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/controller.go. Not so here: there is no finalizer,
for what belongs to a service is owned by it; and what a spec no longer names (a transformer, a canary) goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, SCALED_OBJECTS
from sampan.components.serving.api.labels import PREDICTOR
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.inference_services.around_one import Surroundings, is_frozen
from sampan.components.serving.controller.inference_services.children import (
    Children,
    NotServedError,
    Own,
    TakenError,
)
from sampan.components.serving.controller.inference_services.knative import KnativeMode
from sampan.components.serving.controller.inference_services.standard import StandardMode
from sampan.components.serving.controller.inference_services.templates import RefusedError, Templates
from sampan.components.serving.controller.scaling.configured import Configured
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import scaling, standard, status
from sampan.components.serving.engine.inference_services import spec as reading
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, Verdict
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.status import (
    CanarySeen,
    ComponentSeen,
    Status,
    Whole,
)
from sampan.kube import meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.controller import Controller, Source, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result

_LATER = timedelta(seconds=10)
_MODEL_MESH = "ModelMesh"
_MAY_PASS = (401, 403, 404, 408, 425, 429)
"""Of the API's refusals of what is wrong, those that may have their reason elsewhere than in the object."""


class InferenceServiceReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._clock = around.clock
        self._is_embedded = around.is_embedded
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._surroundings = Surroundings(around)
        self._children = Children(
            around.client, served=None if around.is_embedded else around.served, added=around.served
        )
        self._credentials = Credentials(around.client, self._services)
        self._templates = Templates(around, self._surroundings, self._credentials)
        self._autoscaling = Configured(around.client)
        self._knative = KnativeMode(self._children, self._autoscaling)
        self._standard = StandardMode(self._children)
        self._recorder = EventRecorder(around.client, around.clock, "v1beta1Controllers")

        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._services),
            *self._children.sources(),
            *self._surroundings.sources(),
            *self._credentials.sources(),
            *self._templates.local_models.sources(),
            reads(self._templates.storage.containers),
            reads(self._autoscaling.cache),
        ]
        self._controller = Controller(
            "inferenceservice", self.reconcile, sources, workers=4, close=self._close
        )
        return self._controller

    async def reconcile(self, request: Request) -> Result:
        isvc = self._services.get(request.namespace, request.name)
        if isvc is None or meta.is_deleting(isvc):
            return DONE
        await self._children.find_kinds(self._tell)
        mode = reading.deployment_mode(isvc, self._surroundings.configured().deployment_mode)
        if reading.is_stopped(isvc):
            return await self._stop(isvc, mode)
        if is_frozen(isvc) and self._is_settled(isvc):
            return DONE
        try:
            # Where our hooks are not, nobody has looked at it yet.
            admitted = isvc if self._is_embedded else self._surroundings.as_admitted(isvc)
            whole = await self._make(admitted, mode)
        except RefusedError as error:
            return await self._refuse(isvc, mode, error)
        except NotServedError as error:
            what = f"{error}: give the InferenceService the annotation {labels.AUTOSCALER_CLASS}: none"
            refused = RefusedError(PREDICTOR, "AutoscalerNotServed", what, may_pass=True)
            return await self._refuse(isvc, mode, refused)
        except TakenError as error:
            return await self._refuse(
                isvc, mode, RefusedError(PREDICTOR, "NotOwned", str(error), may_pass=True)
            )
        except (ConflictError, NotFoundError):
            raise
        except ApiError as error:
            if not 400 <= error.code < 500:
                raise
            refused = RefusedError(PREDICTOR, error.reason, error.message, may_pass=error.code in _MAY_PASS)
            return await self._refuse(isvc, mode, refused)
        await self._write(isvc, status.status(isvc, whole))
        return DONE

    # What it consists of.

    async def _make(self, isvc: Object, mode: str) -> Whole:
        """Raises RefusedError, TakenError, ApiError."""
        self._check_mode(mode)
        mine, configured = self._children.of(isvc), self._surroundings.configured()
        seen: list[ComponentSeen] = []
        runtime: dict[str, str] = {}
        found = reading.components(isvc)
        canaries = standard.canaries(isvc, found[0]) if mode == labels.STANDARD else ()
        for each in found:
            component = standard.beside_canaries(each, canaries) if each.kind == PREDICTOR else each
            one, told = await self._keep(isvc, mode, component, mine)
            seen.append(one)
            runtime.update(told)
        told_of = [await self._keep_canary(isvc, mode, each, mine) for each in canaries]
        ingress = MET
        if mode == labels.KNATIVE:
            ingress = await self._keep_entrances(isvc, seen, mine)
        await mine.collect()
        now = rfc3339(self._clock.now())
        return Whole(seen, mode, configured.domain, now, told_of, runtime, ingress)

    async def _keep(
        self, isvc: Object, mode: str, component: Component, mine: Own
    ) -> tuple[ComponentSeen, Mapping[str, str]]:
        made = await self._templates.of(isvc, component, has_revisions=mode == labels.KNATIVE)
        try:
            if mode == labels.KNATIVE:
                return await self._knative.keep(isvc, component, made, mine), made.runtime
            rules = self._surroundings.configured().rules
            if meta.annotations(made.injected).get(labels.AUTOSCALER_CLASS) == scaling.KEDA:
                await self._children.find_added(SCALED_OBJECTS, self._tell)
            return await self._standard.keep(isvc, component, made, mine, rules), made.runtime
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"spec.{component.kind} cannot be read: {error}"
            raise RefusedError(component.kind, "InvalidPredictorSpec", message) from error

    async def _keep_canary(self, isvc: Object, mode: str, component: Component, mine: Own) -> CanarySeen:
        seen, _ = await self._keep(isvc, mode, component, mine)
        told: list[dict[str, Any]] = meta.spec(isvc).get("canary") or []
        percent = next(
            int(each.get("trafficPercent") or 0)
            for each in told
            if (each.get("predictor") or {}).get("name") == component.canary
        )
        return CanarySeen(component.canary, percent, seen.ready.is_true)

    async def _keep_entrances(self, isvc: Object, seen: Sequence[ComponentSeen], mine: Own) -> Verdict:
        """Of the components and of the whole: what pods call leads to the gateway."""
        http, grpc = [("http", self._surroundings.port)], [("h2c", self._surroundings.grpc_port)]
        ports = {each.component.name: grpc if each.is_grpc else http for each in seen}
        for name, found in ports.items():
            await self._knative.keep_entrance(isvc, name, mine, found)
        try:
            await self._knative.keep_entrance(isvc, meta.name(isvc), mine, ports[reading.entry(isvc).name])
        except TakenError as error:
            return Verdict(FALSE, "NotOwned", str(error))
        return MET

    def _check_mode(self, mode: str) -> None:
        """Raises RefusedError."""
        if mode == labels.KNATIVE and not self._is_embedded:
            raise RefusedError(
                PREDICTOR,
                "ServerlessModeRejected",
                "mode Knative is there in the embedded cluster only: give the InferenceService the annotation "
                f"{labels.DEPLOYMENT_MODE}: {labels.STANDARD} when you make it",
            )
        if mode not in (labels.KNATIVE, labels.STANDARD):
            what = "is not served here" if mode == _MODEL_MESH else "is not known"
            raise RefusedError(
                PREDICTOR,
                "InvalidPredictorSpec",
                f"deployment mode {mode!r} {what}: use {labels.KNATIVE} or {labels.STANDARD}",
            )

    # What is said of it.

    async def _stop(self, isvc: Object, mode: str) -> Result:
        """All of it goes but the object."""
        await self._children.of(isvc).collect()
        await self._write(isvc, status.stopped(isvc, mode, rfc3339(self._clock.now())))
        return DONE

    async def _refuse(self, isvc: Object, mode: str, error: RefusedError) -> Result:
        verdict = Verdict(FALSE, error.reason, error.message)
        now = rfc3339(self._clock.now())
        wanted = status.refused(isvc, mode, error.component, verdict, now)
        if await self._write(isvc, wanted):
            self._recorder.warning(isvc, "InternalError", error.message)
        return Result(_LATER) if error.may_pass else DONE

    async def _write(self, isvc: Object, wanted: Status) -> bool:
        """Whether the status has changed. Tells of it where that concerns whether it is ready."""
        after = await update_status(self._client, INFERENCE_SERVICES, isvc, wanted)
        if after is isvc:
            return False
        was, now = (known.find(meta.status(each), known.READY).get("status") for each in (isvc, after))
        name = meta.name(isvc)
        if now == known.TRUE and was != known.TRUE:
            self._recorder.normal(isvc, "InferenceServiceReady", f"InferenceService [{name}] is Ready")
        elif now == known.FALSE != was and "url" in meta.status(isvc):
            failing = [each["type"] for each in wanted["conditions"] if each["status"] == known.FALSE]
            message = f"InferenceService [{name}] is no longer Ready because of: {', '.join(failing)}"
            self._recorder.warning(isvc, "InferenceServiceNotReady", message)
        await self._services.reached(meta.resource_version(after))
        return True

    def _tell(self, request: Request) -> None:
        if self._controller is not None:
            self._controller.queue.add(request)

    async def _close(self) -> None:
        await self._children.close()
        await self._recorder.close()

    def _is_settled(self, isvc: Object) -> bool:
        found = meta.status(isvc)
        is_ready = known.find(found, known.READY).get("status") == known.TRUE
        return is_ready and int(found.get("observedGeneration") or 0) == meta.generation(isvc)
