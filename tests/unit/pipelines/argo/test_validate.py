"""What is wrong with a Workflow, by the paths of its fields."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.validate import check_shape, find_cycle, problems, validate
from sampan.components.pipelines.api.errors import InvalidArgumentError

ECHO = {
    "name": "echo",
    "inputs": {"parameters": [{"name": "message"}]},
    "container": {"image": "busybox", "command": ["echo", "{{inputs.parameters.message}}"]},
    "outputs": {"parameters": [{"name": "said", "valueFrom": {"path": "/tmp/said"}}]},
}
Json = dict[str, Any]


def hello(message: str = "hello") -> Json:
    return {"parameters": [{"name": "message", "value": message}]}


def task(name: str, message: str = "hello", **more: Any) -> Json:
    return {"name": name, "template": "echo", "arguments": hello(message), **more}


def workflow(*templates: Json, entrypoint: str = "main", kind: str = "Workflow", **spec: Any) -> Json:
    return {
        "kind": kind,
        "metadata": {"name": "wf"},
        "spec": {"entrypoint": entrypoint, "templates": [*templates, ECHO], **spec},
    }


def dag(*tasks: Json, **more: Any) -> Json:
    return {"name": "main", "dag": {"tasks": list(tasks), **more}}


def steps(*groups: list[Json]) -> Json:
    return {"name": "main", "steps": list(groups)}


def found(given: Json) -> list[str]:
    return list(problems(argo.load(given)))


@pytest.mark.parametrize(
    "given",
    [
        workflow(
            dag(task("a"), task("b", "{{tasks.a.outputs.parameters.said}}", depends="a && !c"), task("c"))
        ),
        workflow(steps([task("a")], [task("b", "{{steps.a.outputs.result}} {{steps.a.status}}")])),
        workflow(steps([task("a", "{{item}}", withItems=[1, 2])])),
        workflow(
            steps([task("a", "{{workflow.parameters.x}}")]),
            arguments={"parameters": [{"name": "x", "value": 1}]},
        ),
        # What is no variable of Argo's belongs to the user.
        workflow(steps([task("a", "{{ .Values.x }} {{nobody}} {{=whatever ?? 'x'}}")])),
        workflow(dag(task("a"), task("b"), target="a b")),
        workflow(kind="WorkflowTemplate", entrypoint=""),
    ],
)
def test_what_is_fine(given: Json) -> None:
    assert found(given) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (workflow(entrypoint=""), "spec.entrypoint: missing"),
        (workflow(entrypoint="gone"), "spec.entrypoint: template name 'gone' undefined"),
        (workflow(ECHO, entrypoint="echo"), "spec.templates[1].name: 'echo' is not unique"),
        (workflow({"name": "main"}), "spec.templates[0]: template type unspecified"),
        (
            workflow({"name": "main", "container": {"image": "a"}, "suspend": {}}),
            "spec.templates[0]: must have one of its types only, not container and suspend",
        ),
        (workflow({"name": "main", "container": {}}), "spec.templates[0].container.image: missing"),
        (
            workflow({"name": "main", "plugin": {}}),
            "spec.templates[0].plugin: plugin templates are not supported",
        ),
        (
            workflow(dag(task("a", depends="b"))),
            "spec.templates[0].dag.tasks[0].depends: task 'b' is not defined",
        ),
        (
            workflow(dag(task("a", dependencies=["b"]), task("b", depends="a"))),
            "spec.templates[0].dag.tasks: cycle: a → b → a",
        ),
        (
            workflow(dag(task("a", depends="b.Gone"), task("b"))),
            "spec.templates[0].dag.tasks[0].depends: depends 'b.Gone': 'Gone' is no result",
        ),
        (workflow(dag(task("a"), target="x")), "spec.templates[0].dag.target: target 'x' is not defined"),
        (workflow(dag(task("a"), task("a"))), "spec.templates[0].dag.tasks[1].name: 'a' is not unique"),
        (
            workflow(steps([{"name": "a", "template": "gone"}])),
            "spec.templates[0].steps[0][0].template: template name 'gone' undefined",
        ),
        (
            workflow(steps([{"name": "a", "template": "echo"}])),
            "spec.templates[0].steps[0][0].arguments.parameters: 'message' of template 'echo' was not supplied",
        ),
        (
            workflow(steps([task("a", "{{steps.b.outputs.result}}")], [task("b")])),
            "spec.templates[0].steps[0][0].arguments.parameters[0].value: failed to resolve "
            "{{steps.b.outputs.result}}: no step 'b' comes before it",
        ),
        (
            workflow(dag(task("a"), task("b", "{{tasks.a.outputs.parameters.gone}}", depends="a"))),
            "failed to resolve {{tasks.a.outputs.parameters.gone}}: template 'echo' has no such output",
        ),
        (workflow(dag(task("a"), task("b", "{{tasks.a.outputs.result}}"))), "no task 'a' comes before it"),
        (workflow(steps([task("a", "{{item}}")])), "failed to resolve {{item}}: there is no loop"),
        (
            workflow(steps([task("a", "{{inputs.parameters.x}}")])),
            "failed to resolve {{inputs.parameters.x}}: the template has no such input",
        ),
        (
            workflow(steps([task("a", "{{workflow.parameters.x}}")])),
            "failed to resolve {{workflow.parameters.x}}: the workflow has no such parameter",
        ),
        (
            workflow(ECHO, entrypoint="echo", arguments={"parameters": [{"name": "message"}]}),
            "spec.arguments.parameters[0].value: missing",
        ),
        (
            workflow(steps([task("a", withItems=[1], withParam="[]")])),
            "spec.templates[0].steps[0][0]: give one of withItems, withParam, withSequence only",
        ),
        (workflow(steps([task("a")]), onExit="gone"), "spec.onExit: template name 'gone' undefined"),
    ],
)
def test_what_is_wrong_and_where(given: Json, says: str) -> None:
    assert any(says in problem for problem in found(given)), found(given)


def test_a_template_of_another_object_is_looked_into() -> None:
    ref = {"name": "other", "template": "gone"}
    given = workflow(steps([{"name": "a", "templateRef": ref, "arguments": {}}]))
    resolved = argo.resolve(argo.load(given), lambda kind, name: {"spec": {"templates": [ECHO]}})
    assert [*problems(resolved)] == [
        "spec.templates[0].steps[0][0].templateRef.template: 'other' has no template 'gone'"
    ]


def test_all_is_said_in_one_sentence_that_begins_with_the_field() -> None:
    given = workflow(dag(task("a", depends="x"), task("b", depends="y")))
    with pytest.raises(InvalidArgumentError) as caught:
        validate(argo.load(given))
    assert caught.value.message == (
        "spec.templates[0].dag.tasks[0].depends: task 'x' is not defined; "
        "spec.templates[0].dag.tasks[1].depends: task 'y' is not defined"
    )


def test_arguments_may_come_later() -> None:
    given = workflow(ECHO, entrypoint="main", arguments={"parameters": [{"name": "x"}]})
    given["spec"]["templates"] = [{**ECHO, "name": "main", "inputs": {}, "container": {"image": "a"}}]
    validate(argo.load(given), has_arguments=False)
    with pytest.raises(InvalidArgumentError, match="needs one"):
        validate(argo.load(given))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (None, "spec: must be an object, not nothing"),
        ({"templates": {}}, "spec.templates: must be a list, not an object"),
        ({"templates": ["a"]}, "spec.templates[0]: must be an object, not a text"),
        (
            {"templates": [{"steps": [[5]]}]},
            "spec.templates[0].steps[0]: must be a list of steps, not a number",
        ),
        ({"templates": [{"dag": []}]}, "spec.templates[0].dag: must be an object, not a list"),
        ({"templates": [{"dag": {"tasks": [{"dependencies": [1]}]}}]}, "dependencies[0]: must be a text"),
    ],
)
def test_misshapen_fields(spec: Any, says: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_shape({"spec": spec})
    assert says in caught.value.message


def test_a_workflow_is_suspended_by_a_switch_and_a_template_by_an_object() -> None:
    check_shape({"spec": {"suspend": True, "templates": [{"name": "a", "suspend": {"duration": "1"}}]}})
    for spec in ({"suspend": {}}, {"templates": [{"suspend": True}]}):
        with pytest.raises(InvalidArgumentError, match="suspend: must be"):
            check_shape({"spec": spec})


def test_names_of_labels_and_hooks_are_free() -> None:
    hooks = {"steps": {"template": "echo", "expression": "true"}}
    check_shape({"spec": {"hooks": hooks, "workflowMetadata": {"labels": {"templates": "x", "dag": "y"}}}})


def test_cycles() -> None:
    assert find_cycle({"a": ["b"], "b": ["c"], "c": []}) == []
    assert find_cycle({"x": ["a"], "a": ["b"], "b": ["a"]}) == ["a", "b", "a"]
    assert find_cycle({"a": ["a"]}) == ["a", "a"]
    chain = {str(each): [str(each + 1)] for each in range(5000)}
    assert find_cycle(chain) == []


RICH = {
    "kind": "Workflow",
    "metadata": {"name": "wf"},
    "spec": {
        "entrypoint": "main",
        "onExit": "echo",
        "arguments": {"parameters": [{"name": "x", "value": "1", "enum": ["1", "2"]}]},
        "hooks": {"running": {"expression": "workflow.status == 'Running'", "template": "echo"}},
        "podGC": {"strategy": "OnPodCompletion"},
        "templates": [
            {
                "name": "main",
                "dag": {
                    "target": "b",
                    "tasks": [
                        task("a", "{{item}}", withItems=[{"k": 1}], hooks={"exit": {"template": "echo"}}),
                        task("b", "{{tasks.a.outputs.result}}", depends="a.Succeeded || a.Failed"),
                    ],
                },
            },
            {"name": "ask", "suspend": {"duration": "1"}},
            {
                "name": "loop",
                "steps": [[task("a", withSequence={"count": 2}), {"name": "i", "inline": ECHO}]],
            },
            {
                "name": "set",
                "containerSet": {"containers": [{"name": "m"}, {"name": "n", "dependencies": ["m"]}]},
                "retryStrategy": {"limit": 1, "retryPolicy": "Always"},
            },
            {"name": "get", "resource": {"action": "get", "manifest": "a: b"}},
            {"name": "http", "http": {"url": "http://x"}},
            ECHO,
        ],
    },
}
NONSENSE = (None, 5, "x", [], {}, [1], {"a": 1}, True, "{{", "{{steps.}}", "{{=", ["a", ["b"]], "a.b.c")


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths(item, (*at, key)))]


def test_whatever_stands_in_a_field_there_is_an_answer() -> None:
    for path in paths(RICH["spec"])[1:]:
        for value in NONSENSE:
            given = copy.deepcopy(RICH)
            holder: Any = given["spec"]
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
            assert answer(given).startswith("spec"), (path, value)


def answer(given: Json) -> str:
    """Why it is refused, or that its spec is fine."""
    try:
        check_shape(given)
        validate(argo.resolve(argo.load(given), lambda kind, name: None))
    except InvalidArgumentError as error:
        return error.message
    return "spec is fine"
