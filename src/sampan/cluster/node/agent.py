"""The node agent: runs on this machine the pods that are assigned to it, as the kubelet does on a node of a cluster.

One worker for each pod (`pod_sync`); here are the watch that feeds them, what is found after a restart, and the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object, WatchEvent
from sampan.cluster.network.pods import PodNetwork
from sampan.cluster.node import node_object
from sampan.cluster.node.draining import Draining
from sampan.cluster.node.execution import RuntimeExecutor
from sampan.cluster.node.factory import ContainerFactory, EnvironmentSource, NodeFacts, Sources
from sampan.cluster.node.gpus import GpuAllocator
from sampan.cluster.node.images import Images
from sampan.cluster.node.layout import Layout, pod_uid
from sampan.cluster.node.logs import PodLogs
from sampan.cluster.node.places import Places
from sampan.cluster.node.pod_streams import PodStreams
from sampan.cluster.node.pod_sync import NodeParts, PodWorker
from sampan.cluster.node.runtimes import removal
from sampan.cluster.node.runtimes.container import PodmanRuntime
from sampan.cluster.node.runtimes.mixed import Runtimes
from sampan.cluster.node.runtimes.podman import Podman
from sampan.cluster.node.runtimes.process import ProcessRuntime
from sampan.cluster.node.settings import NodeSettings
from sampan.cluster.node.starting import Starter
from sampan.cluster.node.stats import NodeStats, Watched
from sampan.cluster.node.status import Verdict
from sampan.cluster.node.tokens import Tokens, TokenSource
from sampan.cluster.node.watching import Reference, ReferenceWatch
from sampan.kube import meta, pods
from sampan.kube.errors import AlreadyExistsError, ApiError, ConflictError, ExpiredError, NotFoundError
from sampan.kube.kinds import NODES, PODS
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.reconcile.events import EventRecorder

log = get_logger(__name__)

_HEARTBEAT_SECONDS = 300
_RETRY_SECONDS = 1.0
_REMOVAL_SECONDS = 0.5
"""Folders of pods that end within this time are looked at together."""
_QUIET_SECONDS = 20.0
_MOST_FOLDERS = 2000
"""Of pods that are over, and whose removal can wait for that long without a pod that ends."""
_TOKEN_SECONDS = 30.0
"""Between two looks for tokens of running pods that are to be renewed: the shortest lives ten minutes."""
_FAULT_SECONDS = 5.0
# How much longer than their grace period pods may take until the server no longer waits for them.
_STOP_PATIENCE_SECONDS = 5.0
# The kubelet's words at a graceful shutdown of its node (pkg/kubelet/nodeshutdown, v1.31).
SHUTDOWN = Verdict(
    "Terminated", "Pod was terminated in response to imminent node shutdown.", is_disruption=True
)


class NodeAgent:
    """For one event loop. `home` is Sampan's home."""

    def __init__(
        self,
        client: Client,
        home: Path,
        clock: Clock,
        environments: EnvironmentSource,
        settings: NodeSettings,
        *,
        network: PodNetwork | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings
        home = home.absolute()
        self._layout = Layout(home)
        self._machine = node_object.observe(home)
        podman = Podman(self._layout.run / "podman")
        processes = ProcessRuntime(self._layout.run, clock, settings)
        self._runtime = Runtimes(processes, PodmanRuntime(processes, self._layout.run / "podman", podman))
        self._recorder = EventRecorder(client, clock, "kubelet", self._machine.name)
        gpus = GpuAllocator(self._machine.gpus)
        facts = NodeFacts(self._machine.capacity, self._machine.gpus, podman.is_installed)
        sources = Sources(environments, Images(podman, client, self._layout.run / "podman"))
        self._network = network or PodNetwork(home)
        factory = ContainerFactory(client, self._layout, sources, settings, facts, self._network)
        self._account_tokens: Tokens | None = None
        if isinstance(client, TokenSource):
            self._account_tokens = factory.tokens = Tokens(client, clock)
        starter = Starter(factory, self._runtime, gpus, clock)
        self.draining = Draining()
        self._parts = NodeParts(
            client,
            clock,
            self._layout,
            self._runtime,
            starter,
            gpus,
            self._recorder,
            self._network,
            RuntimeExecutor(self._runtime),
            self.draining,
        )
        self._workers: dict[str, PodWorker] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        # Pods whose last status is written: an older one of theirs may still be on its way to the watch.
        self._finished: set[str] = set()
        # Those that the watch has seen go while they have a worker: nothing of theirs is to come.
        self._gone: set[str] = set()
        self._faulty: dict[str, Object] = {}
        """Pods whose worker has failed and whose next one is about to begin, as the API had them last."""
        self._tasks = TaskSet("node")
        self._watching: asyncio.Task[None] | None = None
        self._removals: asyncio.Queue[Path] = asyncio.Queue()
        self._references = ReferenceWatch(client, self._tasks, self._reference_changed)
        self.pod_logs = PodLogs(home, clock)
        self.stats = NodeStats(self._machine.name, self._running, home)
        self.pod_streams = PodStreams(self._runtime)
        self.places = Places(client, self._layout, lambda: self.can_mount and settings.private_tmp)

    @property
    def node_name(self) -> str:
        return self._machine.name

    @property
    def can_mount(self) -> bool:
        """Whether volumes can be shown at mount points of their own here. Known after `start`."""
        return self._runtime.can_mount

    @property
    def has_pod_addresses(self) -> bool:
        """Whether each pod has an address of its own here. Known after `start`."""
        return self._network.has_addresses

    async def start(self) -> None:
        """Returns when this machine is a Node and the pods that were on it are taken over. Raises ApiError."""
        for folder in (self._layout.pods, self._layout.logs, self._layout.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._runtime.open()
        self._network.has_addresses = self._settings.pod_addresses and self._runtime.can_network
        self._network.is_refused = self._settings.pod_addresses and not self._runtime.can_network
        if self._network.is_refused:
            log.warning("pods have no addresses of their own here", see="sampan doctor")
        await self._register()
        version = await self._take_stock(at_start=True)
        self._tasks.spawn(self._remove_folders(), name="removals")
        self._tasks.spawn(self._beat(), name="heartbeat")
        if self._account_tokens is not None:
            self._tasks.spawn(self._renew(self._account_tokens), name="tokens")
        self._watching = self._tasks.spawn(self._watch(version), name="watch")

    async def stop(self, *, keep_pods: bool = False) -> None:
        """Ends the pods, whose status then says why; with `keep_pods` they run on, for the next server."""
        if self._watching is not None:
            self._watching.cancel()
        if keep_pods:
            for run in self._runs.values():
                run.cancel()
        else:
            grace = float(self._settings.shutdown_grace_seconds)
            for worker in self._workers.values():
                worker.terminate(SHUTDOWN, grace)
            if self._runs:
                await asyncio.wait(self._runs.values(), timeout=grace + _STOP_PATIENCE_SECONDS)
        await self._recorder.close()
        await self._tasks.close()
        await self._runtime.close()

    # Pods

    async def _watch(self, version: str) -> None:
        """Feeds the workers for ever."""
        while True:
            try:
                options = ListOptions(field_selector=self._selector, resource_version=version)
                async for event in self._client.watch(PODS, options=options):
                    version = meta.resource_version(event.object) or version
                    self._see(event)
            except ExpiredError:
                version = await self._relist()
            except ApiError as error:
                log.warning("watch of pods broken", why=error.message)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _relist(self) -> str:
        while True:
            try:
                return await self._take_stock(at_start=False)
            except ApiError as error:
                log.warning("pods not listed", why=error.message)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _take_stock(self, *, at_start: bool) -> str:
        """Lists the pods of this node, and forgets those that are gone; the version to watch from."""
        found = await self._client.list(PODS, options=ListOptions(field_selector=self._selector))
        by_uid = {meta.uid(pod): pod for pod in found.items}
        if at_start:
            await self._end_strays()
            await self._clear_leftovers(by_uid)
        for uid in [*self._workers, *self._faulty, *self._finished]:
            if uid not in by_uid:
                self._forget(uid)
        # First those that had an address: nobody else may get theirs.
        for pod in sorted(found.items, key=lambda pod: not meta.status(pod).get("podIP")):
            self._sync(pod, adopt=at_start)
        return found.resource_version

    async def _end_strays(self) -> None:
        """Launchers may have been killed together with the last server: what they ran must not go on beside us."""
        uids = [folder.name for folder in self._layout.pods.iterdir()]
        if uids:
            await self._runtime.kill_strays(uids)

    @property
    def _selector(self) -> str:
        return f"spec.nodeName={self._machine.name}"

    def _see(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            self._forget(meta.uid(event.object))
        elif event.type != "BOOKMARK":
            self._sync(event.object)

    def _sync(self, pod: Object, *, adopt: bool = False) -> None:
        uid = meta.uid(pod)
        worker = self._workers.get(uid)
        if worker is not None:
            worker.update(pod)
        elif uid in self._faulty:
            self._faulty[uid] = pod
        elif uid in self._finished or pods.is_terminal(pod):
            self._finished.add(uid)
            if meta.is_deleting(pod):
                self._tasks.spawn(self._let_go(pod), name="delete")
        else:
            self._begin(pod, adopt=adopt)

    def _begin(self, pod: Object, *, adopt: bool) -> None:
        worker = PodWorker(self._parts, pod)
        self._workers[worker.uid] = worker
        if worker.shows_references:
            self._references.ensure()
        if adopt:
            worker.adopt(self._runtime.running())
        run = self._tasks.spawn(worker.run(), name=f"pod {worker.name}")
        self._runs[worker.uid] = run
        run.add_done_callback(lambda _: self._ended(worker))

    def _ended(self, worker: PodWorker) -> None:
        uid = worker.uid
        self._workers.pop(uid, None)
        if self._account_tokens is not None:
            self._account_tokens.forget(uid)
        self._network.release(uid)
        run = self._runs.pop(uid, None)
        if run is None or run.cancelled():
            return
        if run.exception() is not None:
            # A fault of ours, which is in the log: the pod goes on, with a new worker.
            self._faulty[uid] = worker.pod
            self._tasks.spawn(self._begin_again(uid), name="again")
            return
        if uid in self._gone:
            self._gone.discard(uid)
        else:
            self._finished.add(uid)
        if worker.is_owed_release:
            self._tasks.spawn(self._let_go(worker.pod), name="delete")
        self._removals.put_nowait(self._layout.pod(uid).path)

    async def _renew(self, tokens: Tokens) -> None:
        while True:
            await asyncio.sleep(_TOKEN_SECONDS)
            for worker in self._workers.values():
                if tokens.is_due(worker.uid):
                    worker.refresh()

    def _running(self) -> list[tuple[Object, list[Watched]]]:
        return [(worker.pod, worker.sessions()) for worker in self._workers.values()]

    def _reference_changed(self, reference: Reference | None) -> None:
        for worker in self._workers.values():
            worker.reference_changed(reference)

    async def _begin_again(self, uid: str) -> None:
        await asyncio.sleep(_FAULT_SECONDS)
        if (pod := self._faulty.pop(uid, None)) is not None:
            self._begin(pod, adopt=True)

    def _forget(self, uid: str) -> None:
        self._finished.discard(uid)
        if (pod := self._faulty.pop(uid, None)) is not None:
            # What it runs has to end.
            self._begin(pod, adopt=True)
        if (worker := self._workers.get(uid)) is not None:
            self._gone.add(uid)
            worker.gone()

    async def _let_go(self, pod: Object) -> None:
        """A pod that is over needs nothing more from the node."""
        options = DeleteOptions(grace_period_seconds=0, uid=meta.uid(pod))
        while True:
            try:
                await self._client.delete(PODS, meta.name(pod), meta.namespace(pod), options)
                return
            except (NotFoundError, ConflictError):
                return
            except ApiError as error:
                log.warning("pod not deleted", pod=meta.name(pod), why=error.message)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _clear_leftovers(self, by_uid: Mapping[str, Object]) -> None:
        """Of pods that were deleted while no server ran."""
        strays = [each for each in self._runtime.running() if pod_uid(each) not in by_uid]
        await asyncio.gather(*(self._runtime.stop(each, 0) for each in strays))
        folders = await asyncio.to_thread(lambda: list(self._layout.pods.iterdir()))
        unwanted = [
            folder for folder in folders if (pod := by_uid.get(folder.name)) is None or pods.is_terminal(pod)
        ]
        self._tasks.spawn(asyncio.to_thread(removal.remove, unwanted), name="leftovers")

    async def _remove_folders(self) -> None:
        """Large ones soon, the others when no pod has ended for a while, or when they are many."""
        waiting: list[Path] = []
        while True:
            try:
                async with asyncio.timeout(_QUIET_SECONDS if waiting else None):
                    folders = [await self._removals.get()]
            except TimeoutError:
                await asyncio.to_thread(removal.remove, waiting)
                waiting = []
                continue
            await asyncio.sleep(_REMOVAL_SECONDS)
            while not self._removals.empty():
                folders.append(self._removals.get_nowait())
            small = await asyncio.to_thread(
                lambda found: [each for each in found if removal.is_small(each)], folders
            )
            waiting += small
            large = set(folders) - set(small)
            if len(waiting) > _MOST_FOLDERS:
                large.update(waiting)
                waiting = []
            await asyncio.to_thread(removal.remove, sorted(large))

    # The Node

    async def _register(self) -> None:
        wanted = node_object.node(self._machine, rfc3339(self._clock.now()))
        try:
            await self._client.create(NODES, wanted)
        except AlreadyExistsError:
            labels = {"metadata": {"labels": wanted["metadata"]["labels"]}}
            await self._client.patch(NODES, self._machine.name, labels)
        status = {"status": wanted["status"]}
        await self._client.patch(NODES, self._machine.name, status, subresource="status")

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            try:
                await self._register()
            except ApiError as error:
                log.warning("node not updated", why=error.message)
