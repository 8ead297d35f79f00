"""What programs do with `lightkube`, and an operator made with its asynchronous client: `python light.py KUBECONFIG`.

Run by `test_official` in an environment of the client; imports nothing of ours.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from checks import Journey, refused, until
from lightkube import AsyncClient, Client, KubeConfig, codecs, operators
from lightkube.generic_resource import (
    create_resources_from_crd,
    get_generic_resource,
    load_in_cluster_generic_resources,
)
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, ServiceAccount
from lightkube.types import CascadeType, PatchType

NS = "light"
MANIFESTS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lamps.light.example.com}
spec:
  group: light.example.com
  scope: Namespaced
  names: {plural: lamps, singular: lamp, kind: Lamp, listKind: LampList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {watts: {type: integer, default: 5}}}
          status: {type: object, properties: {lit: {type: boolean}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: from-yaml, namespace: light}
data: {a: "1"}
"""
journey = Journey("lightkube")


def client() -> Client:
    return Client(KubeConfig.from_file(sys.argv[1]), namespace=NS, field_manager="light")


def asynchronous() -> AsyncClient:
    return AsyncClient(KubeConfig.from_file(sys.argv[1]), namespace=NS, field_manager="light")


@journey
def applies_what_yaml_says() -> None:
    api = client()
    for obj in codecs.load_all_yaml(MANIFESTS):
        api.apply(obj)
        api.apply(obj)
    assert api.get(ConfigMap, "from-yaml").data == {"a": "1"}
    found = api.wait(
        CustomResourceDefinition,
        "lamps.light.example.com",
        for_conditions=["Established"],
        raise_for_conditions=[],
    )
    assert found.spec.names.kind == "Lamp"


@journey
def patches_and_replaces() -> None:
    api = client()
    api.create(ConfigMap(metadata=ObjectMeta(name="c", labels={"l": "1"}), data={"a": "1"}))
    assert api.patch(ConfigMap, "c", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
    assert api.patch(ConfigMap, "c", {"data": {"a": None}}, patch_type=PatchType.MERGE).data == {"b": "2"}
    json = [{"op": "add", "path": "/data/c", "value": "3"}]
    assert api.patch(ConfigMap, "c", json, patch_type=PatchType.JSON).data == {"b": "2", "c": "3"}
    found = api.get(ConfigMap, "c")
    found.data["d"] = "4"
    replaced = api.replace(found)
    refused(lambda: api.replace(found), 409)
    assert replaced.data["d"] == "4"
    names = {
        each.metadata.name for each in api.list(ConfigMap, labels={"l": operators.exists()}, chunk_size=1)
    }
    assert names == {"c"}
    assert not list(api.list(ConfigMap, labels={"l": operators.not_in(["1"])}, fields={"metadata.name": "c"}))
    api.delete(ConfigMap, "c")
    refused(lambda: api.get(ConfigMap, "c"), 404, "c")


@journey
def conflicts_of_managers() -> None:
    api = client()
    wanted = ConfigMap(metadata=ObjectMeta(name="shared", namespace=NS), data={"a": "1"})
    api.apply(wanted, field_manager="one")
    other = ConfigMap(metadata=ObjectMeta(name="shared", namespace=NS), data={"a": "2"})
    refused(lambda: api.apply(other, field_manager="two"), 409, "one")
    assert api.apply(other, field_manager="two", force=True).data == {"a": "2"}
    # What a manager leaves out goes, where nobody else has it.
    bare = ConfigMap(metadata=ObjectMeta(name="shared", namespace=NS))
    api.apply(bare, field_manager="one")
    assert not api.apply(bare, field_manager="two").data


@journey
def generic_resources() -> None:
    api = client()
    load_in_cluster_generic_resources(api)
    lamp = get_generic_resource("light.example.com/v1", "Lamp")
    made = api.create(lamp(metadata={"name": "one"}, spec={}))
    assert made.spec == {"watts": 5}
    status = api.patch(lamp.Status, "one", {"status": {"lit": True}}, patch_type=PatchType.MERGE)
    assert status.status == {"lit": True}
    refused(lambda: api.create(lamp(metadata={"name": "two"}, spec={"watts": "many"})), 422, "spec.watts")
    assert [each.metadata.name for each in api.list(lamp)] == ["one"]
    api.delete(lamp, "one")


@journey
def waits_logs_and_runs() -> None:
    api = client()
    command = ["sh", "-c", "echo hello; exec sleep 300"]
    container = Container(name="main", image="busybox", command=command)
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web"}),
        spec=PodSpec(containers=[container], terminationGracePeriodSeconds=0),
    )
    spec = DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    api.create(Deployment(metadata=ObjectMeta(name="web"), spec=spec))
    api.wait(Deployment, "web", for_conditions=["Available"])
    scaled = api.patch(Deployment.Scale, "web", {"spec": {"replicas": 2}})
    assert scaled.spec.replicas == 2
    until(lambda: len(list(api.list(Pod, labels={"app": "web"}))) == 2)
    name = next(iter(api.list(Pod, labels={"app": "web"}))).metadata.name
    assert list(api.log(name, follow=False)) in (["hello"], ["hello\n"])
    told = api.exec(name, command=["sh", "-c", "cat; exit 3"], stdin="there", stdout=True)
    assert (told.stdout, told.exit_code) == ("there", 3)
    listed = api.list(Pod)
    assert len(list(listed)) == 2
    version = listed.resourceVersion
    api.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)
    for event, pod in api.watch(Pod, resource_version=version, server_timeout=30):
        assert pod.metadata.labels["app"] == "web"
        if event == "DELETED":
            break


