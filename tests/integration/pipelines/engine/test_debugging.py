"""Pods to look around in: like the step's own, but that nothing of the run is touched."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from pathlib import Path

import pytest

from sampan.components.pipelines.api.errors import FailedPreconditionError, NotFoundError
from sampan.components.pipelines.engine.debugging import step_script
from sampan.components.pipelines.engine.step_files import LocalStepFiles
from sampan.kube.kinds import PODS


async def debug_pods(cluster):
    pods = await cluster.client.list(PODS)
    return [pod for pod in pods.items if pod["metadata"]["name"].startswith("debug-")]


def test_a_failed_steps_pod_is_made_again_to_wait_and_goes_with_what_was_tried(
    open_cluster, go, spec, failed
):
    spec.step("make", artifacts={"data": "system.Dataset"})
    spec.step(
        "bad", inputs={"data": "system.Dataset"}, outputs={"text": "str"}, artifacts={"out": "system.Model"}
    )
    document = spec.done(
        {"make": spec.task("make"), "bad": spec.task("bad", ("make",), artifacts={"data": "make.data"})}
    )

    def make(call):
        call.writes("data", "rows")
        call.returns()

    async def main():
        async with open_cluster(make=make, bad=lambda call: (_ for _ in ()).throw(failed())) as cluster:
            run = await cluster.run(document)
            task = cluster.tasks(run.run_id)["root/bad"]
            before = cluster.states(run.run_id)
            opened = await cluster.engine.debug(run.run_id, task.task_id, 0, is_new=False)
            assert opened.is_new
            pod = await cluster.client.get(PODS, opened.pod, "default")
            own = await cluster.client.get(PODS, task.attempts[0].pod, "default")
            container, theirs = (each["spec"]["containers"][0] for each in (pod, own))
            assert container["image"] == theirs["image"]
            assert container["volumeMounts"][:2] == theirs["volumeMounts"][:2]
            # The engine must not take it for the step's.
            assert set(pod["metadata"]["labels"]) == {"sampan.dev/debugged-run"}
            script = container["command"][-1]
            assert (
                str(cluster.home / "artifacts/default/test-pipeline" / run.run_id / "make/1/data") in script
            )
            # Outputs would be elsewhere than those of the attempt that failed.
            assert f"{run.run_id}/bad/1/" in "".join(theirs["args"])
            assert f"{run.run_id}/bad/1/" not in script
            folder = next(each for each in (cluster.home / "artifacts").rglob("*/bad/*") if each.name != "1")
            (folder / "tried").write_text("x")
            with pytest.raises(NotFoundError, match="no debug pod"):
                await cluster.engine.debug_state(run.run_id, task.attempts[0].pod)
            await cluster.engine.end_debug(run.run_id, opened.pod)
            assert not folder.exists()
            assert await debug_pods(cluster) == []
            assert cluster.states(run.run_id) == before
            # What is left open goes with the run.
            await cluster.engine.debug(run.run_id, task.task_id, 0, is_new=False)
            await cluster.engine.forget(run.run_id, "default")
            async with asyncio.timeout(60):
                while await debug_pods(cluster):
                    await asyncio.sleep(0.02)

    go(main())


def test_a_running_step_is_entered_itself_unless_a_new_pod_is_asked_for(open_cluster, go, spec):
    spec.step("hang").step("later")
    document = spec.done({"hang": spec.task("hang"), "later": spec.task("later", ("hang",))})

    async def main():
        begun = asyncio.Event()

        async def hang(call):
            begun.set()
            await asyncio.sleep(60)

        async with open_cluster(hang=hang, later=lambda call: None) as cluster:
            run_id = await cluster.submit(document)
            await begun.wait()
            task = cluster.tasks(run_id)["root/hang"]
            own = await cluster.engine.debug(run_id, task.task_id, 0, is_new=False)
            assert (own.pod, own.is_new) == (task.attempts[0].pod, False)
            other = await cluster.engine.debug(run_id, task.task_id, 0, is_new=True)
            assert other.is_new
            # Neither disturbs the run, nor is ended with it.
            await cluster.engine.terminate(run_id)
            assert (await cluster.wait(run_id)).state == "CANCELED"
            assert [pod["metadata"]["name"] for pod in await debug_pods(cluster)] == [other.pod]
            root = cluster.tasks(run_id)["root"]
            with pytest.raises(FailedPreconditionError, match="runs no container"):
                await cluster.engine.debug(run_id, root.task_id, 0, is_new=False)

    go(main())


def test_the_steps_command_is_the_same_to_the_letter(tmp_path: Path) -> None:
    odd = ["it's", 'a "b"', "$HOME `x`", "line\nline", "", "*"]
    container = {"command": ["sh", "-c", 'for each; do printf "<%s>" "$each"; done', "sh"], "args": odd}
    script = tmp_path / "step"
    script.write_text(step_script(container))
    said = subprocess.run(["sh", script, "more"], capture_output=True, text=True, check=True)
    assert said.stdout == "".join(f"<{each}>" for each in [*odd, "more"])
    entry = step_script({"args": ["--x", "y z"]})
    assert (
        "entry point of its image"
        in subprocess.run(["sh", "-c", entry], capture_output=True, text=True).stdout
    )


def failing(spec, failed):
    document = spec.step("bad", artifacts={"out": "system.Model"}).done({"bad": spec.task("bad")})

    def bad(call):
        raise failed()

    return document, bad


def test_two_pods_that_are_asked_for_at_once_have_folders_of_their_own(open_cluster, go, spec, failed):
    """They shared those of one second, and lost them together."""
    document, bad = failing(spec, failed)

    async def main():
        async with open_cluster(bad=bad) as cluster:
            run = await cluster.run(document)
            task = cluster.tasks(run.run_id)["root/bad"]
            opened = await asyncio.gather(
                *(cluster.engine.debug(run.run_id, task.task_id, 0, is_new=True) for _ in range(2))
            )
            folders = [each for each in (cluster.home / "artifacts").rglob("*/bad/*") if each.name != "1"]
            assert len(folders) == 2
            await cluster.engine.end_debug(run.run_id, opened[0].pod)
            assert [each.exists() for each in folders].count(True) == 1

    go(main())


def test_what_is_made_for_a_pod_that_nobody_waits_for_goes(open_cluster, go, spec, failed, monkeypatch):
    document, bad = failing(spec, failed)
    began, may_go_on = threading.Event(), threading.Event()

    async def main():
        async with open_cluster(bad=bad) as cluster:
            run = await cluster.run(document)
            task = cluster.tasks(run.run_id)["root/bad"]
            prepare = LocalStepFiles.prepare

            def slowly(*arguments):
                began.set()
                may_go_on.wait(0.3)
                prepare(*arguments)

            monkeypatch.setattr(LocalStepFiles, "prepare", slowly)
            asked = asyncio.create_task(cluster.engine.debug(run.run_id, task.task_id, 0, is_new=True))
            await asyncio.to_thread(began.wait, 60)
            asked.cancel()
            await asyncio.wait({asked})
            return cluster.home

    home = go(main())
    assert [each.name for each in (home / "artifacts").rglob("*/bad/*")] == ["1"]
