"""The pipeline IR as an immutable typed tree: what the engine interprets.

Made by `ir_parse` from a checked document; nothing else builds these, and nothing here does I/O or knows protobuf.
Names are the IR's own (api/v2alpha1/pipeline_spec.proto, kubeflow/pipelines 2.17) in snake_case. Values are JSON
values: integral numbers are `int`, whatever the document wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Value = Any
"""A JSON value: None, bool, int, float, str, list or dict."""


class ParameterType(StrEnum):
    NUMBER_DOUBLE = "NUMBER_DOUBLE"
    NUMBER_INTEGER = "NUMBER_INTEGER"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input or output parameter of a component."""

    type: ParameterType
    optional: bool = False
    has_default: bool = False
    default: Value = None
    literals: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactSlot:
    """An input or output artifact of a component."""

    schema_title: str = "system.Artifact"
    schema_version: str = ""
    instance_schema: str = ""
    is_list: bool = False
    optional: bool = False
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Constant:
    value: Value


@dataclass(frozen=True, slots=True)
class ComponentInput:
    """An input of the DAG that holds the task."""

    name: str


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """An output of another task in the same DAG."""

    task: str
    key: str


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """How another task of the same DAG ended."""

    task: str


@dataclass(frozen=True, slots=True)
class ParameterInput:
    """Where a task's input parameter comes from; `selector` is a CEL expression over the value."""

    source: Constant | ComponentInput | TaskOutput | FinalStatus
    selector: str = ""


ArtifactInput = ComponentInput | TaskOutput


@dataclass(frozen=True, slots=True)
class Iterator:
    """A ParallelFor. Exactly one of `raw_items` and `items_input` is set."""

    item_input: str
    raw_items: str = ""
    """A JSON list."""
    items_input: str = ""
    """The task's input that holds the list."""
    over_artifacts: bool = False
    parallelism_limit: int = 0
    """Iterations that may run at once; 0 for all."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    max_retry_count: int = 0
    backoff_seconds: float = 0.0
    backoff_factor: float = 2.0
    backoff_max_seconds: float = 3600.0

    def delay_seconds(self, retry: int) -> float:
        """Before the `retry`-th retry, counted from 1."""
        return min(self.backoff_seconds * self.backoff_factor ** (retry - 1), self.backoff_max_seconds)


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    """Its key in the DAG."""
    display_name: str
    component: str
    parameters: Mapping[str, ParameterInput] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactInput] = field(default_factory=dict)
    dependent_tasks: tuple[str, ...] = ()
    condition: str = ""
    after_completion: bool = False
    """Trigger strategy ALL_UPSTREAM_TASKS_COMPLETED: runs however its upstream tasks ended."""
    iterator: Iterator | None = None
    retry: RetryPolicy = RetryPolicy()
    enable_cache: bool = False
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class Dag:
    """`parameters` and `artifacts` are its outputs; several sources mean OneOf: the first that exists."""

    tasks: Mapping[str, Task]
    parameters: Mapping[str, tuple[TaskOutput, ...]] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[TaskOutput, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Component:
    """Either a DAG or, by its label, an executor."""

    name: str
    input_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    input_artifacts: Mapping[str, ArtifactSlot] = field(default_factory=dict)
    output_parameters: Mapping[str, Parameter] = field(default_factory=dict)
    output_artifacts: Mapping[str, ArtifactSlot] = field(default_factory=dict)
    dag: Dag | None = None
    executor_label: str = ""
    passthroughs: Mapping[str, bool] = field(default_factory=dict)
    """Task config passthroughs by field, and whether each also applies to the task's own pod."""


@dataclass(frozen=True, slots=True)
class Container:
    """`resources` and `env` may hold placeholders. Keys of `resources` are the IR's, in camelCase."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    resources: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Importer:
    uri: Value = None
    """A constant, or None when `uri_parameter` names the input that holds it."""
    uri_parameter: str = ""
    schema_title: str = "system.Artifact"
    schema_version: str = ""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    reimport: bool = False
    download_to_workspace: bool = False


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """What a platform spec says about the whole run; 0 and None for nothing."""

    active_deadline_seconds: int = 0
    ttl_on_completion: int = 0
    ttl_on_success: int = 0
    ttl_on_failure: int = 0
    workspace_size: str = ""
    workspace_pvc_patch: Mapping[str, Value] = field(default_factory=dict)
    semaphore_key: str = ""
    mutex_name: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline spec with its Kubernetes platform spec."""

    name: str
    display_name: str
    description: str
    sdk_version: str
    schema_version: str
    default_pipeline_root: str
    root: Component
    components: Mapping[str, Component]
    executors: Mapping[str, Container | Importer | None]
    """None for an executor of a kind that only other platforms run."""
    kubernetes: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """By executor label: the KubernetesExecutorConfig of kfp-kubernetes, as JSON."""
    config: PipelineConfig = PipelineConfig()