@journey
async def an_operator() -> None:
    """Keeps a ConfigMap for each lamp, as programs do with the asynchronous client."""
    api = asynchronous()
    create_resources_from_crd(await api.get(CustomResourceDefinition, "lamps.light.example.com"))
    lamp = get_generic_resource("light.example.com/v1", "Lamp")
    handled: list[tuple[str, str]] = []

    async def operate() -> None:
        async for event, obj in api.watch(lamp):
            handled.append((event, obj.metadata.name))
            if event == "DELETED" or obj.metadata.deletionTimestamp:
                continue
            owner = {
                "apiVersion": obj.apiVersion,
                "kind": obj.kind,
                "name": obj.metadata.name,
                "uid": obj.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
            wanted = codecs.from_dict(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": obj.metadata.name, "namespace": NS, "ownerReferences": [owner]},
                    "data": {"watts": str(obj.spec["watts"])},
                }
            )
            await api.apply(wanted, force=True)
            await api.patch(
                lamp.Status, obj.metadata.name, {"status": {"lit": True}}, patch_type=PatchType.MERGE
            )

    work = asyncio.create_task(operate())
    for number in range(10):
        await api.create(lamp(metadata={"name": f"lamp-{number}"}, spec={"watts": number}))
    for number in range(10):
        await come(api, f"lamp-{number}", {"watts": str(number)})
    await api.patch(lamp, "lamp-0", {"spec": {"watts": 99}}, patch_type=PatchType.MERGE)
    await come(api, "lamp-0", {"watts": "99"})
    await api.delete(lamp, "lamp-0")
    await come(api, "lamp-0", None)
    assert not work.done(), work.exception()
    work.cancel()
    assert {name for _, name in handled} >= {f"lamp-{number}" for number in range(10)}


async def come(api: AsyncClient, name: str, data: dict[str, str] | None) -> None:
    found: Any = None
    for _ in range(300):
        listed = [each async for each in api.list(ConfigMap, fields={"metadata.name": name})]
        found = listed[0].data if listed else None
        if found == data:
            return
        await asyncio.sleep(0.1)
    raise AssertionError((name, found))


def main() -> int:
    api = client()
    api.create(Namespace(metadata=ObjectMeta(name=NS)))
    until(lambda: list(api.list(ServiceAccount)))
    try:
        return journey.run()
    finally:
        api.delete(CustomResourceDefinition, "lamps.light.example.com")
        api.delete(Namespace, NS)


if __name__ == "__main__":
    sys.exit(main())
