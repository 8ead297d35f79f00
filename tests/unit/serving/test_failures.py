"""Why pods do not serve: which of them count."""

from __future__ import annotations

from typing import Any

from sampan.components.serving.engine.inference_services import failures, models
from sampan.components.serving.engine.inference_services.models import Seen


def pod(name: str, *, exit_code: int, created: str = "2026-11-26T16:00:00Z", **status: Any) -> dict[str, Any]:
    ended = {"exitCode": exit_code, "reason": "Completed" if not exit_code else "Error"}
    container = {"name": "kserve-container", "state": {"terminated": ended}}
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "status": {"phase": "Failed", "containerStatuses": [container], **status},
    }


def test_pods_that_ended_with_their_node_have_not_failed() -> None:
    stopped = pod("stopped", exit_code=0, reason="Terminated")
    crashed = pod("crashed", exit_code=3)
    assert failures.failure_of([stopped]) is None
    assert failures.failed_copies([stopped, crashed]) == 1
    found = failures.failure_of([stopped, crashed])
    assert found is not None
    assert (found.pod, found.exit_code) == ("crashed", 3)
    seen = Seen(pods=[stopped], has_failed=False, sleeps=False)
    assert models.status({}, seen)["transitionStatus"] == "InProgress"
    assert models.status({}, Seen([crashed], False, False))["transitionStatus"] == "BlockedByFailedLoad"
