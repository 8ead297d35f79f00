"""From specifications and tasks to graphs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.pipelines.ui.specifications import ARGO, IR, ran, root

from sampan.components.pipelines.ui.graph_model import blueprint_of, graph_of, graph_of_run
from sampan.ui.graph.model import Graph, Node

LOOP = "exit-handler-1/for-loop-1"


def node(graph: Graph, place: str) -> Node:
    return next(each for each in graph.nodes if each.id == place)


def edges(graph: Graph) -> set[tuple[str, str, str]]:
    return {(each.source, each.target, each.kind) for each in graph.edges}


def test_groups_of_the_ir_nest_and_their_edges_say_what_flows() -> None:
    graph = graph_of(blueprint_of({"pipeline_spec": IR}))
    assert {each.id: each.holds for each in graph.nodes} == {
        "exit-handler-1": "exit handler",
        "exit-handler-1/load": "",
        "exit-handler-1/import": "",
        LOOP: "loop",
        f"{LOOP}/train": "",
        f"{LOOP}/check": "condition",
        f"{LOOP}/check/tell": "",
        "bye": "",
    }
    assert edges(graph) == {
        ("exit-handler-1", "bye", "parameter"),
        ("exit-handler-1/load", LOOP, "artifact"),
        ("exit-handler-1/import", LOOP, "order"),
        (f"{LOOP}/train", f"{LOOP}/check", "parameter"),
    }
    assert node(graph, LOOP).detail == "each of [1, 2], 1 at a time"
    assert node(graph, f"{LOOP}/check").detail == "if train-Output > 2"
    assert node(graph, "exit-handler-1/import").icon == "input"


def test_artifacts_stand_between_steps_on_demand() -> None:
    graph = graph_of(blueprint_of(IR), artifacts=True)
    assert node(graph, "exit-handler-1/load#data").kind == "artifact"
    assert {
        ("exit-handler-1/load", "exit-handler-1/load#data", "artifact"),
        ("exit-handler-1/load#data", LOOP, "artifact"),
    } <= edges(graph)


def test_a_run_shows_iterations_once_there_are_some_and_what_has_not_begun() -> None:
    plan = blueprint_of(IR)
    tasks: list[dict[str, Any]] = [
        root(),
        ran("e", "exit-handler-1", "root", "RUNNING", type="EXIT_HANDLER"),
        ran("l", "load", "e", "CACHED"),
    ]
    before = graph_of_run(plan, tasks).graph
    assert node(before, LOOP).state == "Not started"
    assert node(before, f"{LOOP}/train").state == "Not started"

    loop = {"type": "LOOP", "type_attributes": {"iteration_count": "3"}}
    tasks = [
        *tasks,
        ran("f", "for-loop-1", "e", "RUNNING", **loop),
        ran("f0", "for-loop-1", "f", type="LOOP_ITERATION", type_attributes={"iteration_index": "0"}),
        ran(
            "f1",
            "for-loop-1",
            "f",
            "RUNNING",
            type="LOOP_ITERATION",
            type_attributes={"iteration_index": "1"},
        ),
        ran("t1", "train", "f1", "RUNNING", attempts=[{"pod": "a"}, {"pod": "b"}]),
        ran("c0", "check", "f0", "SKIPPED", type="CONDITION"),
    ]
    drawn = graph_of_run(plan, tasks)
    shown = node(drawn.graph, LOOP)
    assert (shown.holds, shown.badge, dict(shown.counts)) == (
        "iterations",
        "1/3",
        {"ok": 1, "busy": 1, "": 1},
    )
    assert node(drawn.graph, f"{LOOP}/1/train").badge == "attempt 2"
    assert node(drawn.graph, f"{LOOP}/0/check/tell").state == "Not run", "what holds it is over"
    assert drawn.task_ids[f"{LOOP}/1/train"] == "t1"
    assert drawn.node_ids["f1"] == f"{LOOP}/1"
    assert node(drawn.graph, "exit-handler-1/load").state == "From cache"


def test_a_loop_over_nothing_and_a_step_that_loops() -> None:
    spec = {
        **IR,
        "root": {
            "dag": {
                "tasks": {
                    "again": {
                        "taskInfo": {"name": "again"},
                        "componentRef": {"name": "comp-step"},
                        "artifactIterator": {
                            "itemInput": "x",
                            "items": {"inputArtifact": "pipelinechannel--models"},
                        },
                    }
                }
            }
        },
    }
    plan = blueprint_of(spec)
    assert node(graph_of(plan), "again").detail == "each of models"
    loop = {"type": "LOOP", "type_attributes": {"iteration_count": "0"}}
    assert (
        node(graph_of_run(plan, [root(), ran("a", "again", "root", **loop)]).graph, "again").state
        == "Succeeded"
    )
    iterations = [
        ran(f"a{each}", "again", "a", "FAILED", type_attributes={"iteration_index": str(each)})
        for each in range(2)
    ]
    graph = graph_of_run(plan, [root(), ran("a", "again", "root", type="LOOP"), *iterations]).graph
    assert [each.label for each in graph.nodes if each.group == "again"] == ["#0", "#1"]


def test_workflows_of_argo_nest_repeat_and_call_themselves() -> None:
    graph = graph_of(blueprint_of(ARGO))
    assert {each.id: each.holds for each in graph.nodes} == {
        "a": "",
        "b": "",
        "c": "steps",
        "c/s1": "",
        "c/s2": "",
        "c/s3": "",
        "c/s3.hooks.exit": "",
        "main": "pipeline",
        "main/a": "",
        "main/b": "",
        "main/c": "steps",
        "main/c/s1": "",
        "main/c/s2": "",
        "main/c/s3": "",
        "main/c/s3.hooks.exit": "",
        "main/main": "",
        "hooks.exit": "",
    }
    assert {
        ("a", "b", "order"),
        ("a", "c", "artifact"),
        ("b", "c", "order"),
        ("c", "main", "order"),
    } <= edges(graph)
    assert {
        ("c/s1", "c/s3", "order"),
        ("c/s2", "c/s3", "order"),
        ("c/s3", "c/s3.hooks.exit", "order"),
    } <= edges(graph)
    assert node(graph, "c").detail == "if 1 == 1"


def test_levels_that_only_a_run_of_argo_has_are_taken_out() -> None:
    tasks = [
        root("FAILED"),
        ran("m", "main", "root", "FAILED", type="DAG"),
        ran("b", "b", "m", type="LOOP", type_attributes={"iteration_count": "2"}),
        ran("b0", "b(0:1)", "b"),
        ran("b1", "b(1:x.y)", "b", type="DAG"),
        ran("b10", "b(1:x.y)(0)", "b1", "FAILED"),
        ran("b11", "b(1:x.y)(1)", "b1"),
        ran("c", "c", "m", "FAILED", type="DAG"),
        ran("g", "[0]", "c", "FAILED", type="DAG"),
        ran("s2", "s2", "g", "FAILED", type="DAG"),
        ran("s20", "s2(0)", "s2", "FAILED"),
        ran("s21", "s2(1)", "s2", "FAILED", status_metadata={"message": "exit code 1"}),
        ran("h", "hooks.exit", "s2"),
        ran("x", "hooks.exit", "root"),
    ]
    drawn = graph_of_run(blueprint_of(ARGO), tasks, "FAILED")
    assert (node(drawn.graph, "c/s2").badge, node(drawn.graph, "c/s2").holds) == ("attempt 2", "")
    assert drawn.task_ids["c/s2"] == "s21"
    assert {drawn.node_ids[each] for each in ("s2", "s20", "s21")} == {"c/s2"}
    assert node(drawn.graph, "c/s2.hooks.exit").state == "Succeeded", (
        "of no hook that the specification names"
    )
    assert node(drawn.graph, "b/b(1:x.y)").label == "#1 · x.y"
    assert node(drawn.graph, "b/b(1:x.y)").badge == "attempt 2"
    assert node(drawn.graph, "hooks.exit").state == "Succeeded"
    assert node(drawn.graph, "c/s3").state == "Not run"


def test_what_cannot_be_read_is_said_and_its_run_still_drawn() -> None:
    for spec in (
        {},
        {"pipeline_spec": {"root": {"dag": {"tasks": {"a": 1}}}}},
        {"kind": "Workflow", "apiVersion": "argoproj.io/v1alpha1"},
    ):
        plan = blueprint_of(spec)
        assert not graph_of(plan).nodes
        graph = graph_of_run(plan, [root(), ran("a", "a", "root", type="DAG"), ran("b", "b", "a")]).graph
        assert [each.id for each in graph.nodes] == ["a", "a/b"]


def test_components_within_components_do_not_grow_without_end() -> None:
    components = {
        f"comp-{level}": {
            "dag": {
                "tasks": {f"t{each}": {"componentRef": {"name": f"comp-{level + 1}"}} for each in range(10)}
            }
        }
        for level in range(9)
    }
    spec = {
        **IR,
        "components": {**components, "comp-9": {"executorLabel": "exec-step"}},
        "root": components["comp-0"],
    }
    assert len(graph_of(blueprint_of(spec)).nodes) <= 20_010


def test_what_nests_deeper_than_anybody_can_look_ends_somewhere() -> None:
    def inner(level: int) -> dict[str, Any]:
        return {"dag": {"tasks": {"t": {"componentRef": {"name": f"comp-{level}"}}}}}

    components = {f"comp-{level}": inner(level + 1) for level in range(3000)}
    plan = blueprint_of({**IR, "components": components, "root": inner(0)})
    assert 50 < len(graph_of(plan).nodes) < 200
    templates = [
        {"name": f"t{level}", "dag": {"tasks": [{"name": "a", "template": f"t{level + 1}"}]}}
        for level in range(3000)
    ]
    spec = {"entrypoint": "t0", "templates": templates}
    assert blueprint_of({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}).problem
    levels = [
        ran(f"d{level}", "t", f"d{level - 1}" if level else "root", type="DAG") for level in range(3000)
    ]
    assert graph_of_run(plan, [root(), *levels]).graph.nodes


@pytest.mark.skipif("SAMPAN_KFP_SAMPLES" not in os.environ, reason="SAMPAN_KFP_SAMPLES names no folder")
@pytest.mark.parametrize("artifacts", [False, True])
def test_every_sample_of_upstream_is_drawn(artifacts: bool) -> None:
    files = sorted(Path(os.environ["SAMPAN_KFP_SAMPLES"]).rglob("*.yaml"))
    assert files
    for file in files:
        documents = [each for each in yaml.safe_load_all(file.read_text()) if each]
        plan = blueprint_of({"pipeline_spec": documents[0], "platform_spec": (documents[1:] or [{}])[0]})
        graph = graph_of(plan, artifacts=artifacts)
        places = {each.id for each in graph.nodes}
        assert not plan.problem, file
        assert places, file
        assert len(places) == len(graph.nodes), file
        assert {each.group for each in graph.nodes} <= places | {""}, file
        assert {end for each in graph.edges for end in (each.source, each.target)} <= places, file
