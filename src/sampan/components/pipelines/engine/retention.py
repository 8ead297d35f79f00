"""Which ended runs are kept, and deleting the rest. The plan is pure; the service carries it out every hour.

A pinned run is kept whatever the rules say, and counts as one of the last and as used disk all the same. Runs that are
under way are nobody's concern here.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sampan.components.pipelines.api.retention_settings import RetentionSettings
from sampan.components.pipelines.store import logged_steps, runs, usage
from sampan.components.pipelines.store.step_logs import StepLogs
from sampan.components.pipelines.store.usage import KeptRun
from sampan.lib.clock import Clock, to_micros
from sampan.lib.log import get_logger
from sampan.store.database import Database, StorageError

log = get_logger(__name__)

_DAY = 24 * 3600
_GIB = 1024**3
_FIRST_SECONDS, _PAUSE_SECONDS = 120.0, 3600.0

Forget = Callable[[str, str], Awaitable[None]]
"""`Engine.forget`: what a run leaves in the cluster, by its id and namespace."""


@dataclass(frozen=True, slots=True)
class Doomed:
    run: KeptRun
    why: str


def plan(kept: Iterable[KeptRun], rules: RetentionSettings, now: int) -> list[Doomed]:
    """What the rules say is to be deleted, the oldest first. `kept` are all ended runs, the newest first."""
    listed = list(kept)
    doomed: dict[str, Doomed] = {}
    place: Counter[tuple[str, str]] = Counter()
    for run in listed:
        experiment = (run.namespace, run.experiment_id)
        place[experiment] += 1
        age_days = (now - run.finished_at) / 1e6 / _DAY
        if run.pinned:
            continue
        if rules.keep_last and place[experiment] > rules.keep_last:
            doomed[run.run_id] = Doomed(run, f"its experiment keeps the last {rules.keep_last}")
        elif rules.max_age_days and age_days > rules.max_age_days:
            doomed[run.run_id] = Doomed(
                run, f"it ended {age_days:.0f} days ago, and {rules.max_age_days} are kept"
            )
    if rules.max_disk_gib:
        _free_disk(listed, rules.max_disk_gib * _GIB, doomed)
    return [doomed[run.run_id] for run in reversed(listed) if run.run_id in doomed]


def _free_disk(listed: list[KeptRun], most: int, doomed: dict[str, Doomed]) -> None:
    """Adds the oldest runs of each namespace until the rest fits."""
    used: defaultdict[str, int] = defaultdict(int)
    for run in listed:
        if run.run_id not in doomed:
            used[run.namespace] += run.size_bytes
    for run in reversed(listed):
        # A run without artifacts frees nothing.
        if used[run.namespace] > most and run.size_bytes and not run.pinned and run.run_id not in doomed:
            doomed[run.run_id] = Doomed(run, f"its namespace may use {most / _GIB:g} GiB")
            used[run.namespace] -= run.size_bytes


class Retention:
    """For one event loop; `run` is a task."""

    def __init__(
        self, database: Database, clock: Clock, home: Path, rules: RetentionSettings, forget: Forget
    ) -> None:
        self._database = database
        self._clock = clock
        self._logs = StepLogs(home)
        self._log_folder = home / "logs"
        self.rules = rules
        self._forget = forget

    async def run(self) -> None:
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            try:
                await self.collect()
            except StorageError as error:
                log.warning("retention rules cannot be carried out", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def planned(self, rules: RetentionSettings | None = None) -> list[Doomed]:
        """What `collect` would delete."""
        kept = await self._database.read(usage.ended_runs)
        return await asyncio.to_thread(plan, kept, rules or self.rules, to_micros(self._clock.now()))

    async def collect(self, rules: RetentionSettings | None = None) -> list[Doomed]:
        """Deletes what the rules say; what that was."""
        rules = rules or self.rules
        doomed = await self.planned(rules)
        for item in doomed:
            await self._delete(item.run)
            log.info("a run was deleted by a retention rule", run=item.run.run_id, why=item.why)
        if rules.log_max_age_days:
            before = self._clock.now().timestamp() - rules.log_max_age_days * _DAY
            await asyncio.to_thread(_remove_logs, self._log_folder, before)
        return doomed

    async def _delete(self, run: KeptRun) -> None:
        now = to_micros(self._clock.now())
        attempts = await self._database.read(
            lambda connection: logged_steps.attempts_of_run(connection, run.run_id)
        )
        await self._database.write(lambda connection: runs.delete(connection, run.run_id, now))
        await self._forget(run.run_id, run.namespace)
        await asyncio.to_thread(self._logs.remove, run.namespace, attempts)


def _remove_logs(folder: Path, before: float) -> None:
    """Of steps: `NAMESPACE/KEY/FILE`. The server's own lie in `folder` itself."""
    for file in folder.glob("*/*/*.log*"):
        try:
            if file.stat().st_mtime < before:
                file.unlink()
                file.parent.rmdir()
        except OSError:
            continue  # another log is in there, or it is gone already
