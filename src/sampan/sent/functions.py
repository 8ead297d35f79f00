"""Functions as bytes, by value: what they close over and the user's own modules come along, packages do not.

Whatever is made here is unpickled by programs in pods, never by the server.
"""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sampan.sent.sources import SourcesError


def pickled(value: Any, what: str = "the call") -> bytes:
    """Raises SourcesError, which begins with `what`, for what cannot be sent."""
    cloudpickle: Any = import_module("cloudpickle")
    try:
        with _by_value(cloudpickle, _local_modules()):
            data: bytes = cloudpickle.dumps(value)
    except Exception as error:
        raise SourcesError(f"{what} cannot be sent: {error}") from error
    return data


def pickler_files() -> dict[str, bytes]:
    """The cloudpickle that pickles here, to be imported there from the folder `_sampan`."""
    package: Any = import_module("cloudpickle")
    folder = Path(str(package.__file__)).parent
    return {f"_sampan/cloudpickle/{each.name}": each.read_bytes() for each in folder.glob("*.py")}


@contextmanager
def _by_value(cloudpickle: Any, modules: Iterable[ModuleType]) -> Iterator[None]:
    registered = []
    try:
        for module in modules:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                registered.append(module)
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


def _local_modules() -> list[ModuleType]:
    """Modules that are the user's own: they lie in no place for installed ones."""
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    installed = [
        Path(path).resolve() for path in {*paths, *site.getsitepackages(), site.getusersitepackages()} if path
    ]
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if (
            not file
            or name == "__main__"
            or not str(file).endswith(".py")
            or name.partition(".")[0] == "sampan"
        ):
            continue
        place = Path(file).resolve()
        if not any(place.is_relative_to(each) for each in installed) and module.__name__ == name:
            found.append(module)
    return found
