"""Which kinds of objects the cluster has, by its own discovery, and how pages name and ask for them. Pure, but `find`.

A kind's key in an address is its plural for what Kubernetes itself brings (`pods`), and `plural.group` for the rest
(`workflows.argoproj.io`), as kubectl has it; `lookup` takes kubectl's other names too (`po`, `deploy`, `Deployment`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.ui.api import Api, ApiFailureError, segment

_AGGREGATED = ",".join(
    (
        "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList",
        "application/json;v=v2beta1;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList",
        "application/json",
    )
)
_PLAIN_GROUPS = frozenset(
    {
        "",
        "apps",
        "batch",
        "autoscaling",
        "policy",
        "networking.k8s.io",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "scheduling.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "apiextensions.k8s.io",
        "admissionregistration.k8s.io",
    }
)
"""Of kinds whose plural alone is their key. None of these groups has a plural of another's."""

_WORDS = frozenset(
    {"ConfigMap", "CronJob", "CronWorkflow", "DaemonSet", "JobSet", "ReplicaSet", "StatefulSet"}
)
_NO_OBJECTS = frozenset({"metrics.k8s.io", "events.k8s.io"})
"""Groups that show what is elsewhere: usage, and the events of the core once more."""

FAVOURITES: tuple[tuple[str, Sequence[str]], ...] = (
    ("Workloads", ("pods", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")),
    ("Network", ("services", "ingresses", "networkpolicies")),
    ("Configuration", ("configmaps", "secrets", "serviceaccounts")),
    ("Storage", ("persistentvolumeclaims", "persistentvolumes", "storageclasses")),
    ("Cluster", ("nodes", "namespaces", "events", "resourcequotas", "limitranges")),
    ("Access", ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
)

MEANINGS: Mapping[str, str] = {
    "pods": "A pod is one or more containers that run together on a node.",
    "deployments": "A deployment keeps a number of like pods running, and replaces them when it is changed.",
    "statefulsets": "A StatefulSet keeps pods that have names and volumes of their own.",
    "daemonsets": "A DaemonSet runs one pod on each node.",
    "replicasets": "A ReplicaSet keeps a number of like pods; deployments make them.",
    "jobs": "A job runs pods until they have ended well.",
    "cronjobs": "A CronJob starts jobs at set times.",
    "services": "A service gives pods one name and address.",
    "ingresses": "An ingress leads requests from outside to services.",
    "configmaps": "A ConfigMap holds settings that pods read.",
    "secrets": "A secret holds passwords and keys that pods read.",
    "serviceaccounts": "A service account is who a pod is when it calls the API.",
    "persistentvolumeclaims": "A persistent volume claim asks for disk space that outlives pods.",
    "persistentvolumes": "A persistent volume is disk space that a claim can be given.",
    "nodes": "A node is a machine that runs pods.",
    "namespaces": "A namespace keeps objects of one team or purpose together.",
    "events": "Events say what happened to objects; they are kept for about an hour.",
    "resourcequotas": "A resource quota limits what a namespace may use.",
    "limitranges": "A limit range sets defaults and bounds for each container of a namespace.",
    "roles": "A role is a list of things that one may do in a namespace.",
    "rolebindings": "A role binding gives somebody a role.",
}


@dataclass(frozen=True, slots=True)
class Kind:
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    short_names: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    singular: str = ""

    @property
    def key(self) -> str:
        return self.plural if self.group in _PLAIN_GROUPS else f"{self.plural}.{self.group}"

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def label(self) -> str:
        """In the plural, as people say it: `Persistent volume claims`."""
        words = spaced(self.kind)
        # Endpoints are many already.
        return words if self.kind.lower() == self.plural else _plural(words)

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """In the API. All namespaces without one."""
        parts = ["/apis/" + self.group if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", segment(namespace)]
        parts += [self.plural, *(segment(each) for each in (name, subresource) if each)]
        return "/".join(parts)

    def page(self, namespace: str = "", name: str = "") -> str:
        """The path of the page that shows all of them, or one."""
        if not name:
            return f"/cluster/{self.key}"
        where = f"{segment(namespace)}/" if self.namespaced else ""
        return f"/cluster/{self.key}/{where}{segment(name)}"


class Catalogue:
    """All kinds of a cluster that can be listed, each in the version that the cluster prefers."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds: dict[str, Kind] = {}
        self._by_type: dict[tuple[str, str], Kind] = {}
        for each in kinds:
            self.kinds.setdefault(each.key, each)
            self._by_type.setdefault((each.group, each.kind), each)
        self._names: dict[str, Kind] = {}
        # Built-in kinds first: `events` and `po` mean theirs.
        for each in sorted(self.kinds.values(), key=lambda kind: kind.group not in _PLAIN_GROUPS):
            names = (each.plural, f"{each.plural}.{each.group}", each.singular, each.kind.lower())
            for name in (*names, *each.short_names):
                self._names.setdefault(name, each)

    def lookup(self, name: str) -> Kind | None:
        """By whatever name kubectl would know it."""
        return self.kinds.get(name) or self._names.get(name.lower())

    def of(self, api_version: str, kind: str) -> Kind | None:
        """The kind of an object or a reference, whichever version it is written in."""
        group = api_version.rpartition("/")[0]
        return self._by_type.get((group, kind))

    def groups(self) -> list[tuple[str, list[Kind]]]:
        """For a picker: what most look for first, then the others by their API group."""
        known = {key for _, keys in FAVOURITES for key in keys}
        found = [
            (title, [self.kinds[key] for key in keys if key in self.kinds]) for title, keys in FAVOURITES
        ]
        rest: dict[str, list[Kind]] = {}
        for each in sorted(self.kinds.values(), key=lambda kind: kind.kind):
            if each.key not in known:
                rest.setdefault(each.group or "core", []).append(each)
        custom = sorted(rest, key=lambda group: (group in _PLAIN_GROUPS or group == "core", group))
        return [each for each in found if each[1]] + [(group, rest[group]) for group in custom]


def spaced(name: str) -> str:
    """`PersistentVolumeClaim` as people write it: `Persistent volume claim`. Names that are words by now stay."""
    if name in _WORDS:
        return name
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", name)
    return " ".join(word if word.isupper() or not index else word.lower() for index, word in enumerate(words))


def _plural(words: str) -> str:
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("s", "x", "ch", "sh")) else "s")


async def find(api: Api) -> Catalogue:
    """Asks the cluster. Raises ApiFailureError."""
    core = await api.get("/api", accept=_AGGREGATED)
    rest = await api.get("/apis", accept=_AGGREGATED)
    found: list[Kind] = []
    for answer in (core, rest):
        if answer.get("kind") == "APIGroupDiscoveryList":
            found += of_aggregated(answer)
        else:
            found += await _one_by_one(api, answer)
    return Catalogue(each for each in found if "list" in each.verbs and each.group not in _NO_OBJECTS)


async def _one_by_one(api: Api, answer: Mapping[str, Any]) -> list[Kind]:
    """From servers before Kubernetes 1.26, which tell of each group apart."""
    if "versions" in answer:
        addresses = [("", "v1", "/api/v1")]
    else:
        preferred = [(each["name"], each["preferredVersion"]["version"]) for each in answer.get("groups", ())]
        addresses = [(group, version, f"/apis/{group}/{version}") for group, version in preferred]
    answers = await asyncio.gather(*(_listed(api, *each) for each in addresses))
    return [kind for found in answers for kind in found]


async def _listed(api: Api, group: str, version: str, path: str) -> list[Kind]:
    try:
        return of_list(group, version, await api.get(path))
    except ApiFailureError:
        # An aggregated API whose server is away takes nothing from the others.
        return []


def of_aggregated(answer: Mapping[str, Any]) -> list[Kind]:
    """The first version of each group is the preferred one; what it lacks is taken from the next."""
    found: list[Kind] = []
    for group in answer.get("items") or ():
        name = (group.get("metadata") or {}).get("name") or ""
        seen: set[str] = set()
        for version in group.get("versions") or ():
            for each in version.get("resources") or ():
                if each["resource"] in seen or not (each.get("responseKind") or {}).get("kind"):
                    continue
                seen.add(each["resource"])
                found.append(
                    Kind(
                        name,
                        version["version"],
                        each["resource"],
                        each["responseKind"]["kind"],
                        each.get("scope") == "Namespaced",
                        frozenset(each.get("verbs") or ()),
                        tuple(each.get("shortNames") or ()),
                        frozenset(sub["subresource"] for sub in each.get("subresources") or ()),
                        each.get("singularResource") or "",
                    )
                )
    return found


def of_list(group: str, version: str, answer: Mapping[str, Any]) -> list[Kind]:
    """An APIResourceList."""
    below: dict[str, set[str]] = {}
    for each in answer.get("resources") or ():
        plural, _, sub = each["name"].partition("/")
        if sub:
            below.setdefault(plural, set()).add(sub)
    return [
        Kind(
            group,
            version,
            each["name"],
            each["kind"],
            bool(each.get("namespaced")),
            frozenset(each.get("verbs") or ()),
            tuple(each.get("shortNames") or ()),
            frozenset(below.get(each["name"], ())),
            each.get("singularName") or "",
        )
        for each in answer.get("resources") or ()
        if "/" not in each["name"]
    ]
