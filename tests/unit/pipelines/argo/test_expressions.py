"""Expressions of expr-lang, as Argo's documents use them."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.pipelines.api.argo.errors import AbsentError, ArgoError
from sampan.components.pipelines.api.argo.expressions import evaluate, identifiers

_EMPLOYEES = '{"employees":[{"name":"Ada","age":43},{"name":"Bo","age":42},{"name":"Cy","age":44}]}'
_VARIABLES = {
    "inputs": {"parameters": {"foo": "3", "my-name": "x", "json": _EMPLOYEES}},
    "steps": {"step-1": {"status": "Running", "outputs": {"parameters": {}}}},
    "data": ["a main.log", "b"],
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("asInt(inputs.parameters.foo) * 10", 30),
        ("inputs.parameters['my-name'] == 'x'", True),
        ("toJson(filter([1, 3], {# > 1}))", "[3]"),
        ('filter(data, {# endsWith "main.log"})', ["a main.log"]),
        ('steps["step-1"].status == "Running"', True),
        ("jsonpath(inputs.parameters.json, '$.employees[?(@.name==\"Ada\")].age')", [43]),
        ("jsonpath(inputs.parameters.json, '$.employees[?(@.age>42 && @.age<44)].age')", [43]),
        ("jsonpath(inputs.parameters.json, '$.employees[0:1]')", [{"name": "Ada", "age": 43}]),
        ("jsonpath(inputs.parameters.json, '$.employees[*].name')", ["Ada", "Bo", "Cy"]),
        ("jsonpath(inputs.parameters.json, '$.employees[1].age')", 42),
        ("steps['step-1'].outputs.parameters.gone ?? 'fallback'", "fallback"),
        ("inputs?.nothing?.at?.all", None),
        ("1 == 1 ? 1 : 2 == 3 ? 4 : 5", 1),
        ("2 + 3 * 4 ** 2", 50.0),
        ("-2 ** 2 == -4.0 || true", True),
        ("map(1..3, {# * 2}) | sum()", 12),
        ("reduce([1, 2, 3], #acc + #, 10)", 16),
        ("not ('a' in ['b'])", True),
        ("'a' not in ['b'] and 2 in {'2': 1} == false", True),
        ("let x = 3; x + 1", 4),
        ("'abc' matches '^a.c$'", True),
        ("len('abc') > 2 && 'x' startsWith 'x'", True),
        ("sprig.upper(sprig.trim('  a '))", "A"),
        ("sprig.int('no number')", 0),
        ("string(3.0) + string(true)", "3true"),
        ("{a: {b: 1}}.a.b", 1),
        ("[1, 2, 3][-1] + [1, 2, 3][1:][0]", 5),
    ],
)
def test_values(expression: str, value: Any) -> None:
    assert evaluate(expression, _VARIABLES) == value


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1 +", "unexpected end of expression"),
        ("unknown.x", "unknown name unknown"),
        ("'a' && true", "wants true or false"),
        ("asInt('a')", "not a whole number"),
        ("jsonpath('{}', '$.a')", "nothing is there"),
        ("1 < 'a'", "used on int and string"),
        ("1 % 0", "not zero"),
        ("'a' matches '('", "not a regular expression"),
    ],
)
def test_failures_say_what_is_wrong(expression: str, why: str) -> None:
    with pytest.raises(ArgoError, match=why):
        evaluate(expression, _VARIABLES)


def test_what_was_never_produced_is_told_apart() -> None:
    with pytest.raises(AbsentError):
        evaluate("steps['step-1'].outputs.parameters.gone + '-suffix'", _VARIABLES)


def _doubled(first: str, again: str) -> str:
    """An expression that says `again` of what it had before, fifty times."""
    lets = "".join(f"let v{n + 1} = {again.replace('x', f'v{n}')}; " for n in range(50))
    return f"let v0 = {first}; {lets}v50"


@pytest.mark.parametrize(
    "hostile",
    [
        "1..100000000",
        "map(1..1000, {map(1..1000, {map(1..1000, {#})})})",
        "repeat('x', 1000000000)",
        "(" * 500,
        "sprig.indent(1000000000, 'a')",
        "sprig.randAlpha(1000000000)",
        _doubled("10", "x * x"),
        _doubled("[1]", "concat(x, x)"),
        _doubled("'a'", "x + x"),
        _doubled("'aaaa'", "replace(x, 'a', x)"),
        _doubled("'aaaa'", "join(split(x, ''), x)"),
        _doubled("'aaaa'", "sprig.join(x, sprig.splitList('a', x))"),
    ],
)
def test_no_expression_holds_the_engine_up(hostile: str) -> None:
    with pytest.raises(ArgoError):
        evaluate(hostile, {})


def test_the_variables_that_an_expression_reads() -> None:
    found = identifiers(
        "steps['a-b'].outputs.result == 'x' ? asInt(inputs.parameters.n) : map(tasks.c.list, {#.x})"
    )
    assert {"steps.a-b.outputs.result", "inputs.parameters.n", "tasks.c.list"} <= found
