"""The log of a pod on another machine, brought home."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.log_keeping import LogKeeping
from sampan.components.pipelines.store.step_logs import KeptLog, StepLogs
from sampan.components.pipelines.store.tasks import AttemptRow
from sampan.kube.errors import NotFoundError
from sampan.lib.logview import LogView

TIME = b"2026-01-31T12:00:00.000000001Z"


class Cluster:
    """Its log sub-resource."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks

    async def log(self, name: str, namespace: str, options: Any) -> AsyncIterator[bytes]:
        assert options.timestamps
        if not self.chunks:
            raise NotFoundError("it is gone")
        for chunk in self.chunks:
            yield chunk


def pod(state: str) -> Any:
    status = {"containerStatuses": [{"name": "main", "state": {state: {}}}]}
    return {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "status": status}


def kept(home: Path, cluster: Any, state: str = "terminated", *, is_needed: bool = True) -> bytes | None:
    asyncio.run(LogKeeping(cluster, home, is_needed=is_needed).keep(pod(state)))
    paths = StepLogs(home).find("default", AttemptRow("p", RuntimeState.SUCCEEDED, uid="u"))
    if not paths:
        return None
    with contextlib.closing(KeptLog(paths, LogView(timestamps=True))) as log:
        return log.read()


def test_it_reads_as_the_cluster_gave_it(tmp_path: Path) -> None:
    # In pieces as they come, a carriage return among them, and a last line without an end.
    text = TIME + b" one\n" + TIME + b" 10%\r20%\n" + TIME + b" \n" + TIME + b" last"
    for size in (1, 7, 1000):
        cluster = Cluster(*(text[start : start + size] for start in range(0, len(text), size)))
        assert kept(tmp_path / str(size), cluster) == text + b"\n"


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    assert kept(tmp_path, Cluster(TIME + b" one\n")) == TIME + b" one\n"
    assert kept(tmp_path, Cluster()) == TIME + b" one\n"


def test_nothing_is_copied_where_it_is_or_was_never_begun(tmp_path: Path) -> None:
    assert kept(tmp_path, Cluster(TIME + b" x\n"), is_needed=False) is None
    assert kept(tmp_path, Cluster(TIME + b" x\n"), "waiting") is None
