"""A request for metrics that hangs up in the middle, and the one that asks again."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.rest import metrics
from sampan.components.training.rest.access import JobPlace
from sampan.components.training.rest.job_pods import FoundJob
from sampan.components.training.rest.metrics import MetricsReader
from sampan.components.training.rest.sources import LogSource


def test_what_is_read_for_one_that_hung_up_is_not_read_by_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both went on with one log and one set of curves."""
    place = JobPlace(ALL_JOB_KINDS[0], "team", "job")
    nothing: Any = None
    source = LogSource(nothing, nothing, tmp_path, is_local=True)
    began, may_end, events = threading.Event(), threading.Event(), list[str]()

    async def find_job(*_: Any) -> FoundJob:
        return FoundJob(place, None, {}, {})

    def read(*_: Any) -> bool:
        events.append("begun")
        began.set()
        may_end.wait(0.3)
        events.append("ended")
        return True

    monkeypatch.setattr(metrics, "find_job", find_job)
    monkeypatch.setattr(metrics, "_read_files", read)
    reader = MetricsReader()

    async def main() -> None:
        def asked() -> asyncio.Task[Any]:
            request = Request({"type": "http", "query_string": b"", "headers": []})
            return asyncio.create_task(reader(source, request, place))

        first = asked()
        await asyncio.to_thread(began.wait, 60)
        first.cancel()
        assert (await asked()).status_code == 200
        assert first.cancelled()

    asyncio.run(main())
    reader.close()
    assert events == ["begun", "ended", "begun", "ended"]
