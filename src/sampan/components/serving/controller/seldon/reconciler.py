"""One SeldonDeployment, from its spec to its status.

Source: seldon-core 1.18.2 operator/controllers/seldondeployment_controller.go. Not so here: what a spec no longer
wants goes at once, when that which replaces it is ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import SELDON_DEPLOYMENTS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.inference_services.children import (
    Children,
    NotServedError,
    Own,
    Owners,
    TakenError,
)
from sampan.components.serving.controller.inference_services.standard import is_complete, verdict
from sampan.components.serving.controller.seldon.budgets import Budgets
from sampan.components.serving.controller.seldon.models import Models
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.inference_services import failures
from sampan.components.serving.engine.inference_services.conditions import FALSE, UNKNOWN, Verdict
from sampan.components.serving.engine.seldon import config as configs
from sampan.components.serving.engine.seldon import desired, names, spec, status
from sampan.components.serving.engine.seldon.checks import check_with
from sampan.components.serving.engine.seldon.config import SeldonConfig
from sampan.components.serving.engine.seldon.desired import Desired
from sampan.components.serving.engine.seldon.storage import storage_config
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.kube import meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    SERVICES,
)
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_LATER = timedelta(seconds=10)
_OWNERS = Owners(SELDON_DEPLOYMENTS, labels.SELDON_DEPLOYMENT, "seldon-controller-manager", names.seldon_id)
_MADE = {
    SERVICES: "CreateService",
    DEPLOYMENTS: "CreateDeployment",
    HORIZONTAL_POD_AUTOSCALERS: "CreateHPA",
}
"""Kinds, and the reason of the event that tells of one."""
_NONSENSE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What comes of reading a spec that no schema has seen to."""


