"""A forked program's environment, made private when the program first starts another process.

Only another process (pip, a build tool), or pip called in this one, changes an environment. Mounting the overlay in
each child would make a short step half as long again, so an audit hook does it at that moment.
"""

from __future__ import annotations

import sys
from typing import Any

from . import mounts

_OTHER_PROCESS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
}
_INSTALLERS = {"pip", "ensurepip", "setuptools", "uv"}


class CopyOnWrite:
    """Armed once, in the child, before its program. It has the rights to mount until it executes something."""

    def __init__(self, lower: str, upper: str, work: str) -> None:
        self._folders = (lower, upper, work)
        self._is_mounted = False

    def arm(self) -> None:
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An error here ends the attempt to start the process: the shared environment stays as it is."""
        if self._is_mounted or not (
            event in _OTHER_PROCESS or (event == "import" and arguments[0] in _INSTALLERS)
        ):
            return
        self._is_mounted = True
        mounts.overlay(*self._folders)
