"""What a resumed run reuses, for pipelines, changes and ends that nobody thought of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.conditions import Expressions
from sampan.components.pipelines.engine.context import RunContext
from sampan.components.pipelines.engine.graph import Graph
from sampan.components.pipelines.engine.node import Node
from sampan.components.pipelines.engine.placeholders import JobContext
from sampan.components.pipelines.engine.resolve import Inputs, Outputs
from sampan.components.pipelines.engine.resume_plan import plan
from sampan.components.pipelines.engine.reuse import Reuse, Source
from sampan.components.pipelines.engine.step_files import LocalStepFiles
from sampan.testing.pipelines import Component, output, pipeline, shell, task

DONE, FAILED, SKIPPED = RuntimeState.SUCCEEDED, RuntimeState.FAILED, RuntimeState.SKIPPED


@dataclass(frozen=True)
class Case:
    """Steps 0…n-1; each reads outputs of some before it and waits for others."""

    reads: tuple[frozenset[int], ...]
    waits: tuple[frozenset[int], ...]
    failed: frozenset[int]
    changed: frozenset[int]
    added: frozenset[int]

    @property
    def size(self) -> int:
        return len(self.reads)

    def before(self, step: int) -> frozenset[int]:
        return self.reads[step] | self.waits[step]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(1, 7))
    below = [
        st.frozensets(st.integers(0, step - 1)) if step else st.just(frozenset()) for step in range(size)
    ]
    some = st.frozensets(st.integers(0, size - 1))
    reads = tuple(draw(each) for each in below)
    waits = tuple(draw(each) for each in below)
    return Case(reads, waits, draw(some), draw(some), draw(some))


def document(case: Case, *, is_new: bool) -> Any:
    components, tasks = [], {}
    for step in range(case.size):
        if not is_new and step in case.added:
            continue
        image = "new:1" if is_new and step in case.changed else "old:1"
        reads = {f"i{other}": "STRING" for other in case.reads[step] if is_new or other not in case.added}
        components.append(Component(f"s{step}", shell("true", image=image), reads, {"out": "STRING"}))
        after = tuple(f"s{other}" for other in case.waits[step] if is_new or other not in case.added)
        given = {name: output(f"s{name[1:]}", "out") for name in reads}
        tasks[f"s{step}"] = task(f"s{step}", after=after, **given)
    loaded = ir.load(pipeline("p", tasks, *components) if tasks else empty())
    return loaded.pipeline


def empty() -> Any:
    return pipeline("p", {"none": task("none")}, Component("none", shell("true")))


def ended(loaded: Any, case: Case) -> Source:
    """The old run, in which some steps failed, and those after them were skipped."""
    root = Node("root", None, "root", "root", TaskType.ROOT, loaded.root, 0, state=FAILED)
    nodes = [root]
    for name, each in loaded.root.dag.tasks.items():
        component = loaded.components[each.component]
        node = Node(f"old-{name}", root, name, f"root/{name}", TaskType.RUNTIME, component, 0, task=each)
        upstream = Graph.of(loaded.root.dag).dependencies[name]
        if any(root.children[other].state is not DONE for other in upstream):
            node.state = SKIPPED
        elif name != "none" and int(name[1:]) in case.failed:
            node.state = FAILED
        else:
            node.state = DONE
        node.inputs = Inputs({key: f"of s{key[1:]}" for key in each.parameters})
        node.outputs = Outputs({"out": f"of {name}"})
        root.children[name] = node
        nodes.append(node)
    return Source(job("old"), loaded, nodes)


def job(run_id: str) -> JobContext:
    return JobContext(run_id, "run", f"p-{run_id}", "p", "default", "/r", "then", "then")


class Nothing:
    def cached(self, fingerprint: str) -> Any:
        return ()

    def imported(self, uri: str, schema_title: str) -> Any:
        return ()


def planned(case: Case) -> dict[int, tuple[str, str]]:
    old, new = document(case, is_new=False), document(case, is_new=True)
    numbers = iter(range(10_000))
    context = RunContext(
        run_id="new",
        pipeline=new,
        job=job("new"),
        graphs={},
        expressions=Expressions(),
        files=LocalStepFiles(Path("/nowhere")),
        lookups=Nothing(),
        now=lambda: 1,
        new_id=lambda: f"id-{next(numbers)}",
        reuse=Reuse(ended(old, case), new, job("new")),
    )
    return {int(each.task[1:]): (each.action.value, each.reason) for each in plan(context, {})}


def expected(case: Case) -> set[int]:
    """The steps that are reused: told without the engine, from the words of docs/failure.md."""
    ok: set[int] = set()
    for step in range(case.size):
        if (
            step not in case.added
            and step not in case.failed
            and all(other in ok for other in case.before(step) if other not in case.added)
        ):
            ok.add(step)
    reused: set[int] = set()
    for step in range(case.size):
        is_same = step in ok and step not in case.changed and step not in case.added
        # What it reads must be what it read: an input that is new changes it.
        if is_same and not case.reads[step] & case.added and case.before(step) <= reused:
            reused.add(step)
    return reused


@settings(max_examples=150, deadline=None)
@given(cases())
def test_exactly_what_is_unchanged_with_all_before_it_is_reused(case: Case) -> None:
    found = planned(case)
    assert set(found) == set(range(case.size))
    assert {step for step, (action, _) in found.items() if action == "REUSED"} == expected(case)
    for action, reason in found.values():
        assert action in ("REUSED", "RUNS")
        assert reason


def test_the_reason_is_the_steps_own_before_that_of_others() -> None:
    none: frozenset[int] = frozenset()
    chain = tuple(frozenset({step - 1}) if step else none for step in range(4))
    case = Case(chain, (none,) * 4, frozenset({1}), frozenset({2}), frozenset({3}))
    assert planned(case) == {
        0: ("REUSED", "reused from run old"),
        1: ("RUNS", "it failed in run old"),
        2: ("RUNS", "it comes after s1"),
        3: ("RUNS", "it comes after s2"),
    }
