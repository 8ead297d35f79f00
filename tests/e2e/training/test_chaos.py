"""Training goes on whatever is killed under it, and ends as if nothing had been.

The short test kills each kind of part once. The long one kills at random for `SAMPAN_TEST_CHAOS_SECONDS` (60), in the
same order again with the same `SAMPAN_TEST_CHAOS_SEED`.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.training.chaos import KINDS, Chaos

from sampan.testing.server import ServerProcess

SECONDS = float(os.environ.get("SAMPAN_TEST_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("SAMPAN_TEST_CHAOS_SEED", "6"))
MOST_KILLS = 3
"""Of one rank: each restart of a container waits twice as long as the one before."""


def test_ranks_launcher_server_and_machine_are_killed(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "home").start()
    try:
        chaos = Chaos(server, steps=60)
        chaos.hold()
        chaos.submit("PyTorchJob", "torch")
        chaos.submit_trainjob("train")
        for rank in ("torch-worker-0", "train-node-0-1"):
            chaos.reaches(rank, 5)
            assert chaos.kill_rank(rank)
        for rank in ("torch-worker-0", "train-node-0-1"):
            chaos.reaches(rank, 10)
        server.kill()
        # Nobody is there to see this one.
        assert chaos.kill_rank("torch-master-0")
        server.start()
        chaos.reaches("torch-master-0", 20)
        chaos.restart(with_launchers=True)
        chaos.release()
        assert chaos.wait(100) == {"torch": "Succeeded", "train": "Complete"}
        chaos.check()
    finally:
        server.kill()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 3 + 600)
def test_random_kills(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    server = ServerProcess(tmp_path / "home").start()
    try:
        chaos = Chaos(server, steps=int(SECONDS * 2), pace=0.5)
        for kind in KINDS:
            chaos.submit(kind, kind.lower(), workers=2)
        chaos.submit_trainjob("trainjob", nodes=2)
        chaos.submit_mpijob("mpijob")
        ranks = [rank for names in chaos.ranks.values() for rank in names]
        killed: Counter[str] = Counter()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.2, 3.0))
            what = chance.random()
            if what < 0.7:
                rank = chance.choice(ranks)
                if killed[rank] < MOST_KILLS and chaos.kill_rank(rank):
                    killed[rank] += 1
            elif what < 0.8 and killed["launchers"] < MOST_KILLS:
                killed["launchers"] += 1
                chaos.kill_launchers()
            else:
                killed["server"] += 1
                chaos.restart(with_launchers=what > 0.97)
        assert killed["server"], "too short to be chaos"
        ends = chaos.wait(SECONDS * 2 + 300)
        assert set(ends.values()) == {"Succeeded", "Complete"}, (ends, killed)
        chaos.check()
    finally:
        server.kill()
