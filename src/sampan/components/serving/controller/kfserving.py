"""The controller of KFServing's InferenceServices: each is followed by one of KServe's, of its name and its own.

The thin edge around `engine.kfserving`. That one's controller does the rest.
"""

from __future__ import annotations

from sampan.client.protocol import PatchType, WriteOptions
from sampan.components.serving.api.config import Config
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, KFSERVING_INFERENCE_SERVICES
from sampan.components.serving.api.labels import CONFIG, KNATIVE, NAMESPACE, STANDARD
from sampan.components.serving.api.reading import mapping
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.kfserving import checking
from sampan.components.serving.engine.kfserving.mirroring import Mirror, mirror
from sampan.components.serving.engine.kfserving.status import refused, rolled_out, status
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.kube import meta, owners
from sampan.kube.errors import BadRequestError, InvalidError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, mapped, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_MANAGER = "sampan-kfserving"
_TAKEN, _INVALID = "NameTaken", "InvalidSpec"


class KFServingReconciler:
    def __init__(self, around: Around, configs: Cache) -> None:
        """`configs`: ConfigMaps of the namespace that has `inferenceservice-config`."""
        self._client = around.client
        self._clock = around.clock
        self._is_embedded = around.is_embedded
        self._settings = around.settings
        self._services = around.caches.of(KFSERVING_INFERENCE_SERVICES)
        self._running = around.caches.of(INFERENCE_SERVICES)
        self._configs = configs
        self._recorder = EventRecorder(around.client, around.clock, "kfserving-controller")

    def controller(self) -> Controller[Request]:
        sources = [
            own(self._services),
            # By its name, so that one that was in the way is missed too.
            mapped(self._running, self._followed),
            mapped(self._configs, lambda obj: self._all() if meta.name(obj) == CONFIG else ()),
        ]
        return Controller("kfserving", self.reconcile, sources, workers=2, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        service = self._services.get(request.namespace, request.name)
        if service is None or meta.is_deleting(service):
            return DONE
        wanted = mirror(service, self._config(), rolled_out(service))
        running = self._running.get(request.namespace, request.name)
        if running is not None and not owners.is_controlled_by(running, service):
            await self._refuse(
                service,
                _TAKEN,
                f"{INFERENCE_SERVICES.kind}.{INFERENCE_SERVICES.group} {meta.name(service)} is there and is somebody"
                " else's: delete it, or take another name",
            )
            return DONE
        if why := self._why_not(service):
            await self._refuse(service, _INVALID, why)
            return DONE
        try:
            running = await self._ensure(service, wanted, running)
        except (InvalidError, BadRequestError) as error:
            await self._refuse(service, _INVALID, error.message)
            return DONE
        said = status(service, wanted, running, rfc3339(self._clock.now()))
        after = await update_status(self._client, KFSERVING_INFERENCE_SERVICES, service, said)
        await self._services.reached(meta.resource_version(after))
        return DONE

    async def _ensure(self, service: Object, wanted: Mirror, running: Object | None) -> Object:
        """Applied as a whole, so that what is no longer said is no longer there."""
        if running is not None and _is_as_wanted(running, wanted.service):
            return running
        obj = {
            **wanted.service,
            "metadata": {
                **meta.metadata(wanted.service),
                "ownerReferences": [owners.owner_reference(service)],
            },
        }
        found = await self._client.patch(
            INFERENCE_SERVICES,
            meta.name(service),
            obj,
            meta.namespace(service),
            patch_type=PatchType.APPLY,
            options=WriteOptions(field_manager=_MANAGER, force=True),
        )
        await self._running.reached(meta.resource_version(found))
        return found

    def _why_not(self, service: Object) -> str:
        """What admission would have refused; where it did, nothing."""
        if self._is_embedded:
            return ""
        errors = FieldErrors()
        checking.check(service, None, Surroundings(self._config()), errors)
        return "; ".join(f"{each.field}: {each.message}" for each in errors.causes[:3])

    async def _refuse(self, service: Object, reason: str, message: str) -> None:
        said = refused(service, reason, message, rfc3339(self._clock.now()))
        after = await update_status(self._client, KFSERVING_INFERENCE_SERVICES, service, said)
        if after is not service:
            self._recorder.warning(service, reason, message)

    def _config(self) -> Config:
        mode = self._settings.deployment_mode
        if mode == "auto":
            mode = KNATIVE if self._is_embedded else STANDARD
        return Config.of(mapping((self._configs.get(NAMESPACE, CONFIG) or {}).get("data")), mode)

    def _followed(self, running: Object) -> list[Request]:
        known = self._services.get(meta.namespace(running), meta.name(running))
        return [] if known is None else [request_for(known)]

    def _all(self) -> list[Request]:
        return [request_for(each) for each in self._services.list()]


def _is_as_wanted(running: Object, wanted: Object) -> bool:
    its, said = meta.metadata(running), meta.metadata(wanted)
    return meta.spec(running) == meta.spec(wanted) and all(
        mapping(its.get(key)) == mapping(said.get(key)) for key in ("labels", "annotations")
    )
