"""What a forked program gets of its container only when it needs it: a private environment, a file for last words.

Only another process (pip, a build tool), or pip called in this one, changes an environment. Mounting the overlay in
each child would make a short step half as long again, so an audit hook does it at that moment; and so with the file
of the termination message, which hardly any program opens.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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

    def __init__(
        self, folders: Sequence[str] | None, termination: Sequence[str] | None, view: mounts.View
    ) -> None:
        self._folders = folders
        self._termination = termination
        self._path = termination[1] if termination else None
        self._view = view

    def arm(self) -> None:
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An error here ends the attempt to start the process: the shared environment stays as it is."""
        if event == "open":
            if self._path is not None and arguments[0] == self._path:
                self._show_file()
        elif event in _OTHER_PROCESS or (event == "import" and arguments[0] in _INSTALLERS):
            folders, self._folders = self._folders, None
            if folders is not None:
                mounts.overlay(*folders)
            if self._path is not None:
                self._show_file()

    def _show_file(self) -> None:
        termination, self._termination, self._path = self._termination, None, None
        if termination is not None:
            mounts.show_termination_log(self._view, termination)
