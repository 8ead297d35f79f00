"""Changes of one step in a pipeline's document leave every other step as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.engine.overrides import changed, find_step
from sampan.components.pipelines.engine.resumption import StepChange
from sampan.testing.pipelines import Component, loop, pipeline, shell, task


def document() -> dict[str, Any]:
    """Two instances of one DAG, which has two steps of one component, and a loop."""
    step = Component("step", shell("true"))
    inner = {"dag": {"tasks": {"one": task("step"), "two": task("step")}}}
    tasks = {"left": task("inner"), "right": task("inner"), "loop": loop("inner", [1]), "alone": task("step")}
    spec = pipeline("p", tasks, step, dags={"inner": inner})
    platform = {"deploymentSpec": {"executors": {"exec-step": {"imagePullPolicy": "Always"}}}}
    return {"pipeline_spec": spec, "platform_spec": {"platforms": {"kubernetes": platform}}}


def images(given: dict[str, Any]) -> dict[str, str]:
    loaded = ir.load(given)
    ir.validate(loaded)
    found, stack = {}, [("", loaded.pipeline.root)]
    while stack:
        path, component = stack.pop()
        if component.dag is None:
            found[path] = loaded.pipeline.executors[component.executor_label].image  # type: ignore[union-attr]
            assert loaded.pipeline.kubernetes[component.executor_label]["imagePullPolicy"] == "Always"
            continue
        for name, each in component.dag.tasks.items():
            stack.append((f"{path}/{name}", loaded.pipeline.components[each.component]))
    return found


@pytest.mark.parametrize("name", ["left/one", "loop/one", "loop / one", "loop/0/one", "alone"])
def test_the_step_that_is_named_and_no_other_gets_the_image(name: str) -> None:
    given = document()
    kept = copy.deepcopy(given)
    before = images(given)
    after = images(changed(given, {name: StepChange(image="new:1")}))
    path = "/" + "/".join(find_step(given, name))
    assert {key for key in before if before[key] != after[key]} == {path}
    assert after[path] == "new:1"
    assert given == kept


def test_several_steps_can_be_changed_also_within_one_group() -> None:
    steps = {"left/one": StepChange(image="a"), "left/two": StepChange(image="b")}
    after = images(changed(document(), steps))
    assert (after["/left/one"], after["/left/two"], after["/right/one"]) == ("a", "b", "busybox:1.36")


def test_limits_replace_what_was_asked_for_in_every_spelling() -> None:
    given = document()
    container = given["pipeline_spec"]["deploymentSpec"]["executors"]["exec-step"]["container"]
    container["resources"] = {"memoryLimit": 8, "resource_memory_request": "8G", "cpuLimit": 1.0}
    container["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    new = changed(given, {"alone": StepChange(memory="1Gi", env={"B": "3"})})
    own = next(v for k, v in new["pipeline_spec"]["deploymentSpec"]["executors"].items() if k != "exec-step")
    assert own["container"]["resources"] == {"cpuLimit": 1.0, "resourceMemoryLimit": "1Gi"}
    assert own["container"]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one", "several steps are called so; name one of"),
        ("nope", "no such step; it has"),
        ("", "no such step|several steps"),
        ("left", "no such step"),
    ],
)
def test_a_step_that_is_not_clear_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        changed(document(), {name: StepChange(image="x")})
