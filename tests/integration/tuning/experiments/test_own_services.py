"""Suggestion and early stopping services of a user's own, as katib-config names them: their objects, and their answers.

Pods are what the test says they are; behind the Service's address listens a server of the test's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc

from sampan.client.protocol import ListOptions
from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS
from sampan.components.tuning.api.messages import message
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)
from sampan.kube.rbac import ROLE_BINDINGS, ROLES
from sampan.testing import grpc_servers

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]


async def configure(tuning: Tuning, **runtime: Any) -> None:
    with suppress(Exception):
        await tuning.client.create(NAMESPACES, {"metadata": {"name": "kubeflow"}})
    data = {"katib-config.yaml": json.dumps({"kind": "KatibConfig", "runtime": runtime})}
    found = {"metadata": {"name": "katib-config", "namespace": "kubeflow"}, "data": data}
    await tuning.client.create(CONFIG_MAPS, found)


async def there(tuning: Tuning, resource: Resource, name: str) -> Any:
    async def look() -> Any:
        with suppress(NotFoundError):
            return await tuning.get(resource, name)

    return await tuning.until(look)


async def gone(tuning: Tuning, resource: Resource, name: str) -> None:
    async def look() -> bool:
        with suppress(NotFoundError):
            await tuning.get(resource, name)
            return False
        return True

    await tuning.until(look)


async def pod_is_ready(tuning: Tuning, deployment: str) -> None:
    """What the kubelet says of the Deployment's pod."""
    selector = ListOptions(label_selector=f"katib.kubeflow.org/deployment={deployment}")

    async def pods() -> list[Any]:
        return (await tuning.client.list(PODS, "team", selector)).items

    (pod,) = await tuning.until(pods)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await tuning.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")


@asynccontextmanager
async def serving(address: str, seen: list[int]) -> Any:
    async def suggest(request: Any, _context: Any) -> Any:
        seen.append(request.current_request_number)
        first = request.total_request_number - request.current_request_number + 1
        given = [
            {"assignments": [{"name": "x", "value": str(number)}]}
            for number in range(first, request.total_request_number + 1)
        ]
        return message("GetSuggestionsReply")(parameter_assignments=given)

    async def validate(_request: Any, _context: Any) -> Any:
        return message("ValidateAlgorithmSettingsReply")()

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer, message(f"{name}Request").FromString, lambda each: each.SerializeToString()
        )
        for name, answer in (("GetSuggestions", suggest), ("ValidateAlgorithmSettings", validate))
    }
    handler = grpc.method_handlers_generic_handler("api.v1.beta1.Suggestion", handlers)
    async with grpc_servers.serving(handler, address=f"{address}:6789"):
        yield


def test_a_service_is_made_asked_and_taken_down(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await configure(
            tuning,
            suggestions=[{"algorithmName": "guess", "image": "mine/guess:1", "args": ["--fast"]}],
        )
        await tuning.submit(algorithm={"algorithmName": "guess"}, resumePolicy="FromVolume")
        deployment = await there(tuning, DEPLOYMENTS, "search-guess")
        await there(tuning, PERSISTENT_VOLUME_CLAIMS, "search-guess")
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert (container["name"], container["image"], container["args"]) == (
            "suggestion",
            "mine/guess:1",
            ["--fast"],
        )
        assert container["ports"] == [{"name": "suggestion-api", "containerPort": 6789, "protocol": "TCP"}]
        assert container["readinessProbe"]["grpc"] == {"port": 6789, "service": "manager.v1beta1.Suggestion"}
        assert container["resources"]["limits"]["memory"] == "100Mi"
        assert container["volumeMounts"][0]["mountPath"] == "/opt/katib/data"
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "search-guess"}
        chosen = deployment["spec"]["selector"]["matchLabels"]
        assert chosen["katib.kubeflow.org/deployment"] == "search-guess"
        assert chosen["katib.kubeflow.org/experiment"] == chosen["katib.kubeflow.org/suggestion"] == "search"
        waiting = await tuning.becomes("DeploymentReady", "False", resource=SUGGESTIONS)
        assert waiting["reason"] == "DeploymentNotReady"
        await tuning.says("Deployment is not ready")
        address = (await there(tuning, SERVICES, "search-guess"))["spec"]["clusterIP"]
        seen: list[int] = []
        async with serving(address, seen):
            await pod_is_ready(tuning, "search-guess")
            await tuning.have(2)
            await tuning.succeed(0.5, 0.4)
            await tuning.have(4)
            await tuning.succeed(0.5, 0.4)
            await tuning.becomes("Succeeded")
        assert seen[0] == 2
        assert sum(seen) == 4
        await gone(tuning, DEPLOYMENTS, "search-guess")
        await gone(tuning, SERVICES, "search-guess")
        await tuning.get(PERSISTENT_VOLUME_CLAIMS, "search-guess")

    run(scenario)


