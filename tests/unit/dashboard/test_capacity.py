"""How much room there is, from what any cluster says, and how it is drawn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sampan.dashboard import capacity
from sampan.dashboard.capacity import Sample
from sampan.dashboard.meters import amount, meters, thinned
from sampan.ui.api import Api
from sampan.web.guards import User


def node(unschedulable: bool = False, **allocatable: str) -> dict[str, Any]:
    named = {key.replace("gpu", "nvidia.com/gpu"): value for key, value in allocatable.items()}
    return {"spec": {"unschedulable": unschedulable}, "status": {"allocatable": named}}


def pod(phase: str, on: str, **requests: str) -> dict[str, Any]:
    named = {key.replace("gpu", "nvidia.com/gpu"): value for key, value in requests.items()}
    return {
        "metadata": {"name": "p"},
        "spec": {"nodeName": on, "containers": [{"name": "c", "resources": {"requests": named}}]},
        "status": {"phase": phase},
    }


def test_totals_are_of_nodes_that_take_pods() -> None:
    nodes = [node(cpu="2", memory="4Gi", gpu="1"), node(cpu="500m", memory="1Gi"), node(True, cpu="64")]
    assert capacity.total_of(nodes) == {"cpu": 2.5, "memory": 5 * 2**30, "gpu": 1}


def test_requests_count_while_a_pod_has_a_place() -> None:
    pods = [
        pod("Running", "n", cpu="1500m", memory="1Gi", gpu="1"),
        pod("Pending", "", cpu="64"),
        pod("Succeeded", "n", cpu="8"),
    ]
    assert capacity.requested_by(pods) == {"cpu": 1.5, "memory": 2**30, "gpu": 1}


def test_what_nobody_measures_is_not_known() -> None:
    assert capacity.used_of([]) == {}
    assert capacity.disk_of([{}, {"node": {}}]) == {}
    summaries = [{"node": {"fs": {"capacityBytes": 100, "availableBytes": 30}}}] * 2
    assert capacity.disk_of(summaries) == {"total": {"disk": 200}, "used": {"disk": 140}}


@pytest.mark.parametrize(
    ("resource", "expected"),
    [("nvidia.com/gpu", True), ("amd.com/gpu", True), ("gpu.intel.com/i915", True), ("cpu", False)],
)
def test_gpus_of_every_maker_count(resource: str, expected: bool) -> None:
    assert capacity.is_gpu(resource) is expected


def test_meters_say_what_is_used_or_else_requested() -> None:
    first = Sample(
        "2026-01-01T00:00:00Z", {"cpu": 4, "memory": 2**30, "gpu": 2}, {"cpu": 1}, {"cpu": 2, "gpu": 1}
    )
    found = {each["key"]: each for each in meters([first])}
    assert list(found) == ["cpu", "memory", "gpu"]
    assert found["cpu"]["part"] == 0.25
    assert found["cpu"]["requested"] == 0.5
    assert found["cpu"]["words"] == ["1 core of 4.0 cores in use", "2.0 cores requested by pods"]
    assert (found["gpu"]["part"], found["gpu"]["words"]) == (0.5, ["1 of 2 requested"])
    assert found["memory"]["history"] == [None]
    assert meters([]) == []


def test_a_full_one_says_so() -> None:
    tones = [
        meters([Sample("", {"disk": 100}, {"disk": used}, {})])[0]["tone"] for used in (50.0, 90.0, 99.0)
    ]
    assert tones == ["ok", "warn", "bad"]


def test_the_last_hour_is_thinned_and_keeps_its_peaks() -> None:
    values = [0.1] * 238 + [0.9, 0.2]
    drawn = thinned(values)
    assert len(drawn) == 60
    assert drawn[-1] == 0.9
    assert thinned([0.5]) == [0.5]
    assert thinned([None, 0.5, None]) == [None, 0.5, None]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cpu", 1, "1 core"),
        ("cpu", 0.25, "0.2 cores"),
        ("gpu", 3, "3"),
        ("memory", 3 * 2**29, "1.5 GiB"),
        ("disk", 2**41, "2.0 TiB"),
        ("memory", 2**20, "1 MiB"),
    ],
)
def test_amounts_are_in_the_unit_that_people_say(name: str, value: float, expected: str) -> None:
    assert amount(name, value) == expected


@pytest.mark.parametrize(
    ("refused", "expected"), [((), True), (("/api/v1/nodes",), False), (("/api/v1/pods",), False)]
)
def test_only_those_see_it_who_may_read_it_themselves(refused: tuple[str, ...], expected: bool) -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        status = 403 if scope["path"] in refused and scope["state"]["user"].name == "ann" else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    assert asyncio.run(capacity.may_see(Api(app, User("ann")))) is expected
