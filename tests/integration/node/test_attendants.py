"""Containers without a process, containers that end after the others, and pods that are called complete."""

from __future__ import annotations

import asyncio

from sampan.kube.kinds import PODS
from sampan.kube.pods import ATTENDANTS, COMPLETED, FOLLOWERS, container_status

LOOP = "while ! test -e go; do sleep 0.02; done; echo done"


def pod_with(node, name, main, second, **spec):
    container = {"name": "second", "image": "no/such-image:1", **second}
    pod = node.pod(name, ["sh", "-c", main], **spec)
    pod["spec"]["containers"].append(container)
    return pod


def annotated(pod, annotation, value="second"):
    pod["metadata"]["annotations"] = {annotation: value}
    return pod


def test_an_attendant_begins_and_ends_with_the_others(machine, node_kit):
    async def scenario():
        async with machine.up() as node:
            pod = annotated(pod_with(node, "pod", "echo main; sleep 0.4; exit 3", {}), ATTENDANTS)
            await node.client.create(PODS, pod)
            pod = await node.until("pod", node_kit.is_running)
            ready = [each["ready"] for each in pod["status"]["containerStatuses"]]
            assert ready == [True, True]
            assert "running" in container_status(pod, "second")["state"]
            assert await node.log(pod, "second") == ""
            following = asyncio.create_task(node.log(pod, "second", follow=True))
            await asyncio.to_thread(node.agent.pod_logs.append, pod, "second", ["one", "two\nlines"])
            pod = await node.until("pod", node_kit.is_over)
            # The code of the others counts.
            assert pod["status"]["phase"] == "Failed"
            assert node_kit.terminated(pod)["exitCode"] == 3
            assert container_status(pod, "second")["state"]["terminated"]["exitCode"] == 0
            assert await following == "one\ntwo lines\n"
            assert await node.log(pod, "second") == "one\ntwo lines\n"
            assert await node.log(pod) == "main\n"

    asyncio.run(scenario())


def test_an_attendant_outlives_the_server(machine, node_kit):
    async def scenario():
        async with machine.up(keep_pods=True, crash=True) as node:
            pod = annotated(pod_with(node, "pod", LOOP, {}, restartPolicy="OnFailure"), ATTENDANTS)
            pod["spec"]["containers"][0]["workingDir"] = str(node.home)
            await node.client.create(PODS, pod)
            pod = await node.until("pod", node_kit.is_running)
            since = container_status(pod, "second")["state"]["running"]["startedAt"]
        await asyncio.sleep(1.1)
        async with machine.up() as node:
            (node.home / "go").touch()
            pod = await node.until("pod", node_kit.is_over)
            assert pod["status"]["phase"] == "Succeeded"
            assert container_status(pod, "second")["state"]["terminated"]["startedAt"] == since
            assert container_status(pod, "second")["restartCount"] == 0

    asyncio.run(scenario())


def test_a_pod_that_is_deleted_takes_its_attendant_along(machine, node_kit):
    async def scenario():
        async with machine.up() as node:
            await node.client.create(PODS, annotated(pod_with(node, "pod", "sleep 60", {}), ATTENDANTS))
            await node.until("pod", node_kit.is_running)
            await node.client.delete(PODS, "pod", "default", node_kit.grace(1))
            await node.gone("pod")

    asyncio.run(scenario())


def test_a_follower_has_a_while_and_its_end_counts_for_nothing(machine, node_kit):
    async def scenario():
        async with machine.up() as node:
            quick = {"image": "busybox", "command": ["sh", "-c", "sleep 0.3; echo late; exit 5"]}
            pod = annotated(pod_with(node, "quick", "exit 0", quick), FOLLOWERS)
            await node.client.create(PODS, pod)
            pod = await node.until("quick", node_kit.is_over)
            assert pod["status"]["phase"] == "Succeeded"
            assert container_status(pod, "second")["state"]["terminated"]["exitCode"] == 5
            assert await node.log(pod, "second") == "late\n"
            endless = {"image": "busybox", "command": ["sh", "-c", "sleep 60"]}
            pod = annotated(
                pod_with(node, "long", "exit 0", endless, terminationGracePeriodSeconds=1), FOLLOWERS
            )
            await node.client.create(PODS, pod)
            pod = await node.until("long", node_kit.is_over)
            assert pod["status"]["phase"] == "Succeeded"
            assert container_status(pod, "second")["state"]["terminated"]["exitCode"] == 143

    asyncio.run(scenario())


def test_a_pod_that_is_called_complete_ends_and_has_succeeded(machine, node_kit):
    program = "trap 'echo stopped; exit 9' TERM; echo begun; while :; do sleep 0.05; done"

    async def scenario():
        async with machine.up(keep_pods=True, crash=True) as node:
            pod = annotated(pod_with(node, "pod", program, {}, restartPolicy="OnFailure"), ATTENDANTS)
            await node.client.create(PODS, pod)

            async def begun():
                pod = await node.until("pod", node_kit.is_running)
                return "begun" in await node.log(pod)

            while not await begun():
                await asyncio.sleep(0.02)
            mark = {"metadata": {"annotations": {COMPLETED: "enough"}}}
            await node.client.patch(PODS, "pod", mark, "default")
            pod = await node.until("pod", node_kit.is_over)
            assert pod["status"]["phase"] == "Succeeded"
            assert node_kit.terminated(pod)["exitCode"] == 0
            assert await node.log(pod) == "begun\nstopped\n"
            await node.client.create(PODS, node.pod("other", ["sh", "-c", program]))
            await node.until("other", node_kit.is_running)
            await node.client.patch(PODS, "other", mark, "default")
        async with machine.up() as node:
            pod = await node.until("other", node_kit.is_over)
            assert (pod["status"]["phase"], node_kit.terminated(pod)["exitCode"]) == ("Succeeded", 0)

    asyncio.run(scenario())
