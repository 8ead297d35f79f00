"""How a model comes to be: by a runtime of ours, a file with a function `load`, or a class of the user's.

Each is found when it is named, and no other is imported: an environment has the libraries of one.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from types import ModuleType

from sampan.components.serving.engine.programs.modelserver.contract import Loader, LoadError

_RUNTIMES = "sampan.components.serving.engine.programs.modelserver.runtimes"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def runtime(name: str) -> Loader:
    """Raises LoadError."""
    if name.endswith(".py"):
        module = _from_file(name)
    elif not _NAME.fullmatch(name):
        raise LoadError(f"--runtime has to be the name of a runtime or the path of a .py file, not {name!r}")
    else:
        module = _imported(f"{_RUNTIMES}.{name}", f"there is no runtime {name!r}")
    loader = getattr(module, "load", None)
    if not callable(loader):
        raise LoadError(f"the runtime {name!r} has no function load")
    return loader  # type: ignore[no-any-return]


def of_class(reference: str) -> type:
    """FILE.py:CLASS or MODULE:CLASS. Raises LoadError."""
    place, colon, name = reference.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise LoadError(f"--model_class has to be FILE.py:CLASS or MODULE:CLASS, not {reference!r}")
    if place.endswith(".py"):
        module = _from_file(place)
    else:
        sys.path.insert(0, os.getcwd())
        module = _imported(place, f"there is no module {place!r}")
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise LoadError(f"{place} has no class {name}")
    return found


def _from_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise LoadError(f"there is no file {path}")
    name = os.path.basename(path)[:-3]
    # As a script finds its neighbours, and as `pickle` finds classes by the module's name.
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _imported(name: str, otherwise: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise LoadError(otherwise) from None
        raise LoadError(
            f"{error}: the environment has not what it needs; add it to the image's requirements (images.toml)"
        ) from error
