"""What a kind is: its group, version, names, scope and sub-resources; and the registry of those served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind, as discovery shows it. Hashable: used as the key for storage, caches and watches."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = field(default=("status",))
    """Of `status`, `scale`, `log`, `exec`, `binding`, `token`, …"""
    list_kind: str = ""
    stored_as: str = ""
    """The key of another group's kind that this one is a second face of."""
    verbs: tuple[str, ...] = STANDARD_VERBS

    @property
    def is_stored(self) -> bool:
        """Whether there are objects of this kind: a SubjectAccessReview is only answered, usage only measured."""
        return "create" in self.verbs and "get" in self.verbs

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """`jobs.batch`, `pods`: the storage key, the same for every version of the kind."""
        return self.stored_as or (f"{self.plural}.{self.group}" if self.group else self.plural)

    @property
    def collection_kind(self) -> str:
        return self.list_kind or f"{self.kind}List"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """The URL path of a collection, an object or a sub-resource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
            if subresource:
                parts.append(subresource)
        return "/".join(parts)


class KindRegistry:
    """The kinds that one server knows. Not thread-safe for writing; filled by the composition root."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0
        """Moves with every change: what was made of the kinds may be kept while it stands still."""
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        self.generation += 1
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self._by_kind[resource.group, resource.version, resource.kind] = resource

    def remove(self, resource: Resource) -> None:
        self.generation += 1
        self._by_path.pop((resource.group, resource.version, resource.plural), None)
        self._by_kind.pop((resource.group, resource.version, resource.kind), None)

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        group, _, version = api_version.rpartition("/")
        return self._by_kind.get((group, version, kind))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())


# The built-in kinds that components and controllers name in code. The API server's own list is longer.
NAMESPACES = Resource(
    "",
    "v1",
    "Namespace",
    "namespaces",
    namespaced=False,
    singular="namespace",
    short_names=("ns",),
    subresources=("status", "finalize"),
)
NODES = Resource("", "v1", "Node", "nodes", namespaced=False, singular="node", short_names=("no",))
PODS = Resource(
    "",
    "v1",
    "Pod",
    "pods",
    singular="pod",
    short_names=("po",),
    categories=("all",),
    subresources=(
        *("status", "log", "binding", "eviction", "exec", "attach", "portforward", "proxy"),
        "ephemeralcontainers",
    ),
)
CONFIG_MAPS = Resource(
    "", "v1", "ConfigMap", "configmaps", singular="configmap", short_names=("cm",), subresources=()
)
SECRETS = Resource("", "v1", "Secret", "secrets", singular="secret", subresources=())
EVENTS = Resource("", "v1", "Event", "events", singular="event", short_names=("ev",), subresources=())
SERVICE_ACCOUNTS = Resource(
    "",
    "v1",
    "ServiceAccount",
    "serviceaccounts",
    singular="serviceaccount",
    short_names=("sa",),
    subresources=("token",),
)
PERSISTENT_VOLUME_CLAIMS = Resource(
    "",
    "v1",
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    singular="persistentvolumeclaim",
    short_names=("pvc",),
)
JOBS = Resource("batch", "v1", "Job", "jobs", singular="job", categories=("all",))
PERSISTENT_VOLUMES = Resource(
    "",
    "v1",
    "PersistentVolume",
    "persistentvolumes",
    namespaced=False,
    singular="persistentvolume",
    short_names=("pv",),
)
SERVICES = Resource(
    "",
    "v1",
    "Service",
    "services",
    singular="service",
    short_names=("svc",),
    categories=("all",),
    subresources=("status", "proxy"),
)
ENDPOINTS = Resource(
    "", "v1", "Endpoints", "endpoints", singular="endpoints", short_names=("ep",), subresources=()
)
ENDPOINT_SLICES = Resource(
    "discovery.k8s.io",
    "v1",
    "EndpointSlice",
    "endpointslices",
    singular="endpointslice",
    subresources=(),
)
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases", singular="lease", subresources=())
STORAGE_CLASSES = Resource(
    "storage.k8s.io",
    "v1",
    "StorageClass",
    "storageclasses",
    namespaced=False,
    singular="storageclass",
    short_names=("sc",),
    subresources=(),
)
LIMIT_RANGES = Resource(
    "", "v1", "LimitRange", "limitranges", singular="limitrange", short_names=("limits",), subresources=()
)
RESOURCE_QUOTAS = Resource(
    "", "v1", "ResourceQuota", "resourcequotas", singular="resourcequota", short_names=("quota",)
)
PRIORITY_CLASSES = Resource(
    "scheduling.k8s.io",
    "v1",
    "PriorityClass",
    "priorityclasses",
    namespaced=False,
    singular="priorityclass",
    short_names=("pc",),
    subresources=(),
)
REPLICA_SETS = Resource(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=("status", "scale"),
)
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    singular="deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=("status", "scale"),
)
STATEFUL_SETS = Resource(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    singular="statefulset",
    short_names=("sts",),
    categories=("all",),
    subresources=("status", "scale"),
)
DAEMON_SETS = Resource(
    "apps",
    "v1",
    "DaemonSet",
    "daemonsets",
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
)
CONTROLLER_REVISIONS = Resource(
    "apps",
    "v1",
    "ControllerRevision",
    "controllerrevisions",
    singular="controllerrevision",
    subresources=(),
)
CRON_JOBS = Resource(
    "batch",
    "v1",
    "CronJob",
    "cronjobs",
    singular="cronjob",
    short_names=("cj",),
    categories=("all",),
)
JOB_SETS = Resource(
    "jobset.x-k8s.io",
    "v1alpha2",
    "JobSet",
    "jobsets",
    singular="jobset",
)
API_SERVICES = Resource(
    "apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False, singular="apiservice"
)
POD_GROUPS = Resource(
    "scheduling.x-k8s.io",
    "v1alpha1",
    "PodGroup",
    "podgroups",
    singular="podgroup",
    short_names=("pg", "pgs"),
)
"""The coscheduling plugin's."""
VOLCANO_POD_GROUPS = Resource(
    "scheduling.volcano.sh",
    "v1beta1",
    "PodGroup",
    "podgroups",
    singular="podgroup",
    short_names=("pg", "podgroup-v1beta1"),
)
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
)
POD_DISRUPTION_BUDGETS = Resource(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    singular="poddisruptionbudget",
    short_names=("pdb",),
)


def guessed(api_version: str, kind: str) -> Resource:
    """A namespaced kind of which nothing else is known, its plural as Kubernetes guesses it.

    Source: k8s.io/apimachinery pkg/api/meta/restmapper.go (UnsafeGuessKindToResource), v1.33.
    """
    group, _, version = api_version.rpartition("/")
    name = kind.lower()
    plural = f"{name}es" if name.endswith("s") else f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
    return Resource(group, version, kind, plural, singular=name)
