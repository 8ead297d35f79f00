"""Imports what every microservice needs, for `preload` of images: a pod is forked with all of it loaded."""

import importlib

_PACKAGE = "sampan.components.serving.engine.programs.seldon_microservice"
_MODULES = ("main", "grpc_service", "servers", "examples")
_LIBRARIES = ("asyncio", "numpy", "uvloop", "yaml")

for _name in (*_LIBRARIES, *(f"{_PACKAGE}.{module}" for module in _MODULES)):
    try:
        importlib.import_module(_name)
    except ImportError:
        # The program says so when it needs it.
        continue
