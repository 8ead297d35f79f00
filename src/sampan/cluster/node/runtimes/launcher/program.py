"""A Python program in a forked interpreter, as `python -m MODULE ARGS` would run it.

The interpreter that the program finds differs from a fresh one only in modules that are already loaded. Its
environment, arguments, path, `__main__`, signals, traceback and way to exit are those of a new process.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import random
import runpy
import string
import sys
import tempfile
import threading
import time
import types
from typing import Any

from .ending import Ending, exit_code_of

SOURCE_PATH = "{source_path}"
"""Stands in a program's arguments, as a whole word, for the path of its source."""


class Program:
    """The program of one child. `run` comes after `adopt`, at the bottom of an otherwise empty stack."""

    def __init__(self, program: dict[str, Any], env: dict[str, str], ending: Ending) -> None:
        self._ending = ending
        self._module: str = program["module"]
        self._argv: list[str] = list(program["argv"])
        self._source: str | None = program.get("source")
        self._source_name: str = program.get("source_name") or "program.py"
        self._executable: str = program.get("executable") or sys.executable
        self._prefix: str = program.get("prefix") or ""
        self._env = env

    def adopt(self) -> None:
        """Makes the process-wide state of the interpreter the program's own."""
        os.environ.clear()
        os.environ.update(self._env)
        time.tzset()
        tempfile.tempdir = None
        _user_site()
        # Told to threads that start, not to the one that goes on after a fork.
        threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
        self._interpreter()
        argv = self._argv
        if self._source is not None:
            path = self._write_source()
            argv = [path if argument == SOURCE_PATH else argument for argument in argv]
        sys.argv = ["-m", *argv]
        if hasattr(sys, "orig_argv"):
            # By its bare name, as who runs it calls it.
            sys.orig_argv = [os.path.basename(self._executable), "-m", self._module, *argv]
        if not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
            sys.path.insert(0, os.getcwd())
        self._fresh_main()

    def run(self) -> None:
        """Runs the module as `__main__`; what it raises goes on to the interpreter, which prints it."""
        try:
            # What the interpreter itself calls for -m: the same frames, the same texts.
            runpy._run_module_as_main(self._module)  # type: ignore[attr-defined]
        except SystemExit as end:
            self._ending.exit_code = exit_code_of(end)
            raise
        except BaseException as error:
            sys.excepthook = _without_launcher(sys.excepthook)
            if not isinstance(error, KeyboardInterrupt):
                self._ending.exit_code = 1
            raise
        self._ending.exit_code = 0

    def _interpreter(self) -> None:
        """`sys.executable`, prefix and path of the pod's own layer over the environment."""
        sys.executable = self._executable
        if not self._prefix:
            return
        layer = os.path.join(
            self._prefix, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages"
        )
        places = [index for index, path in enumerate(sys.path) if path.endswith("site-packages")]
        sys.path.insert(places[0] if places else len(sys.path), layer)
        sys.prefix = sys.exec_prefix = self._prefix

    def _write_source(self) -> str:
        """What the wrapper's shell does: `mktemp -d`, then the source into a file of that folder."""
        folder = _temporary_folder(self._env.get("TMPDIR") or "/tmp")  # noqa: S108
        path = os.path.join(folder, self._source_name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(self._source or "")
        return path

    def _fresh_main(self) -> None:
        """A `__main__` as a new interpreter has it, and the module to run no longer among the loaded ones."""
        main = types.ModuleType("__main__")
        vars(main)["__builtins__"] = builtins
        if sys.version_info < (3, 14):
            vars(main)["__annotations__"] = {}
        sys.modules["__main__"] = main
        for name in _launcher_modules():
            del sys.modules[name]
        # runpy warns when the module that it runs is loaded already.
        sys.modules.pop(self._module, None)
        parent, _, child = self._module.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(child, None)


def _user_site() -> None:
    """Where packages of the user's own would be: `site` has looked that up already, for the launcher's home."""
    site = sys.modules.get("site")
    if site is not None:
        site.USER_BASE = site.USER_SITE = None  # type: ignore[attr-defined]
        site.getusersitepackages()


def _temporary_folder(parent: str) -> str:
    """As `mktemp -d` names and makes it."""
    while True:
        name = "".join(random.SystemRandom().choices(string.ascii_letters + string.digits, k=10))
        path = os.path.join(parent, "tmp." + name)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
            return path


def _launcher_modules() -> set[str]:
    package = __name__.rpartition(".")[0]
    return {name for name in sys.modules if name == package or name.startswith(package + ".")}


def _without_launcher(hook: Any) -> Any:
    """`hook`, shown a traceback that starts where the interpreter's own would."""
    folder = os.path.dirname(os.path.abspath(__file__))

    def show(kind: Any, error: BaseException, trace: Any) -> None:
        own, first = trace, trace
        while own is not None:
            if os.path.dirname(own.tb_frame.f_code.co_filename) == folder:
                first = own.tb_next
            own = own.tb_next
        sys.excepthook = hook
        hook(kind, error.with_traceback(first), first)

    return show
