"""Whom a suggestion asks: the algorithms that come with the platform, or services of the user's own in pods.

Keeps the objects of such services while their suggestion needs them. Which image answers katib-config says
(decision 46).
"""

from __future__ import annotations

from dataclasses import dataclass

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import SUGGESTIONS
from sampan.components.tuning.api.suggesting import EarlyStoppingService, SuggestingError, SuggestionService
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.controller.katib_config import KatibConfigMap
from sampan.components.tuning.controller.suggestions.forwarding import Forward
from sampan.components.tuning.engine.remote_services import RemoteEarlyStopping, RemoteSuggestions
from sampan.components.tuning.engine.suggestion import composer
from sampan.components.tuning.engine.suggestion import katib_config as configured
from sampan.components.tuning.engine.suggestion.composer import Composition
from sampan.kube import conditions, meta, owners, troubles
from sampan.kube.errors import AlreadyExistsError, BadRequestError, ForbiddenError, InvalidError
from sampan.kube.kinds import (
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICES,
    Resource,
)
from sampan.kube.meta import Object
from sampan.reconcile.apply import delete_if_present
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source, owned, reads
from sampan.reconcile.reconciler import Request, request_for


@dataclass(frozen=True, slots=True)
class Asked:
    suggestions: SuggestionService
    early_stopping: EarlyStoppingService
    is_built_in: bool
    """Whether no pods are needed."""


class NotReadyError(Exception):
    """The services cannot be asked yet. The message says why."""


