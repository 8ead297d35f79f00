"""Whole experiments with the database on PostgreSQL: calls and jobs, stopped early, gone on with, killed under."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from tests.e2e.tuning.chaos import Chaos

from sampan.components.tuning.sdk.handle import Tuning
from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

SPACE = {"x": search.uniform(-5, 5), "y": search.uniform(-5, 5)}


@dataclass
class Postgres:
    server: ServerProcess
    url: str

    def values(self, trial: str) -> list[str]:
        query = "SELECT value FROM katib_observations WHERE trial = %s ORDER BY at, id"
        with psycopg.connect(self.url) as connection:
            return [value for (value,) in connection.execute(query, (trial,))]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, postgresql: Callable[[], str]) -> Iterator[Postgres]:
    url = postgresql()
    server = ServerProcess(tmp_path_factory.mktemp("tuning") / "home", environ={"SAMPAN_DATABASE_URL": url})
    with server:
        yield Postgres(server, url)


@pytest.fixture
def connected(there: Postgres) -> Iterator[None]:
    tune.use(connect(there.server.home))
    yield
    tune.session().close()
    tune.use(None)


def climb(x: int) -> None:
    for step in range(5):
        tune.report(height=-10 * x + step, step=step)
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("where", "count"), [("in-process", 40), ("job", 8)])
def test_values_survive_the_server(there: Postgres, where: str, count: int) -> None:
    chaos = Chaos(there.server, random.Random(3), name=f"shaken-{where}", database=there.url)
    chaos.submit(SPACE, algorithm="tpe", trials=count, parallel=3, where=where)
    for _ in range(2):
        time.sleep(chaos.chosen.uniform(0.5, 2.0))
        chaos.kill("server")
    chaos.check(chaos.ended(180), count)
    assert not (there.server.home / "sampan.db").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["in-process", "job"])
@pytest.mark.usefixtures("connected")
def test_worse_ones_are_stopped_and_more_are_tried(there: Postgres, where: str) -> None:
    asked: dict[str, Any] = {
        "objective": "height",
        "algorithm": "grid",
        "trials": 3,
        "parallel": 1,
        "seed": 2,
        "early_stopping": ("medianstop", {"min_trials_required": 2, "start_step": 2}),
        "name": f"early-{where}",
        "where": where,
    }
    tuning: Tuning = tune(climb, {"x": search.int(1, 5)}, **asked).wait(120)
    assert len(tuning.trials()) == 3
    tuning.resume(2).wait(120)
    trials = tuning.trials()
    assert sorted(each["parameters"]["x"] for each in trials) == [1, 2, 3, 4, 5]
    states = {each["parameters"]["x"]: each["state"] for each in trials}
    assert set(states.values()) == {"Succeeded", "EarlyStopped"}
    assert states[1] == "Succeeded"
    assert tuning.best == {"x": 1}
    for each in trials:
        kept, x = there.values(each["name"]), each["parameters"]["x"]
        whole = [float(-10 * x + step) for step in range(5)]
        assert list(map(float, kept)) == whole[: len(kept)]
        if each["state"] == "Succeeded":
            assert len(kept) == 5
        else:
            assert len(kept) >= 2
    tuning.delete()
    deadline = time.monotonic() + 60
    while any(there.values(each["name"]) for each in trials):
        assert time.monotonic() < deadline, "values of deleted trials stay"
        time.sleep(0.1)
