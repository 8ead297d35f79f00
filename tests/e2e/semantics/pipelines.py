# ruff: noqa: UP006, UP014, UP035, UP045, E741, PT018, SIM115, B006, DTZ007  (what the SDK reads: typing's types)
"""Pipelines that the real SDK compiles, each for one row of what KFP's IR means, and how each must end.

    python pipelines.py FOLDER

writes FOLDER/NAME.json for each. `test_semantics` runs this with the SDK's own interpreter, and holds a server to it.
What a component does not find as it should be, it fails on.
"""

import functools
import json
import tempfile
from pathlib import Path
from typing import List, NamedTuple, Optional

from cases import VERSION, case, main
from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output, OutputPath

# Of old SDKs the default is a Python that no machine has any more.
component = functools.partial(dsl.component, base_image="python:3.11")

# ── Components ───────────────────────────────────────────────────────────────────────────────────────────────────


@component
def text(value: str) -> str:
    return value


@component
def number(value: float) -> float:
    return value


@component
def integer(value: int) -> int:
    return value


@component
def flag(value: bool) -> bool:
    return value


@component
def items(value: list) -> list:
    return value


@component
def mapping(value: dict) -> dict:
    return value


@component
def fails(message: str = "on purpose") -> str:
    raise RuntimeError(message)


@component
def kinds(s: str, i: int, f: float, b: bool, l: list, d: dict) -> str:
    assert isinstance(s, str) and s == "3", s
    assert isinstance(i, int) and i == 3, i
    assert f == 2.0, f
    assert b is True
    assert l == [1, 2.5, "x", None, {"a": [True]}], l
    assert d == {"n": 1, "deep": {"list": [1]}, "text": "ü"}, d
    return repr([s, i, f, b])


@dsl.container_component
def shown(value: float, whole: int, out: OutputPath(str)):
    return dsl.ContainerSpec(
        image="busybox:1.36",
        command=["sh", "-c", 'mkdir -p "$(dirname "$2")"; printf "%s" "$0 $1" > "$2"'],
        args=[value, whole, out],
    )


@component
def dataset(content: str, out: Output[Dataset]):
    with open(out.path, "w") as file:
        file.write(content)
    out.metadata["content"] = content


@component
def contents(found: Input[List[Dataset]]) -> list:
    return [open(one.path).read() for one in found]


@component
def content(found: Input[Dataset]) -> str:
    assert found.metadata["content"] == open(found.path).read()
    return open(found.path).read()


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────


@case(
    {"d": {"n": 1, "deep": {"list": [1]}, "text": "ü"}, "f": 2, "l": [1, 2.5, "x", None, {"a": [True]}]},
    tasks={"kinds": {"Output": "['3', 3, 2, True]"}},
)
def values_have_their_types(d: dict, f: float, l: list, s: str = "3", i: int = 3, b: bool = True):
    kinds(s=s, i=i, f=f, b=b, l=l, d=d)


@case(
    tasks={
        "for-loop-2/0/shown": {"out": "2 7"},
        "for-loop-2/1/shown": {"out": "0.1 7"},
        "for-loop-2/2/shown": {"out": "100000000000000000000 7"},
        "for-loop-2/3/shown": {"out": "-3.25 7"},
    }
)
def numbers_as_text():
    with dsl.ParallelFor([2.0, 0.1, 1e20, -3.25]) as value:
        shown(value=value, whole=7)


@case(
    {"with_null": [1, "a", None]},
    tasks={
        "text": {"Output": "3"},
        "text-2": {"Output": "true"},
        "text-3": {"Output": '[1,"a",null]'},
        "text-4": {"Output": '{"a":{"b":1}}'},
        "text-5": {"Output": "<1> & 0.5"},
    },
)
def a_string_takes_anything(with_null: list):
    text(value=f"{integer(value=3).output}")
    text(value=f"{flag(value=True).output}")
    text(value=f"{items(value=with_null).output}")
    text(value=f"{mapping(value={'a': {'b': 1}}).output}")
    text(value=f"<{integer(value=1).output}> & {number(value=0.5).output}")


