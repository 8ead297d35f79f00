"""The table of functions, which the modules of functions fill; names of those called on a value begin with a dot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.cluster.apiserver.cel import data

Function = Callable[..., Any]
FUNCTIONS: dict[str, Function] = {}


def function(*called: str) -> Callable[[Function], Function]:
    def register(made: Function) -> Function:
        for name in called:
            FUNCTIONS[name] = made
        return made

    return register


def need_text(name: str, *values: Any) -> None:
    for value in values:
        if not isinstance(value, str):
            raise data.no_overload(name, *values)
