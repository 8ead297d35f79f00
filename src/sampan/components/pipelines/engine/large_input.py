"""An executor input that is too long for a process's argument, handed over as a file. Pure.

The kernel takes no argument beyond 128 KiB. The SDK's executor reads its argument, then loads the component's module,
and only then parses what it read: a line before the module's first puts the file's text in place of the argument.
So the executor stays as it is, in every image and version (kfp/dsl/executor_main.py, 2.0.0 to 2.17.0). Called by
`planning`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.engine.podspec import source_at

LIMIT_BYTES = 96 * 1024
"""Of an argument. Source: MAX_ARG_STRLEN of Linux is 128 KiB."""

_INPUT = "--executor_input"
_PROLOGUE = """\
import sys
frame = sys._getframe()
while frame is not None:
    found = frame.f_locals.get("args")
    if hasattr(found, "executor_input"):
        with open({path!r}, encoding="utf-8") as file:
            found.executor_input = file.read()
        break
    frame = frame.f_back
"""


def moved(pod: Mapping[str, Any], executor_input: Mapping[str, Any], path: str) -> str:
    """Takes a long executor input out of a new pod's command; the text that must stand in the file at `path` then.

    Empty where it is short, or where the step is no Python function of the SDK: such a one is left as it is.
    """
    main = pod["spec"]["containers"][0]
    command, args = main.get("command") or [], main.get("args") or []
    place = args.index(_INPUT) + 1 if _INPUT in args[:-1] else 0
    if not place or len(args[place].encode()) <= LIMIT_BYTES or (at := source_at(command)) is None:
        return ""
    first = f"exec({_PROLOGUE.format(path=path)!r}, {{}})"
    source = command[at]
    # The SDK begins with an empty line: so every other keeps its number in a traceback.
    command[at] = first + ("" if source.startswith("\n") else "\n") + source
    args[place] = "{}"
    return json.dumps(executor_input, ensure_ascii=False)
