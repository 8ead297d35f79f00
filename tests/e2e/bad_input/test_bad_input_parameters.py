"""A missing parameter, one of the wrong type, one that nobody asked for: named, and nothing is started."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.testing.pipelines import Component, output, parameter, pipeline, shell, task

STEP = Component("step", shell("true"), {"n": "NUMBER_INTEGER"})
SPEC = pipeline(
    "bad", {"step": task("step", n=parameter("n"))}, STEP, inputs={"n": {"parameterType": "NUMBER_INTEGER"}}
)

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({}, 'parameter "n" (NUMBER_INTEGER) has no value and no default'),
    "text for a number": ({"n": "x"}, "parameter \"n\": expected NUMBER_INTEGER, got STRING 'x'"),
    "fraction for a whole number": ({"n": 1.5}, 'parameter "n": expected NUMBER_INTEGER'),
    "list for a number": ({"n": [1]}, 'parameter "n": expected NUMBER_INTEGER'),
    "unknown": ({"n": 1, "m": 1}, 'unknown parameter "m" of the pipeline; it has: n'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rest_names_the_parameter(desk: Any, case: str) -> None:
    parameters, message = REFUSED[case]
    assert message in desk.refusal(SPEC, **parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), 'parameter "n" (NUMBER_INTEGER) has no value and no default'),
        (("--param", "n=x"), 'parameter "n": expected NUMBER_INTEGER'),
        (("--param", "n=1", "--param", "m=1"), 'unknown parameter "m" of the pipeline; it has: n'),
        (("--param", "n"), "--param 'n': write it as NAME=VALUE"),
    ],
)
def test_the_command_line_names_it_and_starts_nothing(
    desk: Any, options: tuple[str, ...], message: str
) -> None:
    said = desk.run_file(SPEC, *options)
    assert message in said.error
    assert said.out == ""


def test_a_constant_of_the_wrong_type_fails_its_task(desk: Any) -> None:
    spec = pipeline("bad", {"step": task("step", n="x")}, STEP)
    assert desk.failure(spec) == "input \"n\": expected NUMBER_INTEGER, got STRING 'x'"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("true", 'gave no output parameter "n": it neither returned it nor wrote'),
        ('mkdir -p "$(dirname "$0")"; echo many > "$0"', "expected NUMBER_INTEGER, got 'many"),
    ],
)
def test_an_output_that_is_missing_or_wrong_fails_its_task(desk: Any, script: str, message: str) -> None:
    file = "{{$.outputs.parameters['n'].output_file}}"
    make = Component("make", shell(script, file), outputs={"n": "NUMBER_INTEGER"})
    spec = pipeline("bad", {"make": task("make"), "use": task("step", n=output("make", "n"))}, make, STEP)
    assert message in desk.failure(spec, "make")
    assert json.dumps("n") in desk.failure(spec, "make")
