"""The package `seldon_core`, as far as users' classes need it, where the official one is not installed.

A class says `from seldon_core.user_model import SeldonComponent`; it is to run either way. What only the official
package has (its client, its Flask application) is missing, and Python says so by its name.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from sampan.components.serving.engine.programs.seldon_microservice.stand_in_modules import modules


def install() -> bool:
    """Whether the official package is there; if not, ours stands at its place from now on."""
    known = sys.modules.get("seldon_core")
    if known is not None:
        return not getattr(known, "__sampan__", False)
    if importlib.util.find_spec("seldon_core") is not None:
        return True
    for name, values in modules().items():
        made = ModuleType(name)
        made.__dict__.update(values)
        made.__dict__["__path__"] = []
        sys.modules[name] = made
        outer, _, own = name.rpartition(".")
        if outer in sys.modules and own not in sys.modules[outer].__dict__:
            setattr(sys.modules[outer], own, made)
    return False
