"""Workers of light steps that go wrong or are not wanted any more: every call gets its end, and no pod stays behind.

The test is the workers: it connects to the socket that a worker's pod names, and answers the calls.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager

import pytest

from sampan.client.protocol import ListOptions
from sampan.components.pipelines.engine.light import crews
from sampan.components.pipelines.engine.light.crews import Crews, StoppedError
from sampan.components.pipelines.engine.light.marking import WORKER_LABEL, LightCall
from sampan.components.pipelines.engine.pods import PodRejectedError, Pods
from sampan.components.pipelines.engine.podspec import RUN_LABEL
from sampan.kube.kinds import PODS
from sampan.lib.clock import SystemClock

DONE = {"exit_code": 0, "started": 1.0, "finished": 2.0}


def step(name):
    container = {"name": "main", "image": "x", "command": ["sh", "-c", "source"], "args": []}
    metadata = {"name": name, "namespace": "default", "labels": {RUN_LABEL: "r"}}
    return {"metadata": metadata, "spec": {"containers": [container], "restartPolicy": "Never"}}


class Home:
    def __init__(self, cluster, folder, limit):
        self.client = cluster.client
        self.folder = folder
        self.crews = Crews(Pods(cluster.client, SystemClock()), SystemClock(), cluster.home, limit)

    def call(self, name, call=None):
        """A step that is called, as a task."""
        call = call or LightCall("key", "source", [])
        return asyncio.create_task(self.crews.run("r", step(name), call, self.folder, lambda pod: None))

    async def workers(self):
        found = await self.client.list(PODS, "default", ListOptions(label_selector=WORKER_LABEL))
        return [pod["metadata"]["name"] for pod in found.items]

    async def connected(self):
        """The one worker there is, as its program."""
        while not (found := [path for path in self.folder.glob("light-*") if path.is_socket()]):
            await asyncio.sleep(0.01)
        return await asyncio.open_unix_connection(found[0])

    async def all_gone(self):
        async with asyncio.timeout(60):
            while len(self.crews._tasks) or await self.workers():
                await asyncio.sleep(0.01)


@pytest.fixture
def at_home(open_cluster, tmp_path):
    @asynccontextmanager
    async def opened(limit=1):
        async with open_cluster() as cluster:
            cluster.serving.cancel()
            home = Home(cluster, tmp_path / "run", limit)
            try:
                async with asyncio.timeout(60):
                    yield home
            finally:
                await home.crews.close()

    return opened


async def told(reader):
    return json.loads(await reader.readline())


def answer(writer, **changes):
    writer.write(json.dumps({**DONE, **changes}).encode() + b"\n")


def test_a_worker_without_a_folder_is_an_end_of_its_call(at_home, go):
    async def main():
        async with at_home() as home:
            home.folder.write_text("not a folder")
            with pytest.raises(OSError, match="exists"):
                await home.call("a")
            await home.all_gone()

    go(main())


def test_a_worker_that_answers_nonsense_is_an_end_of_its_call_and_goes(at_home, go):
    async def main():
        async with at_home() as home:
            calling = home.call("a")
            reader, writer = await home.connected()
            await told(reader)
            writer.write(b"{}\n")
            with pytest.raises(PodRejectedError, match="internal error"):
                await calling
            await home.all_gone()
            writer.close()

    go(main())


def test_no_worker_is_started_for_a_call_that_was_taken_back(at_home, go):
    async def main():
        async with at_home() as home:
            first, second = home.call("a"), home.call("b")
            reader, writer = await home.connected()
            await told(reader)
            assert home.crews.stop("b")
            assert home.crews.stop("a")
            for calling in (first, second):
                with pytest.raises(StoppedError):
                    await calling
            await home.all_gone()
            writer.close()

    go(main())


def test_a_worker_that_is_dismissed_while_its_pod_is_made_goes(at_home, go, monkeypatch):
    async def main():
        async with at_home() as home:
            create, reached, opened = home.client.create, asyncio.Event(), asyncio.Event()

            async def slow_create(*given):
                reached.set()
                await opened.wait()
                return await create(*given)

            delete, deletions = home.client.delete, []

            async def count_deletions(*given):
                try:
                    return await delete(*given)
                finally:
                    deletions.append(given)

            monkeypatch.setattr(home.client, "create", slow_create)
            monkeypatch.setattr(home.client, "delete", count_deletions)
            calling = home.call("a")
            await reached.wait()
            home.crews.close_run("r")
            calling.cancel()
            while not deletions:
                await asyncio.sleep(0.01)
            opened.set()
            await home.all_gone()

    go(main())


def test_a_worker_that_went_in_a_gap_of_the_watch_is_an_end_of_its_call(at_home, go):
    async def main():
        async with at_home() as home:
            calling = home.call("a")
            while not (names := await home.workers()):
                await asyncio.sleep(0.01)
            home.crews.on_list(frozenset(names), SystemClock().monotonic())
            home.crews.on_list(frozenset(), SystemClock().monotonic())
            assert (await calling)["status"]["reason"] == "Terminated"
            await home.all_gone()

    go(main())


def test_the_stop_of_a_call_that_has_just_ended_does_not_end_the_next_one(at_home, go):
    async def main():
        async with at_home() as home:
            first = home.call("a")
            reader, writer = await home.connected()
            await told(reader)

            class Arguments(tuple):
                """They are read in the moment between the end of the first call and its caller's waking."""

                def __iter__(self):
                    assert home.crews.stop("a")
                    return super().__iter__()

            second = home.call("b", LightCall("key", "source", Arguments()))
            answer(writer)
            assert (await first)["status"]["phase"] == "Succeeded"
            await told(reader)
            answer(writer)
            assert (await second)["status"]["phase"] == "Succeeded"
            writer.close()

    go(main())


def test_a_crew_that_is_closed_as_a_call_comes_is_closed(at_home, go):
    async def main():
        async with at_home() as home:
            first = home.call("a")
            reader, writer = await home.connected()
            await told(reader)
            answer(writer)
            await first
            waiting = home.call("b")
            # As far as the worker's waking, and no further.
            for _ in range(2):
                await asyncio.sleep(0)
            await home.crews.close()
            waiting.cancel()
            writer.close()

    go(main())


def test_what_a_dead_worker_had_put_out_is_read_before_its_pipes_are_closed(at_home, go, monkeypatch):
    """Closed under the thread, their numbers were soon those of other files."""
    rescue, began, closed = crews._rescue, threading.Event(), threading.Event()
    clear, events = crews._clear, []

    def slowly(*arguments):
        began.set()
        closed.wait(0.3)
        rescue(*arguments)
        events.append("rescued")

    def clearing(worker):
        closed.set()
        events.append("cleared")
        clear(worker)

    monkeypatch.setattr(crews, "_rescue", slowly)
    monkeypatch.setattr(crews, "_clear", clearing)

    async def main():
        async with at_home() as home:
            calling = home.call("a")
            reader, writer = await home.connected()
            await told(reader)
            ((_, worker),) = home.crews._workers.values()
            writer.close()
            worker.ended.set_result(worker.pod)
            await asyncio.to_thread(began.wait, 60)
            await home.crews.close()
            calling.cancel()

    go(main())
    assert events == ["rescued", "cleared"]
