"""What a run goes on with, from what somebody filled in. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.packages import unpack
from sampan.components.pipelines.api.specification import workflow_in


def package(data: bytes) -> Mapping[str, Any]:
    """The specification in an uploaded file. Blocks for large ones. Raises InvalidArgumentError."""
    text = unpack(data)
    workflow = workflow_in(text)
    return workflow if workflow is not None else ir.load(text).to_json()


def parameter_texts(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """By name, what the run has been given, or the default, as it is typed into a field."""
    known: dict[str, Any] = {}
    if workflow_in(spec) is None:
        inner = spec.get("pipeline_spec", spec)
        inputs = inner.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
        known = {name: each.get("defaultValue") for name, each in inputs.items()}
    known |= given
    return {name: _typed(value) for name, value in known.items()}


def parameters(spec: Mapping[str, Any], before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, Any]:
    """Those that were changed, of their declared types. Raises InvalidArgumentError."""
    changed = {name: text for name, text in now.items() if text != before.get(name)}
    if not changed or workflow_in(spec) is not None:
        return dict(changed)
    document = ir.load(spec)
    return {name: ir.parse_parameter(document, name, text) for name, text in changed.items()}


def body(
    source: Mapping[str, Any], parameters: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Of a request. `source` is `pipeline_spec`, or `pipeline_version_reference`, or nothing for the run's own."""
    asked: dict[str, Any] = dict(source)
    if parameters:
        asked["runtime_config"] = {"parameters": dict(parameters)}
    if steps:
        asked["steps"] = {name: dict(change) for name, change in steps.items()}
    return asked


def step_change(name: str, fields: Mapping[str, str], env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Of one step: `image`, `cpu`, `memory`, and variables. Nothing where nothing is filled in."""
    change: dict[str, Any] = {key: text.strip() for key, text in fields.items() if text.strip()}
    if env:
        change["env"] = dict(env)
    return {name: change} if change and name else {}


ACTIONS: Mapping[str, tuple[str, str, str]] = {
    "REUSED": ("Reused", "ok", "bolt"),
    "RUNS": ("Runs", "busy", "play_circle"),
    "SKIPPED": ("Skipped", "idle", "skip_next"),
    "UNDECIDED": ("Depends", "warn", "help_outline"),
}
"""What becomes of a task: a word, a tone, an icon."""


def plan_told(plan: Sequence[Mapping[str, Any]]) -> str:
    """`4 reused, 3 run`."""
    words = {"REUSED": "reused", "RUNS": "run", "SKIPPED": "skipped", "UNDECIDED": "decided later"}
    counted = {word: sum(each.get("action") == action for each in plan) for action, word in words.items()}
    return ", ".join(f"{count} {word}" for word, count in counted.items() if count) or "Nothing to do"


def _typed(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
