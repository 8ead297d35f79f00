"""Placeholders: `{{$.inputs.parameters['x']}}` and its kin, in commands, environment, resources and constants. Pure.

A text is substituted in one pass, so a value that looks like a placeholder stays what it is. Placeholders of other
platforms (`{{$.pipeline_google_cloud_project_id}}`) are left alone, as upstream does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.ir_model import Value
from sampan.components.pipelines.api.ir_values import to_text
from sampan.components.pipelines.engine.errors import StepError

WORKSPACE_PATH = "/kfp-workspace"
IN_WORKSPACE = "_kfp_workspace"
"""In the metadata of an artifact that lies in the run's workspace; the SDK's `Artifact.path` knows it too."""

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_INPUT_OUTPUT = re.compile(
    r"""\.(?P<side>inputs|outputs)\.(?P<what>parameters|artifacts)
        \[(?P<quote>['"]{1,2})(?P<name>.+?)(?P=quote)\]
        (?:\.(?P<field>\w+)(?:\[(?P<q2>['"]{1,2})(?P<key>.+?)(?P=q2)\])?)?\Z""",
    re.VERBOSE,
)
# Where each scheme's artifacts lie in a container, as the SDK's `Artifact.path` says too.
_LOCAL_PREFIXES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/", "oci://": "/oci/"}

Lookup = Callable[[str], str | None]
"""From the inside of a placeholder, without `$`, to its text; None leaves it as it is."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What placeholders may say about the run."""

    run_id: str
    display_name: str
    resource_name: str
    """A DNS label that names the run: upstream's workflow name."""
    pipeline_name: str
    namespace: str
    pipeline_root: str
    create_time: str
    """RFC 3339, in UTC."""
    schedule_time: str

    def lookup(self, task_name: str, task_id: str) -> Lookup:
        known = {
            ".pipeline_job_name": self.display_name,
            ".pipeline_job_resource_name": self.resource_name,
            ".pipeline_job_uuid": self.run_id,
            ".pipeline_job_create_time_utc": self.create_time,
            ".pipeline_job_schedule_time_utc": self.schedule_time,
            ".pipeline_task_name": task_name,
            ".pipeline_task_uuid": task_id,
            ".pipeline_root": self.pipeline_root,
            ".workspace_path": WORKSPACE_PATH,
        }
        return known.get


def substitute(text: str, lookup: Lookup) -> str:
    """`text` with every placeholder that `lookup` knows."""
    if "{{$" not in text:
        return text

    def replacement(found: re.Match[str]) -> str:
        value = lookup(found[1])
        return found[0] if value is None else value

    return _PLACEHOLDER.sub(replacement, text)


def substitute_value(value: Value, lookup: Lookup) -> Value:
    """`value` with the placeholders in all its texts, keys of mappings too."""
    if isinstance(value, str):
        return substitute(value, lookup)
    if isinstance(value, list):
        return [substitute_value(item, lookup) for item in value]
    if isinstance(value, dict):
        return {substitute(key, lookup): substitute_value(item, lookup) for key, item in value.items()}
    return value


def sibling_lookup(parameters: Mapping[str, Value]) -> Lookup:
    """Knows a task's own inputs only: for constants that the SDK made of f-strings over other outputs."""

    def lookup(expression: str) -> str | None:
        found = _INPUT_OUTPUT.match(expression)
        if found is None or found["side"] != "inputs" or found["what"] != "parameters":
            return None
        name = found["name"]
        return to_text(parameters[name]) if name in parameters else None

    return lookup


def executor_lookup(executor_input: Mapping[str, Any], job: Lookup, lists: Set[str] = frozenset()) -> Lookup:
    """Knows everything of a step: the whole executor input, its parts, and the run's own placeholders.

    `lists` are the inputs and outputs that are declared as lists of artifacts.
    """

    def lookup(expression: str) -> str | None:
        if not expression:
            return json.dumps(executor_input, ensure_ascii=False)
        if expression in (".outputs.output_file", ".outputMetadataUri"):
            return str(executor_input["outputs"]["outputFile"])
        found = _INPUT_OUTPUT.match(expression)
        if found is None:
            return job(expression)
        try:
            return _part(executor_input, found, is_list=found["name"] in lists)
        except KeyError:
            side, what, name = found["side"], found["what"], found["name"]
            raise StepError(
                f"placeholder {{{{${expression}}}}}: {side[:-1]} {what[:-1]} {name!r} has no value here"
            ) from None

    return lookup


def expand_arguments(arguments: Sequence[str], lookup: Lookup, present: Callable[[str], bool]) -> list[str]:
    """A command line: Concat and IfPresent evaluated, then placeholders.

    Kubernetes expands `$(NAME)` in commands; what comes out of a placeholder is data, so it is escaped.
    """

    def escaped(expression: str) -> str | None:
        value = lookup(expression)
        return value.replace("$", "$$") if value and ("$(" in value or "$$" in value) else value

    result: list[str] = []
    for argument in arguments:
        result.extend(substitute(part, escaped) for part in _flattened(argument, present))
    return result


def local_path(uri: str, custom_path: str = "", metadata: Mapping[str, Any] | None = None) -> str:
    """Where a container finds the artifact: plain paths as they are, remote ones below their scheme's folder."""
    if metadata is not None and metadata.get(IN_WORKSPACE) is True:
        return f"{WORKSPACE_PATH}/.artifacts/{local_path(uri, custom_path).lstrip('/')}"
    if custom_path:
        return custom_path
    if uri.startswith("file://"):
        return uri.removeprefix("file://")
    for scheme, prefix in _LOCAL_PREFIXES.items():
        if uri.startswith(scheme):
            rest = uri.removeprefix(scheme)
            return prefix + (rest.replace("/", "_") + "/models" if scheme == "oci://" else rest)
    return uri


def _part(executor_input: Mapping[str, Any], found: re.Match[str], *, is_list: bool) -> str | None:
    side, what, name, field = found["side"], found["what"], found["name"], found["field"]
    if what == "parameters":
        if side == "inputs":
            return to_text(executor_input["inputs"]["parameterValues"][name])
        return str(executor_input["outputs"]["parameters"][name]["outputFile"])
    entries = executor_input[side]["artifacts"][name]["artifacts"]
    if is_list and field is None:
        return to_text(entries)
    if not entries:
        raise KeyError(name)
    artifact = entries[0]
    if field == "uri":
        return str(artifact["uri"])
    if field == "path":
        return local_path(artifact["uri"], artifact.get("customPath", ""), artifact.get("metadata"))
    if field == "metadata":
        metadata = artifact.get("metadata", {})
        return to_text(metadata[found["key"]] if found["key"] else metadata)
    if field == "name":
        return str(artifact["name"])
    return to_text(artifact) if field is None else None


def _flattened(argument: str, present: Callable[[str], bool]) -> list[str]:
    stripped = argument.lstrip()
    if not stripped.startswith(('{"Concat"', '{"IfPresent"')):
        return [argument]
    try:
        structure = json.loads(stripped)
    except ValueError:
        return [argument]
    return _evaluated(structure, present)


def _evaluated(structure: Any, present: Callable[[str], bool]) -> list[str]:
    """Zero or more arguments; a Concat is always one."""
    if isinstance(structure, str):
        return [structure]
    if isinstance(structure, list):
        return [part for item in structure for part in _evaluated(item, present)]
    if isinstance(structure, dict) and "Concat" in structure:
        return ["".join(_evaluated(structure["Concat"], present))]
    if isinstance(structure, dict) and "IfPresent" in structure:
        choice = structure["IfPresent"]
        branch = choice.get("Then") if present(str(choice.get("InputName", ""))) else choice.get("Else")
        return [] if branch is None else _evaluated(branch, present)
    raise StepError(f"cannot read the argument {json.dumps(structure)[:80]}: expected Concat or IfPresent")
