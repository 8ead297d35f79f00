"""One InferenceGraph, from its spec to its status.

Its router is kept as a component of an InferenceService is: as revisions in mode Knative, as a Deployment in mode
Standard. Source: kserve/kserve 0.20 pkg/controller/v1alpha1/inferencegraph/controller.go. Not so here: what a graph
waits for, and why it cannot be served, stands in its conditions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import INFERENCE_GRAPHS
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.graphs.services import NamedServices
from sampan.components.serving.controller.inference_services.children import Children, Owners, TakenError
from sampan.components.serving.controller.inference_services.knative import KnativeMode
from sampan.components.serving.controller.inference_services.standard import StandardMode
from sampan.components.serving.controller.inference_services.templates import Made
from sampan.components.serving.controller.scaling.configured import Configured as Autoscaling
from sampan.components.serving.engine.graphs import desired, status
from sampan.components.serving.engine.graphs.checks import problem_of
from sampan.components.serving.engine.graphs.config import RouterConfig
from sampan.components.serving.engine.inference_services import conditions as known
from sampan.components.serving.engine.inference_services.configured import Configured, configured
from sampan.components.serving.engine.inference_services.status import ComponentSeen, Status
from sampan.kube import meta
from sampan.kube.errors import ApiError, ConflictError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.reconcile.apply import update_status
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, Source, own, reads
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result, request_for

_LATER = timedelta(seconds=10)
_OWNERS = Owners(INFERENCE_GRAPHS, labels.INFERENCE_GRAPH, "inferencegraph-controller")
_NONSENSE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What comes of reading a spec that no schema has seen to."""


