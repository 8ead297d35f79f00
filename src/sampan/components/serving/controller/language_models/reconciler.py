"""One LLMInferenceService, from its spec to its status.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/controller.go. The platform's own gateway is its route and
its scheduler (`engine/routing/language_models.py`): no HTTPRoute, InferencePool or endpoint picker is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICE_CONFIGS, LLM_INFERENCE_SERVICES
from sampan.components.serving.api.language_presets import presets
from sampan.components.serving.api.reading import child, mappings
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.inference_services.children import (
    Children,
    NotServedError,
    Own,
    Owners,
    TakenError,
)
from sampan.components.serving.controller.inference_services.standard import verdict
from sampan.components.serving.controller.language_models.files import ModelFiles
from sampan.components.serving.controller.local_models import waiting
from sampan.components.serving.controller.local_models.waiting import Waiting
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services import failures
from sampan.components.serving.engine.inference_services.conditions import TRUE, Verdict
from sampan.components.serving.engine.inference_services.configured import configured
from sampan.components.serving.engine.language_models import (
    checks,
    combining,
    desired,
    groups,
    limits,
    names,
    status,
)
from sampan.components.serving.engine.language_models.combining import Combined, CombineError
from sampan.components.serving.engine.language_models.desired import Adapter, Workload
from sampan.components.serving.engine.language_models.merging import MergeError
from sampan.components.serving.engine.language_models.status import Found, Seen, Status
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.kube import meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, SERVICES
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_LATER = timedelta(seconds=10)
_OWNERS = Owners(LLM_INFERENCE_SERVICES, names.OWNER, "llmisvc-controller")
_NONSENSE = (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError)
"""What comes of reading a spec that no schema has seen to."""


class LanguageModelReconciler:
    def __init__(self, around: Around) -> None:
        self._around, self._client = around, around.client
        self._services = around.caches.of(LLM_INFERENCE_SERVICES)
        self._presets = around.caches.of(LLM_INFERENCE_SERVICE_CONFIGS)
        self._own_presets = {meta.name(each): each for each in presets(is_embedded=around.is_embedded)}
        self._configs = Cache(around.client, CONFIG_MAPS, namespace=labels.NAMESPACE)
        self._children = Children(
            around.client, _OWNERS, served=None if around.is_embedded else around.served
        )
        self._credentials = Credentials(around.client, self._services)
        self._storage = ModelStorage(around, self._credentials)
        self._files = ModelFiles(self._storage)
        self._local_models = Waiting(around, LLM_INFERENCE_SERVICES, status.MAIN)
        self._recorder = EventRecorder(around.client, around.clock, "LLMInferenceServiceController")
        where = urlsplit(around.url)
        self._port = where.port or (443 if where.scheme == "https" else 80)
        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._services),
            *self._children.sources(),
            Source(self._presets, self._of_preset),
            Source(self._services, self._of_group),
            Source(self._configs, self._of_config),
            *self._local_models.sources(),
            *self._credentials.sources(),
        ]
        self._controller = Controller(
            "llminferenceservice", self.reconcile, sources, workers=2, close=self._close
        )
        return self._controller

    async def reconcile(self, request: Request) -> Result:
        service = self._services.get(request.namespace, request.name)
        if service is None or meta.is_deleting(service):
            return DONE
        await self._children.find_kinds(self._tell)
        around = self._seen_around(service)
        try:
            combined = self._combined(service)
            if _is_stopped(service):
                await self._children.of(service).collect()
                await self._write(service, status.stopped(service, combined, around))
                return DONE
            if why := self._local_models.why(service):
                return await self._refuse(service, waiting.REASON, why, around, status.MAIN, _LATER)
            await self._keep(service, combined, around)
        except CombineError as error:
            return await self._refuse(service, error.reason, str(error), around)
        except MergeError as error:
            return await self._refuse(service, "CombineBaseError", str(error), around)
        except StorageError as error:
            return await self._refuse(service, error.reason, str(error), around, status.MAIN, _LATER)
        except (TakenError, NotServedError) as error:
            return await self._refuse(service, "NotOwned", str(error), around, status.MAIN, _LATER)
        except (ConflictError, NotFoundError):
            raise
        except ApiError as error:
            if not 400 <= error.code < 500:
                raise
            return await self._refuse(service, error.reason, error.message, around, status.MAIN, _LATER)
        except _NONSENSE as error:
            return await self._refuse(service, "Invalid", f"spec cannot be acted on: {error}", around)
        return DONE

    def _combined(self, service: Object) -> Combined:
        """Raises CombineError."""
        try:
            found = combining.combined(service, self._preset)
            errors = FieldErrors()
            checks.check_spec(service, found.spec, errors)
        except CombineError:
            if _is_stopped(service):
                return Combined(meta.spec(service), meta.name(service))
            raise
        if errors:
            told = "; ".join(f"{each.field}: {each.message}" for each in errors.causes)
            raise CombineError("CombineBaseError", told)
        return found

    def _preset(self, namespace: str, name: str) -> Object | None:
        """Those that come along are known though the cluster takes none: the namespace may be somebody else's."""
        found = self._presets.get(namespace, name)
        return found or (self._own_presets.get(name) if namespace == labels.NAMESPACE else None)

    async def _keep(self, service: Object, combined: Combined, around: status.Around) -> None:
        unserved = limits.unserved(service, combined.spec)
        if any(each.is_final for each in unserved):
            await self._children.of(service).collect()
            await self._write(service, status.running(service, Found(combined, (), unserved), around))
            return
        adapters = desired.adapters(service, combined)
        mine = self._children.of(service)
        seen = [
            await self._workload(service, combined, each, adapters, mine)
            for each in desired.workloads(service, combined)
        ]
        await mine.keep(SERVICES, desired.service(service, combined))
        await mine.collect()
        await self._write(service, status.running(service, Found(combined, seen, unserved), around))

    async def _workload(
        self, service: Object, combined: Combined, workload: Workload, adapters: list[Adapter], mine: Own
    ) -> Seen:
        template = await self._files.bring(
            desired.template(service, combined, workload, adapters),
            desired.storage(combined, adapters),
            meta.namespace(service),
            self._storage.config(self._data()),
        )
        wanted = desired.deployment(service, workload, template)
        await self._make_way(wanted, mine)
        first = workload.scaling.get("min", 1)
        made = await mine.keep(DEPLOYMENTS, wanted, replicas=first if workload.replicas is None else None)
        return self._seen(service, workload, made)

    async def _make_way(self, wanted: Object, mine: Own) -> None:
        """A selector cannot be changed: it is another where prefill comes or goes. Raises ConflictError."""
        name = meta.name(wanted)
        there = mine.find(DEPLOYMENTS, name)
        if there is not None and meta.spec(there).get("selector") != wanted["spec"]["selector"]:
            await delete_if_present(self._client, DEPLOYMENTS, there)
            raise ConflictError(f"the Deployment {name} has another selector, and is made anew")

    def _seen(self, service: Object, workload: Workload, made: Object) -> Seen:
        found = self._children.pods_of_owner(meta.namespace(service), meta.name(service))
        pods = [each for each in found if meta.labels(each).get(names.ROLE) == workload.role]
        told = verdict(made, failures.newest_first(pods))
        failure = failures.failure_of(pods)
        if failure is not None and not told.is_true:
            told = Verdict(told.status, failure.reason, f"{failure.pod}: {failure.text}")
        if meta.spec(made).get("replicas") == 0:
            told = Verdict("False", "NoReplicas", "there are no replicas: set replicas to 1 or more")
        return Seen(workload.role, made, told, bool(workload.scaling))

    def _seen_around(self, service: Object) -> status.Around:
        settings = self._around.settings
        found = configured(self._data(), domain=settings.domain, port=self._port, deployment_mode="")
        members, group = groups.members(service, self._services.list())
        return status.Around(found.domain, rfc3339(self._around.clock.now()), members, group)

    async def _refuse(
        self,
        service: Object,
        reason: str,
        message: str,
        around: status.Around,
        condition: str = status.PRESETS,
        again: timedelta | None = None,
    ) -> Result:
        await self._write(service, status.refused(service, reason, message, around, condition))
        return Result(again) if again is not None else DONE

    async def _write(self, service: Object, wanted: Status) -> None:
        """Tells of it where that concerns whether it is ready."""
        after = await update_status(self._client, LLM_INFERENCE_SERVICES, service, wanted)
        if after is service:
            return
        was, now = (known.find(meta.status(each), known.READY).get("status") for each in (service, after))
        name = meta.name(service)
        if now == TRUE and was != TRUE:
            self._recorder.normal(
                service, "LLMInferenceServiceReady", f"LLMInferenceService [{name}] is Ready"
            )
        elif was == TRUE and now != TRUE:
            unmet = ", ".join(_unmet(after))
            message = f"LLMInferenceService [{name}] is no longer Ready because of: {unmet}"
            self._recorder.warning(service, "LLMInferenceServiceNotReady", message)
        await self._services.reached(meta.resource_version(after))

    def _data(self) -> dict[str, Any]:
        """Of `inferenceservice-config`."""
        found: dict[str, Any] = (self._configs.get(labels.NAMESPACE, labels.CONFIG) or {}).get("data") or {}
        return found

    def _tell(self, request: Request) -> None:
        if self._controller is not None:
            self._controller.queue.add(request)

    async def _close(self) -> None:
        await self._children.close()
        await self._recorder.close()

    # Whom a change concerns.

    def _of_preset(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """Those that use it, and those that wait for one of that name."""
        if old is not None and new is not None and meta.spec(old) == meta.spec(new):
            return ()
        preset = new or old or {}
        name, namespace = meta.name(preset), meta.namespace(preset)
        return [
            request_for(each)
            for each in self._services.list()
            if namespace in (labels.NAMESPACE, meta.namespace(each))
            and (
                combining.uses(each, name, namespace)
                or known.find(meta.status(each), status.PRESETS).get("status") != TRUE
            )
        ]

    def _of_group(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """The other members, where what a member says of itself changes."""
        if old is not None and new is not None and groups.concerns(old) == groups.concerns(new):
            return ()
        told = {groups.key(each) for each in (old, new) if each is not None} - {None}
        own = meta.name(new or old or {})
        return [
            request_for(each)
            for each in self._services.list()
            if groups.key(each) in told and meta.name(each) != own
        ]

    def _of_config(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        is_it = any(meta.name(each) == labels.CONFIG for each in (old, new) if each is not None)
        return [request_for(each) for each in self._services.list()] if is_it else ()


def _is_stopped(service: Object) -> bool:
    return meta.annotations(service).get(labels.STOP, "").lower() == "true"


def _unmet(service: Object) -> list[str]:
    found = mappings(child(service, "status").get("conditions"))
    return [
        str(each.get("type"))
        for each in found
        if each.get("status") == "False" and each.get("type") != "Ready"
    ]
