"""From figures to a number of pods: the situations of Kubernetes' own tests (replica_calculator_test.go)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.cluster.workloads.hpa.grouping import MetricsError, Sample, group, milli, requests
from sampan.cluster.workloads.hpa.proposals import Tolerances, World, by_utilization, by_value
from sampan.lib.clock import rfc3339

_NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
_Object = dict[str, Any]


def _pod(
    name: str,
    *,
    asked: str = "1",
    phase: str = "Running",
    ready: bool = True,
    age: float = 3600.0,
    changed: float = 3500.0,
    **metadata: Any,
) -> _Object:
    resources = {"requests": {"cpu": asked, "memory": "1Gi"}} if asked else {}
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "main", "resources": resources}]},
        "status": {
            "phase": phase,
            "startTime": rfc3339(_NOW - timedelta(seconds=age)),
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": rfc3339(_NOW - timedelta(seconds=changed)),
                }
            ],
        },
    }


def _samples(*values: int) -> dict[str, Sample]:
    return {f"p{at}": Sample(value, 30.0, _NOW) for at, value in enumerate(values)}


def _world(pods: list[_Object], **tolerances: float) -> World:
    return World(len(pods), pods, Tolerances(**tolerances), _NOW)


def _utilization(world: World, samples: dict[str, Sample], target: int) -> tuple[int, int | None, int]:
    found = by_utilization(world, samples, "cpu", "", target)
    return found.replicas, found.utilization, found.average


def _pods(count: int, **fields: Any) -> list[_Object]:
    return [_pod(f"p{at}", **fields) for at in range(count)]


def test_more_load_more_pods() -> None:
    assert _utilization(_world(_pods(3)), _samples(300, 500, 700), 30) == (5, 50, 500)


def test_less_load_fewer_pods() -> None:
    assert _utilization(_world(_pods(5)), _samples(100, 300, 500, 250, 250), 50) == (3, 28, 280)


@pytest.mark.parametrize(("used", "replicas"), [(55, 2), (56, 3), (45, 2), (44, 2)])
def test_little_is_not_worth_a_change(used: int, replicas: int) -> None:
    assert _utilization(_world(_pods(2)), _samples(used * 10, used * 10), 50)[0] == replicas


def test_tolerances_have_directions() -> None:
    pods, samples = _pods(10), _samples(*[470] * 10)
    assert _utilization(_world(pods), samples, 50)[0] == 10
    assert _utilization(_world(pods, down=0.05), samples, 50)[0] == 10
    assert _utilization(_world(pods, down=0.05), _samples(*[450] * 10), 50)[0] == 9
    assert _utilization(_world(pods, up=0.5), _samples(*[740] * 10), 50)[0] == 10


def test_pods_that_start_do_not_count_as_load() -> None:
    pods = [*_pods(1), *(_pod(f"p{at}", ready=False, age=20, changed=20) for at in (1, 2))]
    # One of three is ready and uses three times the target; the others are thought to use nothing: 3 × 300/300.
    assert _utilization(_world(pods), _samples(900, 900, 900), 30) == (3, 90, 900)


def test_pods_that_start_are_not_a_reason_to_take_some() -> None:
    pods = [*_pods(3), _pod("p3", ready=False, age=20, changed=20)]
    assert _utilization(_world(pods), _samples(100, 100, 100, 900), 50)[0] == 1


def test_pending_pods_count_as_idle() -> None:
    pods = [*_pods(1), _pod("p1", phase="Pending"), _pod("p2", phase="Pending")]
    assert _utilization(_world(pods), _samples(900), 30)[0] == 3


def test_pods_without_figures_do_not_make_a_change_larger() -> None:
    pods = _pods(4)
    # Fewer: those are thought to use all that they asked for.
    assert _utilization(_world(pods), _samples(100, 100, 100), 60)[0] == 3
    # More: those are thought to use nothing.
    assert _utilization(_world(pods), _samples(900, 900, 900), 60)[0] == 5
    assert _utilization(_world(pods), _samples(500, 500), 40)[0] == 4


def test_a_target_above_what_was_asked_for() -> None:
    pods = _pods(4)
    # The unknown one is thought to be at 200 %.
    assert _utilization(_world(pods), _samples(1000, 1000, 1000), 200)[0] == 3


def test_failed_and_deleted_pods_are_left_out() -> None:
    pods = [
        *_pods(1),
        _pod("p1", phase="Failed"),
        _pod("p2", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    world = World(1, pods, Tolerances(), _NOW)
    assert _utilization(world, _samples(600, 10000, 10000), 30) == (2, 60, 600)


def test_a_container_alone() -> None:
    pod = _pod("p0")
    pod["spec"]["containers"].append({"name": "side"})
    found = by_utilization(_world([pod]), _samples(600), "cpu", "main", 30)
    assert (found.replicas, found.utilization) == (2, 60)
    with pytest.raises(MetricsError, match="missing request for cpu in container side of Pod p0"):
        by_utilization(_world([pod]), _samples(600), "cpu", "", 30)


def test_sidecars_ask_too() -> None:
    pod = _pod("p0")
    sidecar = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}}
    pod["spec"]["initContainers"] = [sidecar, {"name": "once"}]
    assert requests([pod], "", "cpu") == {"p0": 1500}


def test_by_value() -> None:
    found = by_value(_world(_pods(2)), _samples(2_000_000, 4_000_000), "memory", 1_500_000)
    assert (found.replicas, found.average, found.utilization) == (4, 3_000_000, None)
    assert by_value(_world(_pods(2)), _samples(4000), "memory", 1000).replicas == 4
    assert by_value(_world(_pods(2)), _samples(500), "memory", 1000).replicas == 2


@pytest.mark.parametrize(
    ("pods", "samples", "message"),
    [
        ([], {}, "no pods returned by selector"),
        (_pods(1, ready=False, age=20, changed=20), _samples(5), "did not receive metrics for targeted pods"),
        (_pods(1, asked=""), _samples(5), "missing request for cpu in container main of Pod p0"),
        (_pods(1, asked="0"), _samples(5), "no metrics returned matched known pods"),
    ],
)
def test_too_little_to_go_by(pods: list[_Object], samples: dict[str, Sample], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        by_utilization(_world(pods), samples, "cpu", "", 50)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"age": 3600, "changed": 3500}, True),
        # While it may still be starting, a figure counts once a whole window lies after it became ready.
        ({"age": 120, "changed": 60}, True),
        ({"age": 120, "changed": 20}, False),
        ({"age": 120, "changed": 60, "ready": False}, False),
        # Later, only if it was never ready.
        ({"age": 3600, "changed": 3590, "ready": False}, False),
        ({"age": 3600, "changed": 600, "ready": False}, True),
    ],
)
def test_whose_cpu_counts(fields: dict[str, Any], counts: bool) -> None:
    pods = [_pod("p0", **fields)]
    assert (group(pods, _samples(1), "cpu", _NOW).ready == 1) is counts
    assert group(pods, _samples(1), "memory", _NOW).ready == 1


def test_thousandths_are_rounded_up() -> None:
    assert [milli(each) for each in ("1", "250m", "1Ki", "1u", 2)] == [1000, 250, 1_024_000, 1, 2000]