class Services:
    def __init__(self, around: Around, katib_config: KatibConfigMap) -> None:
        self._client = around.client
        self._algorithms = around.algorithms
        self._is_elsewhere = around.pod_files is not None
        self._config = katib_config
        selector = ListOptions(label_selector=labels.SUGGESTION)
        self._deployments = Cache(around.client, DEPLOYMENTS, selector=selector)
        self._services = Cache(around.client, SERVICES, selector=selector)
        self._forwards: dict[tuple[Request, int], Forward] = {}
        self._with_claim: set[str] = set()
        """Suggestions whose claim is there, by uid."""

    def sources(self) -> list[Source[Request]]:
        return [
            owned(self._deployments, SUGGESTIONS),
            owned(self._services, SUGGESTIONS),
            reads(self._config.cache),
        ]

    async def of(self, suggestion: Object) -> Asked:
        """Makes what is missing. Raises NotReadyError, ApiError, SuggestingError where nobody answers or makes it."""
        made = self._composition(suggestion)
        await self._keep_claim(suggestion)
        suggestions, stopping = self._algorithms.suggestions, self._algorithms.early_stopping
        if not made.is_needed:
            return Asked(suggestions, stopping, is_built_in=True)
        await self._keep(made)
        if made.service is not None:
            suggestions = RemoteSuggestions(await self._address(made, configured.SUGGESTION_PORT))
        if made.stopping is not None:
            stopping = RemoteEarlyStopping(await self._address(made, configured.STOPPING_PORT))
        return Asked(suggestions, stopping, is_built_in=False)

    async def drop(self, suggestion: Object) -> None:
        """The Deployment and the Service; the volume stays. Raises ApiError."""
        name, namespace = composer.name_of(suggestion), meta.namespace(suggestion)
        for resource, cache in ((DEPLOYMENTS, self._deployments), (SERVICES, self._services)):
            found = cache.get(namespace, name)
            if (
                found is not None
                and owners.is_controlled_by(found, suggestion)
                and not meta.is_deleting(found)
            ):
                await delete_if_present(self._client, resource, found)
        await self.forget(request_for(suggestion))

    async def forget(self, request: Request) -> None:
        for key in [key for key in self._forwards if key[0] == request]:
            await self._forwards.pop(key).close()

    async def close(self) -> None:
        for forward in self._forwards.values():
            await forward.close()
        await self._algorithms.close()

    def _composition(self, suggestion: Object) -> Composition:
        """Raises SuggestingError."""
        config, spec = configured.katib_config_of(self._config.get()), meta.spec(suggestion)
        algorithm = str((spec.get("algorithm") or {}).get("algorithmName") or "")
        stops = str((spec.get("earlyStopping") or {}).get("algorithmName") or "")
        knows = self._algorithms.knows
        why = configured.why_no_suggestion(config, algorithm, is_built_in=knows(algorithm))
        if not why and stops:
            why = configured.why_no_stopping(config, stops, is_built_in=knows(stops))
        if why:
            raise SuggestingError(why)
        service = configured.own_suggestion(config, algorithm, is_built_in=knows(algorithm))
        stopping = configured.own_stopping(config, stops, is_built_in=knows(stops)) if stops else None
        return Composition(suggestion, service, stopping, config.probes)

    async def _keep_claim(self, suggestion: Object) -> None:
        uid = meta.uid(suggestion)
        if not composer.has_volume(suggestion) or uid in self._with_claim:
            return
        config = configured.katib_config_of(self._config.get())
        entry = config.suggestions.get(str(meta.spec(suggestion)["algorithm"].get("algorithmName"))) or {}
        volume = composer.volume_of(suggestion, entry)
        if volume is not None:
            await self._make(PERSISTENT_VOLUMES, volume)
        await self._make(PERSISTENT_VOLUME_CLAIMS, composer.claim_of(suggestion, entry))
        self._with_claim.add(uid)

    async def _keep(self, made: Composition) -> None:
        if composer.needs_account(made):
            for resource, obj in composer.account_of(made):
                await self._make(resource, obj)
        namespace = meta.namespace(made.suggestion)
        for resource, cache, desired in (
            (SERVICES, self._services, composer.service_of),
            (DEPLOYMENTS, self._deployments, composer.deployment_of),
        ):
            found = cache.get(namespace, made.name)
            is_new = found is None
            if found is None:
                # What is not of a suggestion at all is not watched.
                found = await self._make(resource, desired(made))
            if not owners.is_controlled_by(found, made.suggestion):
                raise SuggestingError(
                    f"a {resource.kind} of the name {made.name} is there and belongs to somebody else"
                )
            if is_new:
                raise NotReadyError("it has just been made")
        deployment = self._deployments.get(namespace, made.name) or {}
        if not conditions.is_true(deployment, "Available"):
            raise NotReadyError(await self._why_not(made, deployment))

    async def _make(self, resource: Resource, obj: Object) -> Object:
        """What is there then. Raises SuggestingError where it is refused, ApiError."""
        try:
            return await self._client.create(resource, obj)
        except AlreadyExistsError:
            return await self._client.get(resource, meta.name(obj), meta.namespace(obj) or None)
        except (BadRequestError, ForbiddenError, InvalidError) as error:
            raise SuggestingError(f"its {resource.kind} cannot be made: {error.message}") from error

    async def _why_not(self, made: Composition, deployment: Object) -> str:
        failure = conditions.find(deployment, "ReplicaFailure") or {}
        pods = await self._pods(made)
        found = troubles.troubles_of(pods)
        if found:
            return f"{found[0].pod}: {found[0].reason}: {found[0].detail}"
        if failure.get("status") == "True":
            return str(failure.get("message") or "")
        return "its pod has not answered its readiness probe" if pods else ""

    async def _pods(self, made: Composition) -> list[Object]:
        selector = ListOptions(label_selector=f"{labels.DEPLOYMENT}={made.name}")
        found = (await self._client.list(PODS, meta.namespace(made.suggestion), selector)).items
        return [each for each in found if not meta.is_deleting(each)]

    async def _address(self, made: Composition, port: int) -> str:
        """Where this process reaches that port. Raises NotReadyError, ApiError."""
        namespace = meta.namespace(made.suggestion)
        if not self._is_elsewhere:
            service = self._services.get(namespace, made.name) or {}
            return f"{meta.spec(service).get('clusterIP')}:{port}"
        ready = [each for each in await self._pods(made) if conditions.is_true(each, "Ready")]
        if not ready:
            raise NotReadyError("none of its pods is ready")
        key, pod = (request_for(made.suggestion), port), meta.name(ready[0])
        forward = self._forwards.get(key)
        if forward is not None and forward.pod != pod:
            await self._forwards.pop(key).close()
            forward = None
        if forward is None:
            forward = self._forwards[key] = Forward(self._client, namespace, pod, port)
        return await forward.address()
