"""Row 13: what an older version, or a fault in validation, has left in the database stops neither start nor service.

For each kind a valid object is spoilt in a few places and put into the database behind the server's back.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.apiserver import ApiServer
from sampan.cluster.apiserver.storage import Key, Storage
from sampan.lib import ids
from sampan.store.database import Database
from sampan.testing.server import HttpError, ServerProcess

HOSTILE: tuple[Any, ...] = (
    None, True, -1, 2**70, 1.5, "", "☠", "../../etc", "9" * 400, [], [None], [[]], {}, {"": None},
    [{"name": None}], "ab",
)  # fmt: skip
RBAC = "rbac.authorization.k8s.io"
ROLE = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
BINDING = {
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
    "subjects": [{"kind": "User", "name": "a"}],
}
DEFINITION: dict[str, Any] = {
    "spec": {
        "group": "old.example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "listKind": "ThingList", "singular": "thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
                "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a"}],
            }
        ],
    },
    "status": {
        "conditions": [
            {"type": "NamesAccepted", "status": "True"},
            {"type": "Established", "status": "True"},
        ],
        "storedVersions": ["v1"],
    },
}
KINDS: tuple[tuple[str, str, str, bool, dict[str, Any]], ...] = (
    (RBAC + "/v1", "ClusterRole", f"clusterroles.{RBAC}", False, {**ROLE, "aggregationRule": {
        "clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}),
    (RBAC + "/v1", "ClusterRoleBinding", f"clusterrolebindings.{RBAC}", False, BINDING),
    (RBAC + "/v1", "Role", f"roles.{RBAC}", True, ROLE),
    (RBAC + "/v1", "RoleBinding", f"rolebindings.{RBAC}", True, BINDING),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses.scheduling.k8s.io", False,
     {"value": 1, "globalDefault": True}),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses.storage.k8s.io", False,
     {"provisioner": "x", "metadata": {"annotations": {"a": "b"}}}),
    ("v1", "LimitRange", "limitranges", True,
     {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1m"}}]}}),
    ("v1", "ResourceQuota", "resourcequotas", True,
     {"spec": {"hard": {"pods": "1000"}, "scopeSelector": {"matchExpressions": [
         {"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]}},
      "status": {"hard": {"pods": "1000"}, "used": {"pods": "0"}}}),
    ("v1", "Service", "services", True,
     {"spec": {"type": "NodePort", "clusterIP": "127.96.9.9", "clusterIPs": ["127.96.9.9"], "selector": {"a": "b"},
               "ports": [{"port": 80, "nodePort": 30999, "protocol": "TCP"}]}}),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices.discovery.k8s.io", True,
     {"addressType": "IPv4", "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
      "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
      "ports": [{"name": "a", "port": 80}]}),
    ("apps/v1", "StatefulSet", "statefulsets.apps", True,
     {"spec": {"replicas": 1, "serviceName": "a", "selector": {"matchLabels": {"a": "b"}}, "template": {
         "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "busybox"}]}}}}),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions.apiextensions.k8s.io", False,
     DEFINITION),
)  # fmt: skip


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*prefix, key)
        yield from paths(inner, (*prefix, key))


def spoilt(obj: dict[str, Any], path: tuple[Any, ...], hostile: Any) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    holder: Any = result
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = hostile
    return result


def objects() -> Iterator[tuple[Key, dict[str, Any]]]:
    chance = random.Random(5)
    for api_version, kind, resource, namespaced, valid in KINDS:
        cases = [(path, hostile) for path in paths(valid) if path[0] != "metadata" for hostile in HOSTILE]
        for number, (path, hostile) in enumerate(chance.sample(cases, min(len(cases), 14))):
            obj = spoilt(valid, path, hostile)
            name = f"things.g{number}.example.com" if kind == "CustomResourceDefinition" else f"old-{number}"
            namespace = "team" if namespaced else ""
            metadata = {**valid.get("metadata", {}), "name": name, "uid": ids.new_uid()}
            metadata |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
            metadata |= {"namespace": namespace} if namespace else {}
            yield (
                Key(resource, namespace, name),
                {"apiVersion": api_version, "kind": kind, **obj, "metadata": metadata},
            )


def endless() -> tuple[Key, dict[str, Any]]:
    api_version, kind, resource, _, valid = next(each for each in KINDS if each[1] == "StatefulSet")
    metadata = {"name": "endless", "namespace": "team", "uid": ids.new_uid()}
    metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
    obj = {
        "apiVersion": api_version,
        "kind": kind,
        **spoilt(valid, ("spec", "selector"), {}),
        "metadata": metadata,
    }
    return Key(resource, "team", "endless"), obj


async def plant(home: Path) -> None:
    database = Database.sqlite(home / "sampan.db")
    database.create(ApiServer.tables)
    storage = Storage(database)
    storage.start()
    await storage.write(lambda txn: [txn.put(key, obj, None) for key, obj in (endless(), *objects())])
    await database.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("old") / "home"
    with ServerProcess(home) as first:
        first.call("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    asyncio.run(plant(home))
    with ServerProcess(home) as second:
        yield second


def created(server: ServerProcess, path: str, body: dict[str, Any]) -> int:
    try:
        server.call("POST", path, body)
    except HttpError as error:
        return error.code
    return 201


@pytest.mark.parametrize("namespace", ["team", "default"])
def test_it_starts_and_serves(server: ServerProcess, namespace: str) -> None:
    container = {"name": "main", "image": "busybox", "command": ["true"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    service = {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    for resource, spec in (("pods", pod), ("services", service), ("persistentvolumeclaims", claim)):
        body = {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec}
        # What was left and is valid may forbid; nothing may break.
        assert created(server, f"/api/v1/namespaces/{namespace}/{resource}", body) in (201, 403)
    job = {"metadata": {"name": "work"}, "spec": {"template": {"spec": pod}}}
    server.call("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", job)


def test_controllers_go_on(server: ServerProcess) -> None:
    selected = {"matchLabels": {"x": "y"}}
    roles = f"/apis/{RBAC}/v1/clusterroles"
    whole = {"metadata": {"name": "whole"}, "aggregationRule": {"clusterRoleSelectors": [selected]}}
    server.call("POST", roles, whole)
    server.call("POST", roles, {"metadata": {"name": "part", "labels": {"x": "y"}}, **ROLE})
    definition = {**DEFINITION, "metadata": {"name": "things.new.example.com"}}
    definition = {**definition, "spec": {**DEFINITION["spec"], "group": "new.example.com"}}
    server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    for _ in range(600):
        try:
            served = server.call("GET", "/apis/new.example.com/v1/things")["kind"] == "ThingList"
        except HttpError:
            served = False
        rules = server.call("GET", f"{roles}/whole").get("rules")
        work = server.call("GET", "/apis/batch/v1/namespaces/default/jobs/work").get("status", {})
        if served and rules == ROLE["rules"] and work.get("succeeded") == 1:
            return
        time.sleep(0.1)
    pytest.fail(f"definition {served}, rules {rules}, job {work}")


def test_a_set_that_does_not_select_its_own_pods_is_left_alone(server: ServerProcess) -> None:
    """It would make a revision, let it go, and make the next one, without end."""
    found = server.call("GET", "/apis/apps/v1/namespaces/team/controllerrevisions")["items"]
    assert not [each for each in found if each["metadata"]["name"].startswith("endless-")]
