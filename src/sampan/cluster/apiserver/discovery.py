"""What the server serves, as clients discover it: plain and aggregated.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go, k8s.io/api/apidiscovery/v2/types.go, v1.31.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sampan.kube import release
from sampan.kube.kinds import KindRegistry, Resource
from sampan.kube.meta import Object

VERSION = {
    "major": release.MAJOR,
    "minor": release.MINOR,
    "gitVersion": release.GIT_VERSION,
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""The Kubernetes whose kinds and fields are served (`kinds/schemas`): clients compare it with their own."""

AGGREGATED_KINDS = ("APIGroupDiscoveryList",)

_SUBRESOURCE_VERBS: dict[str, list[str]] = {
    "status": ["get", "patch", "update"],
    "approval": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "finalize": ["update"],
    "log": ["get"],
    "ephemeralcontainers": ["get", "patch", "update"],
    "exec": ["create", "get"],
    "attach": ["create", "get"],
    "portforward": ["create", "get"],
    "binding": ["create"],
    "eviction": ["create"],
    "token": ["create"],
    "proxy": ["create", "delete", "get", "patch", "update"],
}
"""Sub-resources that are not listed are not served."""
_SUBRESOURCE_KINDS = {
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}


_VERSION = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")


def version_order(name: str) -> tuple[int, int, int, str]:
    """General availability before beta before alpha, newer before older; other names last, in their order.

    Source: k8s.io/apimachinery/pkg/version/helpers.go, v1.31.
    """
    found = _VERSION.fullmatch(name)
    if found is None:
        return 3, 0, 0, name
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return stage, -int(found[1]), -int(found[3] or 0), name


def groups(registry: KindRegistry) -> dict[str, list[str]]:
    """Versions by named group, the preferred one first; groups in the order of registration."""
    found: dict[str, list[str]] = {}
    for resource in registry:
        versions = found.setdefault(resource.group, [])
        if resource.version not in versions:
            versions.append(resource.version)
    return {group: sorted(versions, key=version_order) for group, versions in found.items()}


def api_versions() -> Object:
    """GET /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    }


def api_group_list(registry: KindRegistry) -> Object:
    """GET /apis."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, versions) for name, versions in groups(registry).items() if name],
    }


def api_group(registry: KindRegistry, name: str) -> Object | None:
    """GET /apis/GROUP."""
    versions = groups(registry).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None


def api_resource_list(registry: KindRegistry, group: str, version: str) -> Object | None:
    """GET /api/v1 and /apis/GROUP/VERSION."""
    found = [each for each in registry if (each.group, each.version) == (group, version)]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [entry for resource in found for entry in _entries(resource)],
    }


def aggregated(registry: KindRegistry, *, core: bool, version: str) -> Object:
    """GET /api and /apis with `as=APIGroupDiscoveryList`."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name, "creationTimestamp": None}
                if name
                else {"creationTimestamp": None},
                "versions": [
                    {
                        "version": each,
                        "resources": [
                            _discovered(resource)
                            for resource in registry
                            if (resource.group, resource.version) == (name, each)
                        ],
                        "freshness": "Current",
                    }
                    for each in versions
                ],
            }
            for name, versions in groups(registry).items()
            if (name == "") is core
        ],
    }


def _group(name: str, versions: Iterable[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    for name in resource.subresources:
        if name in _SUBRESOURCE_VERBS:
            group, version, kind = _SUBRESOURCE_KINDS.get(name, ("", "", resource.kind))
            sub: Object = {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": kind,
                "verbs": _SUBRESOURCE_VERBS[name],
            }
            if version and (group, version) != (resource.group, resource.version):
                sub |= {"group": group, "version": version}
            entries.append(sub)
    return entries


def _discovered(resource: Resource) -> Object:
    found: Object = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular or resource.kind.lower(),
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    subresources: list[Any] = [
        {
            "subresource": name,
            "responseKind": _kind(
                *_SUBRESOURCE_KINDS.get(name, (resource.group, resource.version, resource.kind))
            ),
            "verbs": _SUBRESOURCE_VERBS[name],
        }
        for name in resource.subresources
        if name in _SUBRESOURCE_VERBS
    ]
    if subresources:
        found["subresources"] = subresources
    return found


def _kind(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}
