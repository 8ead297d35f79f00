"""Imports what every model server needs: named in `preload` of images, so that a pod is forked with all of it loaded.

Nothing here starts a thread, opens a file that stays open or reads what a pod sets.
"""

import importlib

_PACKAGE = "sampan.components.serving.engine.programs.modelserver"
_MODULES = ("program", "serving", "application", "workers", "grpc_service")
_LIBRARIES = ("asyncio", "numpy", "orjson", "httptools", "uvloop")

for _name in (*_LIBRARIES, *(f"{_PACKAGE}.{module}" for module in _MODULES)):
    try:
        importlib.import_module(_name)
    except ImportError:
        # The program says so when it needs it.
        continue
