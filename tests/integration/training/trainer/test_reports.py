"""Trainer's status endpoint: who may tell what of which TrainJob, and how much of it is written."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.rest.reports import Reports
from sampan.kube import meta
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock

AUDIENCE = "trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs/j/status"


class Endpoint:
    def __init__(self, cluster: Any) -> None:
        self._app = Reports(cluster.client, SystemClock())
        self.close = self._app.close

    async def post(self, token: str, body: Any, name: str = "j") -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {"type": "http", "headers": headers, "path_params": {"namespace": "team", "name": name}}
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])


@asynccontextmanager
async def endpoint(cluster):
    found = Endpoint(cluster)
    try:
        yield found
    finally:
        await found.close()


async def token_of(cluster, audience: str = AUDIENCE, pod: Any = None) -> str:
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 3600}
    if pod is not None:
        spec["boundObjectRef"] = {
            "kind": "Pod",
            "apiVersion": "v1",
            "name": meta.name(pod),
            "uid": meta.uid(pod),
        }
    answer = await cluster.client.create_token("default", "team", {"spec": spec})
    return str(answer["status"]["token"])


def report(percentage: int = 5) -> dict[str, Any]:
    return {"trainerStatus": {"progressPercentage": percentage, "lastUpdatedTime": "2025-01-23T10:30:45Z"}}


def test_a_pod_of_the_job_tells_of_its_progress_and_of_no_other_job(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        await cluster.job("other")
        pod = (await cluster.until_pods(2))[0]
        stranger = (await cluster.until_pods(2, "other"))[0]
        async with endpoint(cluster) as reports:
            mine = await token_of(cluster, pod=pod)
            assert await reports.post(mine, report()) == (200, report())

            async def counted() -> dict[str, Any]:
                status = meta.status(await cluster.get(TRAIN_JOBS, "j"))
                return status if "jobsStatus" in status else {}

            # What the controller writes and what the pod reports stand beside each other, whichever comes first.
            assert (await cluster.until(counted))["trainerStatus"] == report()["trainerStatus"]
            refused = {"status": "Failure", "message": "Forbidden", "reason": "Forbidden", "code": 403}
            for token, name in (
                ("", "j"),
                ("nonsense", "j"),
                (mine, "other"),
                (await token_of(cluster, "https://kubernetes.default.svc"), "j"),
                (await token_of(cluster, pod=stranger), "j"),
            ):
                code, answer = await reports.post(token, report(), name)
                assert (code, {key: answer[key] for key in refused}) == (403, refused)

    run(scenario)


def test_what_cannot_be_kept_is_told(run) -> None:
    async def scenario(cluster) -> None:
        async with endpoint(cluster) as reports:
            token = await token_of(cluster)
            code, answer = await reports.post(token, report())
            assert (code, answer["reason"], answer["message"]) == (404, "NotFound", "Train job not found")
            await cluster.job()
            code, answer = await reports.post(token, b"no json")
            assert (code, answer["reason"], answer["message"]) == (422, "Invalid", "Invalid payload")
            code, answer = await reports.post(token, report(101))
            assert (code, answer["reason"]) == (422, "Invalid")
            code, answer = await reports.post(token, b" " * 70_000)
            assert (code, answer["message"]) == (413, "Payload too large")
            assert await reports.post(token, {}) == (200, {})
            assert "trainerStatus" not in meta.status(await cluster.get(TRAIN_JOBS, "j"))

    run(scenario)


def test_a_flood_of_reports_becomes_few_writes_and_the_last_one_counts(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.job()
        await cluster.until_condition("Created", "False")
        before = int(meta.resource_version(await cluster.get(TRAIN_JOBS, "j")))
        async with endpoint(cluster) as reports:
            token = await token_of(cluster)
            for percentage in range(100):
                assert (await reports.post(token, report(percentage)))[0] == 200
        job = await cluster.get(TRAIN_JOBS, "j")
        assert meta.status(job)["trainerStatus"]["progressPercentage"] == 99
        assert int(meta.resource_version(job)) - before < 50
        assert not (await cluster.client.list(PODS, "team")).items

    run(scenario)
