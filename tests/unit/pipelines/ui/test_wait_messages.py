"""What a step waits for, in words: of the scheduler's message the part that helps."""

from __future__ import annotations

import pytest

from sampan.components.pipelines.ui import messages

COUNTED = (
    "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
    "1 Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            f"{COUNTED} This cannot change by itself (cpu: 640 requested, 2 at most on a node).",
            "No node is large enough (cpu: 640 requested, 2 at most on a node). Ask for less, or add a node.",
        ),
        (
            f"{COUNTED} It needs 2 cpu; 1 of 2 on node vm is free. It can start when 1 more is free.",
            "It needs 2 cpu; 1 of 2 on node vm is free. It can start when 1 more is free.",
        ),
        ("0/3 nodes are available: 3 Insufficient memory. No node matches a=b.", "No node matches a=b."),
        # A cluster's own scheduler says no more than that.
        (COUNTED, COUNTED),
        ("waits for a semaphore", "waits for a semaphore"),
    ],
)
def test_a_wait_says_what_would_have_to_change(message: str, expected: str) -> None:
    assert messages.line(message, 400) == expected
