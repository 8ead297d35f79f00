"""What programs do with `kr8s`: `python kr8s_journey.py KUBECONFIG`. Run by `test_official`."""

from __future__ import annotations

import sys

import kr8s
from checks import Journey, until
from kr8s.objects import ConfigMap, Deployment, Namespace, Node, Pod, ServiceAccount, new_class

NS = "kr8s"
journey = Journey(f"kr8s {kr8s.__version__}")


@journey
def says_what_is_there(api: kr8s.Api) -> None:
    assert api.version()["major"] == "1"
    assert {"pods", "deployments"} <= {each["name"] for each in api.api_resources()}
    assert api.whoami()
    assert len(list(kr8s.get("nodes", api=api))) == 1
    assert next(iter(Node.list(api=api))).metadata.name
    assert api.lookup_kind("deploy")[0] == "deployment/apps/v1" or api.lookup_kind("deploy")


@journey
def creates_patches_and_labels(api: kr8s.Api) -> None:
    made = ConfigMap({"metadata": {"name": "c", "namespace": NS}, "data": {"a": "1"}}, api=api)
    made.create()
    assert made.exists()
    made.patch({"data": {"b": "2"}})
    assert made.data == {"a": "1", "b": "2"}
    made.patch([{"op": "remove", "path": "/data/a"}], type="json")
    assert made.data == {"b": "2"}
    made.label({"k": "v"})
    made.annotate({"n": "w"})
    found = list(kr8s.get("configmaps", namespace=NS, label_selector={"k": "v"}, api=api))
    assert [each.name for each in found] == ["c"]
    made.remove_label("k")
    assert "k" not in made.labels
    made.delete()
    until(lambda: not made.exists())
    try:
        ConfigMap.get("absent", namespace=NS, api=api, timeout=0)
    except kr8s.NotFoundError:
        pass
    else:
        raise AssertionError("found what is not there")


@journey
def runs_and_scales(api: kr8s.Api) -> None:
    pod = Pod.gen(name="p", image="busybox", command=["sh", "-c", "echo hello; exec sleep 300"])
    pod.namespace = NS
    pod.api = api
    pod.create()
    pod.wait("condition=Ready", timeout=60)
    assert pod.ready()
    assert list(pod.logs()) == ["hello"]
    told = pod.exec(["echo", "there"])
    assert told.stdout == b"there\n"
    pod.delete(grace_period=0)
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [{"name": "c", "image": "busybox", "command": ["sleep", "300"]}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    deployment = Deployment({"metadata": {"name": "d", "namespace": NS}, "spec": spec}, api=api)
    deployment.create()
    deployment.wait("condition=Available", timeout=60)
    deployment.scale(2)
    until(lambda: len(list(deployment.pods())) == 2)
    deployment.delete(propagation_policy="Foreground")


@journey
def watches(api: kr8s.Api) -> None:
    ConfigMap({"metadata": {"name": "w", "namespace": NS}}, api=api).create()
    for event, obj in api.watch("configmaps", namespace=NS):
        if obj.name == "w":
            assert event == "ADDED"
            break


@journey
def custom_kinds(api: kr8s.Api) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.kr8s.example.com"},
        "spec": {
            "group": "kr8s.example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
        },
    }
    made = kr8s.objects.object_from_spec(definition, api=api, allow_unknown_type=True)
    made.create()
    thing = new_class("Thing", version="kr8s.example.com/v1", namespaced=True, plural="things")

    def created() -> bool:
        try:
            thing({"metadata": {"name": "t", "namespace": NS}, "spec": {"a": 1}}, api=api).create()
        except kr8s.ServerError:
            return False
        return True

    until(created)
    found = thing.get("t", namespace=NS, api=api)
    found.patch({"spec": {"b": 2}})
    assert found.spec == {"a": 1, "b": 2}
    assert [each.name for each in kr8s.get("things.kr8s.example.com", namespace=NS, api=api)] == ["t"]
    made.delete()


def main() -> int:
    api = kr8s.api(kubeconfig=sys.argv[1])
    namespace = Namespace({"metadata": {"name": NS}}, api=api)
    namespace.create()
    until(lambda: list(ServiceAccount.list(namespace=NS, api=api)))
    try:
        return journey.run(api)
    finally:
        namespace.delete()


if __name__ == "__main__":
    sys.exit(main())
