"""The small languages of Argo's documents: tags, when, depends, loops, durations, resource conditions."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.argo import conditions, depends, loops
from sampan.components.pipelines.api.argo.durations import duration_text, parse_duration, seconds
from sampan.components.pipelines.api.argo.errors import AbsentError, ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, only_tag, substitute, tags
from sampan.components.pipelines.engine.argo import resources

_VARIABLES = Variables(
    {
        "workflow.name": "w",
        "inputs.parameters.n": "2",
        "steps.a.outputs.result": None,
        "item": "x",
        "item.k": "v",
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{workflow.name}}-{{ inputs.parameters.n }}", "w-2"),
        ("{{unknown}} {{not.argos}} {{", "{{unknown}} {{not.argos}} {{"),
        ("{{=asInt(inputs.parameters.n) + 1}}", "3"),
        ("{{=toJson(map([1], {{'a': #}.a}))}}|", "[1]|"),
        ("{{=steps.a.outputs.result ?? 'none'}}", "none"),
        ("{{item}} {{item.k}}", "x v"),
        ("{{={'a': {'b': 1}}}}", '{"a":{"b":1}}'),
    ],
)
def test_tags(text: str, value: str) -> None:
    assert substitute({text: [text]}, _VARIABLES) == {value: [value]}


@pytest.mark.parametrize("text", ["{{steps.a.outputs.result}}", "{{=steps.a.outputs.result}}"])
def test_an_absent_output_must_be_handled(text: str) -> None:
    with pytest.raises(AbsentError):
        substitute(text, _VARIABLES)


@pytest.mark.parametrize("text", ["{{=(" + "a}}" * 100_000, "{{" * 100_000, "{{=(" * 1000 + "}}" * 1000])
def test_no_text_of_tags_takes_long(text: str) -> None:
    assert len(tags(text)) <= 1000


def test_a_text_that_is_one_tag() -> None:
    assert only_tag(" {{a.b}} ") is not None
    assert only_tag("{{a.b}}x") is None
    assert [tag.text for tag in tags("{{a}}{{=b}}")] == ["a", "b"]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("heads == heads", True),
        ("heads != 'heads'", False),
        ("3 > 2 && 'a' != b", True),
        ("( 5 >= 2 ) || false", True),
        ("5 % 2 == 1 && !(1 == 2)", True),
        ("1 == '1'", False),
        ("a in (a, b)", True),
        ("'abc' =~ '^a'", True),
        ("b > a", True),
        ("", True),
        ("false", False),
    ],
)
def test_when(when: str, holds: bool) -> None:
    assert conditions.holds(when) is holds


@pytest.mark.parametrize("when", [" == heads", "heads", "a > 1", "foo bar", "(a == a"])
def test_what_is_no_condition(when: str) -> None:
    with pytest.raises(ArgoError):
        conditions.holds(when)


def test_depends() -> None:
    had = {("a", "Succeeded"), ("b", "Failed")}
    term = depends.parse("(a || c.Failed) && b.Failed && !b.Succeeded")
    assert term.holds(lambda task, result: (task, result) in had)
    assert sorted(set(term.tasks())) == ["a", "b", "c"]
    older = depends.condition({"dependencies": ["b"]}, {"b": {"continueOn": {"failed": True}}})
    assert older.holds(lambda task, result: (task, result) in had)


@pytest.mark.parametrize("text", ["a &&", "a.Won", "a b", "(a"])
def test_bad_depends(text: str) -> None:
    with pytest.raises(ArgoError):
        depends.parse(text)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ({"count": "3"}, ["0", "1", "2"]),
        ({"count": 2, "start": 10}, ["10", "11"]),
        ({"start": "1", "end": "3"}, ["1", "2", "3"]),
        ({"start": "3", "end": "1"}, ["3", "2", "1"]),
        ({"count": 2, "format": "user%02X!"}, ["user00!", "user01!"]),
    ],
)
def test_sequences(given: dict[str, Any], items: list[str]) -> None:
    assert loops.sequence(given) == items


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"count": "x"},
        {"count": 1, "end": 2},
        {"count": 10**9},
        {"count": 1, "format": "%999999999d"},
        {"count": 1, "format": "%s"},
    ],
)
def test_bad_sequences(given: dict[str, Any]) -> None:
    with pytest.raises(ArgoError):
        loops.sequence(given)


def test_items_of_a_loop() -> None:
    assert loops.variables_of({"a": 1, "b": {"c": True}}) == {
        "item": '{"a":1,"b":{"c":true}}',
        "item.a": "1",
        "item.b": '{"c":true}',
    }
    assert loops.name_of("s", 2, {"b": 1, "a": "x"}) == "s(2:a:x,b:1)"
    found = loops.aggregate([({"p": "1"}, "3"), ({"p": "x"}, "text"), ({}, None)])
    assert found["outputs.result"] == '[3,"text"]'
    assert found["outputs.parameters"] == '[{"p":"1"},{"p":"x"}]'
    assert found["outputs.parameters.p"] == '["1","x"]'


def test_durations() -> None:
    assert seconds("1h1m1.5s") == 3661.5
    assert seconds("10") == seconds(10) == 10
    assert duration_text(parse_duration("90m")) == "1h30m0s"
    with pytest.raises(ArgoError):
        parse_duration("soon")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("status.succeeded > 2", True),
        ("status.succeeded > 2, status.phase == Running", True),
        ("status.phase in (Failed, Running)", True),
        ("status.missing", False),
        ("!status.missing", True),
        ("status.phase != Running", False),
    ],
)
def test_conditions_of_resources(condition: str, holds: bool) -> None:
    assert resources.holds(condition, {"status": {"succeeded": 3, "phase": "Running"}}) is holds
