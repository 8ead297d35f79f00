"""Regular expressions of users, matched in time linear in the text, as Go's RE2 does.

Python's `re` goes back and tries again: a pattern such as `(a+)+$` and a text of forty letters would hold the writer
thread for years. The Rust engine inside the `cel` package does not. Only its extension module is loaded (20 ms): the
package itself brings a command line with it (700 ms). Called by `values`, `definitions` and the CEL functions.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

MAX_PATTERN = 4096
_EXTENSION = "cel.cel"


@lru_cache(maxsize=1)
def _engine() -> Callable[[dict[str, Any]], bool]:
    program = _extension().compile("text.matches(pattern)")
    execute: Callable[[dict[str, Any]], bool] = program.execute
    return execute


def _extension() -> Any:
    loaded = sys.modules.get(_EXTENSION)
    if loaded is not None:
        return loaded
    # Finding the package does not run it.
    package = importlib.util.find_spec("cel")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for file in sorted(Path(folder).glob("cel*.so")):
            spec = importlib.util.spec_from_file_location(_EXTENSION, file)
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                # Known under its name: were it loaded a second time, by an import of the package, it would panic.
                sys.modules[_EXTENSION] = module
                spec.loader.exec_module(module)
                return module
    return importlib.import_module(_EXTENSION)


def search(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises ValueError for what is no pattern."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern has more than {MAX_PATTERN} characters")
    try:
        return bool(_engine()({"text": text, "pattern": pattern}))
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"error parsing regexp: {_reason(error)}") from error


@lru_cache(maxsize=4096)
def problem(pattern: str) -> str:
    """What is wrong with the pattern; empty when nothing is."""
    try:
        search(pattern, "")
    except ValueError as error:
        return str(error)
    return ""


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1].partition(". Check function")[0] if lines else "unknown"
    return last.removeprefix("error: ")[:200]
