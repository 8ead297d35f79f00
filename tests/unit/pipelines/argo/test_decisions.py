"""Pure decisions of the engine for Argo: retries, DAG shapes, locks, inputs and outputs."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables
from sampan.components.pipelines.engine.argo.binding import arguments, bind, outputs
from sampan.components.pipelines.engine.argo.dags import shape
from sampan.components.pipelines.engine.argo.locks import Locks, Want
from sampan.components.pipelines.engine.argo.node import Given, Phase
from sampan.components.pipelines.engine.argo.retries import Last, decide

_FAILED = Last(Phase.FAILED, "exit code 3", "3", 1.0)


@pytest.mark.parametrize(
    ("strategy", "attempts", "delay"),
    [
        ({"limit": "2"}, 2, 0.0),
        ({"limit": "2"}, 3, None),
        ({}, 1000, 0.0),
        ({"retryPolicy": "OnError"}, 1, None),
        ({"retryPolicy": "Always"}, 1, 0.0),
        ({"expression": "asInt(lastRetry.exitCode) > 2"}, 1, 0.0),
        ({"expression": "{{=asInt(lastRetry.exitCode) > 3}}"}, 1, None),
        ({"backoff": {"duration": "2", "factor": "3"}}, 3, 18.0),
        ({"backoff": {"duration": "2s", "factor": 3, "cap": "5s"}}, 3, 5.0),
        ({"backoff": {"duration": "1m", "maxDuration": "30s"}}, 1, None),
    ],
)
def test_another_try(strategy: dict[str, Any], attempts: int, delay: float | None) -> None:
    assert decide(strategy, _FAILED, attempts, 10.0, Variables()).delay_seconds == delay


def test_a_strategy_that_is_none() -> None:
    with pytest.raises(ArgoError):
        decide({"retryPolicy": "Sometimes"}, _FAILED, 1, 0.0, Variables())


def test_only_what_a_target_needs_is_in_a_dag() -> None:
    tasks = [
        {"name": "c", "depends": "b.Failed || a"},
        {"name": "b", "dependencies": ["a"]},
        {"name": "a"},
        {"name": "x", "depends": "a"},
    ]
    whole = shape({"dag": {"tasks": tasks}}, "")
    assert whole.targets == ("c", "x")
    assert list(whole.tasks).index("a") < list(whole.tasks).index("b") < list(whole.tasks).index("c")
    assert list(shape({"dag": {"tasks": tasks}}, "x").tasks) == ["a", "x"]
    with pytest.raises(ArgoError, match="depends on itself"):
        shape({"dag": {"tasks": [{"name": "a", "depends": "b"}, {"name": "b", "depends": "a"}]}}, "a")


def _want(owner: str, *names: str, limit: int = 1, priority: int = 0, woken: list[str] | None = None) -> Want:
    wake = (lambda: woken.append(owner)) if woken is not None else (lambda: None)
    return Want(f"run-{owner}", owner, tuple((name, limit) for name in names), priority, 0, wake)


def test_locks_are_exclusive_fair_and_all_or_nothing() -> None:
    locks, woken = Locks(), []
    assert locks.acquire(_want("a", "m"))
    assert locks.acquire(_want("a", "m"))  # again, after a restart say
    assert not locks.acquire(_want("b", "m", "n", woken=woken))
    assert not locks.acquire(_want("urgent", "m", priority=5, woken=woken))
    assert not locks.acquire(_want("c", "n"))  # b is before it in the line for n
    locks.release("a")
    assert woken == ["urgent", "b"]
    assert not locks.acquire(_want("b", "m", "n"))
    assert locks.acquire(_want("urgent", "m", priority=5))
    locks.release("urgent")
    assert locks.acquire(_want("b", "m", "n"))


def test_nothing_is_given_out_before_all_runs_are_taken_up() -> None:
    locks, woken = Locks(is_open=False), []
    assert not locks.acquire(_want("new", "m", woken=woken))
    locks.hold("run-old", "old", ("m",))
    locks.open()
    assert woken == ["new"]
    assert not locks.acquire(_want("new", "m"))


def test_a_run_that_is_let_go_of_holds_nothing() -> None:
    locks, woken = Locks(), []
    assert locks.acquire(_want("a", "m"))
    assert not locks.acquire(_want("b", "m", woken=woken))
    locks.forget("run-a")
    assert woken == ["b"]
    assert locks.acquire(_want("b", "m"))


def test_semaphores_count() -> None:
    locks = Locks()
    assert [locks.acquire(_want(owner, "s", limit=2)) for owner in "abc"] == [True, True, False]


def test_inputs_are_bound() -> None:
    choice = {"name": "c", "enum": ["1", "2"], "value": "1"}
    raw = {"name": "y", "path": "/y", "raw": {"data": "{{inputs.parameters.a}}"}}
    template = {
        "inputs": {
            "parameters": [
                {"name": "a"},
                {"name": "b", "default": "{{workflow.name}}"},
                choice,
            ],
            "artifacts": [
                {"name": "x", "path": "/x", "optional": True},
                raw,
            ],
        }
    }
    variables = Variables({"workflow.name": "w"})
    bound = bind(template, Given({"a": "A"}), variables)
    assert bound.parameters == {"a": "A", "b": "w", "c": "1"}
    assert bound.artifacts == {"y": {"raw": {"data": "A"}}}
    with pytest.raises(ArgoError, match=r"inputs\.parameters\.a was not supplied"):
        bind(template, Given(), variables)
    with pytest.raises(ArgoError, match="is none of 1, 2"):
        bind(template, Given({"a": "", "c": "3"}), variables)


def test_an_absent_output_leaves_the_input_its_default() -> None:
    holder = {"arguments": {"parameters": [{"name": "in", "value": "{{tasks.p.outputs.parameters.x}}"}]}}
    variables = Variables({"tasks.p.outputs.parameters.x": None})
    with_default = {"inputs": {"parameters": [{"name": "in", "default": "d"}]}}
    assert arguments(holder, variables, with_default).parameters == {}
    with pytest.raises(ArgoError, match='argument "in"'):
        arguments(holder, variables, {"inputs": {"parameters": [{"name": "in"}]}})


def test_outputs_of_steps() -> None:
    declared = {
        "parameters": [
            {"name": "a", "valueFrom": {"parameter": "{{steps.s.outputs.result}}"}},
            {"name": "b", "valueFrom": {"expression": "steps.s.outputs.result == '1' ? 'one' : 'other'"}},
            {"name": "c", "valueFrom": {"parameter": "{{steps.gone.outputs.result}}", "default": "none"}},
        ],
        "artifacts": [{"name": "f", "from": "{{steps.s.outputs.artifacts.f}}"}],
    }
    variables = Variables(
        {"steps.s.outputs.result": "1", "steps.s.outputs.artifacts.f": {"uri": "/u", "id": "i"}}
    )
    found = outputs({"outputs": declared}, variables)
    assert found.parameters == {"a": "1", "b": "one", "c": "none"}
    assert found.artifacts == {"f": {"uri": "/u", "id": "i"}}