@component
def optional_ones(
    a: Optional[str] = None, b: str = "own default", c: Optional[dict] = None, d: int = 7
) -> str:
    return repr((a, b, c, d))


@dsl.pipeline
def inner_with_optional_ones(a: Optional[str] = None, b: str = "inner", c: Optional[dict] = None) -> str:
    return optional_ones(a=a, b=b, c=c).output


@case(
    {"given": "there"},
    tasks={
        "optional-ones": {"Output": "(None, 'own default', None, 7)"},
        "optional-ones-2": {"Output": "('there', 'own default', None, 7)"},
        "inner-with-optional-ones/optional-ones": {"Output": "(None, 'inner', None, 7)"},
        "inner-with-optional-ones-2/optional-ones": {"Output": "('there', 'inner', None, 7)"},
    },
)
def optional_inputs(given: Optional[str] = None, nothing: Optional[str] = None, none: Optional[dict] = None):
    optional_ones(a=nothing, c=none)
    optional_ones(a=given)
    inner_with_optional_ones(a=nothing)
    inner_with_optional_ones(a=given, c=none)


@dsl.pipeline
def inner_that_needs(a: Optional[str] = None):
    text(value=a)


@case(state="FAILED", error="null", tasks={"inner-that-needs/text": "FAILED"})
def null_for_a_required_input():
    inner_that_needs()


# ── Conditions ───────────────────────────────────────────────────────────────────────────────────────────────────


@dsl.pipeline
def chosen(n: int, s: str, b: bool) -> str:
    with dsl.If(n > 10):
        first = text(value="big")
    with dsl.Elif(s == "it is, really"):
        second = text(value="quoted")
    with dsl.Elif(b == True):  # noqa: E712
        third = text(value="flag")
    with dsl.Else():
        fourth = text(value="else")
    return dsl.OneOf(first.output, second.output, third.output, fourth.output)


@case(
    tasks={
        "text": {"Output": "big"},
        "text-2": {"Output": "quoted"},
        "text-3": {"Output": "flag"},
        "text-4": {"Output": "else"},
    }
)
def conditions_choose_one_branch():
    text(value=chosen(n=11, s="", b=True).output)
    text(value=chosen(n=10, s="it is, really", b=True).output)
    text(value=chosen(n=1, s="", b=True).output)
    text(value=chosen(n=1, s="", b=False).output)


@case(
    tasks={
        "condition-1/text-2": {"Output": "1"},
        "condition-2": "SKIPPED",
        "condition-3/condition-4/text-4": {"Output": "inner"},
        "condition-5": "SKIPPED",
        "condition-6/text-5": {"Output": "float"},
    },
)
def conditions_over_outputs():
    n, t, f = integer(value=5), text(value="x"), number(value=1.0)
    with dsl.If(n.output == 5):
        text(value="1")
    with dsl.If(t.output != "x"):
        text(value="2")
    with dsl.If(n.output >= 5), dsl.If(t.output == "x"):
        text(value="inner")
    with dsl.If(t.output == "y"):
        fails()
    with dsl.If(f.output == 1):
        text(value="float")


@case(tasks={"contents-of-one": {"Output": ["right"]}, "content": {"Output": "right"}})
def one_of_two_artifacts():
    way = text(value="right")
    with dsl.If(way.output == "left"):
        left = dataset(content="left")
    with dsl.Else():
        right = dataset(content="right")
    one = dsl.OneOf(left.outputs["out"], right.outputs["out"])
    content(found=one)
    contents_of_one(found=one)


@component
def contents_of_one(found: Input[Dataset]) -> list:
    return [open(found.path).read()]


# ── Loops ────────────────────────────────────────────────────────────────────────────────────────────────────────


