"""What the seeded server is said to hold is there: the other tests of pages build on it."""

from __future__ import annotations

from seed import API, Seeded

ENDS = {
    "good": "SUCCEEDED",
    "again": "SUCCEEDED",
    "every shape": "SUCCEEDED",
    "wide": "SUCCEEDED",
    "broken": "FAILED",
    "stopped": "CANCELED",
    "running": "RUNNING",
    "waiting": "RUNNING",
}


def test_runs_are_as_their_names_say(seeded: Seeded) -> None:
    call = seeded.server.call
    states = {name: call("GET", f"{API}/runs/{seeded.runs[name]}")["state"] for name in ENDS}
    assert states == ENDS
    assert {"Dataset", "Model", "HTML", "Markdown"} <= set(seeded.artifacts)
