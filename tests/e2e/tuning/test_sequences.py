"""The same seed gives the same trials in the same order, whatever becomes of the server between them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.tuning.chaos import KATIB, ends, is_over

from sampan.components.tuning.api.reading import place_in_time
from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

SPACE = {"x": search.uniform(-5, 5), "y": search.loguniform(1e-3, 10), "kind": search.choice(["a", "b", "c"])}
COUNT = 36
KILLS = 2


def bowl(x: float, y: float, kind: str) -> float:
    """Many in one second, so that their times tell nothing."""
    time.sleep(0.02)
    return x * x + y + len(kind)


def submit(server: ServerProcess, name: str, algorithm: str) -> None:
    tune.use(connect(server.home))
    try:
        tune(
            bowl,
            SPACE,
            objective="height",
            direction="minimize",
            name=name,
            seed=5,
            algorithm=algorithm,
            trials=COUNT,
            parallel=1,
        )
    finally:
        tune.session().close()
        tune.use(None)


def trials(server: ServerProcess, name: str) -> list[Any]:
    selector = f"labelSelector=katib.kubeflow.org/experiment%3D{name}"
    return sorted(server.call("GET", f"{KATIB}/trials?{selector}")["items"], key=place_in_time)


def sequence(server: ServerProcess, name: str, kills: int = 0) -> list[Any]:
    """What was tried; the server is killed at each of so many equal parts of the trials."""
    done, deadline = 0, time.monotonic() + 300
    while not is_over(found := server.call("GET", f"{KATIB}/experiments/{name}")):
        assert time.monotonic() < deadline, found.get("status")
        ended = sum(bool(ends(each)) for each in trials(server, name))
        if done < kills and ended * (kills + 1) >= COUNT * (done + 1):
            server.kill()
            server.start()
            done += 1
        time.sleep(0.05)
    assert done == kills
    return [each["spec"]["parameterAssignments"] for each in trials(server, name)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("algorithm", ["tpe"])
def test_a_killed_server_goes_on_in_the_same_sequence(tmp_path: Path, algorithm: str) -> None:
    server = ServerProcess(tmp_path / "home")
    server.start()
    try:
        submit(server, "whole", algorithm)
        whole = sequence(server, "whole")
        submit(server, "killed", algorithm)
        killed = sequence(server, "killed", KILLS)
    finally:
        server.stop()
    assert len(whole) == COUNT
    assert killed == whole
