"""Enumerations of the KFP API v2beta1, by their wire names.

Source: kubeflow/pipelines 2.17, backend/api/v2beta1/{run,experiment,artifact}.proto.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class RuntimeState(StrEnum):
    """Of a run, and of a task (a task is never CANCELING or PAUSED)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    CACHED = "CACHED"
    """Tasks only: outputs were taken from an earlier execution."""
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset(
    {
        RuntimeState.SUCCEEDED,
        RuntimeState.SKIPPED,
        RuntimeState.CACHED,
        RuntimeState.FAILED,
        RuntimeState.CANCELED,
    }
)


class StorageState(StrEnum):
    AVAILABLE = "AVAILABLE"
    ARCHIVED = "ARCHIVED"


class TaskType(StrEnum):
    ROOT = "ROOT"
    RUNTIME = "RUNTIME"
    CONDITION_BRANCH = "CONDITION_BRANCH"
    CONDITION = "CONDITION"
    LOOP = "LOOP"
    LOOP_ITERATION = "LOOP_ITERATION"
    EXIT_HANDLER = "EXIT_HANDLER"
    IMPORTER = "IMPORTER"
    DAG = "DAG"


class IOType(StrEnum):
    """How an artifact or parameter relates to a task."""

    UNSPECIFIED = "UNSPECIFIED"
    COMPONENT_DEFAULT_INPUT = "COMPONENT_DEFAULT_INPUT"
    TASK_OUTPUT_INPUT = "TASK_OUTPUT_INPUT"
    COMPONENT_INPUT = "COMPONENT_INPUT"
    RUNTIME_VALUE_INPUT = "RUNTIME_VALUE_INPUT"
    COLLECTED_INPUTS = "COLLECTED_INPUTS"
    ITERATOR_INPUT = "ITERATOR_INPUT"
    ITERATOR_INPUT_RAW = "ITERATOR_INPUT_RAW"
    ITERATOR_OUTPUT = "ITERATOR_OUTPUT"
    OUTPUT = "OUTPUT"
    ONE_OF_OUTPUT = "ONE_OF_OUTPUT"
    TASK_FINAL_STATUS_OUTPUT = "TASK_FINAL_STATUS_OUTPUT"


class ArtifactType(StrEnum):
    """The API's names; `system.Metrics` is Metric, as upstream."""

    TYPE_UNSPECIFIED = "TYPE_UNSPECIFIED"
    Artifact = "Artifact"
    Model = "Model"
    Dataset = "Dataset"
    HTML = "HTML"
    Markdown = "Markdown"
    Metric = "Metric"
    ClassificationMetric = "ClassificationMetric"
    SlicedClassificationMetric = "SlicedClassificationMetric"


class PredicateOperation(IntEnum):
    """Of a filter. The SDK sends the number, other clients the name."""

    OPERATION_UNSPECIFIED = 0
    EQUALS = 1
    NOT_EQUALS = 2
    GREATER_THAN = 3
    GREATER_THAN_EQUALS = 5
    LESS_THAN = 6
    LESS_THAN_EQUALS = 7
    IN = 8
    IS_SUBSTRING = 9
