"""The output of containers for the API's log sub-resource: reads the CRI files that launchers write.

Needs nothing but the home folder: logs are there while the server restarts, and after the pod is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sampan.client.protocol import LogOptions, Object
from sampan.cluster.node.layout import Layout
from sampan.cluster.node.runtimes.protocol import EXIT_FILE
from sampan.kube import meta, pods
from sampan.kube.errors import BadRequestError
from sampan.lib.clock import Clock, SystemClock, parse_rfc3339, rfc3339
from sampan.lib.logfiles import LogReader
from sampan.lib.logview import LogView
from sampan.lib.threads import to_end

_POLL_SECONDS = 0.1
_ONE_LINE = {0x0A: " ", 0x0D: " "}


# Source: kubernetes/pkg/kubelet/kubelet_pods.go, validateContainerLogStatus, v1.31.
_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class PodLogs:
    """Implements the API server's `PodLogs` seam. For one event loop; files are read in threads."""

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self._layout = Layout(home)
        self._clock = clock or SystemClock()

    async def read(self, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
        """Raises BadRequestError before the container has started, and for a previous one that there was not."""
        try:
            path = self._path(pod, options)
        except BadRequestError:
            if pods.node_name(pod):
                raise
            # Nothing ran anywhere yet: as upstream, there is nothing to read and no error.
            return
        view = LogView(
            timestamps=options.timestamps, since=self._since(options), limit_bytes=options.limit_bytes
        )
        reader = await to_end(LogReader, path, options.tail_lines, undo=LogReader.close)
        try:
            while True:
                # Asked first: what was written before the end is then surely read.
                is_over = not options.follow or self._is_over(pod, options, path)
                data = await to_end(reader.read)
                if data:
                    text = view.render(data)
                    if text:
                        yield text
                    if view.is_full:
                        return
                elif is_over:
                    return
                else:
                    await asyncio.sleep(_POLL_SECONDS)
        finally:
            reader.close()

    def _path(self, pod: Object, options: LogOptions) -> Path:
        status = pods.container_status(pod, options.container) or {}
        restart = int(status.get("restartCount") or 0)
        uid = meta.uid(pod)
        where = f'container "{options.container}" in pod "{meta.name(pod)}"'
        if options.previous:
            # While it waits for a restart, the run that ended is the one that restartCount numbers.
            previous = (
                restart
                if "waiting" in (status.get("state") or {}) and status.get("lastState")
                else restart - 1
            )
            path = self._layout.log(meta.namespace(pod), uid, options.container, previous)
            if previous < 0 or not path.exists():
                raise BadRequestError(f"previous terminated {where} not found")
            return path
        path = self._layout.log(meta.namespace(pod), uid, options.container, restart)
        if options.container in pods.named_in(pod, pods.ATTENDANTS):
            # Whoever does its work writes it, perhaps later.
            return path
        # The container may have started after this status was written.
        newer = self._layout.log(meta.namespace(pod), uid, options.container, restart + 1)
        if newer.exists():
            return newer
        if not path.exists():
            if pods.is_terminal(pod) and not status.get("containerID"):
                raise BadRequestError(f"{where} is not available")
            waiting = (status.get("state") or {}).get("waiting") or {}
            reason = str(waiting.get("reason") or "ContainerCreating")
            raise BadRequestError(f"{where} is waiting to start: {_WAITING.get(reason, reason)}")
        return path

    def append(self, pod: Object, container: str, lines: Sequence[str]) -> None:
        """Adds lines to the log of a container that has no process. Raises OSError. For a thread."""
        path = self._layout.log(meta.namespace(pod), meta.uid(pod), container, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        now = rfc3339(self._clock.now(), micro=True).removesuffix("Z")
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{now}000Z stdout F {line.translate(_ONE_LINE)}\n" for line in lines)

    def _is_over(self, pod: Object, options: LogOptions, log: Path) -> bool:
        if options.container in pods.named_in(pod, pods.ATTENDANTS):
            return self._others_are_over(pod)
        run = self._layout.pod(meta.uid(pod)).container(options.container, int(log.stem.rpartition(".")[2]))
        return not run.exists() or (run / EXIT_FILE).exists()

    def _others_are_over(self, pod: Object) -> bool:
        folder, attending = self._layout.pod(meta.uid(pod)), pods.named_in(pod, pods.ATTENDANTS)
        names = (str(each["name"]) for each in meta.spec(pod).get("containers") or ())
        for name in (each for each in names if each not in attending):
            runs = folder.restarts(name)
            if runs and not (folder.container(name, runs[-1]) / EXIT_FILE).exists():
                return False
        return True

    def _since(self, options: LogOptions) -> datetime | None:
        if options.since_seconds is not None:
            return self._clock.now() - timedelta(seconds=options.since_seconds)
        if options.since_time:
            try:
                return parse_rfc3339(options.since_time)
            except ValueError as error:
                raise BadRequestError(f"sinceTime: {error}") from error
        return None