def test_early_stopping_of_the_users_own_acts_as_somebody(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await configure(tuning, earlyStoppings=[{"algorithmName": "bored", "image": "mine/bored:1"}])
        await tuning.submit(earlyStopping={"algorithmName": "bored"})
        deployment = await there(tuning, DEPLOYMENTS, "search-random")
        pod = deployment["spec"]["template"]["spec"]
        assert [each["name"] for each in pod["containers"]] == ["early-stopping"]
        assert pod["serviceAccountName"] == "search-random"
        for resource in (SERVICE_ACCOUNTS, ROLES, ROLE_BINDINGS):
            found = await there(tuning, resource, "search-random")
            assert meta.metadata(found)["ownerReferences"][0]["kind"] == "Suggestion"
        (rule,) = (await tuning.get(ROLES, "search-random"))["rules"]
        assert rule["resources"] == ["trials", "trials/status"]
        (port,) = (await there(tuning, SERVICES, "search-random"))["spec"]["ports"]
        assert (port["name"], port["port"]) == ("earlystop-api", 6788)

    run(scenario)


def test_upstreams_own_images_stand_for_what_is_built_in(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        image = "ghcr.io/kubeflow/katib/suggestion-hyperopt:v0.19.0"
        await configure(tuning, suggestions=[{"algorithmName": "random", "image": image}])
        await tuning.submit()
        await tuning.have(2)
        assert not (await tuning.client.list(DEPLOYMENTS, "team")).items
        ready = await tuning.becomes("DeploymentReady", resource=SUGGESTIONS)
        assert ready["message"] == "The algorithm is built in and needs no Deployment"

    run(scenario)


def test_a_volume_is_claimed_for_what_is_built_in_too(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(resumePolicy="FromVolume")
        claim = await there(tuning, PERSISTENT_VOLUME_CLAIMS, "search-random")
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert claim["spec"]["resources"]["requests"] == {"storage": "1Gi"}

    run(scenario)


def test_trials_that_keep_checkpoints_have_a_volume_whatever_the_policy(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        given = {"suggestion_trial_dir": "/ckpt", "n_population": "5", "truncation_threshold": "0.2"}
        settings = [{"name": name, "value": value} for name, value in given.items()]
        await tuning.submit(algorithm={"algorithmName": "pbt", "algorithmSettings": settings})
        assert await there(tuning, PERSISTENT_VOLUME_CLAIMS, "search-pbt")

    run(scenario)


def test_what_keeps_a_service_from_being_made_is_said(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        probe = {"httpGet": {"path": "/"}}
        odd = {"algorithmName": "odd", "image": "mine/odd:1", "readinessProbe": probe}
        await configure(tuning, suggestions=[{"algorithmName": "guess", "image": "mine/guess:1"}, odd])
        port = {"ports": [{"port": 1}]}
        somebodys = {"metadata": {"name": "search-guess", "namespace": "team"}, "spec": port}
        await tuning.client.create(SERVICES, somebodys)
        await tuning.submit(algorithm={"algorithmName": "guess"})
        await tuning.says("a Service of the name search-guess is there and belongs to somebody else")
        await tuning.client.delete(EXPERIMENTS, "search", "team")
        await gone(tuning, EXPERIMENTS, "search")
        await tuning.submit(algorithm={"algorithmName": "odd"})
        await tuning.says("its Deployment cannot be made: ")

    run(scenario)
