"""After a restart of the server: what became of a pod's containers, from their folders and the runtime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sampan.cluster.node.layout import PodFolder, container_id
from sampan.cluster.node.records import ContainerRecord, Running, ended
from sampan.cluster.node.runtimes.process import end_on_disk
from sampan.cluster.node.runtimes.protocol import read_exit, read_started
from sampan.cluster.node.termination import with_message
from sampan.lib.clock import Clock, parse_rfc3339


def adopt(
    uid: str,
    folder: PodFolder,
    records: Mapping[str, ContainerRecord],
    running: Collection[str],
    clock: Clock,
    log_of: Callable[[str, int], Path],
) -> list[str]:
    """Brings the records up to what happened while nobody looked; the containers that run, by name.

    Reads a few small files for each container: done once, before the worker's first turn.
    """
    found: list[str] = []
    for record in records.values():
        runs = [
            run for run in folder.restarts(record.name) if _was_started(uid, folder, record, run, running)
        ]
        if not runs:
            continue
        run = runs[-1]
        own = folder.container(record.name, run)
        record.restart = run
        record.has_run = True
        record.ran_since = clock.monotonic()
        if run > 0 and run - 1 in runs:
            before = folder.container(record.name, run - 1)
            record.last = with_message(
                end_on_disk(before, clock), record.spec, before, log_of(record.name, run - 1)
            )
        end = read_exit(own)
        if end is None and container_id(uid, record.name, run) in running:
            at = read_started(own)
            record.state = Running(at[1] if at else "")
            record.ran_since -= _age(at[1], clock) if at else 0.0
            found.append(record.name)
        else:
            end = with_message(end or end_on_disk(own, clock), record.spec, own, log_of(record.name, run))
            ended(record, end, clock.monotonic())
    return found


def _age(started_at: str, clock: Clock) -> float:
    try:
        return max((clock.now() - parse_rfc3339(started_at)).total_seconds(), 0.0)
    except ValueError:
        return 0.0


def _was_started(
    uid: str, folder: PodFolder, record: ContainerRecord, run: int, running: Collection[str]
) -> bool:
    """A folder alone means that the server died before the runtime was asked: then it is asked again."""
    own = folder.container(record.name, run)
    if container_id(uid, record.name, run) in running:
        return True
    return read_started(own) is not None or read_exit(own) is not None
