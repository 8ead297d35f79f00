"""Which source a collector reads for a run of a container, and where that lies. For `collector`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sampan.components.tuning.controller.around import Around, PodPlaces
from sampan.components.tuning.controller.collecting.api_logs import ApiLogSource
from sampan.components.tuning.controller.collecting.events import EventSource
from sampan.components.tuning.controller.collecting.following import Opener, Tell, is_last
from sampan.components.tuning.controller.collecting.scraping import ScrapeSource
from sampan.components.tuning.controller.collecting.sources import FileSource, LogSource, RunKey, Source
from sampan.components.tuning.engine.collecting.wanted import FILE, PROMETHEUS, STDOUT, TF_EVENT, Wanted
from sampan.kube import meta, pods
from sampan.kube.meta import Object
from sampan.lib.clock import rfc3339
from sampan.lib.log import get_logger

log = get_logger(__name__)


def opener_for(around: Around) -> Opener:
    home, clock, places = around.home, around.clock, around.pod_places
    tell = teller_for(around)

    def now() -> str:
        return rfc3339(clock.now(), micro=True)

    def told_of(pod: Object) -> Callable[[list[str]], None]:
        return lambda lines: None if tell is None else tell(pod, lines)

    async def open_source(wanted: Wanted, pod: Object, run: RunKey) -> Source | None:
        if wanted.kind == STDOUT and around.pod_files is not None:
            return ApiLogSource(around.client, wanted, run) if is_last(wanted, pod, run) else None
        if wanted.kind == STDOUT:
            return LogSource(wanted, run, log_path(home, pod, run), told_of(pod))
        if wanted.kind == PROMETHEUS:
            return ScrapeSource(around.client, wanted, run, now)
        if wanted.kind == FILE and places is not None:
            return FileSource(wanted, run, await seen_as_own(places, home, wanted, pod), now)
        if wanted.kind == TF_EVENT and places is not None:
            return EventSource(wanted, run, await seen_as_own(places, home, wanted, pod))
        return None

    return open_source


def teller_for(around: Around) -> Tell | None:
    """Writes the log of a pod's collector, where its container has no process that would."""
    write = around.attendant_log
    if write is None:
        return None

    def tell(pod: Object, lines: Sequence[str]) -> None:
        for name in pods.named_in(pod, pods.ATTENDANTS):
            try:
                write(pod, name, lines)
            except OSError as error:
                log.warning("a collector's log was not written", pod=meta.name(pod), why=str(error))

    return tell


def log_path(home: Path, pod: Object, run: RunKey) -> Path:
    """As the node lays its logs out."""
    return home / "logs" / meta.namespace(pod) / run.uid / f"{run.container}.{run.run}.log"


async def seen_as_own(places: PodPlaces, home: Path, wanted: Wanted, pod: Object) -> Callable[[], str]:
    """Gives the place of the metrics' file on this machine as it is then, as long as that is the pod's own. Raises
    ApiError."""
    find = await places(with_first(pod, wanted.container_of(pod)))
    roots = _roots(home, pod, await _claimed(places, pod))

    def path() -> str:
        found = find(wanted.path)
        # A link in it may lead to what is not the pod's to show.
        real = os.path.realpath(found) if found else ""
        return real if any(real == root or real.startswith(f"{root}/") for root in roots) else ""

    return path


def with_first(pod: Object, container: str) -> Object:
    """The pod as it would be with that container before the others."""
    containers = meta.spec(pod).get("containers") or ()
    ordered = sorted(containers, key=lambda each: each.get("name") != container)
    return {**pod, "spec": {**meta.spec(pod), "containers": ordered}}


def _roots(home: Path, pod: Object, claimed: Sequence[str]) -> list[str]:
    """Folders whose files are the pod's to show: its own, those of its claims, and what it mounts of the machine."""
    mounted = [(each.get("hostPath") or {}).get("path") for each in meta.spec(pod).get("volumes") or ()]
    found = [str(home / "pods" / meta.uid(pod)), *claimed, *(str(each) for each in mounted if each)]
    return [os.path.realpath(each) for each in found]


async def _claimed(places: PodPlaces, pod: Object) -> list[str]:
    """The folders of the pod's claims, each whole, and of nobody else's. Raises ApiError."""
    volumes = meta.spec(pod).get("volumes") or ()
    claims = [str(each["name"]) for each in volumes if "persistentVolumeClaim" in each or "ephemeral" in each]
    if not claims:
        return []
    # What a container would see that has just them: a path in one, such as a subPath, may be a link of the pod's.
    at = {f"/claims/{number}": name for number, name in enumerate(claims)}
    mounts = [{"name": name, "mountPath": path} for path, name in at.items()]
    looking = {**pod, "spec": {**meta.spec(pod), "containers": [{"name": "claims", "volumeMounts": mounts}]}}
    find = await places(looking)
    return [place for place in map(find, at) if place]
