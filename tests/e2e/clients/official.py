"""What programs do with `kubernetes`, the official client, 30 to 37: `python official.py KUBECONFIG`.

Run in an environment of the client, by `test_official`; imports nothing of ours.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from checks import Journey, refused, until
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.stream import portforward, stream

NS = "official"
GROUP, VERSION, PLURAL = "official.example.com", "v1", "boats"
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.oars", "statusReplicasPath": ".status.oars"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "oars": {"type": "integer", "minimum": 1, "default": 2},
                                    "name": {"type": "string"},
                                },
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}
journey = Journey(f"kubernetes {client.__version__}")


def boat(called: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Boat", "metadata": {"name": called}, "spec": spec}


def sleeper(name: str, script: str = "sleep 300", **labels: str) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    }


def running(name: str) -> bool:
    return bool(client.CoreV1Api().read_namespaced_pod(name, NS).status.phase == "Running")


@journey
def versions_and_groups() -> None:
    version = client.VersionApi().get_code()
    assert version.git_version.startswith("v1.")
    assert int(version.minor.rstrip("+")) >= 25
    groups = {group.name for group in client.ApisApi().get_api_versions().groups}
    assert {"apps", "batch", "rbac.authorization.k8s.io", "apiextensions.k8s.io"} <= groups
    assert client.CoreApi().get_api_versions().versions == ["v1"]


@journey
def patch_types() -> None:
    core = client.CoreV1Api()
    core.create_namespaced_config_map(
        NS, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="p"), data={"a": "1"})
    )
    patched = core.patch_namespaced_config_map("p", NS, {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    patched = core.patch_namespaced_config_map("p", NS, [{"op": "remove", "path": "/data/a"}])
    assert patched.data == {"b": "2"}
    refused(lambda: core.patch_namespaced_config_map("p", NS, [{"op": "remove", "path": "/data/none"}]), 422)
    refused(lambda: core.patch_namespaced_config_map("absent", NS, {"data": {"b": "2"}}), 404, "absent")
    apps = client.AppsV1Api()
    made = apps.create_namespaced_deployment(NS, deployment("patched"))
    assert made.spec.strategy.type == "RollingUpdate"
    change = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:2"}]}}}}
    patched = apps.patch_namespaced_deployment("patched", NS, change)
    # Strategic: the container keeps what the patch does not name. A merge patch would have replaced the list.
    assert patched.spec.template.spec.containers[0].command == ["sleep", "300"]
    assert patched.metadata.generation == 2
    apps.delete_namespaced_deployment("patched", NS, propagation_policy="Foreground")
    until(lambda: not apps.list_namespaced_deployment(NS).items)


def deployment(name: str, replicas: int = 0) -> client.V1Deployment:
    container = client.V1Container(name="main", image="busybox", command=["sleep", "300"])
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1DeploymentSpec(
            replicas=replicas,
            selector=client.V1LabelSelector(match_labels={"app": name}),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels={"app": name}),
                spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0),
            ),
        ),
    )


@journey
def lists_in_pages() -> None:
    core = client.CoreV1Api()
    for number in range(7):
        core.create_namespaced_secret(NS, {"metadata": {"name": f"s{number}", "labels": {"page": "1"}}})
    found, token, sizes = [], None, []
    while True:
        page = core.list_namespaced_secret(NS, label_selector="page=1", limit=3, _continue=token)
        found += [each.metadata.name for each in page.items]
        sizes.append(len(page.items))
        token = page.metadata._continue
        if not token:
            break
    assert (found, sizes) == ([f"s{number}" for number in range(7)], [3, 3, 1])
    exact = core.list_namespaced_secret(
        NS, label_selector="page in (1,2),page!=2", field_selector="metadata.name!=s0"
    )
    assert len(exact.items) == 6
    gone = core.delete_collection_namespaced_secret(NS, label_selector="page=1")
    assert gone.status == "Success" or gone.kind
    assert not core.list_namespaced_secret(NS, label_selector="page").items
    refused(lambda: core.list_namespaced_secret(NS, _continue="nonsense"), 400)
    refused(lambda: core.list_namespaced_secret(NS, label_selector="a=b=c"), 400)


@journey
def watches_resume_and_expire() -> None:
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map(NS).metadata.resource_version
    for step in ("1", "2"):
        body = {"metadata": {"name": "w", "labels": {"w": "1"}}, "data": {"step": step}}
        core.create_namespaced_config_map(NS, body) if step == "1" else core.replace_namespaced_config_map(
            "w", NS, body
        )
    core.delete_namespaced_config_map("w", NS)
    events = watch.Watch()
    seen = []
    for event in events.stream(
        core.list_namespaced_config_map, NS, resource_version=start, label_selector="w", timeout_seconds=10
    ):
        seen.append((event["type"], event["object"].data["step"]))
        if event["type"] == "DELETED":
            events.stop()
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")], seen
    resumed = watch.Watch()
    for event in resumed.stream(
        core.list_namespaced_config_map,
        NS,
        resource_version=start,
        label_selector="w",
        allow_watch_bookmarks=True,
        timeout_seconds=2,
    ):
        assert event["type"] in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
    assert int(resumed.resource_version) >= int(start)
    future = str(int(start) + 1_000_000)
    # Kubernetes waits some seconds for a revision to come, and says then that it is too large.
    refused(lambda: core.list_namespaced_config_map(NS, resource_version=future), 504)
    refused(lambda: core.list_namespaced_config_map(NS, resource_version="abc"), 400)


@journey
def a_watch_from_the_past_is_gone() -> None:
    core = client.CoreV1Api()
    body = {"metadata": {"name": "many"}, "data": {}}
    core.create_namespaced_config_map(NS, body)
    try:
        error = refused(
            lambda: list(
                watch.Watch().stream(
                    core.list_namespaced_config_map, NS, resource_version="1", timeout_seconds=5
                )
            ),
            410,
        )
        assert "too old resource version" in str(error) or "Expired" in str(error)
    except AssertionError:
        # A young server may still have its whole history: then everything is told from there.
        told = list(
            watch.Watch().stream(core.list_namespaced_config_map, NS, resource_version="1", timeout_seconds=2)
        )
        assert [each["object"].metadata.name for each in told], "neither events nor 410"


@journey
def watches_of_the_main_kinds() -> None:
    core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
    for method in (
        core.list_pod_for_all_namespaces,
        core.list_namespace,
        core.list_node,
        core.list_service_for_all_namespaces,
        core.list_event_for_all_namespaces,
        core.list_service_account_for_all_namespaces,
        core.list_persistent_volume_claim_for_all_namespaces,
        apps.list_deployment_for_all_namespaces,
        apps.list_replica_set_for_all_namespaces,
        apps.list_stateful_set_for_all_namespaces,
        batch.list_job_for_all_namespaces,
        batch.list_cron_job_for_all_namespaces,
        client.CoordinationV1Api().list_lease_for_all_namespaces,
        client.RbacAuthorizationV1Api().list_cluster_role,
        client.ApiextensionsV1Api().list_custom_resource_definition,
    ):
        listed = method()
        told = []
        for event in watch.Watch().stream(method, timeout_seconds=1):
            assert event["object"].metadata.uid
            told.append(event["object"].metadata.uid)
        assert {each.metadata.uid for each in listed.items} <= set(told), method


@journey
def logs_exec_and_ports() -> None:
    core = client.CoreV1Api()
    core.create_namespaced_pod(
        NS, sleeper("talker", "for i in 1 2 3; do echo line $i; sleep 0.2; done; exec sleep 300")
    )
    until(lambda: running("talker"))
    lines = []
    followed = watch.Watch()
    for line in followed.stream(core.read_namespaced_pod_log, "talker", NS, follow=True):
        lines.append(line)
        if len(lines) == 3:
            followed.stop()
    assert lines == ["line 1", "line 2", "line 3"]
    assert core.read_namespaced_pod_log("talker", NS, tail_lines=1) == "line 3\n"
    assert core.read_namespaced_pod_log("talker", NS, limit_bytes=4) == "line"
    assert core.read_namespaced_pod_log("talker", NS, timestamps=True).startswith("20")
    refused(lambda: core.read_namespaced_pod_log("talker", NS, container="none"), 400, "none")
    refused(lambda: core.read_namespaced_pod_log("talker", NS, previous=True), 400, "previous")
    call = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
    told = stream(core.connect_get_namespaced_pod_exec, "talker", NS, command=["echo", "hello"], **call)
    assert told == "hello\n"
    core.create_namespaced_pod(
        NS, sleeper("web", "cd /tmp; echo hello > page.txt; exec python3 -m http.server 8765")
    )
    until(lambda: running("web"))

    def fetched() -> bytes:
        try:
            forwarding = portforward(core.connect_get_namespaced_pod_portforward, "web", NS, ports="8765")
            connection = forwarding.socket(8765)
            connection.setblocking(True)
            connection.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
            answer = b""
            while data := connection.recv(1024):
                answer += data
        except OSError:
            return b""
        return answer

    assert until(fetched).endswith(b"hello\n")
    assert "hello" in until(
        lambda: core.connect_get_namespaced_pod_proxy_with_path("web:8765", NS, "page.txt")
    )


@journey
def deletes_with_options() -> None:
    apps, core = client.AppsV1Api(), client.CoreV1Api()
    apps.create_namespaced_deployment(NS, deployment("parent", 1))
    until(lambda: core.list_namespaced_pod(NS, label_selector="app=parent").items)
    found = apps.read_namespaced_deployment("parent", NS)
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="other"))
    refused(lambda: apps.delete_namespaced_deployment("parent", NS, body=wrong), 409, "UID")
    right = client.V1DeleteOptions(
        preconditions=client.V1Preconditions(uid=found.metadata.uid), propagation_policy="Orphan"
    )
    apps.delete_namespaced_deployment("parent", NS, body=right)
    until(lambda: not apps.list_namespaced_deployment(NS, field_selector="metadata.name=parent").items)
    sets = until(
        lambda: [
            each
            for each in apps.list_namespaced_replica_set(NS, label_selector="app=parent").items
            if not each.metadata.owner_references
        ]
    )
    apps.delete_namespaced_replica_set(sets[0].metadata.name, NS, propagation_policy="Background")
    until(lambda: not core.list_namespaced_pod(NS, label_selector="app=parent").items)


@journey
def eviction_and_budgets() -> None:
    core, policy = client.CoreV1Api(), client.PolicyV1Api()
    core.create_namespaced_pod(NS, sleeper("evicted", app="evicted"))
    until(lambda: running("evicted"))
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="evicted", namespace=NS))
    answered = core.create_namespaced_pod_eviction("evicted", NS, eviction)
    assert answered is not None
    until(lambda: not core.list_namespaced_pod(NS, label_selector="app=evicted").items)
    refused(lambda: core.create_namespaced_pod_eviction("evicted", NS, eviction), 404)
    assert policy.list_namespaced_pod_disruption_budget(NS).items == []


@journey
def tokens_and_reviews() -> None:
    core, rbac = client.CoreV1Api(), client.RbacAuthorizationV1Api()
    core.create_namespaced_service_account(NS, {"metadata": {"name": "reader"}})
    request = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)
    )
    token = core.create_namespaced_service_account_token("reader", NS, request).status.token
    review = client.AuthenticationV1Api().create_token_review(
        client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token))
    )
    user = f"system:serviceaccount:{NS}:reader"
    assert review.status.authenticated
    assert review.status.user.username == user
    authorization = client.AuthorizationV1Api()

    def allowed() -> bool:
        attributes = client.V1ResourceAttributes(namespace=NS, verb="list", resource="pods")
        spec = client.V1SubjectAccessReviewSpec(user=user, resource_attributes=attributes)
        answer = authorization.create_subject_access_review(client.V1SubjectAccessReview(spec=spec))
        return bool(answer.status.allowed)

    assert not allowed()
    rbac.create_namespaced_role(
        NS,
        client.V1Role(
            metadata=client.V1ObjectMeta(name="reader"),
            rules=[client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["list"])],
        ),
    )
    rbac.create_namespaced_role_binding(
        NS,
        {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": NS}],
        },
    )
    assert until(allowed)
    attributes = client.V1ResourceAttributes(verb="*", resource="*", group="*")
    mine = authorization.create_self_subject_access_review(
        client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
    )
    assert mine.status.allowed
    rules = authorization.create_self_subject_rules_review(
        client.V1SelfSubjectRulesReview(spec=client.V1SelfSubjectRulesReviewSpec(namespace=NS))
    )
    assert rules.status.resource_rules
    asked = client.AuthenticationV1Api().create_self_subject_review(client.V1SelfSubjectReview())
    assert asked.status.user_info.username
    own = client.Configuration.get_default_copy()
    # The key's name has changed from 30 to 37.
    own.api_key = dict.fromkeys(("authorization", "BearerToken"), f"Bearer {token}")
    own.api_key_prefix = {}
    # It would read the kubeconfig's key again.
    own.refresh_api_key_hook = None
    reader = client.CoreV1Api(client.ApiClient(own))
    reader.list_namespaced_pod(NS)
    refused(lambda: reader.list_namespaced_secret(NS), 403, user, "secrets")


@journey
def custom_objects() -> None:
    api = client.CustomObjectsApi()
    client.ApiextensionsV1Api().create_custom_resource_definition(DEFINITION)
    until(lambda: api_is_served(api))
    every = (GROUP, VERSION, NS, PLURAL)
    made = api.create_namespaced_custom_object(*every, boat("one", name="x", unknown=1))
    assert made["spec"] == {"name": "x", "oars": 2}
    refused(lambda: api.create_namespaced_custom_object(*every, boat("bad", oars=0)), 422, "spec.oars")
    refused(lambda: api.create_namespaced_custom_object(*every, boat("one")), 409)
    assert api.get_namespaced_custom_object(*every, "one")["metadata"]["uid"] == made["metadata"]["uid"]
    assert len(api.list_namespaced_custom_object(*every)["items"]) == 1
    # Newer clients name the call otherwise.
    everywhere = getattr(api, "list_custom_object_for_all_namespaces", None) or api.list_cluster_custom_object
    listed = everywhere(GROUP, VERSION, PLURAL)
    assert listed["kind"] == "BoatList"
    patched = api.patch_namespaced_custom_object(*every, "one", {"spec": {"oars": 4}})
    assert (patched["spec"]["oars"], patched["metadata"]["generation"]) == (4, 2)
    patched["spec"]["oars"] = 6
    replaced = api.replace_namespaced_custom_object(*every, "one", patched)
    assert replaced["spec"]["oars"] == 6
    refused(lambda: api.replace_namespaced_custom_object(*every, "one", patched), 409)
    status = api.patch_namespaced_custom_object_status(
        *every, "one", {"status": {"oars": 6}, "spec": {"oars": 9}}
    )
    assert (status["status"], status["spec"]["oars"]) == ({"oars": 6}, 6)
    status["status"]["ready"] = True
    assert api.replace_namespaced_custom_object_status(*every, "one", status)["status"]["ready"]
    assert api.get_namespaced_custom_object_status(*every, "one")["status"]["ready"]
    scale = api.get_namespaced_custom_object_scale(*every, "one")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 6)
    assert api.patch_namespaced_custom_object_scale(*every, "one", {"spec": {"replicas": 3}})["spec"] == {
        "replicas": 3
    }
    scale = api.get_namespaced_custom_object_scale(*every, "one")
    scale["spec"]["replicas"] = 4
    api.replace_namespaced_custom_object_scale(*every, "one", scale)
    assert api.get_namespaced_custom_object(*every, "one")["spec"]["oars"] == 4
    first = next(watch.Watch().stream(api.list_namespaced_custom_object, *every, timeout_seconds=5))
    assert first["object"]["metadata"]["name"] == "one"
    assert api.delete_namespaced_custom_object(*every, "one")["status"] == "Success"
    refused(lambda: api.get_namespaced_custom_object(*every, "one"), 404)
    api.create_namespaced_custom_object(*every, boat("two"))
    api.delete_collection_namespaced_custom_object(*every)
    assert api.list_namespaced_custom_object(*every)["items"] == []
    refused(lambda: api.list_namespaced_custom_object(GROUP, VERSION, NS, "none"), 404)


def api_is_served(api: client.CustomObjectsApi) -> bool:
    try:
        api.list_namespaced_custom_object(GROUP, VERSION, NS, PLURAL)
    except client.ApiException as error:
        assert error.status == 404
        return False
    return True


@journey
def the_dynamic_client() -> None:
    cache = Path(tempfile.mkdtemp()) / "discovery.json"
    api = dynamic.DynamicClient(client.ApiClient(), cache_file=str(cache))
    assert cache.exists()
    again = dynamic.DynamicClient(client.ApiClient(), cache_file=str(cache))
    assert again.resources.get(api_version="v1", kind="Pod").name == "pods"
    boats = api.resources.get(api_version=f"{GROUP}/{VERSION}", kind="Boat")
    made = boats.create(body=boat("c"), namespace=NS)
    assert made.spec.oars == 2
    boats.delete(name="c", namespace=NS)
    applied = boats.server_side_apply(body=boat("d", oars=3), namespace=NS, name="d", field_manager="first")
    assert applied.spec.oars == 3
    assert [each.manager for each in applied.metadata.managedFields if each.operation == "Apply"] == ["first"]
    refused(
        lambda: boats.server_side_apply(
            body=boat("d", oars=4), namespace=NS, name="d", field_manager="second"
        ),
        409,
        "first",
    )
    forced = boats.server_side_apply(
        body=boat("d", oars=4), namespace=NS, name="d", field_manager="second", force_conflicts=True
    )
    assert forced.spec.oars == 4
    patched = boats.patch(
        body={"spec": {"name": "n"}}, name="d", namespace=NS, content_type="application/merge-patch+json"
    )
    assert patched.spec.name == "n"
    assert (
        boats.status.patch(
            body={"status": {"oars": 1}}, name="d", namespace=NS, content_type="application/merge-patch+json"
        ).status.oars
        == 1
    )
    events = boats.watch(namespace=NS, timeout=5)
    assert next(events)["object"].metadata.name == "d"
    assert [each.metadata.name for each in boats.get(namespace=NS).items] == ["d"]
    assert boats.delete(name="d", namespace=NS).status == "Success"
    deployments = api.resources.get(api_version="apps/v1", kind="Deployment")
    template = client.ApiClient().sanitize_for_serialization(deployment("dynamic"))
    deployments.create(body={**template, "apiVersion": "apps/v1", "kind": "Deployment"}, namespace=NS)
    scaled = deployments.scale.patch(
        body={"spec": {"replicas": 0}},
        name="dynamic",
        namespace=NS,
        content_type="application/merge-patch+json",
    )
    assert scaled.kind == "Scale"
    pods = api.resources.get(api_version="v1", kind="Pod")
    assert pods.log.get(name="talker", namespace=NS)
    refused(lambda: pods.get(name="absent", namespace=NS), 404)
    refused(lambda: boats.create(body=boat("Bad Name"), namespace=NS), 422, "metadata.name")
    deployments.delete(name="dynamic", namespace=NS)


@journey
def creates_from_yaml() -> None:
    documents = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}, "data": {"a": "1"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "y"}, "spec": {"ports": [{"port": 80}]}},
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "y"}, "stringData": {"k": "v"}},
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"name": "y"},
                    "spec": {
                        "template": {
                            "spec": {
                                "restartPolicy": "Never",
                                "containers": [{"name": "c", "image": "busybox", "command": ["true"]}],
                            }
                        }
                    },
                },
            ],
        },
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        yaml.safe_dump_all(documents, file)
    utils.create_from_yaml(client.ApiClient(), file.name, namespace=NS)
    os.unlink(file.name)
    core, batch = client.CoreV1Api(), client.BatchV1Api()
    assert core.read_namespaced_secret("y", NS).data == {"k": "dg=="}
    until(lambda: batch.read_namespaced_job("y", NS).status.succeeded == 1)
    job = batch.read_namespaced_job("y", NS)
    # The same second time: both failures are told.
    try:
        utils.create_from_yaml(client.ApiClient(), yaml_objects=documents[:2], namespace=NS)
    except utils.FailToCreateError as error:
        assert [each.status for each in error.api_exceptions] == [409, 409]
    else:
        raise AssertionError("created twice")
    conditions = {each.type: each.status for each in job.status.conditions}
    assert conditions["Complete"] == "True"
    assert job.status.start_time <= job.status.completion_time


@journey
def leaders_are_elected() -> None:
    led: list[str] = []
    stop = threading.Event()

    def candidate(name: str) -> None:
        def lead() -> None:
            led.append(name)
            stop.wait(20)

        lock = ConfigMapLock("election", NS, name)
        settings = electionconfig.Config(
            lock,
            lease_duration=5,
            renew_deadline=4,
            retry_period=1,
            onstarted_leading=lead,
            onstopped_leading=None,
        )
        leaderelection.LeaderElection(settings).run()

    for name in ("first", "second"):
        threading.Thread(target=candidate, args=(name,), daemon=True).start()
        if name == "first":
            until(lambda: led)
    time.sleep(2)
    assert led == ["first"]
    record = client.CoreV1Api().read_namespaced_config_map("election", NS).metadata.annotations
    assert any("first" in value for value in record.values())
    stop.set()


@journey
def rollouts() -> None:
    apps, core = client.AppsV1Api(), client.CoreV1Api()
    apps.create_namespaced_deployment(NS, deployment("rolled", 2))
    until(lambda: apps.read_namespaced_deployment("rolled", NS).status.ready_replicas == 2)
    apps.patch_namespaced_deployment_scale("rolled", NS, {"spec": {"replicas": 1}})
    until(lambda: apps.read_namespaced_deployment("rolled", NS).status.replicas == 1)
    events = core.list_namespaced_event(NS, field_selector="involvedObject.kind=Deployment")
    assert any(each.reason == "ScalingReplicaSet" for each in events.items)
    apps.delete_namespaced_deployment("rolled", NS)
    until(lambda: not core.list_namespaced_pod(NS, label_selector="app=rolled").items)


@journey
def strict_and_lenient_fields() -> None:
    # Of a custom kind: newer clients judge the built-in ones by themselves.
    api, where = client.CustomObjectsApi(), (GROUP, VERSION, NS, PLURAL)
    create = api.create_namespaced_custom_object
    refused(lambda: create(*where, boat("f", extra=1), field_validation="Strict"), 400, "spec.extra")
    answer = api.create_namespaced_custom_object_with_http_info(
        *where, boat("f", extra=1), field_validation="Warn"
    )
    headers = {name.lower(): value for name, value in dict(answer[2]).items()}
    assert "spec.extra" in headers["warning"]
    ignored = create(*where, boat("g", extra=1), field_validation="Ignore")
    assert ignored["spec"] == {"oars": 2}
    refused(lambda: create(*where, boat("h"), field_validation="Sometimes"), 422, "fieldValidation")
    dry = create(*where, boat("h"), dry_run="All")
    assert dry["metadata"]["uid"]
    refused(lambda: api.get_namespaced_custom_object(*where, "h"), 404)


def main() -> int:
    config.load_kube_config(sys.argv[1])
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NS)))
    until(lambda: core.list_namespaced_service_account(NS).items)
    try:
        return journey.run()
    finally:
        core.delete_namespace(NS)
        client.ApiextensionsV1Api().delete_custom_resource_definition(DEFINITION["metadata"]["name"])


if __name__ == "__main__":
    sys.exit(main())
