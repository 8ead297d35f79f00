"""`engine.template.generator`, against what generator_test.go of kubeflow/katib 0.19 expects."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sampan.components.tuning.engine.template.generator import (
    Template,
    TemplateError,
    is_metadata,
    parse,
    run_spec,
    substituted,
)

_PARAMETERS = (("learningRate", "lr"), ("numberLayers", "num-layers"))
_VALUES = {"lr": "0.05", "num-layers": "5"}


def job(*command: str) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": {"env": "test"}, "annotations": {"note": "a b"}},
        "spec": {"template": {"spec": {"containers": [{"name": "main", "command": list(command)}]}}},
    }


def command(made: dict[str, Any]) -> list[str]:
    found: list[str] = made["spec"]["template"]["spec"]["containers"][0]["command"]
    return found


def made(template: Template, values: dict[str, str] = _VALUES) -> dict[str, Any]:
    return run_spec(template, "trial-name", "trial-namespace", values)


def test_values_stand_where_their_names_were() -> None:
    source = job("--lr=${trialParameters.learningRate}", "${trialParameters.numberLayers}x")
    found = made(Template(source, _PARAMETERS))
    assert command(found) == ["--lr=0.05", "5x"]
    assert found["metadata"] == {
        "name": "trial-name",
        "namespace": "trial-namespace",
        "labels": {"env": "test"},
        "annotations": {"note": "a b"},
    }
    assert "name" not in source["metadata"]


def test_what_is_put_in_is_the_same_as_in_the_whole_and_the_template_stays_as_it_was() -> None:
    source = {
        **job("--lr=${trialParameters.learningRate}", "plain"),
        "more": [{"${trialParameters.numberLayers}": {"a": "${trialParameters.learningRate}"}}, 1, None, []],
        "text": "${trialParameters.numberLayers} ${trialParameters.numberLayers} ${other}",
    }
    before, template = copy.deepcopy(source), Template(source, _PARAMETERS)
    values = {"learningRate": "0.05", "numberLayers": "5"}
    for _ in range(2):
        found = made(template)
        whole = substituted(before, values.get)
        assert {**found, "metadata": {}} == {**whole, "metadata": {}}
        assert found["more"][0] == {"5": {"a": "0.05"}}
        assert source == before
    assert command(made(template, {"lr": "1", "num-layers": "2"}))[0] == "--lr=1"


def test_a_value_is_only_a_value() -> None:
    source = job("${trialParameters.learningRate}", "${trialParameters.numberLayers}")
    odd = {"lr": 'a"b\\c\n: {}', "num-layers": "${trialParameters.learningRate}"}
    assert command(made(Template(source, _PARAMETERS), odd)) == [odd["lr"], odd["num-layers"]]


def test_metadata_of_the_template_and_the_trial() -> None:
    references = (
        "${trialSpec.Name}",
        "${trialSpec.Namespace}",
        "${trialSpec.Kind}",
        "${trialSpec.APIVersion}",
        "${trialSpec.Annotations[note]}",
        "${trialSpec.Labels[env]}",
    )
    assert all(map(is_metadata, references))
    names = [f"p{number}" for number in range(len(references))]
    source = job(*(f"${{trialParameters.{name}}}" for name in names))
    found = made(Template(source, tuple(zip(names, references, strict=True))), {})
    assert command(found) == ["trial-name", "trial-namespace", "Job", "batch/v1", "a b", "test"]


@pytest.mark.parametrize(
    ("parameters", "values", "message"),
    [
        ((("a", "lr"),), {}, "refer to the parameter 'lr', which is not among those suggested: none"),
        ((("a", "lr"),), _VALUES, "no trialParameter refers to the parameters num-layers"),
        (
            (("a", "${trialSpec.Nonsense}"),),
            {},
            r"illegal reference of trial metadata: \$\{trialSpec.Nonsense}",
        ),
        ((("a", "${trialSpec.Labels[no]}"),), {}, "failed to fetch Label: no"),
        ((("a", "${trialSpec.Annotations[no]}"),), {}, "failed to fetch Annotation: no"),
    ],
)
def test_what_cannot_be_put_in(parameters: Any, values: dict[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        made(Template(job("${trialParameters.a}"), parameters), values)


def test_text_of_a_config_map_is_read_after_values_are_put_in() -> None:
    text = """
    apiVersion: v1
    kind: Thing
    spec:
      replicas: ${trialParameters.n}
      rate: ${trialParameters.rate}
      shown: "${trialParameters.n}"
      since: 2026-01-01
    """
    found = made(Template(text, (("n", "n"), ("rate", "rate"))), {"n": "3", "rate": "1e-05"})
    assert found["spec"] == {"replicas": 3, "rate": 1e-05, "shown": "3", "since": "2026-01-01"}


@pytest.mark.parametrize("text", ["[1, 2]", "", "a: b: c", "just text"])
def test_text_that_is_no_object(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)


def test_a_text_of_nothing_but_beginnings_is_read_at_once() -> None:
    text = "${trialParameters." * 50_000
    made = substituted({"kind": "Job", "text": text}, lambda _name: "")
    assert made["text"] == text


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
        "kind: &a [*a]",
        "kind: " + "[" * 5000,
    ],
    ids=["billions", "itself", "deep"],
)
def test_a_template_that_stands_for_more_than_there_is_room_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse(text)
