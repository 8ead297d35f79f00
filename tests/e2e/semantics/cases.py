# ruff: noqa: UP006, UP035, UP045  (runs with the oldest Python that an SDK in the tests has)
"""How `pipelines` and `on_kubernetes` say what they are and how they end. Runs with the SDK's own interpreter."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import yaml
from kfp import __version__, compiler, dsl

VERSION = tuple(int(part) for part in __version__.split(".")[:2])


@dataclasses.dataclass
class Case:
    """`tasks`: by scope path, without the root, a state or the output parameters; `said`: words in a task's message;
    `again`: states when it runs a second time; `artifacts`: by scope path and output, the type and the metadata."""

    function: Callable[..., Any]
    options: Dict[str, Any]
    arguments: Dict[str, Any]
    state: str
    error: str
    tasks: Dict[str, Any]
    said: Dict[str, str]
    again: Dict[str, str]
    artifacts: Dict[str, Any]


CASES: Dict[str, Case] = {}


def case(
    arguments: Optional[Dict[str, Any]] = None,
    *,
    state: str = "SUCCEEDED",
    error: str = "",
    tasks: Optional[Dict[str, Any]] = None,
    said: Optional[Dict[str, str]] = None,
    again: Optional[Dict[str, str]] = None,
    artifacts: Optional[Dict[str, Any]] = None,
    since: tuple = (2, 7),
    **options: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A pipeline that must end so. SDKs older than `since` do not know what it uses; `options` are of `pipeline`."""

    def take(function: Callable[..., Any]) -> Callable[..., Any]:
        if since <= VERSION:
            told = [given or {} for given in (tasks, said, again, artifacts)]
            CASES[function.__name__] = Case(function, options, arguments or {}, state, error, *told)
        return function

    return take


def main() -> None:
    """Writes a file for each into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, found in CASES.items():
        file = folder / f"{name}.yaml"
        built = dsl.pipeline(name=name.replace("_", "-"), **found.options)(found.function)
        compiler.Compiler().compile(built, str(file))
        wanted = {key: value for key, value in vars(found).items() if key not in ("function", "options")}
        wanted["documents"] = [document for document in yaml.safe_load_all(file.read_text()) if document]
        (folder / f"{name}.json").write_text(json.dumps(wanted))
        file.unlink()
