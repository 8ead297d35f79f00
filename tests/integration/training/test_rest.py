"""`/training/v1`: merged logs and metrics over HTTP, of pods that are there and that are gone, for who may."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.app.definitions import install
from sampan.client.protocol import Client
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.kinds import PYTORCH_JOBS
from sampan.components.training.controller.remembering import Remembering
from sampan.components.training.rest.door import Api
from sampan.components.training.rest.sources import LogSource
from sampan.kube import rbac
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock
from sampan.testing.apiserver import embedded, loopback
from sampan.web.guards import User

ADMIN = User("admin", ("system:masters", "system:authenticated"))
ALICE = User("alice@example.com", ("system:authenticated",))
JOB = "/namespaces/default/pytorchjobs/train"
ROUTES = (f"{JOB}/log", f"{JOB}/metrics")


@dataclass
class Kit:
    client: Client
    home: Path
    url: str
    users: list[User | None] = field(default_factory=lambda: [ADMIN])

    async def job(self) -> Any:
        worker = {"template": {"spec": {"containers": [{"name": "pytorch", "image": "python:3.11"}]}}}
        spec = {
            "pytorchReplicaSpecs": {"Master": {**worker, "replicas": 1}, "Worker": {**worker, "replicas": 1}}
        }
        return await self.client.create(
            PYTORCH_JOBS,
            {
                "apiVersion": "kubeflow.org/v1",
                "kind": "PyTorchJob",
                "metadata": {"name": "train", "namespace": "default"},
                "spec": spec,
            },
        )

    async def pod(self, job: Any, role: str, *lines: str, second: int = 0, index: int = 0) -> Any:
        labels = {
            "training.kubeflow.org/job-name": "train",
            "training.kubeflow.org/replica-type": role,
            "training.kubeflow.org/replica-index": str(index),
        }
        owner = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "PyTorchJob",
            "name": "train",
            "uid": job["metadata"]["uid"],
            "controller": True,
        }
        made = await self.client.create(
            PODS,
            {
                "metadata": {
                    "name": f"train-{role}-{index}",
                    "namespace": "default",
                    "labels": labels,
                    "ownerReferences": [owner],
                },
                "spec": {"containers": [{"name": "pytorch", "image": "python:3.11"}]},
            },
        )
        self.say(made, *lines, second=second)
        return made

    def say(self, pod: Any, *lines: str, second: int = 0, restart: int = 0) -> None:
        file = self.home / "logs" / "default" / pod["metadata"]["uid"] / f"pytorch.{restart}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as out:
            for number, text in enumerate(lines):
                out.write(f"2026-11-26T10:00:{second + 2 * number:02}.000000000Z stdout F {text}\n")

    async def delete(self, pod: Any) -> None:
        await self.client.delete(PODS, pod["metadata"]["name"], "default")

    async def get(self, path: str, accept: str = "text/plain") -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.get(path, headers={"accept": accept}, timeout=60)


@asynccontextmanager
async def kit(folder: Path) -> AsyncIterator[Kit]:
    async with embedded(folder) as api:
        await install(api.client, DEFINITIONS)

        async def places(_pod: Any) -> Callable[[str], str]:
            return lambda path: str(folder / "seen") + path

        source = LogSource(api.client, SystemClock(), folder, is_local=True, pod_places=places)
        remembering = Remembering(api.client, folder, 0)
        remembering.start()
        users: list[User | None] = [ADMIN]
        routes = Api(source)
        async with loopback(_as(users, routes)) as url:
            try:
                yield Kit(api.client, folder, url, users)
            finally:
                routes.close()
                await remembering.stop()


def _as(users: list[User | None], app: ASGIApp) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if users[0] is not None:
            scope.setdefault("state", {})["user"] = users[0]
        await app(scope, receive, send)

    return call


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(60):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
        return found


def run(scenario: Callable[[Kit], Awaitable[None]], folder: Path) -> None:
    async def main() -> None:
        async with kit(folder) as made:
            await scenario(made)

    asyncio.run(main())


def test_ranks_are_merged_and_outlive_their_pods_and_their_job(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        job = await kit.job()
        master = await kit.pod(job, "master", "one", "three")
        worker = await kit.pod(job, "worker", "two", "four", second=1)
        expected = "[master-0] one\n[worker-0] two\n[master-0] three\n[worker-0] four\n"
        assert (await kit.get(f"{JOB}/log")).text == expected
        records = kit.home / "training" / "default" / "pytorchjobs" / "train.jsonl"

        async def both() -> bool:
            return records.exists() and len(records.read_text().splitlines()) == 2

        await until(both)
        for pod in (master, worker):
            await kit.delete(pod)
        assert (await kit.get(f"{JOB}/log")).text == expected
        await kit.client.delete(PYTORCH_JOBS, "train", "default")
        assert (await kit.get(f"{JOB}/log")).text == expected
        assert (await kit.get(f"{JOB}/log?ranks=worker-0&tail=1&timestamps=true")).text == (
            "2026-11-26T10:00:03.000000000Z [worker-0] four\n"
        )
        # A new job of the name has nothing of the old one's.
        await kit.job()
        assert (await kit.get(f"{JOB}/log")).text == ""

    run(scenario, tmp_path)


def test_lines_come_as_json_too(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        pod = await kit.pod(await kit.job(), "master", 'a "quoted" line')
        kit.say(pod, "again", second=5, restart=1)
        answer = await kit.get(f"{JOB}/log", "application/x-ndjson")
        assert answer.headers["content-type"] == "application/x-ndjson"
        first, second = (json.loads(line) for line in answer.text.splitlines())
        assert first == {
            "time": "2026-11-26T10:00:00.000000000Z",
            "rank": "master-0",
            "pod": "train-master-0",
            "run": 0,
            "text": 'a "quoted" line',
        }
        assert (second["run"], second["text"]) == (1, "again")
        assert (await kit.get(f"{JOB}/log?previous=true")).text == '[master-0] a "quoted" line\n'

    run(scenario, tmp_path)


def test_a_followed_log_goes_on_with_new_ranks_until_the_job_is_over(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        job = await kit.job()
        master = await kit.pod(job, "master", "one")
        seen: list[str] = []

        async def follow() -> None:
            async with (
                httpx.AsyncClient(base_url=kit.url, trust_env=False) as http,
                http.stream("GET", f"{JOB}/log?follow=true", timeout=60) as answer,
            ):
                async for line in answer.aiter_lines():
                    seen.append(line)  # noqa: PERF401  (looked at meanwhile)

        async def has(text: str) -> bool:
            return text in seen

        following = asyncio.create_task(follow())
        await until(lambda: has("[master-0] one"))
        await kit.pod(job, "worker", "two")
        await until(lambda: has("[worker-0] two"))
        kit.say(master, "three", restart=1)
        await until(lambda: has("[master-0] three"))
        # Over only when its pods are, whatever its conditions say.
        done = {"type": "Succeeded", "status": "True", "reason": "r", "message": "m"}
        await kit.client.patch(
            PYTORCH_JOBS, "train", {"status": {"conditions": [done]}}, "default", subresource="status"
        )
        for name in ("train-master-0", "train-worker-0"):
            assert not following.done()
            await kit.client.patch(
                PODS, name, {"status": {"phase": "Succeeded"}}, "default", subresource="status"
            )
        await asyncio.wait_for(following, 60)

    run(scenario, tmp_path)


def test_what_is_wrong_is_a_status(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.pod(await kit.job(), "master", "one")
        for path, code, words in (
            ("/namespaces/default/pytorchjobs/none/log", 404, 'pytorchjobs.kubeflow.org "none" not found'),
            ("/namespaces/default/secrets/train/log", 404, '"secrets" are no jobs'),
            ("/namespaces/default/pytorchjobs/..%2fx/log", 404, "could not find"),
            ("/namespaces/default/pytorchjobs/Train_1/log", 404, "none that Kubernetes allows"),
            (f"{JOB}/log?ranks=worker-9", 404, "no rank worker-9; it has: master-0"),
            (f"{JOB}/log?tail=-1", 400, "tail must be a whole number"),
            (f"{JOB}/log?tail=9999999", 400, "tail must be a whole number"),
            (f"{JOB}/log?since=yesterday", 400, "since must be a duration"),
            (f"{JOB}/log?follow=maybe", 400, "follow must be true or false"),
            (f"{JOB}/log?follow=true&previous=true", 400, "exclude each other"),
            (f"{JOB}/log?previous=true", 400, "nothing was restarted"),
            (f"{JOB}/metrics?points=x", 400, "points must be a whole number"),
            (f"{JOB}/other", 404, "could not find"),
        ):
            answer = await kit.get(path)
            assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), path
            assert words in answer.json()["message"], answer.json()

    run(scenario, tmp_path)


def test_metrics_come_from_logs_reports_and_event_files(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        job = await kit.job()
        await kit.client.patch(
            PYTORCH_JOBS, "train", {"metadata": {"annotations": {"sampan.dev/output": "/out"}}}, "default"
        )
        pod = await kit.pod(job, "master", "step=1 loss=0.5", "step=2 loss=0.25")
        folder = tmp_path / "seen" / "out" / "tb"
        folder.mkdir(parents=True)
        value = b"\x0a\x03acc\x15" + struct.pack("<f", 0.5)
        data = b"\x09" + struct.pack("<d", 1.0) + b"\x10\x07\x2a" + bytes([len(value) + 2]) + b"\x0a"
        data += bytes([len(value)]) + value
        events = folder / "events.out.tfevents.1"
        events.write_bytes(struct.pack("<QI", len(data), 0) + data + b"\0" * 4)

        async def series() -> dict[str, Any]:
            body = (await kit.get(f"{JOB}/metrics")).json()
            assert body["complete"] is True
            return {each["name"]: each for each in body["metrics"]}

        found = await series()
        assert [(each["step"], each["value"]) for each in found["loss"]["points"]] == [(1, 0.5), (2, 0.25)]
        assert (found["loss"]["rank"], found["loss"]["source"]) == ("master-0", "log")
        assert found["tb/acc"]["points"] == [{"step": 7, "value": 0.5, "time": "1970-01-01T00:00:01.000000Z"}]
        # Each look adds what is new, once.
        kit.say(pod, "step=3 loss=0.125", second=20)
        assert (await series())["loss"]["count"] == 3
        assert (await series())["loss"]["count"] == 3
        only = (await kit.get(f"{JOB}/metrics?names=loss&points=1")).json()["metrics"]
        assert [[point["step"] for point in each["points"]] for each in only] == [[3]]

    run(scenario, tmp_path)


@pytest.mark.parametrize("route", ROUTES)
def test_logs_are_for_who_may_read_the_job_and_its_pods_logs(tmp_path: Path, route: str) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.pod(await kit.job(), "master", "loss=1")
        kit.users[0] = None
        assert (await kit.get(route)).status_code == 401
        kit.users[0] = ALICE
        assert (await kit.get(route)).status_code == 403

        async def allow(name: str, group: str, resource: str) -> None:
            rule = {"apiGroups": [group], "resources": [resource], "verbs": ["get"]}
            await kit.client.create(
                rbac.ROLES, {"metadata": {"name": name, "namespace": "default"}, "rules": [rule]}
            )
            binding = {
                "metadata": {"name": name, "namespace": "default"},
                "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": name},
                "subjects": [{"apiGroup": rbac.GROUP, "kind": "User", "name": ALICE.name}],
            }
            await kit.client.create(rbac.ROLE_BINDINGS, binding)

        await allow("logs", "", "pods/log")
        assert (await kit.get(route)).status_code == 403
        await allow("jobs", "kubeflow.org", "pytorchjobs")
        assert (await kit.get(route)).status_code == 200
        assert (await kit.get(route.replace("default", "team"))).status_code == 403

    run(scenario, tmp_path)
