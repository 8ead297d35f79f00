"""What is found at upload that a step would find only when it is reached; and no field of the protos is forgotten."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor
from kfp.pipeline_spec import pipeline_spec_pb2

from sampan.components.pipelines.api import ir, ir_parse
from sampan.components.pipelines.api.errors import InvalidArgumentError

DOCUMENT = {
    "pipelineInfo": {"name": "p"},
    "schemaVersion": "2.1.0",
    "components": {
        "comp-step": {
            "executorLabel": "exec-step",
            "inputDefinitions": {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}},
        }
    },
    "deploymentSpec": {"executors": {"exec-step": {"container": {"image": "python:3.11"}}}},
    "root": {
        "dag": {
            "tasks": {
                "step": {
                    "componentRef": {"name": "comp-step"},
                    "inputs": {"parameters": {"n": {"runtimeValue": {"constant": 1}}}},
                }
            }
        }
    },
}


def checked(
    *, task: dict | None = None, container: dict | None = None, kubernetes: dict | None = None
) -> None:
    spec = copy.deepcopy(DOCUMENT)
    spec["root"]["dag"]["tasks"]["step"] |= task or {}
    spec["deploymentSpec"]["executors"]["exec-step"]["container"] |= container or {}
    platform = {"platforms": {"kubernetes": kubernetes}} if kubernetes else {}
    ir.validate(ir.load({"pipeline_spec": spec, "platform_spec": platform}))


def condition(text: str) -> dict:
    return {"task": {"triggerPolicy": {"condition": text}}}


def selector(text: str) -> dict:
    given = {"runtimeValue": {"constant": 1}, "parameterExpressionSelector": text}
    return {"task": {"inputs": {"parameters": {"n": given}}}}


def executor(config: dict) -> dict:
    return {"kubernetes": {"deploymentSpec": {"executors": {"exec-step": config}}}}


def resources(**found: object) -> dict:
    return {"container": {"resources": found}}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            condition("inputs.parameter_values['n'] = 1"),
            'step.triggerPolicy.condition: "inputs.parameter_values',
        ),
        (
            condition("inputs.parameter_values['m'] == 1"),
            'reads the input parameter "m", which the task has not',
        ),
        (condition("inputs.artifacts['m'].artifacts[0].uri == ''"), 'the input artifact "m"'),
        (condition("n == 1"), "there is no 'n' here; known are inputs, outputs"),
        (selector("parseJson(string_value)["), "inputs.parameters.n.parameterExpressionSelector"),
        (selector("value.a"), "there is no 'value' here"),
        (
            resources(resourceMemoryLimit="4 GB"),
            "container.resources.resourceMemoryLimit: '4 GB' is not a quantity",
        ),
        (resources(resourceCpuRequest="two"), "resourceCpuRequest: 'two'"),
        (
            resources(accelerator={"resourceType": "a/b", "resourceCount": "x"}),
            "accelerator.resourceCount: 'x'",
        ),
        (executor({"secretAsEnvs": []}), 'executors.exec-step: no field named "secretAsEnvs"'),
        (
            executor({"initContainers": [{"name": "a", "image": "b", "ports": []}]}),
            'exec-step.initContainers: no field named "ports"',
        ),
        (executor({"tolerations": ["x"]}), "exec-step.tolerations: expected a mapping, not str"),
        (executor({"imagePullPolicy": "Sometimes"}), "imagePullPolicy: 'Sometimes'"),
        (executor({"emptyDirMounts": [{"sizeLimit": "1 G"}]}), "emptyDirMounts.sizeLimit: '1 G'"),
        (
            executor({"init_containers": [{"name": "a", "resources": {"limits": {"cpu": "x"}}}]}),
            "initContainers.resources.limits.cpu: 'x'",
        ),
        ({"kubernetes": {"pipelineConfig": {"workspace": {"size": "big"}}}}, "workspace.size: 'big'"),
    ],
)
def test_what_can_never_work_is_refused_with_its_place(wrong, message):
    with pytest.raises(InvalidArgumentError) as caught:
        checked(**wrong)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "right",
    [
        condition("int(inputs.parameter_values['n']) > 10 && !(true)"),
        condition("[1, 2].exists(x, x == inputs.parameter_values['n'])"),
        selector('parseJson(string_value)["a"][0]'),
        resources(resourceMemoryLimit="{{$.inputs.parameters['pipelinechannel--memory']}}", cpuLimit=0.5),
        resources(resourceCpuLimit="500m", accelerator={"type": "nvidia.com/gpu", "count": "1"}),
        executor({"secret_as_env": [{"secret_name_parameter": {}, "key_to_env": [{"secret_key": "k"}]}]}),
        executor({"securityContext": {"runAsUser": "1000"}, "nodeSelector": {"labels": {"a": "b"}}}),
    ],
)
def test_what_can_is_not(right):
    checked(**right)


NOT_READ = {
    "PipelineSpec.RuntimeParameter": "a message that nothing refers to",
    "ArtifactTypeSchema.schema_uri": "deprecated; upstream's launcher refuses it",
    "ComponentInputsSpec.ArtifactSpec.description": "for people: shown from the stored document",
    "ComponentInputsSpec.ParameterSpec.description": "for people",
    "ComponentOutputsSpec.ArtifactSpec.description": "for people",
    "ComponentOutputsSpec.ArtifactSpec.properties": "deprecated, and not read upstream",
    "ComponentOutputsSpec.ArtifactSpec.custom_properties": "deprecated, and not read upstream",
    "ComponentOutputsSpec.ParameterSpec.description": "for people",
    "ComponentSpec.single_platform_specs": "written by no compiler; the platform spec says it",
    "PipelineDeploymentConfig.AIPlatformCustomJobSpec.custom_job": "Vertex AI only: refused at upload",
    "PipelineDeploymentConfig.ExecutorSpec.custom_job": "Vertex AI only: refused at upload",
    "PipelineDeploymentConfig.ExecutorSpec.resolver": "Vertex AI only: refused at upload",
    "PipelineDeploymentConfig.ResolverSpec.output_artifact_queries": "of the resolver",
    "PipelineDeploymentConfig.ResolverSpec.ArtifactQuerySpec.filter": "of the resolver",
    "PipelineDeploymentConfig.ResolverSpec.ArtifactQuerySpec.limit": "of the resolver",
    "PipelineDeploymentConfig.ImporterSpec.properties": "deprecated, and not read upstream",
    "PipelineDeploymentConfig.ImporterSpec.custom_properties": "deprecated, and not read upstream",
    "PipelineDeploymentConfig.PipelineContainerSpec.lifecycle": "Vertex AI only",
    "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle.pre_cache_check": "Vertex AI only",
    "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle.Exec.command": "Vertex AI only",
    "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle.Exec.args": "Vertex AI only",
    "SinglePlatformSpec.platform": "the key in `platforms` says it",
    "SinglePlatformSpec.config": "of other platforms",
}
# The resources of a container are read when its pod is made.
READERS = [ir_parse.__file__, str(Path(ir_parse.__file__).parents[1] / "engine" / "podspec.py")]


def fields(message: Descriptor, seen: set[str]) -> dict[str, str]:
    """Every field that can be reached from `message`: its place in the proto, and its name in JSON."""
    if (
        message.full_name in seen
        or message.GetOptions().map_entry
        or not message.full_name.startswith("ml_pipelines.")
    ):
        inner = message.fields_by_name.get("value") if message.GetOptions().map_entry else None
        return fields(inner.message_type, seen) if inner is not None and inner.message_type else {}
    seen.add(message.full_name)
    found = {}
    for field in message.fields:
        found[f"{message.full_name.removeprefix('ml_pipelines.')}.{field.name}"] = field.json_name
        if field.message_type is not None:
            found |= fields(field.message_type, seen)
    return found


def test_every_field_of_the_ir_is_read_or_has_a_reason():
    roots = ("PipelineSpec", "PipelineDeploymentConfig", "PlatformSpec")
    seen: set[str] = set()
    found: dict[str, str] = {}
    for root in roots:
        found |= fields(getattr(pipeline_spec_pb2, root).DESCRIPTOR, seen)
    assert len(found) > 120
    source = "".join(Path(file).read_text() for file in READERS)
    resource = {"resourceCpuLimit", "resourceMemoryLimit", "resourceCpuRequest", "resourceMemoryRequest"}
    resource |= {"cpuLimit", "memoryLimit", "cpuRequest", "memoryRequest"}  # put together from parts
    forgotten = [
        place
        for place, name in found.items()
        if place not in NOT_READ and f'"{name}"' not in source and name not in resource
    ]
    assert not forgotten
    assert not [place for place in NOT_READ if place not in found and "RuntimeParameter" not in place]
