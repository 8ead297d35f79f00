"""A file that is no pipeline, or a broken one, is refused before anything starts: by name and place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.testing.pipelines import Component, output, parameter, pipeline, shell, task

STEP = Component("step", shell("true"), {"n": "NUMBER_INTEGER"}, {"n": "NUMBER_INTEGER"})


def document(**changes: Any) -> dict[str, Any]:
    """Two tasks, `a` and `b` after it, and a parameter; `changes` are `path__to__field=value`."""
    tasks = {"a": task("step", n=parameter("n")), "b": task("step", n=output("a", "n"))}
    spec = copy.deepcopy(
        pipeline("bad", tasks, STEP, inputs={"n": {"parameterType": "NUMBER_INTEGER"}}),
    )
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = spec
        for name in folders:
            place = place[name.replace("_step", "-step")]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return spec


A = "root__dag__tasks__a__"
B = "root__dag__tasks__b__"

BROKEN = {
    "no root": (document(root=None), "root.dag: missing"),
    "unknown field": (document(rooot={}), '"rooot"'),
    "schema of another time": (document(schemaVersion="9.0.0"), "schemaVersion: expected 2.1.0"),
    "unknown component": (
        document(**{f"{A}componentRef": {"name": "comp-none"}}),
        'root.dag.tasks.a.componentRef.name: no component "comp-none"',
    ),
    "unknown executor": (
        document(components__comp_step__executorLabel="exec-none"),
        'components.comp-step.executorLabel: no executor "exec-none"',
    ),
    "unknown output": (
        document(**{f"{B}inputs": {"parameters": {"n": output("a", "none")}}}),
        'root.dag.tasks.b.inputs.parameters.n: task "a" has no output "none"',
    ),
    "circle": (
        document(**{f"{A}dependentTasks": ["b"]}),
        "root.dag.tasks: these wait for each other: a → b → a",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_document(desk: Any, case: str) -> None:
    spec, message = BROKEN[case]
    assert message in desk.refusal(spec, n=1)


def test_what_is_no_document_at_all(desk: Any) -> None:
    assert "pipeline_spec must be an object" in desk.refusal("text")


FILES: dict[str, tuple[str, str | bytes, str]] = {
    "broken document": ("pipeline.yaml", "components: {}\nnothing: 1\n", '"nothing"'),
    "broken YAML": ("pipeline.yaml", "a: [1,\nb: }", "not valid YAML: line 2, column 4"),
    "text": ("pipeline.yaml", "hello", "must hold a mapping"),
    "nothing": ("pipeline.yaml", "", "it is empty"),
    "broken archive": ("pipeline.tar.gz", b"\x1f\x8b\x08\x00broken", "pipeline package cannot be used"),
    "another kind": ("pipeline.txt", "hello", "known are .py, .yaml"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_run(desk: Any, case: str) -> None:
    name, content, message = FILES[case]
    said = desk.run_file(content, name=name).error
    assert said.startswith(str(desk.folder / name))
    assert message in said


def test_a_file_that_is_not_there(desk: Any, command: Any) -> None:
    missing = desk.folder / "missing.yaml"
    assert command("run", missing, "--home", desk.server.home).error == f"{missing}: no such file"
    assert "is a folder" in command("run", desk.folder, "--home", desk.server.home).error
