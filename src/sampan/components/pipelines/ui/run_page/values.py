"""Parameters and artifacts of a step or a run, as they are shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LONG = 200
_CUT = "…"

_SOURCES = {
    "COMPONENT_INPUT": "from the pipeline",
    "COMPONENT_DEFAULT_INPUT": "default",
    "RUNTIME_VALUE_INPUT": "constant",
    "ITERATOR_INPUT": "item of the loop",
    "ITERATOR_INPUT_RAW": "item of the loop",
    "COLLECTED_INPUTS": "collected from a loop",
}


@dataclass(frozen=True, slots=True)
class Value:
    name: str
    kind: str
    """Of the value: text, number, yes or no, list, object."""
    text: str
    source: str
    """Where it came from, in words."""

    @property
    def is_long(self) -> bool:
        return len(self.text) > _LONG or "\n" in self.text

    @property
    def beginning(self) -> str:
        return self.text[:_LONG].replace("\n", " ") + (_CUT if self.is_long else "")


@dataclass(frozen=True, slots=True)
class Linked:
    """An artifact under the name that the step knows it by."""

    name: str
    artifact: Mapping[str, Any]
    source: str


def parameters(side: Mapping[str, Any]) -> list[Value]:
    """Of a task's `inputs` or `outputs`."""
    return [
        value(each.get("parameter_key", ""), each.get("value"), _source(each))
        for each in side.get("parameters", ())
    ]


def of_mapping(given: Mapping[str, Any]) -> list[Value]:
    """Of a run's own parameters."""
    return [value(name, each) for name, each in given.items()]


def value(name: str, given: Any, source: str = "") -> Value:
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, indent=_indent(given))
    return Value(name, kind_of(given), text, source)


def kind_of(given: Any) -> str:
    match given:
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case dict():
            return "object"
    return "nothing"


def artifacts(side: Mapping[str, Any]) -> list[Linked]:
    """Each once, though a metric of it may be listed for itself."""
    return [
        Linked(entry.get("artifact_key", ""), artifact, _source(entry))
        for entry in side.get("artifacts", ())
        for artifact in entry.get("artifacts", ())
        # A number logged with log_metric stands for programs; people find it with its siblings.
        if "number_value" not in artifact
    ]


def scalars(tasks: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, float]]:
    """Metrics of all steps: the step, the metric, its value."""
    found = []
    for task in tasks:
        for entry in task.get("outputs", {}).get("artifacts", ()):
            for artifact in entry.get("artifacts", ()):
                number = artifact.get("number_value")
                if isinstance(number, int | float):
                    name = str(task.get("display_name") or task.get("name", ""))
                    found.append((name, str(artifact.get("name", "")), float(number)))
    return found


def _indent(given: Any) -> int | None:
    return 2 if isinstance(given, list | dict) and given else None


def _source(entry: Mapping[str, Any]) -> str:
    producer = entry.get("producer", {})
    if producer.get("task_name") and entry.get("type") not in ("OUTPUT", "ITERATOR_OUTPUT", "ONE_OF_OUTPUT"):
        place = f"[{producer['iteration']}]" if "iteration" in producer else ""
        return f"from {producer['task_name']}{place}"
    return _SOURCES.get(entry.get("type", ""), "")
