"""How a forked program ends: as an interpreter ends, without taking apart what was loaded before the fork.

After its atexit handlers an interpreter clears every module and frees every object; in a forked child that copies
most of the memory shared with the launcher, for nothing, and takes longer than a short step itself. So the last
handler of all finalises what the program itself loaded and made, in the interpreter's order, and leaves. Where more
than that could matter, because of threads or of libraries with an end of their own, the interpreter does it all.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import types
import weakref

# Of `sys`, what the interpreter takes away first. Without it a finaliser could still import.
_SYS_CLEARED = (
    *("path", "argv", "ps1", "ps2", "last_exc", "last_type", "last_value", "last_traceback"),
    *("path_hooks", "path_importer_cache", "meta_path", "__interactivehook__"),
)


class Ending:
    """Made before anything else registers a handler, so that its own runs last."""

    def __init__(self) -> None:
        self.exit_code: int | None = None
        """What the program's end means, once it is known; None leaves everything to the interpreter."""
        self._known: dict[str, types.ModuleType] = {}
        self._libraries: set[str] = set()
        self._handlers = 0
        atexit.register(self._end)

    def freeze(self) -> None:
        """What is loaded now belongs to all children."""
        self._known = dict(sys.modules)
        self._libraries = _libraries()
        self._handlers = atexit._ncallbacks()

    def _end(self) -> None:
        # Before 3.10 an interpreter ends in another order; those versions are slow enough to afford their own.
        if self.exit_code is None or sys.version_info < (3, 10) or threading.active_count() > 1:
            return
        if not _libraries() <= self._libraries:
            return
        # Since 3.14 the interpreter holds all handlers until the last has run, and with them what their modules hold.
        if sys.version_info >= (3, 14) and atexit._ncallbacks() > self._handlers:
            return
        try:
            _flush()
            self._finalise()
            _flush()
        except Exception:
            # A stream that cannot be flushed: the interpreter has its own words, and its own exit code, for that.
            return
        os._exit(self.exit_code)

    def _finalise(self) -> None:
        """Source of the order: CPython, Python/pylifecycle.c, finalize_modules, 3.8 to 3.14."""
        # Functions that were registered hold the modules which they are from.
        atexit._clear()
        for name in _SYS_CLEARED:
            if hasattr(sys, name):
                setattr(sys, name, None)
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
        own = [name for name, module in sys.modules.items() if self._known.get(name) is not module]
        references = [reference for name in own for reference in _removed(name)]
        sys.modules.clear()
        gc.collect()
        for reference in reversed(references):
            _clear(reference())
        gc.collect()


def _removed(name: str) -> list[weakref.ref[types.ModuleType]]:
    """Takes a module from those loaded; the weak reference tells whether anything else still holds it."""
    module = sys.modules.pop(name)
    return [weakref.ref(module)] if isinstance(module, types.ModuleType) else []


def exit_code_of(end: SystemExit) -> int:
    """What the interpreter answers for it. Source: CPython, Python/pythonrun.c, _Py_HandleSystemExit."""
    if end.code is None:
        return 0
    return end.code & 0xFF if isinstance(end.code, int) else 1


def _clear(module: types.ModuleType | None) -> None:
    """Private names first, then the others, as the interpreter clears a module."""
    namespace = {} if module is None else vars(module)
    for is_first in (True, False):
        for name in list(namespace):
            is_private = name.startswith("_") and not name.startswith("__")
            if name != "__builtins__" and (is_private or not is_first):
                namespace[name] = None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _libraries() -> set[str]:
    """The shared libraries of this process."""
    with open("/proc/self/maps") as file:
        return {line.split(None, 5)[-1] for line in file if ".so" in line}
