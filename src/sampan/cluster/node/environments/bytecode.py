"""Compiles the modules of a new environment, one environment at a time, on processor time that nobody wants.

Called by the facade after a build. Pods see an environment through an overlay of their own and throw away what Python
compiles there, so without this every process that is not forked from a warm interpreter compiles all that it imports:
pip alone costs 0.7 s a step.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from sampan.lib.log import get_logger

log = get_logger(__name__)

_TIMEOUT_SECONDS = 900.0
_PROGRAM = """
import compileall, os, sys
try:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
except (AttributeError, OSError):
    os.nice(19)
compileall.compile_dir(".", ddir=sys.argv[1], quiet=2)
"""


class ByteCode:
    """For one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def compile(self, python: Path, folder: Path) -> None:
        """What cannot be compiled stays as it is. Leaves no process behind, also when cancelled."""
        async with self._turn:
            try:
                await _run([str(python), "-I", "-c", _PROGRAM, str(folder)], folder)
            except (OSError, TimeoutError) as error:
                log.warning("byte code not made", folder=str(folder), why=str(error) or "it took too long")


async def _run(command: list[str], folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        # Not by its name: an environment that is removed meanwhile would come into being again.
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            # To die takes a turn on a processor too, for which it would wait a minute on a busy machine.
            with contextlib.suppress(AttributeError, OSError):
                os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))
            await process.wait()
