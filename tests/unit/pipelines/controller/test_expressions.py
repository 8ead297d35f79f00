"""The expressions of a CronWorkflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.controller.expressions import holds, when

AGO = (
    "{{= cronworkflow.lastScheduledTime == nil || (now() - cronworkflow.lastScheduledTime).Seconds() > 360 }}"
)


def test_counts_decide_when_to_stop() -> None:
    known = {"cronworkflow": {"failed": 1, "succeeded": 3}}
    assert holds("cronworkflow.failed >= 1", known)
    assert not holds("cronworkflow.succeeded > 3 && cronworkflow.failed > 0", known)


def test_what_is_no_condition_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match=r"spec\.stopStrategy\.expression: "):
        holds("cronworkflow.failed >=", {"cronworkflow": {"failed": 1}})
    with pytest.raises(InvalidArgumentError, match="must be true or false"):
        holds("1 + 1", {})
    with pytest.raises(InvalidArgumentError, match=r"spec\.when: "):
        when("{{cronworkflow.name}} ==", {"cronworkflow": {"name": "x"}})


@pytest.mark.parametrize(("ago", "expected"), [(None, True), (10, False), (400, True)])
def test_the_time_since_the_last_tick(ago: float | None, expected: bool) -> None:
    last = None if ago is None else datetime.now(UTC) - timedelta(seconds=ago)
    assert when(AGO, {"cronworkflow": {"lastScheduledTime": last}}) is expected
    assert when("{{cronworkflow.name}} == nightly", {"cronworkflow": {"name": "nightly"}})
