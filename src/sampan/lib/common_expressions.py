"""The package common-expression-language, as `cel()`, without its command line; loaded when there is an expression.

Importing the package imports that too, and with it an editor for terminals: half a second and 26 MiB of a server that
never shows one. The rest is 8 MiB, which a server without conditions does without, and some 20 ms once.
"""

from __future__ import annotations

import importlib
import sys
import threading
from functools import cache
from types import ModuleType
from typing import Any

_COMMAND_LINE = "cel.cli"
_LOADING = threading.Lock()


@cache
def cel() -> Any:
    """The package's module."""
    with _LOADING:
        if "cel" in sys.modules or _COMMAND_LINE in sys.modules:
            return importlib.import_module("cel")
        sys.modules[_COMMAND_LINE] = ModuleType(_COMMAND_LINE)
        try:
            return importlib.import_module("cel")
        finally:
            # Whoever asks for it by name gets the real one.
            del sys.modules[_COMMAND_LINE]
