"""What a LocalModelNode is to keep: the Jobs that download it, the folders on this machine, and how far it is.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodelnode/controller.go, which runs on each node; here every
node is this machine. Not so here: why a download failed is told of in Events of the LocalModelNode and of the cache,
and a model whose second Job has left nothing counts as failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sampan.client.protocol import ListOptions, Object
from sampan.components.serving.api.kinds import (
    LOCAL_MODEL_CACHES,
    LOCAL_MODEL_NAMESPACE_CACHES,
    LOCAL_MODEL_NODE_GROUPS,
    LOCAL_MODEL_NODES,
)
from sampan.components.serving.api.labels import CONFIG, NAMESPACE
from sampan.components.serving.api.reading import by_text, mapping, text
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.credentials import Credentials
from sampan.components.serving.controller.local_models import folders
from sampan.components.serving.controller.storage import ModelStorage
from sampan.components.serving.engine.local_models import jobs, models, nodes, volumes
from sampan.components.serving.engine.local_models.config import LocalModelConfig
from sampan.components.serving.engine.local_models.jobs import Download
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import JOBS, NODES, PODS
from sampan.reconcile.apply import delete_if_present, update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, mapped, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_MOST_JOBS = 2
"""For a model that is missing though one has ended well."""


class NodeAgent:
    def __init__(self, around: Around, configs: Cache) -> None:
        self._client = around.client
        self._apart = around.has_many_users
        self._configs = configs
        self._locals = around.caches.of(LOCAL_MODEL_NODES)
        self._groups = around.caches.of(LOCAL_MODEL_NODE_GROUPS)
        self._nodes = around.caches.of(NODES)
        self._jobs = Cache(around.client, JOBS, selector=ListOptions(label_selector=jobs.SELECTOR))
        self._storage = ModelStorage(around, Credentials(around.client, self._locals))
        self._recorder = EventRecorder(around.client, around.clock, "localmodelnode-agent")

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._locals),
            mapped(self._jobs, _node_of),
            mapped(self._groups, self._all),
            reads(self._nodes),
            reads(self._configs),
            reads(self._storage.containers),
        ]
        return Controller("localmodelnode", self.reconcile, sources, workers=1, close=self._recorder.close)

    async def reconcile(self, request: Request) -> Result:
        local, node = self._locals.get("", request.name), self._nodes.get("", request.name)
        if local is None or node is None or meta.is_deleting(local):
            return DONE
        data = mapping((self._configs.get(NAMESPACE, CONFIG) or {}).get("data"))
        config = LocalModelConfig.of(data)
        await self._clean(local, config)
        said = await self._keep(local, node, config)
        await update_status(self._client, LOCAL_MODEL_NODES, local, {"modelStatus": said} if said else {})
        await self._evict()
        return Result(timedelta(seconds=config.look_seconds))

    async def _clean(self, local: Object, config: LocalModelConfig) -> None:
        """Jobs of what it is not to keep any more."""
        wanted = {models.status_key(each) for each in models.entries(local)}
        for job in self._jobs.list(config.job_namespace):
            is_ours = jobs.node_of(job) == meta.name(local) and owners.is_controlled_by(job, local)
            if is_ours and jobs.key_of(job) not in wanted:
                await delete_if_present(self._client, JOBS, job)

    # Downloads.

    async def _keep(self, local: Object, node: Object, config: LocalModelConfig) -> dict[str, str]:
        """How far each model is, by its key. Those of one URI are one download."""
        before = by_text(meta.status(local).get("modelStatus"))
        found: dict[str, str] = {}
        of_folders: dict[tuple[str, str], str] = {}
        for entry in models.entries(local):
            key = models.status_key(entry)
            group = self._group_of(entry, node)
            if group is None:
                self._warn(
                    local, entry, "NodeGroupNotFound", "no LocalModelNodeGroup that is there has this node"
                )
                found[key] = models.MODEL_PENDING
                continue
            download = Download(entry, meta.name(local), meta.name(group), apart=self._apart)
            place = self._root(download, group), models.storage_key(download.source)
            if place not in of_folders:
                state = await self._state(local, download, place, before.get(key, ""), config)
                if state == models.MODEL_ERROR != before.get(key):
                    await self._tell_why(local, download, config)
                of_folders[place] = state
            found[key] = of_folders[place]
        return found

    async def _state(
        self, local: Object, download: Download, place: tuple[str, str], before: str, config: LocalModelConfig
    ) -> str:
        root, key = place
        if not root:
            message = f"the volume of LocalModelNodeGroup {download.group} is neither local nor hostPath"
            self._warn(local, download.entry, "FolderNotUsable", message)
            return models.MODEL_ERROR
        try:
            await asyncio.to_thread(folders.make, root)
        except OSError as error:
            message = (
                f"{error.filename}: {error.strerror}: make that folder, or name another in the node group"
            )
            self._warn(local, download.entry, "FolderNotUsable", message)
            return models.MODEL_ERROR
        is_there = await asyncio.to_thread(folders.has, root, key)
        if is_there and before == models.MODEL_DOWNLOADED:
            return before
        earlier = jobs.of(self._jobs.list(config.job_namespace), download)
        last = earlier[-1] if earlier else None
        is_missing = last is not None and not is_there and jobs.has_succeeded(last)
        if last is None or (is_missing and len(earlier) < _MOST_JOBS):
            last = await self._launch(local, download, earlier, config)
        elif is_missing:
            return models.MODEL_ERROR
        return models.MODEL_ERROR if last is None else jobs.status(last)

    async def _launch(
        self, local: Object, download: Download, earlier: list[Object], config: LocalModelConfig
    ) -> Object | None:
        """The new Job; None, and an Event, where there can be none."""
        data = mapping((self._configs.get(NAMESPACE, CONFIG) or {}).get("data"))
        storage = self._storage.config(data)
        try:
            asked = jobs.wanted(download)
            found = await self._storage.reads(
                jobs.account(download), asked, config.job_namespace, storage, download.namespace
            )
            wanted = owners.with_controller(jobs.job(download, earlier, found, storage, config), local)
            made = await self._client.create(JOBS, wanted)
        except AlreadyExistsError:
            made = await self._client.get(JOBS, meta.name(wanted), config.job_namespace)
        except StorageError as error:
            self._warn(local, download.entry, error.reason, error.message)
            return None
        except ApiError as error:
            if error.code >= 500 or error.code == 409:
                raise
            self._warn(local, download.entry, "JobNotMade", error.message)
            return None
        await self._jobs.reached(meta.resource_version(made))
        return made

    async def _tell_why(self, local: Object, download: Download, config: LocalModelConfig) -> None:
        """The last words of what failed."""
        for job in jobs.of(self._jobs.list(config.job_namespace), download)[-1:]:
            chosen = ListOptions(label_selector=f"job-name={meta.name(job)}")
            pods = (await self._client.list(PODS, config.job_namespace, chosen)).items
            said = [jobs.last_words(each) for each in sorted(pods, key=_age)]
            default = "its container said nothing"
            if jobs.has_succeeded(job):
                default = "its Job has ended well, and the model's folder is not there"
            message = next((each for each in reversed(said) if each), default)
            delete = f"delete the Job {config.job_namespace}/{meta.name(job)} to try again"
            self._warn(local, download.entry, "DownloadFailed", f"{message}; {delete}")
            await self._tell_cache(download, f"on {download.node}: {message}; {delete}")

    async def _tell_cache(self, download: Download, message: str) -> None:
        kind = LOCAL_MODEL_NAMESPACE_CACHES if download.namespace else LOCAL_MODEL_CACHES
        try:
            cache = await self._client.get(kind, download.model, download.namespace or None)
        except NotFoundError:
            return
        self._recorder.warning(cache, "DownloadFailed", message)

    # Folders.

    async def _evict(self) -> None:
        """What no node is to keep, of all groups: they may share folders."""
        wanted: set[tuple[str, str]] = set()
        unplaced: set[str] = set()
        for local in self._locals.list():
            node = self._nodes.get("", meta.name(local)) or {}
            for entry in models.entries(local):
                group, key = (
                    self._group_of(entry, node),
                    models.storage_key(text(entry.get("sourceModelUri"))),
                )
                if group is None:
                    unplaced.add(key)
                else:
                    its = Download(entry, meta.name(local), meta.name(group), apart=self._apart)
                    wanted.add((self._root(its, group), key))
        roots = [root for root in await asyncio.to_thread(self._roots) if root]
        wanted |= {(root, key) for root in roots for key in unplaced}
        try:
            gone = await asyncio.to_thread(folders.evict, roots, wanted)
        except OSError as error:
            for local in self._locals.list():
                self._recorder.warning(local, "EvictionFailed", f"{error.filename}: {error.strerror}")
            return
        for path in gone:
            for local in self._locals.list():
                self._recorder.normal(
                    local, "ModelEvicted", f"{path} was removed: no cache names it any more"
                )

    def _roots(self) -> list[str]:
        found = []
        for group in self._groups.list():
            found.append(volumes.folder(group, apart=self._apart))
            if self._apart:
                within = folders.inside(volumes.folder_of_namespaces(group))
                found += [volumes.folder(group, each, apart=True) for each in within]
        return found

    def _root(self, download: Download, group: Object) -> str:
        return volumes.folder(group, download.namespace, apart=self._apart)

    def _group_of(self, entry: Mapping[str, Any], node: Object) -> Object | None:
        """The one that it names; else the first that the node is in."""
        if named := text(entry.get("nodeGroup")):
            return self._groups.get("", named)
        there = sorted(self._groups.list(), key=meta.name)
        return next((each for each in there if nodes.is_in(node, each)), None)

    def _warn(self, local: Object, entry: Mapping[str, Any], reason: str, message: str) -> None:
        self._recorder.warning(local, reason, f"{models.status_key(entry)}: {message}")

    def _all(self, _group: Object) -> Iterable[Request]:
        return [request_for(each) for each in self._locals.list()]


def _node_of(job: Object) -> Iterable[Request]:
    return (Request("", jobs.node_of(job)),)


def _age(obj: Object) -> str:
    return str(meta.metadata(obj).get("creationTimestamp"))
