"""Alibi, made to be imported by a current Python without the libraries that it may do without.

At the place of a library that is not there Alibi 0.9.4 has an object that raises ImportError whatever is asked of it.
Python's `typing` since 3.11 asks its arguments for `__typing_subst__`, and Alibi names such objects in types.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

_MODULE = "alibi.utils.missing_optional_dependency"


def alibi() -> Any:
    """The library. Raises ImportError where it is not there."""
    if "alibi" not in sys.modules:
        _mend()
    return importlib.import_module("alibi")


def _mend() -> None:
    found = importlib.util.find_spec("alibi")
    if found is None or not found.submodule_search_locations:
        raise ImportError("This environment has no Alibi: use the image seldonio/alibiexplainer.")
    file = Path(found.submodule_search_locations[0], "utils", "missing_optional_dependency.py")
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    if spec is None or spec.loader is None or not file.is_file():
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing: Any = getattr(module, "MissingDependency", None)
    if missing is None:
        return
    told = missing.__getattr__

    def asked(self: Any, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return told(self, name)

    missing.__getattr__ = asked
    sys.modules[_MODULE] = module
