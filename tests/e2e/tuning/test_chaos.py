"""Experiments under random kills of the server, of what suggests, of processes and pods of trials: what they say in the
end is so, and nothing is left of them.

SAMPAN_CHAOS_SECONDS says how long each is disturbed, SAMPAN_CHAOS_SEED how.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.e2e.tuning.chaos import Chaos, ends, is_over

from sampan.sdk import search
from sampan.testing.server import ServerProcess

SPACE = {"x": search.uniform(-5, 5), "y": search.uniform(-5, 5)}
SECONDS = float(os.environ.get("SAMPAN_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("SAMPAN_CHAOS_SEED", "7"))
FEWEST = 3
CASES = {
    "random": ("in-process", "random", ("server", "suggesting"), 6.0),
    "tpe": ("in-process", "tpe", ("server", "suggesting"), 6.0),
    "workers": ("in-process", "random", ("server", "suggesting", "process", "pod"), 6.0),
    "jobs": ("job", "tpe", ("server", "suggesting", "process", "pod"), 2.0),
}
"""Where trials run, the algorithm, what is killed, and how many trials there are for each second."""


def disturb(chaos: Chaos, kinds: tuple[str, ...], count: int) -> None:
    """For so long and until the server was killed a few times, or the experiment of `count` trials is over."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline or chaos.kills["server"] < FEWEST:
        if is_over(chaos.experiment()):
            break
        pause = time.monotonic() + chaos.chosen.uniform(0.2, 1.5)
        while not (is_due := server_is_due(chaos, count)) and time.monotonic() < pause:
            time.sleep(0.05)
        chaos.kill("server" if is_due else chaos.chosen.choice(kinds))


def server_is_due(chaos: Chaos, count: int) -> bool:
    """However fast trials are: its first kill is at the first fourth of them, and so on."""
    done = sum(bool(ends(each)) for each in chaos.trials())
    return done * (FEWEST + 1) >= (chaos.kills["server"] + 1) * count


@pytest.mark.slow
@pytest.mark.timeout(SECONDS * 4 + 500)
@pytest.mark.parametrize("case", CASES)
def test_the_end_is_as_it_says(tmp_path: Path, case: str) -> None:
    where, algorithm, kinds, pace = CASES[case]
    count = max(int(SECONDS * pace), 20)
    server = ServerProcess(tmp_path / "home")
    server.start()
    try:
        chaos = Chaos(server, random.Random(f"{SEED}/{case}"))
        chaos.submit(SPACE, algorithm=algorithm, trials=count, parallel=3, where=where)
        disturb(chaos, kinds, count)
        found = chaos.ended(SECONDS * 2 + 240)
        chaos.check(found, count)
        if not {"process", "pod"} & set(kinds):
            # Whatever became of the server is nothing to its trials.
            assert {ends(each) for each in chaos.trials()} == {"Succeeded"}
    finally:
        server.stop()
    print(f"{case}: {dict(chaos.kills)}, {found['status']['conditions'][-1]}")
    assert chaos.kills["server"] >= FEWEST
    assert chaos.processes() == []
