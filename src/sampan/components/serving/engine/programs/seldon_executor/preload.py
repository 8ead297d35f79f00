"""Imports what every executor needs: named in `preload` of its image, so that a pod is forked with all of it loaded."""

import importlib

_PACKAGE = "sampan.components.serving.engine.programs.seldon_executor"

for _name in ("asyncio", "uvloop", f"{_PACKAGE}.main", f"{_PACKAGE}.grpc_server"):
    try:
        importlib.import_module(_name)
    except ImportError:
        # The program says so when it needs it.
        continue
