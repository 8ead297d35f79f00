"""Values as text and types, placeholders, conditions."""

from __future__ import annotations

import json

import pytest

from sampan.components.pipelines.api.ir_model import ParameterType
from sampan.components.pipelines.api.ir_values import normalised, parse_text, to_text
from sampan.components.pipelines.engine.conditions import Expressions
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.placeholders import (
    JobContext,
    executor_lookup,
    expand_arguments,
    local_path,
    substitute,
    substitute_value,
)

JOB = JobContext(
    run_id="r-1",
    display_name="my run",
    resource_name="p-abc",
    pipeline_name="p",
    namespace="default",
    pipeline_root="/root-of-run",
    create_time="2026-01-01T00:00:00Z",
    schedule_time="2026-01-02T00:00:00Z",
)
INPUT = {
    "inputs": {
        "parameterValues": {
            "text": "a b",
            "n": 3,
            "x": 0.5,
            "flag": True,
            "list": [1, "é"],
            "evil": "{{$}} $(HOME)",
        },
        "artifacts": {
            "data": {"artifacts": [{"name": "data", "uri": "gs://b/k", "metadata": {"rows": 7}}]},
            "none": {"artifacts": []},
        },
    },
    "outputs": {
        "parameters": {"out": {"outputFile": "/w/out"}},
        "artifacts": {"model": {"artifacts": [{"name": "model", "uri": "/a/model", "metadata": {}}]}},
        "outputFile": "/a/executor_output.json",
    },
}
LOOKUP = executor_lookup(INPUT, JOB.lookup("train", "t-1"))
LISTS = executor_lookup(INPUT, JOB.lookup("train", "t-1"), {"data", "none"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, ""),
        (True, "true"),
        (3, "3"),
        (normalised(3.0), "3"),
        (0.1, "0.1"),
        (1e22, "10000000000000000000000"),
        (-1.5e-7, "-0.00000015"),
        ([1, {"a": "b"}], '[1,{"a":"b"}]'),
    ],
)
def test_a_value_as_text(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("true", "BOOLEAN", True),
        (" 3\n", "NUMBER_INTEGER", 3),
        ("a\n", "STRING", "a\n"),
        ("{}", "STRUCT", {}),
    ],
)
def test_text_from_a_parameter_file(text, type_, value):
    assert parse_text(text, ParameterType(type_)) == value


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{$.inputs.parameters['text']}}!", "a b!"),
        ("{{$.inputs.parameters['n']}}-{{$.inputs.parameters['x']}}", "3-0.5"),
        ("{{$.inputs.parameters['list']}}", '[1,"é"]'),
        ("{{$.inputs.artifacts['data'].uri}} {{$.inputs.artifacts['data'].path}}", "gs://b/k /gcs/b/k"),
        ("{{$.inputs.artifacts['data'].metadata['rows']}}", "7"),
        ("{{$.inputs.artifacts['data'].metadata}}", '{"rows":7}'),
        ("{{$.outputs.artifacts['model'].path}}", "/a/model"),
        ("{{$.outputs.parameters['out'].output_file}}", "/w/out"),
        ("{{$.outputs.output_file}}", "/a/executor_output.json"),
        ("{{$.pipeline_job_name}} {{$.pipeline_job_uuid}} {{$.pipeline_task_name}}", "my run r-1 train"),
        ("{{$.pipeline_job_resource_name}} {{$.pipeline_task_uuid}}", "p-abc t-1"),
        ("{{$.pipeline_root}} {{$.workspace_path}}", "/root-of-run /kfp-workspace"),
        ("{{$.pipeline_google_cloud_location}}", "{{$.pipeline_google_cloud_location}}"),
        ("{{ jinja }}", "{{ jinja }}"),
    ],
)
def test_a_placeholder_becomes_its_value(text, result):
    assert substitute(text, LOOKUP) == result


def test_what_comes_out_of_a_placeholder_is_not_read_again():
    assert substitute("{{$.inputs.parameters['evil']}}", LOOKUP) == "{{$}} $(HOME)"


def test_data_in_a_command_is_safe_from_kubernetes_expansion():
    found = expand_arguments(["$(NAME)", "{{$.inputs.parameters['evil']}}"], LOOKUP, lambda _: True)
    assert found == ["$(NAME)", "{{$$}} $$(HOME)"]


