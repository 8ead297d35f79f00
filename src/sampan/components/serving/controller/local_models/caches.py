"""A LocalModelCache or LocalModelNamespaceCache: tells nodes to keep its model, and says where it is and who uses it.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodel/reconcilers. Not so here: of two groups that a node is
in the first counts, as it is named first; nodes that have gone are not counted; a node group that is gone does not hold
a cache that is to go; and what cannot be had is told of in an Event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    LOCAL_MODEL_NODE_GROUPS,
    LOCAL_MODEL_NODES,
)
from sampan.components.serving.api.labels import CONFIG, NAMESPACE
from sampan.components.serving.api.reading import by_text, mapping, mappings, text
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.local_models.volumes import CacheVolumes
from sampan.components.serving.controller.local_models.waiting import OF_CACHE, of_cache
from sampan.components.serving.engine.local_models import matching, models, nodes
from sampan.components.serving.engine.local_models.config import LocalModelConfig
from sampan.kube import meta
from sampan.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from sampan.kube.kinds import NAMESPACES, NODES, Resource
from sampan.kube.meta import Object
from sampan.reconcile.apply import add_finalizer, remove_finalizer, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, mapped, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_FINALIZER = "localmodel.kserve.io/finalizer"
_NAMESPACE_FINALIZER = "localmodelnamespacecache.kserve.io/finalizer"
_SOON = timedelta(seconds=2)


class CacheReconciler:
    def __init__(self, around: Around, kind: Resource, configs: Cache) -> None:
        """`kind` is one of the two; `configs` are those of the namespace that has the configuration."""
        self._client = around.client
        self._kind = kind
        self._finalizer = _NAMESPACE_FINALIZER if kind.namespaced else _FINALIZER
        self._configs = configs
        self._caches = around.caches.of(kind)
        self._groups = around.caches.of(LOCAL_MODEL_NODE_GROUPS)
        self._locals = around.caches.of(LOCAL_MODEL_NODES)
        self._nodes = around.caches.of(NODES)
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._language_models = around.caches.of(LLM_INFERENCE_SERVICES)
        for each in (self._services, self._language_models):
            each.add_index(OF_CACHE, of_cache)
        self._recorder = EventRecorder(around.client, around.clock, "localmodel-controller")
        self._volumes = CacheVolumes(around.client, self._recorder.warning, apart=around.has_many_users)

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._caches),
            mapped(self._services, self._of_service),
            mapped(self._language_models, self._of_service),
            mapped(self._locals, self._of_local_node),
            mapped(self._groups, self._of_group),
            Source(self._nodes, self._of_node),
            reads(self._configs),
        ]
        name = self._kind.kind.lower()
        return Controller(name, self.reconcile, sources, workers=1, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        cache = self._caches.get(request.namespace, request.name)
        if cache is None:
            return DONE
        config = LocalModelConfig.of(mapping((self._configs.get(NAMESPACE, CONFIG) or {}).get("data")))
        if meta.is_deleting(cache):
            return await self._let_go(cache, config)
        cache = await add_finalizer(self._client, self._kind, cache, self._finalizer)
        groups = self._groups_of(cache)
        node_status = await self._tell_nodes(cache, groups)
        users, llm_users = (_users(each, cache) for each in (self._services, self._language_models))
        settled = await self._keep_volumes(cache, groups, [*users, *llm_users], config)
        wanted = models.status(cache, node_status, users, llm_users)
        await update_status(self._client, self._kind, cache, wanted)
        return Result(timedelta(seconds=config.look_seconds) if settled else _SOON)

    def _groups_of(self, cache: Object) -> list[Object]:
        found = []
        for name in models.groups(cache):
            group = self._groups.get("", name)
            if group is None:
                self._recorder.warning(
                    cache, "NodeGroupNotFound", f"LocalModelNodeGroup {name} is not there: make it"
                )
            else:
                found.append(group)
        return found

    # Nodes.

    async def _tell_nodes(self, cache: Object, groups: Sequence[Object]) -> dict[str, str]:
        """How far the model is, by the node's name."""
        before = by_text(meta.status(cache).get("nodeStatus"))
        found: dict[str, str] = {}
        for group in groups:
            there = [each for each in self._nodes.list() if nodes.is_in(each, group)]
            for node in there:
                name = meta.name(node)
                if name in found:
                    continue
                if nodes.is_ready(node):
                    found[name] = models.of_node(await self._enter(name, cache, meta.name(group)), cache)
                else:
                    found[name] = before.get(name, models.NOT_READY)
            if not there:
                self._recorder.warning(
                    cache,
                    "NoNodes",
                    f"no node is in LocalModelNodeGroup {meta.name(group)}: its"
                    " persistentVolumeSpec.nodeAffinity.required must match the labels of one",
                )
        return found

    async def _enter(self, node: str, cache: Object, group: str) -> Object:
        """The LocalModelNode, with the model among what it keeps."""
        found = self._locals.get("", node)
        if found is None:
            wanted = {
                "apiVersion": LOCAL_MODEL_NODES.api_version,
                "kind": LOCAL_MODEL_NODES.kind,
                "metadata": {"name": node},
                "spec": {"localModels": [models.info(cache, group)]},
            }
            try:
                after = await self._client.create(LOCAL_MODEL_NODES, wanted)
            except AlreadyExistsError as error:
                raise ConflictError(error.message) from error
        else:
            held = models.entries(found)
            entries = models.with_entry(held, cache, group)
            if entries == held:
                return found
            after = await self._write(found, entries)
        await self._locals.reached(meta.resource_version(after))
        return after

    async def _write(self, node: Object, entries: list[Object]) -> Object:
        """Others have entries there too: ConflictError where one of them was written meanwhile."""
        patch = {
            "metadata": {"resourceVersion": meta.resource_version(node)},
            "spec": {"localModels": entries},
        }
        return await self._client.patch(LOCAL_MODEL_NODES, meta.name(node), patch)

    # Volumes.

    async def _keep_volumes(
        self, cache: Object, groups: Sequence[Object], users: Sequence[Object], config: LocalModelConfig
    ) -> bool:
        """Whether all of them are there."""
        await self._ensure_namespace(config.job_namespace)
        settled = True
        for group in groups:
            settled &= await self._volumes.for_download(cache, group, config.job_namespace)
        if not config.manages_volumes:
            return settled
        wanted: dict[str, set[str]] = {}
        for isvc in users:
            wanted.setdefault(meta.namespace(isvc), set()).add(matching.group_of(isvc, cache))
        for namespace in _namespaces_before(cache) - wanted.keys():
            await self._volumes.drop_of_pods(cache, models.groups(cache), namespace)
        for group in groups:
            for namespace, names in wanted.items():
                if meta.name(group) in names:
                    settled &= await self._volumes.for_pods(cache, group, namespace)
        return settled

    async def _ensure_namespace(self, name: str) -> None:
        try:
            await self._client.get(NAMESPACES, name)
        except NotFoundError:
            try:
                await self._client.create(NAMESPACES, {"metadata": {"name": name}})
            except AlreadyExistsError:
                return

    # Its end.

    async def _let_go(self, cache: Object, config: LocalModelConfig) -> Result:
        """The agent removes the files of what nobody keeps any more."""
        for node in self._locals.list():
            held = models.entries(node)
            left = [each for each in held if not models.is_of(each, cache)]
            if left != held:
                await self._locals.reached(meta.resource_version(await self._write(node, left)))
        if namespace := meta.namespace(cache):
            await self._volumes.drop_of_download(cache, models.groups(cache), config.job_namespace)
            await self._volumes.drop_of_pods(cache, models.groups(cache), namespace)
        await remove_finalizer(self._client, self._kind, cache, self._finalizer)
        return DONE

    # Whom it concerns.

    def _of_service(self, isvc: Object) -> Iterable[Request]:
        found = matching.cache_of(isvc)
        return (Request(*found),) if found is not None and self._is_ours(found[0]) else ()

    def _of_local_node(self, node: Object) -> Iterable[Request]:
        return [
            Request(text(each.get("namespace")), text(each.get("modelName")))
            for each in models.entries(node)
            if self._is_ours(text(each.get("namespace")))
        ]

    def _of_group(self, group: Object) -> Iterable[Request]:
        return [request_for(each) for each in self._caches.list() if meta.name(group) in models.groups(each)]

    def _of_node(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """Its heartbeats concern nobody."""
        if old is not None and new is not None:
            is_same = meta.labels(old) == meta.labels(new) and nodes.is_ready(old) == nodes.is_ready(new)
            if is_same:
                return ()
        return [request_for(each) for each in self._caches.list()]

    def _is_ours(self, namespace: str) -> bool:
        return bool(namespace) == self._kind.namespaced


def _users(services: Cache, cache: Object) -> list[Object]:
    found = services.by_index(OF_CACHE, f"{meta.namespace(cache)}/{meta.name(cache)}")
    return [each for each in found if matching.uses(each, cache)]


def _namespaces_before(cache: Object) -> set[str]:
    """Of those that its status names."""
    said = meta.status(cache)
    names = (*mappings(said.get("inferenceServices")), *mappings(said.get("llmInferenceServices")))
    return {text(each.get("namespace")) for each in names}