class SeldonReconciler:
    def __init__(self, around: Around) -> None:
        self._around, self._client = around, around.client
        self._deployments = around.caches.of(SELDON_DEPLOYMENTS)
        self._configs = Cache(around.client, CONFIG_MAPS, namespace=configs.NAMESPACE)
        self._of_kserve = Cache(around.client, CONFIG_MAPS, namespace=labels.NAMESPACE)
        self._children = Children(
            around.client, _OWNERS, served=None if around.is_embedded else around.served
        )
        self._credentials = Credentials(around.client, self._deployments)
        self._storage = ModelStorage(around, self._credentials)
        self._models = Models(self._storage)
        self._budgets = Budgets(around)
        self._recorder = EventRecorder(around.client, around.clock, "seldon-controller-manager")
        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._deployments),
            *self._children.sources(),
            Source(self._configs, self._of_config),
            Source(self._of_kserve, self._of_config),
            *self._credentials.sources(),
        ]
        self._controller = Controller(
            "seldondeployment", self.reconcile, sources, workers=2, close=self._close
        )
        return self._controller

    async def reconcile(self, request: Request) -> Result:
        sdep = self._deployments.get(request.namespace, request.name)
        if sdep is None or meta.is_deleting(sdep):
            return DONE
        await self._children.find_kinds(self._tell)
        config = self._configured()
        errors = FieldErrors()
        try:
            check_with(sdep, config, errors)
            if errors:
                told = "; ".join(f"{each.field}: {each.message}" for each in errors.causes)
                return await self._refuse(sdep, "Invalid", told)
            wanted = desired.desired(spec.with_defaults(sdep, config), config)
            await self._bring_models(sdep, wanted)
            mine = self._children.of(sdep)
            result = await self._keep(sdep, wanted, mine)
        except StorageError as error:
            return await self._refuse(sdep, error.reason, str(error), _LATER)
        except (TakenError, NotServedError) as error:
            return await self._refuse(sdep, "NotOwned", str(error), _LATER)
        except (ConflictError, NotFoundError):
            raise
        except ApiError as error:
            if not 400 <= error.code < 500:
                raise
            return await self._refuse(sdep, error.reason, error.message, _LATER)
        except _NONSENSE as error:
            return await self._refuse(sdep, "Invalid", f"spec cannot be acted on: {error}")
        return result

    async def _bring_models(self, sdep: Object, wanted: Desired) -> None:
        kserve = (self._of_kserve.get(labels.NAMESPACE, labels.CONFIG) or {}).get("data") or {}
        config = storage_config(self._storage.config(kserve), self._data())
        for fetch in wanted.fetches:
            told = wanted.deployments[fetch.deployment]["spec"]
            if not fetch.secret and self._around.settings.seldon_env_secret:
                fetch = replace(fetch, secret=self._around.settings.seldon_env_secret)
            told["template"] = await self._models.bring(told["template"], fetch, meta.namespace(sdep), config)

    async def _keep(self, sdep: Object, wanted: Desired, mine: Own) -> Result:
        before = {kind: {meta.name(each) for each in mine.all(kind)} for kind in _MADE}
        for service in wanted.services.values():
            await mine.keep(SERVICES, service)
        seen = [await self._deployment(sdep, each, wanted, mine) for each in wanted.deployments.values()]
        for scaler in wanted.autoscalers.values():
            await mine.keep(HORIZONTAL_POD_AUTOSCALERS, scaler)
        await self._budgets.keep(sdep, wanted)
        if all(each.verdict.is_true for each in seen):
            await mine.collect()
        else:
            for kind in (SERVICES, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS):
                for left in mine.all(kind):
                    mine.leave(kind, meta.name(left))
        made = (wanted.services, wanted.deployments, wanted.autoscalers)
        for (kind, reason), names_ in zip(_MADE.items(), made, strict=True):
            for name in names_:
                if name not in before[kind]:
                    self._recorder.normal(sdep, reason, f'Created {kind.kind} "{name}"')
        await self._write(sdep, status.running(sdep, wanted, seen, rfc3339(self._around.clock.now())))
        return DONE

    async def _deployment(self, sdep: Object, wanted: Object, all_wanted: Desired, mine: Own) -> status.Seen:
        name = meta.name(wanted)
        there = mine.find(DEPLOYMENTS, name)
        if there is not None and meta.spec(there).get("selector") != wanted["spec"]["selector"]:
            # A selector cannot be changed.
            await delete_if_present(self._client, DEPLOYMENTS, there)
            self._recorder.normal(sdep, "DeleteDeployment", f'Deleted Deployment "{name}"')
            raise ConflictError(f"the Deployment {name} has another selector, and is made anew")
        is_scaled = name in all_wanted.autoscalers or "replicas" not in wanted["spec"]
        made = await mine.keep(DEPLOYMENTS, wanted, replicas=1 if is_scaled else None)
        return self._seen(made)

    def _seen(self, deployment: Object) -> status.Seen:
        app = meta.labels(meta.spec(deployment)["template"]).get("app", meta.name(deployment))
        pods = self._children.pods_of_app(meta.namespace(deployment), app)
        if meta.spec(deployment).get("replicas") == 0:
            return status.Seen(deployment, Verdict("True", "NoReplicas"))
        found = verdict(deployment, failures.newest_first(pods))
        failure = failures.failure_of(pods)
        if found.is_true and not is_complete(deployment) and not _has_available(deployment):
            found = Verdict(UNKNOWN, "Deploying")
        if failure is not None and not found.is_true:
            told = Verdict(
                FALSE if failure.is_final else UNKNOWN, failure.reason, f"{failure.pod}: {failure.text}"
            )
            return status.Seen(deployment, told, failure.is_final)
        return status.Seen(
            deployment, found, found.status == FALSE and found.reason == "ProgressDeadlineExceeded"
        )

    async def _refuse(
        self, sdep: Object, reason: str, message: str, again: timedelta | None = None
    ) -> Result:
        await self._write(sdep, status.refused(sdep, reason, message, rfc3339(self._around.clock.now())))
        return Result(again) if again is not None else DONE

    async def _write(self, sdep: Object, wanted: status.Status) -> None:
        """Tells of it where its state is another."""
        after = await update_status(self._client, SELDON_DEPLOYMENTS, sdep, wanted)
        if after is sdep:
            return
        was, now = (meta.status(each).get("state") for each in (sdep, after))
        name = meta.name(sdep)
        if now == status.FAILED and was != now:
            told = str(meta.status(after).get("description") or "it has failed")
            self._recorder.warning(sdep, "InternalError", told)
        elif now != was:
            self._recorder.normal(sdep, "Updated", f'Updated SeldonDeployment "{name}"')
        await self._deployments.reached(meta.resource_version(after))

    def _configured(self) -> SeldonConfig:
        around = self._around
        return SeldonConfig.of(
            self._data(), is_embedded=around.is_embedded, user=around.settings.seldon_user_id
        )

    def _data(self) -> Object:
        return (self._configs.get(configs.NAMESPACE, configs.CONFIG_MAP) or {}).get("data") or {}

    def _tell(self, request: Request) -> None:
        if self._controller is not None:
            self._controller.queue.add(request)

    async def _close(self) -> None:
        await self._children.close()
        await self._recorder.close()

    def _of_config(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        known = (labels.CONFIG, configs.CONFIG_MAP)
        is_it = any(meta.name(each) in known for each in (old, new) if each is not None)
        return [request_for(each) for each in self._deployments.list()] if is_it else ()


def _has_available(deployment: Object) -> bool:
    return bool(meta.status(deployment).get("availableReplicas"))