def test_the_whole_executor_input():
    assert json.loads(substitute("{{$}}", LOOKUP)) == INPUT


@pytest.mark.parametrize("text", ["{{$.inputs.parameters['absent']}}", "{{$.inputs.artifacts['none'].uri}}"])
def test_a_placeholder_without_value_is_an_error_that_names_it(text):
    with pytest.raises(StepError) as caught:
        substitute(text, LOOKUP)
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ('{"Concat": ["a-", "{{$.inputs.parameters[\'n\']}}"]}', ["a-3"]),
        (
            '{"IfPresent": {"InputName": "n", "Then": ["--n", "{{$.inputs.parameters[\'n\']}}"]}}',
            ["--n", "3"],
        ),
        ('{"IfPresent": {"InputName": "z", "Then": ["--z"], "Else": "none"}}', ["none"]),
        ('{"IfPresent": {"InputName": "z", "Then": ["--z"]}}', []),
        ('{"Concat": ["a", {"IfPresent": {"InputName": "z", "Then": "b", "Else": "c"}}]}', ["ac"]),
        ('{"Concatenate": 1}', ['{"Concatenate": 1}']),
        ('{"Concat": broken', ['{"Concat": broken']),
    ],
)
def test_concat_and_if_present(argument, arguments):
    assert expand_arguments([argument], LOOKUP, {"n"}.__contains__) == arguments


def test_placeholders_inside_structures():
    value = {"{{$.pipeline_task_name}}": ["{{$.pipeline_job_uuid}}", 1]}
    assert substitute_value(value, JOB.lookup("train", "t")) == {"train": ["r-1", 1]}


@pytest.mark.parametrize(
    ("uri", "path"),
    [("s3://b/k", "/s3/b/k"), ("minio://b/k", "/minio/b/k"), ("/plain", "/plain"), ("file:///x", "/x")],
)
def test_where_an_artifact_lies(uri, path):
    assert local_path(uri) == path


VALUES = {"side": "heads", "n": 5, "text": "7", "flag": True, "nothing": None}


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        ("inputs.parameter_values['side'] == 'heads'", True),
        ("!(inputs.parameter_values['side'] == 'heads') && inputs.parameter_values['n'] == 5", False),
        ("int(inputs.parameter_values['n']) > 3", True),
        ("int(inputs.parameter_values['text']) >= int(inputs.parameter_values['n'])", True),
        ("inputs.parameter_values['n'] == 5.0", True),
        ("inputs.parameter_values['n'] / 2.0 == 2.5", True),
        ("inputs.parameter_values['flag'] == true", True),
        ("inputs.parameter_values['nothing'] == ''", False),
    ],
)
def test_a_condition(condition, result):
    assert Expressions().condition(condition, VALUES, {}) is result


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("inputs.parameter_values['absent'] == 'x'", "there is no 'absent'"),
        ("inputs.parameter_values['n']", "not true or false"),
        ("1 +", "cannot be evaluated"),
    ],
)
def test_a_condition_that_cannot_be_decided_says_why(condition, message):
    with pytest.raises(StepError) as caught:
        Expressions().condition(condition, VALUES, {})
    assert message in caught.value.message


def test_a_selector_reads_into_a_value():
    expressions = Expressions()
    assert expressions.select({"a": {"b": [1, 2]}}, 'parseJson(string_value)["a"]') == {"b": [1, 2]}
    assert expressions.select('{"a": 1.0}', 'parseJson(string_value)["a"]') == 1
    assert expressions.select({"a": 1}, "struct_value.a") == 1


def test_a_list_of_artifacts_as_a_whole_is_a_list():
    assert json.loads(substitute("{{$.inputs.artifacts['data']}}", LISTS)) == [
        {"name": "data", "uri": "gs://b/k", "metadata": {"rows": 7}}
    ]
    assert substitute("{{$.inputs.artifacts['none']}}", LISTS) == "[]"
    assert substitute("{{$.inputs.artifacts['data'].uri}}", LISTS) == "gs://b/k"
    assert json.loads(substitute("{{$.inputs.artifacts['data']}}", LOOKUP))["uri"] == "gs://b/k"
