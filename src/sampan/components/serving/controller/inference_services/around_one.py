"""What counts for an InferenceService beside itself: the configuration, and the runtimes there are. Read from
caches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from sampan.components.serving.api import labels
from sampan.components.serving.api.config import Config
from sampan.components.serving.api.defaults import with_defaults
from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    INFERENCE_SERVICES,
    SERVING_RUNTIMES,
)
from sampan.components.serving.controller.around import Around
from sampan.components.serving.engine.inference_services.configured import Configured, configured
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.validation import services
from sampan.components.serving.engine.validation import surroundings as validation
from sampan.kube import meta
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import CONFIG_MAPS, Resource
from sampan.kube.meta import Object
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Source
from sampan.reconcile.reconciler import Request, request_for

_FROZEN = "serving.kserve.io/disable-auto-update"


class Surroundings:
    def __init__(self, around: Around) -> None:
        self._around = around
        self._services = around.caches.of(INFERENCE_SERVICES)
        self._runtimes = around.caches.of(SERVING_RUNTIMES)
        self._of_cluster = around.caches.of(CLUSTER_SERVING_RUNTIMES)
        self._configs = Cache(around.client, CONFIG_MAPS, namespace=labels.NAMESPACE)
        where = urlsplit(around.url)
        self._port = where.port or (443 if where.scheme == "https" else 80)
        self._last: tuple[str, Configured] | None = None

    def sources(self) -> list[Source[Request]]:
        return [
            Source(self._configs, self._of_config),
            Source(self._runtimes, self._of_runtime),
            Source(self._of_cluster, self._of_runtime),
        ]

    @property
    def port(self) -> int:
        """At which pods reach the gateway, on this machine."""
        return self._port

    @property
    def grpc_port(self) -> int:
        """Likewise by gRPC; the other one where there is none."""
        return self._around.grpc_port or self._port

    @property
    def data(self) -> dict[str, str]:
        """Of `inferenceservice-config`."""
        found = self._configs.get(labels.NAMESPACE, labels.CONFIG) or {}
        data: dict[str, str] = found.get("data") or {}
        return data

    def configured(self) -> Configured:
        found = self._configs.get(labels.NAMESPACE, labels.CONFIG) or {}
        version = meta.resource_version(found)
        if self._last is None or self._last[0] != version:
            settings = self._around.settings
            mode = settings.deployment_mode
            if mode == "auto":
                mode = labels.KNATIVE if self._around.is_embedded else labels.STANDARD
            data = found.get("data") or {}
            made = configured(data, domain=settings.domain, port=self._port, deployment_mode=mode)
            self._last = version, made
        return self._last[1]

    def as_admitted(self, isvc: Object) -> Object:
        """As it would be stored where our hooks are. Raises InvalidError for what they refuse."""
        config = Config.of(self.data, self.configured().deployment_mode)
        found, errors = with_defaults(isvc, config), FieldErrors()
        containers = self._around.caches.of(CLUSTER_STORAGE_CONTAINERS)

        def there(resource: Resource, _namespace: str) -> Sequence[Object]:
            return containers.list() if resource == CLUSTER_STORAGE_CONTAINERS else ()

        services.check(found, None, validation.Surroundings(config, there), errors)
        if errors:
            kind = INFERENCE_SERVICES
            raise invalid(kind.group, kind.kind, meta.name(isvc), errors.causes)
        return found

    def runtimes(self, namespace: str) -> Sequence[Object]:
        return self._runtimes.list(namespace)

    def of_cluster(self) -> Sequence[Object]:
        return self._of_cluster.list()

    def _of_config(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        known = (labels.CONFIG, StorageConfig.of(self.data).ca_bundle_config_map)
        is_it = any(meta.name(each) in known for each in (old, new) if each is not None)
        return [request_for(each) for each in self._services.list()] if is_it else ()

    def _of_runtime(self, old: Object | None, new: Object | None) -> Iterable[Request]:
        """Those that use it; and those that have none, where it is new or has changed."""
        if old is not None and new is not None and old.get("spec") == new.get("spec"):
            return ()
        runtime = new or old or {}
        namespace, name = meta.namespace(runtime) or None, meta.name(runtime)
        field = "servingRuntimeName" if namespace else "clusterServingRuntimeName"
        return [
            request_for(each)
            for each in self._services.list(namespace)
            if meta.status(each).get(field) == name or _is_without(each)
        ]


def is_frozen(isvc: Object) -> bool:
    """Whether what is ready stays as it is when its runtime or the configuration changes."""
    return meta.annotations(isvc).get(_FROZEN) == "true"


def _is_without(isvc: Object) -> bool:
    model = meta.status(isvc).get("modelStatus") or {}
    return model.get("transitionStatus") == "InvalidSpec"
