"""Which pods trials have had, as rows, in either database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sampan.components.tuning.store import tables
from sampan.components.tuning.store.trial_pods import TrialPod, TrialPods
from sampan.store.database import Database


def test_pods_are_kept_once_and_trials_are_paged(tmp_path: Path, database_url: str) -> None:
    database = Database.at(database_url, tmp_path / "test.db")
    database.create(tables.metadata)
    pods = TrialPods(database)

    def pod(uid: str, namespace: str, trial: str, created: str) -> TrialPod:
        return TrialPod(uid, namespace, trial, f"pod-{uid}", created, ("main", "collector"), {"role": "main"})

    async def play() -> None:
        made = [
            pod("b", "one", "t2", "2026-01-01T00:00:01Z"),
            pod("a", "one", "t2", "2026-01-01T00:00:00Z"),
            pod("c", "one", "t1", "2026-01-01T00:00:00Z"),
            pod("d", "two", "t0", "2026-01-01T00:00:00Z"),
        ]
        await pods.add(made)
        await pods.add([made[0], pod("a", "elsewhere", "x", "")])
        await pods.add([])
        assert await pods.of("one", "t2") == [made[1], made[0]]
        assert await pods.of("elsewhere", "x") == []
        found, after = [], ("", "")
        while page := await pods.trials(after, 2):
            found += page
            after = page[-1]
        assert found == [("one", "t1"), ("one", "t2"), ("two", "t0")]
        await pods.forget(["a", "b"])
        assert await pods.of("one", "t2") == []
        await database.close()

    asyncio.run(play())
