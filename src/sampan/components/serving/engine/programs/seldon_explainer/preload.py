"""Imports what every explainer needs, for `preload` of its image: a pod is forked with all of it loaded."""

import contextlib
import importlib

_PACKAGE = "sampan.components.serving.engine.programs.seldon_explainer"

for _name in ("asyncio", "numpy", "uvloop", f"{_PACKAGE}.main"):
    try:
        importlib.import_module(_name)
    except ImportError:
        # The program says so when it needs it.
        continue

# Where it is not there the program says so.
with contextlib.suppress(ImportError):
    importlib.import_module(f"{_PACKAGE}.library").alibi()
