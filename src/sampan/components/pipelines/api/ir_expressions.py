"""Conditions and selectors at upload: CEL that does not parse, or reads what its task does not have.

Called by `ir_validate`; the engine's `conditions` evaluates them. Source: backend/src/v2/expression/expression.go,
kubeflow/pipelines 2.17.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sampan.components.pipelines.api.ir_values import shortened
from sampan.lib.common_expressions import cel

_PARAMETER = re.compile(r"""\binputs\.parameter_values\[(['"])(.+?)\1\]""")
_ARTIFACT = re.compile(r"""\binputs\.artifacts\[(['"])(.+?)\1\]""")
_MACRO_VARIABLE = re.compile(r"\(\s*(\w+)\s*,")
"""`x` of `list.exists(x, …)`."""
_CONDITION_VARIABLES = frozenset({"inputs", "outputs"})
_SELECTOR_VARIABLES = frozenset(
    {"null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"}
)


def condition_problems(
    place: str, expression: str, parameters: Collection[str], artifacts: Collection[str]
) -> Iterator[str]:
    """`parameters` and `artifacts` are the inputs of the task that has the condition."""
    problem = _problem(expression, _CONDITION_VARIABLES)
    if problem:
        yield f"{place}: {shortened(expression)!r}: {problem}"
        return
    for pattern, known, what in (
        (_PARAMETER, parameters, "input parameter"),
        (_ARTIFACT, artifacts, "input artifact"),
    ):
        for found in pattern.finditer(expression):
            if found[2] not in known:
                yield f'{place}: reads the {what} "{found[2]}", which the task has not'


def selector_problems(place: str, expression: str) -> Iterator[str]:
    if problem := _problem(expression, _SELECTOR_VARIABLES):
        yield f"{place}: {shortened(expression)!r}: {problem}"


def _problem(expression: str, variables: Collection[str]) -> str:
    try:
        program = cel().compile(expression)
    except (ValueError, RuntimeError) as error:
        lines = [line for line in str(error).splitlines() if "ERROR:" in line]
        return "it is no CEL: " + (lines[0].partition("ERROR:")[2].strip() if lines else str(error))
    own = {found[1] for found in _MACRO_VARIABLE.finditer(expression)}
    unknown = sorted(set(program.variables()) - set(variables) - own)
    return f"there is no {unknown[0]!r} here; known are {', '.join(sorted(variables))}" if unknown else ""
