"""From the IR's JSON to the typed tree of `ir_model`.

Called by `ir.load` with documents that the protobuf schema has accepted, so shapes are known to be right; what the
schema cannot see is left to `ir_validate`. Fields may be written in camelCase or, as protobuf allows, in snake_case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.ir_model import (
    ArtifactInput,
    ArtifactSlot,
    Component,
    ComponentInput,
    Constant,
    Container,
    Dag,
    FinalStatus,
    Importer,
    Iterator,
    Parameter,
    ParameterInput,
    ParameterType,
    Pipeline,
    PipelineConfig,
    RetryPolicy,
    Task,
    TaskOutput,
    Value,
)
from sampan.components.pipelines.api.ir_values import normalised

_Json = Mapping[str, Any]

# The numbers of ParameterType in the proto, which its JSON form may use instead of names.
_TYPE_BY_NUMBER = dict(enumerate(ParameterType, start=1))
_DEPRECATED_TYPES = {
    "INT": ParameterType.NUMBER_INTEGER,
    "DOUBLE": ParameterType.NUMBER_DOUBLE,
    "STRING": ParameterType.STRING,
}
_CAPITAL = re.compile(r"[A-Z]")


def field(message: _Json, name: str, default: Any = None) -> Any:
    """A field by its camelCase name, in whichever of its two spellings it was written; null counts as unset."""
    value = message.get(name)
    if value is None:
        value = message.get(_CAPITAL.sub(lambda found: "_" + found[0].lower(), name))
    return default if value is None else value


def parse_pipeline(spec: _Json, platform: _Json) -> Pipeline:
    """`spec` is a PipelineSpec, `platform` a PlatformSpec or empty."""
    info = field(spec, "pipelineInfo", {})
    deployment = field(spec, "deploymentSpec", {})
    name = field(info, "name", "")
    kubernetes = field(field(platform, "platforms", {}), "kubernetes", {})
    return Pipeline(
        name=name,
        display_name=field(info, "displayName", "") or name,
        description=field(info, "description", ""),
        sdk_version=field(spec, "sdkVersion", ""),
        schema_version=field(spec, "schemaVersion", ""),
        default_pipeline_root=field(spec, "defaultPipelineRoot", ""),
        root=_component("root", field(spec, "root", {})),
        components={key: _component(key, item) for key, item in field(spec, "components", {}).items()},
        executors={key: _executor(item) for key, item in field(deployment, "executors", {}).items()},
        kubernetes=dict(field(field(kubernetes, "deploymentSpec", {}), "executors", {})),
        config=_config(field(kubernetes, "pipelineConfig", {})),
    )


def parse_parameter_input(message: _Json) -> ParameterInput:
    """A TaskInputsSpec.InputParameterSpec; kfp-kubernetes uses the same message for names of secrets and such."""
    selector = field(message, "parameterExpressionSelector", "")
    if (output := field(message, "taskOutputParameter")) is not None:
        key = field(output, "outputParameterKey", "")
        return ParameterInput(TaskOutput(field(output, "producerTask", ""), key), selector)
    if (name := field(message, "componentInputParameter")) is not None:
        return ParameterInput(ComponentInput(name), selector)
    if (status := field(message, "taskFinalStatus")) is not None:
        return ParameterInput(FinalStatus(field(status, "producerTask", "")), selector)
    return ParameterInput(Constant(_constant(field(message, "runtimeValue", {}))), selector)


def _constant(message: _Json) -> Value:
    """Of a ValueOrRuntimeParameter, in its present form or the deprecated one."""
    if (old := field(message, "constantValue")) is not None:
        for kind in ("intValue", "doubleValue", "stringValue"):
            if (value := field(old, kind)) is not None:
                return int(value) if kind == "intValue" else normalised(value)
    return normalised(message.get("constant"))


def _component(name: str, message: _Json) -> Component:
    inputs = field(message, "inputDefinitions", {})
    outputs = field(message, "outputDefinitions", {})
    dag = field(message, "dag")
    return Component(
        name=name,
        input_parameters=_parameters(inputs),
        input_artifacts=_artifacts(inputs),
        output_parameters=_parameters(outputs),
        output_artifacts=_artifacts(outputs),
        dag=_dag(dag) if dag is not None else None,
        executor_label=field(message, "executorLabel", ""),
        passthroughs={
            str(field(item, "field", "NONE")): bool(field(item, "applyToTask", False))
            for item in field(message, "taskConfigPassthroughs", [])
        },
    )


def _parameters(definitions: _Json) -> dict[str, Parameter]:
    return {key: _parameter(item) for key, item in field(definitions, "parameters", {}).items()}


def _artifacts(definitions: _Json) -> dict[str, ArtifactSlot]:
    return {key: _artifact_slot(item) for key, item in field(definitions, "artifacts", {}).items()}


def _parameter(message: _Json) -> Parameter:
    declared = field(message, "parameterType")
    if declared is None:
        type_ = _DEPRECATED_TYPES.get(str(field(message, "type", "")), ParameterType.STRING)
    elif isinstance(declared, int):
        type_ = _TYPE_BY_NUMBER.get(declared, ParameterType.STRING)
    else:
        known = declared in ParameterType.__members__
        type_ = ParameterType(declared) if known else ParameterType.STRING
    default = field(message, "defaultValue")
    return Parameter(
        type=type_,
        optional=bool(field(message, "isOptional", False)),
        has_default=default is not None,
        default=normalised(default),
        literals=tuple(normalised(field(message, "literals", []))),
    )


def _artifact_slot(message: _Json) -> ArtifactSlot:
    schema = field(message, "artifactType", {})
    return ArtifactSlot(
        schema_title=field(schema, "schemaTitle", "") or "system.Artifact",
        schema_version=field(schema, "schemaVersion", ""),
        instance_schema=field(schema, "instanceSchema", ""),
        is_list=bool(field(message, "isArtifactList", False)),
        optional=bool(field(message, "isOptional", False)),
        metadata=normalised(field(message, "metadata", {})),
    )


def _dag(message: _Json) -> Dag:
    outputs = field(message, "outputs", {})
    return Dag(
        tasks={key: _task(key, item) for key, item in field(message, "tasks", {}).items()},
        parameters={
            key: _parameter_selectors(item) for key, item in field(outputs, "parameters", {}).items()
        },
        artifacts={
            key: tuple(
                TaskOutput(field(selector, "producerSubtask", ""), field(selector, "outputArtifactKey", ""))
                for selector in field(item, "artifactSelectors", [])
            )
            for key, item in field(outputs, "artifacts", {}).items()
        },
    )


def _parameter_selectors(message: _Json) -> tuple[TaskOutput, ...]:
    single = field(message, "valueFromParameter")
    selectors = (
        [single]
        if single is not None
        else field(field(message, "valueFromOneof", {}), "parameterSelectors", [])
    )
    return tuple(
        TaskOutput(field(selector, "producerSubtask", ""), field(selector, "outputParameterKey", ""))
        for selector in selectors
    )


def _task(name: str, message: _Json) -> Task:
    inputs = field(message, "inputs", {})
    trigger = field(message, "triggerPolicy", {})
    caching = field(message, "cachingOptions", {})
    return Task(
        name=name,
        display_name=field(field(message, "taskInfo", {}), "name", "") or name,
        component=field(field(message, "componentRef", {}), "name", ""),
        parameters={
            key: parse_parameter_input(item) for key, item in field(inputs, "parameters", {}).items()
        },
        artifacts={key: _artifact_input(item) for key, item in field(inputs, "artifacts", {}).items()},
        dependent_tasks=tuple(field(message, "dependentTasks", [])),
        condition=field(trigger, "condition", ""),
        after_completion=field(trigger, "strategy") in ("ALL_UPSTREAM_TASKS_COMPLETED", 2),
        iterator=_iterator(message),
        retry=_retry(field(message, "retryPolicy", {})),
        enable_cache=bool(field(caching, "enableCache", False)),
        cache_key=field(caching, "cacheKey", ""),
    )


def _artifact_input(message: _Json) -> ArtifactInput:
    if (output := field(message, "taskOutputArtifact")) is not None:
        return TaskOutput(field(output, "producerTask", ""), field(output, "outputArtifactKey", ""))
    return ComponentInput(field(message, "componentInputArtifact", ""))


def _iterator(task: _Json) -> Iterator | None:
    limit = int(field(field(task, "iteratorPolicy", {}), "parallelismLimit", 0))
    if (parameters := field(task, "parameterIterator")) is not None:
        items = field(parameters, "items", {})
        return Iterator(
            item_input=field(parameters, "itemInput", ""),
            raw_items=field(items, "raw", ""),
            items_input=field(items, "inputParameter", ""),
            parallelism_limit=max(limit, 0),
        )
    if (artifacts := field(task, "artifactIterator")) is not None:
        return Iterator(
            item_input=field(artifacts, "itemInput", ""),
            items_input=field(field(artifacts, "items", {}), "inputArtifact", ""),
            over_artifacts=True,
            parallelism_limit=max(limit, 0),
        )
    return None


def _retry(message: _Json) -> RetryPolicy:
    return RetryPolicy(
        max_retry_count=max(int(field(message, "maxRetryCount", 0)), 0),
        backoff_seconds=_duration_seconds(field(message, "backoffDuration", "0s")),
        backoff_factor=float(field(message, "backoffFactor", 2.0)) or 2.0,
        backoff_max_seconds=_duration_seconds(field(message, "backoffMaxDuration", "3600s")),
    )


def _duration_seconds(text: str) -> float:
    """A google.protobuf.Duration in JSON, `1.5s`; the schema has checked its form."""
    return max(float(text.rstrip("s") or 0), 0.0)


def _executor(message: _Json) -> Container | Importer | None:
    if (container := field(message, "container")) is not None:
        return Container(
            image=field(container, "image", ""),
            command=tuple(field(container, "command", [])),
            args=tuple(field(container, "args", [])),
            env=tuple(
                (field(item, "name", ""), field(item, "value", "")) for item in field(container, "env", [])
            ),
            resources=field(container, "resources", {}),
        )
    if (importer := field(message, "importer")) is not None:
        return _importer(importer)
    return None


def _importer(message: _Json) -> Importer:
    uri = field(message, "artifactUri", {})
    schema = field(message, "typeSchema", {})
    parameter = field(uri, "runtimeParameter", "")
    return Importer(
        uri=None if parameter else _constant(uri),
        uri_parameter=parameter,
        schema_title=field(schema, "schemaTitle", "") or "system.Artifact",
        schema_version=field(schema, "schemaVersion", ""),
        metadata=normalised(field(message, "metadata", {})),
        reimport=bool(field(message, "reimport", False)),
        download_to_workspace=bool(field(message, "downloadToWorkspace", False)),
    )


def _config(message: _Json) -> PipelineConfig:
    workspace = field(message, "workspace", {})
    return PipelineConfig(
        active_deadline_seconds=int(field(message, "activeDeadlineSeconds", 0)),
        ttl_on_completion=int(field(message, "resourceTtlOnCompletion", 0)),
        ttl_on_success=int(field(message, "resourceTtlOnSuccess", 0)),
        ttl_on_failure=int(field(message, "resourceTtlOnFailure", 0)),
        workspace_size=field(workspace, "size", ""),
        workspace_pvc_patch=normalised(field(field(workspace, "kubernetes", {}), "pvcSpecPatch", {})),
        semaphore_key=str(field(message, "semaphoreKey", "")),
        mutex_name=str(field(message, "mutexName", "")),
    )
