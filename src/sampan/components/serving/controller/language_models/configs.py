"""One LLMInferenceServiceConfig: who uses it; while somebody does, it is not deleted.

One of a well-known name counts as used by every service of its namespace, which could depend on it without saying so.
Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/llmisvcconfig_controller.go. Not so here: those that came
along, in KServe's own namespace, count as used by those that say so alone; a hook keeps them from being deleted
(`admission`), and they come back with the next start where they are gone all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from sampan.client.protocol import PatchType
from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICE_CONFIGS, LLM_INFERENCE_SERVICES
from sampan.components.serving.api.labels import NAMESPACE
from sampan.components.serving.api.language_presets import is_well_known
from sampan.components.serving.api.reading import mappings, text
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services.conditions import FALSE, MET, READY, TRUE, Verdict
from sampan.components.serving.engine.language_models import combining
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.controller import Controller, Source, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

FINALIZER = "serving.kserve.io/llmisvcconfig-finalizer"
_IN_USE, _CONDITION = "InUse", "ConfigInUse"


class LanguageModelConfigReconciler:
    def __init__(self, around: Around) -> None:
        self._around, self._client = around, around.client
        self._configs = around.caches.of(LLM_INFERENCE_SERVICE_CONFIGS)
        self._services = around.caches.of(LLM_INFERENCE_SERVICES)
        self._recorder = EventRecorder(around.client, around.clock, "LLMInferenceServiceConfigController")

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [own(self._configs), Source(self._services, self._of_service)]
        return Controller("llminferenceserviceconfig", self.reconcile, sources, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        config = self._configs.get(request.namespace, request.name)
        if config is None:
            return DONE
        finalizers = meta.metadata(config).get("finalizers") or []
        users = self._users(config)
        if not meta.is_deleting(config):
            if FINALIZER not in finalizers:
                await self._set_finalizers(config, [*finalizers, FINALIZER])
                return DONE
            reason = _IN_USE if users else "NotInUse"
            await self._write(config, users, reason)
        elif FINALIZER in finalizers and not users:
            await self._set_finalizers(config, [each for each in finalizers if each != FINALIZER])
        elif FINALIZER in finalizers:
            name = f"{meta.namespace(config)}/{meta.name(config)}"
            told = f"Cannot delete LLMInferenceServiceConfig {name}: {_told(users)}"
            self._recorder.warning(config, "DeletionBlocked", told)
            await self._write(config, users, "DeletionBlocked")
        return DONE

    def _users(self, config: Object) -> list[Object]:
        name, namespace = meta.name(config), meta.namespace(config)
        is_of_all = namespace != NAMESPACE and is_well_known(name)
        found = [
            {"name": meta.name(each), "namespace": meta.namespace(each)}
            for each in self._services.list()
            if namespace in (NAMESPACE, meta.namespace(each))
            and (is_of_all or combining.uses(each, name, namespace))
        ]
        return sorted(found, key=lambda each: (each["namespace"], each["name"]))

    async def _write(self, config: Object, users: list[Object], reason: str) -> None:
        verdicts = {
            READY: MET,
            _CONDITION: Verdict(TRUE, reason, _told(users))
            if users
            else Verdict(FALSE, reason, "not referenced by any LLMInferenceService"),
        }
        before, now = meta.status(config), rfc3339(self._around.clock.now())
        wanted: Object = {
            "observedGeneration": meta.generation(config),
            "conditions": known.written(before.get("conditions") or (), verdicts, now),
        }
        if users:
            wanted["referencedBy"] = users
        after = await update_status(self._client, LLM_INFERENCE_SERVICE_CONFIGS, config, wanted)
        if after is not config:
            await self._configs.reached(meta.resource_version(after))

    async def _set_finalizers(self, config: Object, wanted: list[str]) -> None:
        change = {
            "metadata": {"resourceVersion": meta.resource_version(config), "finalizers": wanted or None}
        }
        after = await self._client.patch(
            LLM_INFERENCE_SERVICE_CONFIGS,
            meta.name(config),
            change,
            meta.namespace(config),
            patch_type=PatchType.MERGE,
        )
        await self._configs.reached(meta.resource_version(after))

    def _of_service(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """Those that it names, or named, and the well-known ones beside it."""
        names = {name for each in (old, new) if each is not None for name in _names(each)}
        namespace = meta.namespace(new or old or {})
        return [
            request_for(each)
            for each in self._configs.list()
            if meta.name(each) in names
            or (meta.namespace(each) == namespace and is_well_known(meta.name(each)))
        ]


def _told(users: list[Object]) -> str:
    return f"referenced by {len(users)} LLMInferenceService(s)"


def _names(service: Object) -> Iterable[str]:
    for each in (
        *mappings(meta.spec(service).get("baseRefs")),
        *mappings(meta.status(service).get("appliedConfigs")),
    ):
        yield text(each.get("name"))
