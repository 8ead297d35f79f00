"""What programs do with `pykube-ng`: `python pykube_journey.py KUBECONFIG`. Run by `test_official`."""

from __future__ import annotations

import sys

import pykube
from checks import Journey, until

NS = "pykube"
journey = Journey("pykube-ng")


def map_of(api: pykube.HTTPClient, name: str, **data: str) -> pykube.ConfigMap:
    metadata = {"name": name, "namespace": NS, "labels": {"made": "1"}}
    return pykube.ConfigMap(
        api, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    )


@journey
def creates_updates_and_deletes(api: pykube.HTTPClient) -> None:
    made = map_of(api, "a", k="1")
    made.create()
    made.obj["data"]["k"] = "2"
    made.update()
    found = pykube.ConfigMap.objects(api, namespace=NS).get_by_name("a")
    assert found.obj["data"] == {"k": "2"}
    found.patch({"data": {"l": "3"}})
    assert found.obj["data"] == {"k": "2", "l": "3"}
    assert found.exists()
    try:
        map_of(api, "a").create()
    except pykube.exceptions.HTTPError as error:
        assert error.code == 409
        assert "already exists" in str(error)
    else:
        raise AssertionError("created twice")
    found.delete()
    assert not found.exists()


@journey
def queries(api: pykube.HTTPClient) -> None:
    for number in range(3):
        map_of(api, f"q{number}", n=str(number)).create()
    objects = pykube.ConfigMap.objects(api, namespace=NS)
    assert len(objects.filter(selector={"made": "1"})) == 3
    assert len(objects.filter(selector={"made__in": {"1", "2"}}, field_selector={"metadata.name": "q1"})) == 1
    for event in objects.filter(selector={"made": "1"}).watch():
        assert event.type == "ADDED"
        break
    assert api.version[0] == "1"
    assert "apps/v1" in {f"{each}" for each in ("apps/v1",) if api.resource_list(each)["resources"]}


@journey
def deployments_and_pods(api: pykube.HTTPClient) -> None:
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {
            "containers": [
                {"name": "c", "image": "busybox", "command": ["sh", "-c", "echo hello; sleep 300"]}
            ]
        },
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    metadata = {"name": "d", "namespace": NS}
    deployment = pykube.Deployment(
        api, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )
    deployment.create()
    deployment.reload()
    deployment.scale(2)
    pods = pykube.Pod.objects(api, namespace=NS).filter(selector={"app": "d"})
    until(lambda: len([each for each in pods.all() if each.ready]) == 2)
    assert next(iter(pods)).logs() == "hello\n"
    deployment.delete(propagation_policy="Foreground")
    until(lambda: len(pods.all()) == 0)


def main() -> int:
    api = pykube.HTTPClient(pykube.KubeConfig.from_file(sys.argv[1]))
    namespace = pykube.Namespace(api, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})
    namespace.create()
    until(lambda: len(pykube.ServiceAccount.objects(api, namespace=NS).all()))
    try:
        return journey.run(api)
    finally:
        namespace.delete()


if __name__ == "__main__":
    sys.exit(main())