@case(
    {"many": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
    tasks={
        "for-loop-1/0/integer": {"Output": 1},
        "for-loop-1/1/text": {"Output": "y"},
        "for-loop-2/2/text-2": {"Output": "r"},
        "for-loop-3": "SUCCEEDED",
        "text-3": {"Output": "after"},
    },
)
def loops_over_inputs_outputs_and_nothing(many: list, none: list = []):
    with dsl.ParallelFor(many) as each:
        integer(value=each.a)
        text(value=each.b)
    with dsl.ParallelFor(items(value=["p", "q", "r"]).output, parallelism=1) as each:
        last = text(value=each)
    with dsl.ParallelFor(none) as each:
        fails(message=each)
    text(value="after").after(last)


@case(
    tasks={
        "items": {"Output": [[11, 21], [12, 22]]},
        "items-2": {"Output": [2, 3]},
        "contents": {"Output": ["0", "1", "2"]},
        "items-3": {"Output": []},
    },
    since=(2, 14),
)
def collected_values():
    with dsl.ParallelFor([1, 2]) as outer, dsl.ParallelFor([10, 20]) as inner:
        total = add(a=outer, b=inner)
    items(value=dsl.Collected(total.output))
    with dsl.ParallelFor([1, 2, 3]) as n, dsl.If(n > 1):
        some = integer(value=n)
    items(value=dsl.Collected(some.output))
    with dsl.ParallelFor(["0", "1", "2"], parallelism=2) as name:
        one = dataset(content=name)
    contents(found=dsl.Collected(one.outputs["out"]))
    with dsl.ParallelFor(items(value=[]).set_display_name("nothing").output) as name:
        none = text(value=name)
    items(value=dsl.Collected(none.output))


@component
def add(a: int, b: int) -> int:
    return a + b


@case(
    state="FAILED",
    error="for-loop-2",
    tasks={"for-loop-2/1/judge": {"Output": 1}, "text": "SKIPPED"},
    said={"for-loop-2": "2 of 3 iterations failed"},
)
def a_loop_with_failures():
    with dsl.ParallelFor([0, 1, 2]) as n:
        last = judge(n=n)
    text(value="after").after(last)


@component
def judge(n: int) -> int:
    assert n == 1
    return n


# ── Failure ──────────────────────────────────────────────────────────────────────────────────────────────────────


@component
def told(status: dsl.PipelineTaskFinalStatus, name: str, expected: str):
    assert status.state == expected, status
    assert status.pipeline_task_name == name, status
    assert status.pipeline_job_resource_name, status
    if expected == "FAILED":
        assert "on purpose" in (status.error_message or ""), status


@case(
    state="FAILED",
    error="on purpose",
    tasks={
        "told": "SUCCEEDED",
        "told-2": "SUCCEEDED",
        "exit-handler-1/text-2": "SKIPPED",
        "text-4": {"Output": "ran all the same"},
    },
)
def exit_handlers_are_told():
    last = told(name="exit-handler-1", expected="FAILED")
    with dsl.ExitHandler(last):
        text(value="first")
        text(value="never").after(fails())
    second = told(name="exit-handler-2", expected="COMPLETE")
    with dsl.ExitHandler(second):
        text(value="well")
    text(value="ran all the same").after(fails()).ignore_upstream_failure()


@component
def flaky(name: str) -> int:
    import pathlib

    # Attempts have folders of their own, in one that they share.
    folder = pathlib.Path(dsl.get_uri("x")).parent.parent
    count = len(list(folder.glob("tried-*")))
    (folder / f"tried-{count}").touch()
    assert count == 2, f"attempt {count} of {name}"
    return count


@case(
    tasks={
        "flaky": {"Output": 2},
        "for-loop-2/0/flaky-2": {"Output": 2},
        "for-loop-2/1/flaky-2": {"Output": 2},
    },
)
def retries_work_in_loops_too():
    flaky(name="one").set_retry(3, backoff_duration="0s", backoff_factor=1, backoff_max_duration="1s")
    with dsl.ParallelFor(["a", "b"]) as name:
        flaky(name=name).set_retry(2, backoff_duration="0s")


@case(state="FAILED", error="attempt 1", tasks={"flaky": "FAILED"})
def too_few_retries():
    flaky(name="one").set_retry(1, backoff_duration="0s")


# ── Placeholders ─────────────────────────────────────────────────────────────────────────────────────────────────


@component
def check_names(
    job: str,
    resource: str,
    uuid: str,
    task: str,
    task_uuid: str,
    created: str,
    scheduled: str,
    root: str,
    mixed: str,
):
    import datetime
    import uuid as uuids

    uuids.UUID(uuid), uuids.UUID(task_uuid)
    assert job == "placeholders_of_the_run", job
    assert resource.startswith("placeholders-of-the-run-"), resource
    assert task == "check-names", task
    for when in (created, scheduled):
        datetime.datetime.strptime(when[:19], "%Y-%m-%dT%H:%M:%S")
    assert mixed == f"<{uuid}/{job}>", mixed
    assert "placeholders" in root, root


@case(tasks={"check-names": "SUCCEEDED"})
def placeholders_of_the_run():
    check_names(
        job=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        resource=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        uuid=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_uuid=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
        root=dsl.PIPELINE_ROOT_PLACEHOLDER,
        mixed=f"<{dsl.PIPELINE_JOB_ID_PLACEHOLDER}/{dsl.PIPELINE_JOB_NAME_PLACEHOLDER}>",
    )


@dsl.container_component
def words(
    name: str,
    out: OutputPath(str),
    data: Input[Dataset],
    model: Output[Model],
    title: Optional[str] = None,
    count: int = 2,
    flags: dict = {"a": [1]},
):
    return dsl.ContainerSpec(
        image="busybox:1.36",
        command=[
            "sh",
            "-c",
            'o="$0"; m="$1"; shift; mkdir -p "$(dirname "$o")"; touch "$m"; printf "%s|" "$@" > "$o"',
        ],
        args=[
            out,
            model.path,
            dsl.ConcatPlaceholder(["--name=", name, ";n=", count]),
            dsl.IfPresentPlaceholder(
                input_name="title",
                then=["--title", dsl.ConcatPlaceholder(["<", title, ">"])],
                else_=["--untitled"],
            ),
            flags,
            data.metadata["content"],
            f"{name}{count}",
        ],
    )


@case(
    {"title": "T"},
    tasks={
        "words": {"out": '--name=x $(HOME) {{$}};n=2|--untitled|{"a":[1]}|c|x $(HOME) {{$}}2|'},
        "words-2": {"out": "--name=y;n=3|--title|<T>|{}|c|y3|"},
    },
)
def concat_and_if_present(title: Optional[str] = None, none: Optional[str] = None):
    made = dataset(content="c")
    words(name="x $(HOME) {{$}}", data=made.outputs["out"], title=none)
    words(name="y", data=made.outputs["out"], title=title, count=3, flags={})


# ── Containers and artifacts ─────────────────────────────────────────────────────────────────────────────────────


@dsl.container_component
def forgets(out: OutputPath(str)):
    return dsl.ContainerSpec(image="busybox:1.36", command=["true"], args=[out])


@case(state="FAILED", error='gave no output parameter "out"', tasks={"forgets": "FAILED"})
def a_forgotten_output_fails():
    forgets()


@dsl.container_component
def tells_metadata(n: OutputPath(int), s: OutputPath(str), model: Output[Model]):
    return dsl.ContainerSpec(
        image="busybox:1.36",
        command=[
            "sh",
            "-c",
            'mkdir -p "$(dirname "$0")" "$(dirname "$3")"; echo 1 > "$0"; printf file > "$1"; echo w > "$2"; '
            'printf \'{"parameterValues": {"n": 42}, "artifacts": {"model": {"artifacts": '
            '[{"metadata": {"framework": "none", "score": 0.5}}]}}}\' > "$3"',
        ],
        args=[n, s, model.path, "{{$.outputs.output_file}}"],
    )


@component
def sees(model: Input[Model]) -> str:
    return f"{model.metadata['framework']} {model.metadata['score']} {open(model.path).read().strip()}"


@case(tasks={"tells-metadata": {"n": 42, "s": "file"}, "sees": {"Output": "none 0.5 w"}})
def output_metadata_wins():
    sees(model=tells_metadata().outputs["model"])


@component
def all_kinds(
    a: Output[Artifact],
    h: Output[dsl.HTML],
    m: Output[dsl.Markdown],
    n: Output[Metrics],
    c: Output[dsl.ClassificationMetrics],
    s: Output[dsl.SlicedClassificationMetrics],
) -> NamedTuple("Outputs", [("one", int), ("two", str)]):
    for page in (h, m):
        with open(page.path, "w") as file:
            file.write("<b>x</b>")
    n.log_metric("accuracy", 0.75)
    n.log_metric("words", "text")
    c.log_roc_curve([0.0, 1.0], [0.1, 0.9], [1.0, 0.0])
    c.log_confusion_matrix(["x", "y"], [[1, 2], [3, 4]])
    s.metadata["evaluationSlices"] = [{"slice": "a", "sliceClassificationMetrics": {"recall": [0.5]}}]
    a.metadata.update({"deep": {"list": [1, {"x": None}]}, "n": 1})
    outputs = NamedTuple("Outputs", [("one", int), ("two", str)])
    return outputs(1, "2")


@case(
    tasks={"all-kinds": {"one": 1, "two": "2"}},
    artifacts={
        "all-kinds/a": ["Artifact", {"deep": {"list": [1, {"x": None}]}, "n": 1}],
        "all-kinds/h": ["HTML", {}],
        "all-kinds/m": ["Markdown", {}],
        "all-kinds/n": ["Metric", {"accuracy": 0.75, "words": "text"}],
        "all-kinds/c": [
            "ClassificationMetric",
            {
                "confidenceMetrics": [
                    {"confidenceThreshold": 1, "falsePositiveRate": 0, "recall": 0.1},
                    {"confidenceThreshold": 0, "falsePositiveRate": 1, "recall": 0.9},
                ],
                "confusionMatrix": {
                    "annotationSpecs": [{"displayName": "x"}, {"displayName": "y"}],
                    "rows": [{"row": [1, 2]}, {"row": [3, 4]}],
                },
            },
        ],
        "all-kinds/s": [
            "SlicedClassificationMetric",
            {"evaluationSlices": [{"slice": "a", "sliceClassificationMetrics": {"recall": [0.5]}}]},
        ],
    },
)
def every_kind_of_artifact():
    all_kinds()


@component
def in_tmp(out: Output[Dataset], folder: Output[Model]):
    import os

    path = "/tmp/somewhere/of/its/own.txt"
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        file.write("mine")
    out.set_path(path)
    out.metadata["content"] = "mine"
    os.makedirs("/tmp/model/deep")
    with open("/tmp/model/deep/weights", "w") as file:
        file.write("1 2 3")
    folder.set_path("/tmp/model")


@component
def weights(folder: Input[Model]) -> str:
    return open(folder.path + "/deep/weights").read()


@case(tasks={"content": {"Output": "mine"}, "weights": {"Output": "1 2 3"}}, since=(2, 15))
def an_artifact_in_the_pods_own_tmp():
    made = in_tmp()
    content(found=made.outputs["out"])
    weights(folder=made.outputs["folder"])


@component
def returns_artifact(content: str) -> Dataset:
    made = Dataset(uri=dsl.get_uri("mine"), metadata={"content": content})
    with open(made.path, "w") as file:
        file.write(content)
    return made


@case(tasks={"content": {"Output": "pythonic"}}, since=(2, 14))
def pythonic_artifacts():
    content(found=returns_artifact(content="pythonic").output)


# ── Importers ────────────────────────────────────────────────────────────────────────────────────────────────────


@component
def imported(found: Input[Dataset]) -> str:
    return f"{found.uri} {found.metadata['from']} {found.metadata['list']}"


@case(
    {"uri": "gs://bucket/data.csv", "who": "me"},
    tasks={
        "imported": {"Output": "gs://bucket/data.csv me ['x-me']"},
        "condition-1/imported-2": {"Output": "gs://bucket/data.csv you []"},
        "condition-2": "SKIPPED",
    },
)
def importers(uri: str, who: str):
    first = dsl.importer(
        artifact_uri=uri, artifact_class=Dataset, reimport=False, metadata={"from": who, "list": [f"x-{who}"]}
    )
    imported(found=first.output)
    with dsl.If(who == "me"):
        again = dsl.importer(
            artifact_uri=uri, artifact_class=Dataset, reimport=True, metadata={"from": "you", "list": []}
        )
        imported(found=again.output)
    with dsl.If(who == "you"):
        dsl.importer(artifact_uri=uri, artifact_class=Dataset, reimport=True)


# ── Caching ──────────────────────────────────────────────────────────────────────────────────────────────────────


@component
def now() -> str:
    import time

    return str(time.time())


def by_its_own_key(task):
    """Older SDKs have no keys."""
    if VERSION >= (2, 14):
        task.set_caching_options(True, cache_key="mine")


@dsl.pipeline
def inner_with_steps(value: str):
    text(value=value)
    text(value="fresh").set_caching_options(False)


@case(
    {"value": "v"},
    again={
        "text": "CACHED",
        "text-2": "SUCCEEDED",
        "now": "SUCCEEDED",
        "content": "CACHED",
        "content-2": "SUCCEEDED",
        "inner-with-steps/text": "CACHED",
        "inner-with-steps/text-2": "SUCCEEDED",
        "for-loop-2/1/text-3": "CACHED",
        "now-2": "CACHED",
    },
)
def what_is_cached(value: str):
    text(value=value)
    text(value=now().set_caching_options(False).output)
    by_its_own_key(now())
    content(found=dataset(content="kept").outputs["out"])
    content(found=dataset(content="anew").set_caching_options(False).outputs["out"])
    inner_with_steps(value=value)
    with dsl.ParallelFor(["a", "b"]) as each:
        text(value=each)


# ── Lightweight ──────────────────────────────────────────────────────────────────────────────────────────────────


@component(packages_to_install=["iniconfig==2.0.0"])
def with_a_package() -> str:
    import importlib.metadata

    return importlib.metadata.version("iniconfig")


@case(tasks={"with-a-package": {"Output": "2.0.0"}})
def packages_are_installed():
    with_a_package()


if VERSION >= (2, 15):
    _NOTEBOOK = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {"tags": ["parameters"]},
                "outputs": [],
                "source": ["who = 'nobody'\n"],
            },
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": ["print('hello', who)\n", "open(target, 'w').write('hello ' + who)\n"],
            },
        ],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    _folder = Path(tempfile.mkdtemp())
    (_folder / "hello.ipynb").write_text(json.dumps(_NOTEBOOK))
    (_folder / "embedded.txt").write_text("embedded")

    @dsl.notebook_component(notebook_path=str(_folder / "hello.ipynb"))
    def notebook(who: str, out: Output[Dataset]):
        dsl.run_notebook(who=who, target=out.path)
        out.metadata["content"] = "hello " + who

    @case(tasks={"content": {"Output": "hello you"}}, since=(2, 15))
    def notebooks():
        content(found=notebook(who="you").outputs["out"])

    @component(embedded_artifact_path=str(_folder / "embedded.txt"))
    def with_embedded(config: dsl.EmbeddedInput[Dataset]) -> str:
        return open(config.path).read()

    @case(tasks={"with-embedded": {"Output": "embedded"}}, since=(2, 15))
    def embedded_artifacts():
        with_embedded()


if __name__ == "__main__":
    main()
