"""From the command line to the launcher's loop, and in a forked child from the loop to its program."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import socket
import sys
import traceback

from . import child, mounts, supervision
from .child import Plan
from .copyonwrite import CopyOnWrite
from .ending import Ending
from .libc import PR_SET_CHILD_SUBREAPER, prctl
from .program import Program
from .server import Abilities, Launcher

COMMON_MODULES = (
    *("argparse", "bz2", "contextlib", "dataclasses", "datetime", "functools", "gettext", "hashlib"),
    *(
        "importlib.util",
        "inspect",
        "json",
        "locale",
        "logging",
        "lzma",
        "pathlib",
        "random",
        "shutil",
        "string",
    ),
    *(
        "subprocess",
        "tempfile",
        "textwrap",
        "threading",
        "traceback",
        "types",
        "typing",
        "urllib.parse",
        "uuid",
    ),
    "zipfile",
)
"""Of the standard library, what most programs import: a millisecond or two saved in each. None starts a thread."""


def _listen(path: str) -> socket.socket:
    """Binds by a relative name: a socket's path may have 107 bytes only, folders can be longer."""
    folder, name = os.path.split(path)
    os.chdir(folder)
    os.umask(0o077)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    listener.bind(name)
    listener.listen(128)
    listener.setblocking(False)
    os.chdir("/")
    return listener


def _preload(modules: list[str]) -> None:
    for name in [*COMMON_MODULES, *modules]:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc()
    # The first parser of a process compiles some patterns; its children then find them.
    argparse.ArgumentParser(prog="", description="").add_argument("--rehearsal")
    sys.stderr.flush()


def main(argv: list[str]) -> Program:
    """`SOCKET [--warm MODULE…]`. Returns in a warm child, with its program to run; else it ends the process."""
    path, warm = argv[0], argv[1:2] == ["--warm"]
    ending = Ending()
    listener = _listen(path)
    # The socket listens: who started this may connect, and need not wait until the modules are loaded.
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    if warm:
        _preload(argv[2:])
    launcher = Launcher(
        listener,
        Abilities(*mounts.possible(os.path.dirname(path)), network=not warm and supervision.possible()),
    )
    ending.freeze()
    gc.collect()
    gc.freeze()
    plan = launcher.serve()
    if plan is None:
        os._exit(0)
    if plan.spec.get("program") is None:
        child.execute(plan)
    return _program(plan, ending)


def _program(plan: Plan, ending: Ending) -> Program:
    program = Program(plan.spec["program"], plan.env, ending)
    try:
        child.set_up(plan)
        if plan.spec.get("overlay") or plan.spec.get("termination"):
            view = mounts.View(plan.spec["scratch"], plan.spec.get("devices", ""))
            CopyOnWrite(plan.spec.get("overlay"), plan.spec.get("termination"), view).arm()
        program.adopt()
        child.lead_sockets(plan)
    except BaseException as error:
        child.report_failure(plan.report, error)
    for descriptor in {*plan.stdio, plan.report} - {-1}:
        os.close(descriptor)
    return program
