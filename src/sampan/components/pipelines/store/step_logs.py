"""What steps printed, in files of the home folder: `logs/NAMESPACE/KEY/CONTAINER.RESTART.log`, in CRI format.

KEY is the uid of the attempt's pod, or the name of its pod where there was none (a light step). This machine's node
writes there itself; on a real cluster the engine brings the log when a pod ends (`engine.log_keeping`). So logs
outlive their pods. Read by the REST API. Synchronous: for threads.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from sampan.components.pipelines.store.tasks import AttemptRow
from sampan.lib.logfiles import LogReader
from sampan.lib.logview import LogView

MAIN_CONTAINER = "main"

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z")
"""A pod's uid or name: never a path that leads elsewhere."""


class StepLogs:
    """The logs below one home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "logs"

    def find(self, namespace: str, attempt: AttemptRow, container: str = MAIN_CONTAINER) -> list[Path]:
        """The current file of each run of the attempt's container, the first run first; empty for none."""
        for key in (attempt.uid, attempt.pod):
            if key and (found := self._of(namespace, key, container)):
                return found
        return []

    def path(self, namespace: str, key: str, container: str = MAIN_CONTAINER, restart: int = 0) -> Path:
        """Where the log of one run of a container is to be. Raises ValueError for what is no key."""
        if not (_KEY.match(namespace) and _KEY.match(key)):
            raise ValueError(f"{namespace!r}/{key!r} names no log")
        return self._folder / namespace / key / f"{container}.{restart}.log"

    def remove(self, namespace: str, attempts: Iterable[AttemptRow]) -> None:
        """Deletes what these attempts printed."""
        for attempt in attempts:
            for key in (attempt.uid, attempt.pod):
                if _KEY.match(namespace) and _KEY.match(key):
                    shutil.rmtree(self._folder / namespace / key, ignore_errors=True)

    def _of(self, namespace: str, key: str, container: str) -> list[Path]:
        if not (_KEY.match(namespace) and _KEY.match(key)):
            return []
        found = {
            int(number): path
            for path in (self._folder / namespace / key).glob(f"{container}.*.log")
            if (number := path.name.removeprefix(f"{container}.").removesuffix(".log")).isdigit()
        }
        return [found[number] for number in sorted(found)]


class KeptLog:
    """The runs of one container's log, one after the other; the last one may still be written. Close it."""

    def __init__(self, paths: list[Path], view: LogView, tail: int | None = None) -> None:
        # A tail is one of the last run: a container that was restarted says there what it came to.
        self._paths = paths[-1:] if tail is not None else list(paths)
        self._view = view
        self._reader = LogReader(self._paths.pop(0), tail)

    def read(self) -> bytes:
        """What comes next; nothing when there is no more for now."""
        while not self._view.is_full:
            if data := self._reader.read():
                if text := self._view.render(data):
                    return text
            elif self._paths:
                self._reader.close()
                self._reader = LogReader(self._paths.pop(0))
            else:
                break
        return b""

    def close(self) -> None:
        self._reader.close()