class InferenceGraphReconciler:
    def __init__(self, around: Around) -> None:
        self._around, self._client = around, around.client
        self._graphs = around.caches.of(INFERENCE_GRAPHS)
        self._configs = Cache(around.client, CONFIG_MAPS, namespace=labels.NAMESPACE)
        self._services = NamedServices(around)
        self._children = Children(
            around.client, _OWNERS, served=None if around.is_embedded else around.served
        )
        self._autoscaling = Autoscaling(around.client)
        self._knative = KnativeMode(self._children, self._autoscaling)
        self._standard = StandardMode(self._children)
        self._recorder = EventRecorder(around.client, around.clock, "InferenceGraphController")
        where = urlsplit(around.url)
        self._port = where.port or (443 if where.scheme == "https" else 80)

        self._controller: Controller[Request] | None = None

    def controller(self) -> Controller[Request]:
        sources: list[Source[Request]] = [
            own(self._graphs),
            *self._children.sources(),
            *self._services.sources(),
            Source(self._configs, self._of_config),
            reads(self._autoscaling.cache),
        ]
        self._controller = Controller("inferencegraph", self.reconcile, sources, workers=2, close=self._close)
        return self._controller

    def _tell(self, request: Request) -> None:
        if self._controller is not None:
            self._controller.queue.add(request)

    async def _close(self) -> None:
        await self._children.close()
        await self._recorder.close()

    async def reconcile(self, request: Request) -> Result:
        graph = self._graphs.get(request.namespace, request.name)
        if graph is None or meta.is_deleting(graph):
            return DONE
        await self._children.find_kinds(self._tell)
        config = self._configured()
        mode = status.deployment_mode(graph, config.deployment_mode)
        around = status.Around(mode, config.domain, rfc3339(self._around.clock.now()))
        if status.is_stopped(graph):
            await self._children.of(graph).collect()
            await self._write(graph, status.stopped(graph, around))
            return DONE
        if problem := self._problem(graph, mode):
            await self._write(graph, status.refused(graph, *problem, around))
            return DONE
        resolved = self._services.resolve(graph)
        if not resolved.graph_json:
            await self._write(graph, status.waiting(graph, resolved.reason, resolved.message, around))
            return DONE
        if len(resolved.graph_json.encode()) > desired.MOST_GRAPH_BYTES:
            most = f"the graph is longer than {desired.MOST_GRAPH_BYTES} bytes of JSON: make several graphs of it"
            await self._write(graph, status.refused(graph, "InvalidGraph", most, around))
            return DONE
        return await self._keep(graph, resolved.graph_json, config, around)

    async def _keep(
        self, graph: Object, graph_json: str, config: Configured, around: status.Around
    ) -> Result:
        try:
            seen = await self._router(graph, graph_json, config, around.mode)
        except TakenError as error:
            await self._write(graph, status.refused(graph, "NotOwned", str(error), around))
            return Result(_LATER)
        except (ConflictError, NotFoundError):
            raise
        except ApiError as error:
            if not 400 <= error.code < 500:
                raise
            await self._write(graph, status.refused(graph, error.reason, error.message, around))
            return Result(_LATER)
        except _NONSENSE as error:
            await self._write(
                graph, status.refused(graph, "InvalidGraph", f"spec cannot be read: {error}", around)
            )
            return DONE
        await self._write(graph, status.running(graph, seen, around))
        return DONE

    async def _router(self, graph: Object, graph_json: str, config: Configured, mode: str) -> ComponentSeen:
        """Raises TakenError, ApiError, and what comes of nonsense."""
        mine, component = self._children.of(graph), desired.router(graph)
        template = desired.template(
            graph,
            graph_json,
            RouterConfig.of(self._data()),
            config.disallowed,
            mode=mode,
            is_embedded=self._around.is_embedded,
        )
        made = Made(template, template)
        if mode == labels.KNATIVE:
            view = status.with_component(graph, component.kind)
            seen = await self._knative.keep(view, component, made, mine)
            await self._knative.keep_entrance(graph, meta.name(graph), mine, [("http", self._port)])
        else:
            seen = await self._standard.keep(graph, component, made, mine, config.rules)
        await mine.collect()
        return seen

    def _problem(self, graph: Object, mode: str) -> tuple[str, str] | None:
        """Why it cannot be served as it is: reason and message."""
        if mode == labels.KNATIVE and not self._around.is_embedded:
            return (
                "ServerlessModeRejected",
                "It is not possible to use Knative deployment mode when Knative Services are not available: give the "
                f"InferenceGraph the annotation {labels.DEPLOYMENT_MODE}: {labels.STANDARD}",
            )
        if message := problem_of(graph):
            return "InvalidGraph", message
        return None

    async def _write(self, graph: Object, wanted: Status) -> None:
        """Tells of it where that concerns whether it is ready."""
        after = await update_status(self._client, INFERENCE_GRAPHS, graph, wanted)
        if after is graph:
            return
        was, now = (known.find(meta.status(each), known.READY).get("status") for each in (graph, after))
        name = meta.name(graph)
        if now == known.TRUE and was != known.TRUE:
            self._recorder.normal(graph, "InferenceGraphReady", f"InferenceGraph [{name}] is Ready")
        elif was == known.TRUE and now != known.TRUE:
            message = f"InferenceGraph [{name}] is no longer Ready"
            self._recorder.warning(graph, "InferenceGraphNotReady", message)
        await self._graphs.reached(meta.resource_version(after))

    def _data(self) -> dict[str, str]:
        """Of `inferenceservice-config`."""
        found: dict[str, str] = (self._configs.get(labels.NAMESPACE, labels.CONFIG) or {}).get("data") or {}
        return found

    def _configured(self) -> Configured:
        settings = self._around.settings
        mode = settings.deployment_mode
        if mode == "auto":
            mode = labels.KNATIVE if self._around.is_embedded else labels.STANDARD
        return configured(self._data(), domain=settings.domain, port=self._port, deployment_mode=mode)

    def _of_config(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        is_it = any(meta.name(each) == labels.CONFIG for each in (old, new) if each is not None)
        return [request_for(each) for each in self._graphs.list()] if is_it else ()
