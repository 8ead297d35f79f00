"""Compiles a Python file with `@dsl.pipeline` to the KFP IR: a program of its own, for a Python with `kfp`.

    python compile_program.py FILE OUT [NAME]

Imports nothing of Sampan. Prints the pipeline's name, or on standard error one line that says what is wrong.
The file is loaded under its own name, so that what stands below `if __name__ == "__main__"` does not run.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NoReturn


def main(file: str, out: str, wanted: str) -> None:
    from kfp import compiler
    from kfp.dsl import base_component

    module = load(file)
    found: dict[str, Any] = {}
    for value in vars(module).values():
        if isinstance(value, base_component.BaseComponent):
            found.setdefault(value.name, value)
    pipelines = {name: value for name, value in found.items() if type(value).__name__ == "GraphComponent"}
    candidates = pipelines or found
    if wanted:
        wanted = wanted.replace("_", "-")
        if wanted not in found:
            stop(f"{file}: no pipeline named {wanted!r}; there are: {', '.join(found) or 'none'}")
        chosen = found[wanted]
    elif not candidates:
        stop(f"{file}: no function decorated with @dsl.pipeline or @dsl.component")
    elif len(candidates) == 1:
        chosen = next(iter(candidates.values()))
    else:
        # A pipeline used as a part of another is not what somebody wants to run.
        outer = [value for value in candidates.values() if not used_by_another(value, candidates.values())]
        if len(outer) != 1:
            stop(f"{file}: several pipelines: {', '.join(candidates)}; choose one with --pipeline NAME")
        chosen = outer[0]
    compiler.Compiler().compile(chosen, out)
    print(chosen.name)


def used_by_another(component: Any, others: Iterable[Any]) -> bool:
    label = component.component_spec.name
    for other in others:
        if other is component:
            continue
        spec = other.pipeline_spec
        if any(name == f"comp-{label}" or name.startswith(f"comp-{label}-") for name in spec.components):
            return True
    return False


def offer_sampan() -> None:
    """`from sampan.sdk import light`, `training` and `serving` where Sampan is not installed: what pipelines use of it
    needs nothing that is not here."""
    if importlib.util.find_spec("sampan") is not None:
        return
    rooms = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = importlib.util.spec_from_file_location("sampan.sdk", os.path.join(rooms, "api", "light.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["__getattr__"] = late
    parent = ModuleType("sampan")
    vars(parent).update(sdk=module, __path__=[os.path.dirname(os.path.dirname(rooms))])
    sys.modules.update({"sampan": parent, "sampan.sdk": module})


def late(name: str) -> Any:
    """Of `sampan.sdk`, what loads only when it is named."""
    if name not in ("serving", "training"):
        raise AttributeError(f"sampan.sdk has no {name!r} where Sampan is not installed beside kfp")
    return importlib.import_module(f"sampan.components.{name}.sdk.steps")


def load(file: str) -> ModuleType:
    offer_sampan()
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(file))[0], file)
    if spec is None or spec.loader is None:
        stop(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def stop(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
    except Exception as error:  # the user's own code: its place counts, our frames do not
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == sys.argv[1]]
        place = f"{sys.argv[1]}:{frames[-1].lineno}" if frames else sys.argv[1]
        if isinstance(error, SyntaxError):
            place = f"{error.filename}:{error.lineno}"
        stop(f"{place}: {type(error).__name__}: {error}")
