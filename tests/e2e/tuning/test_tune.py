"""`from sampan.sdk import tune`: functions tuned in warm workers of a real server, with Katib's objects all along."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sampan.components.tuning.api.summary import State
from sampan.components.tuning.sdk.handle import Tuning, TuningError
from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

_TRIALS = "/apis/kubeflow.org/v1beta1/namespaces/default/trials"
X = {"x": search.uniform(-5, 5)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("tune") / "home") as server:
        yield server


@pytest.fixture(autouse=True)
def connected(server: ServerProcess) -> Iterator[None]:
    tune.use(connect(server.home))
    yield
    tune.session().close()
    tune.use(None)


def valley(x: float) -> float:
    return -((x - 1) ** 2)


def until(what: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)
    return found


def observed(server: ServerProcess, trial: str) -> list[str]:
    """All that is kept of what it has reported."""
    with closing(sqlite3.connect(server.home / "sampan.db")) as database:
        query = "SELECT value FROM katib_observations WHERE trial = ? ORDER BY at, id"
        return [value for (value,) in database.execute(query, (trial,))]


def states(tuning: Tuning) -> list[str]:
    return sorted(each["state"] for each in tuning.trials())


def test_the_best_is_found_and_all_is_there_as_katib_has_it(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    tuning = tune(valley, X, objective="height", trials=12, parallel=2, seed=3, name="hill").follow()
    assert tuning.state is State.SUCCEEDED
    best = tuning.best
    assert best is not None
    assert tuning.best_value == pytest.approx(-((best["x"] - 1) ** 2))
    records = tuning.trials()
    assert len(records) == 12
    assert tuning.best_value == max(each["metrics"]["height"] for each in records)
    said = capsys.readouterr().out
    assert said.count("height=") == 13
    assert "succeeded after" in said

    experiment = server.call("GET", "/apis/kubeflow.org/v1beta1/namespaces/default/experiments/hill")
    status = experiment["status"]
    assert (status["trials"], status["trialsSucceeded"]) == (12, 12)
    assert status["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"
    assert sorted(status["succeededTrialList"]) == sorted(each["name"] for each in records)
    suggestion = server.call("GET", "/apis/kubeflow.org/v1beta1/namespaces/default/suggestions/hill")
    assert suggestion["spec"]["requests"] == suggestion["status"]["suggestionCount"] == 12
    assert {each["name"] for each in suggestion["status"]["suggestions"]} == {
        each["name"] for each in records
    }
    trial = server.call("GET", f"{_TRIALS}/{records[0]['name']}")
    types = [each["type"] for each in trial["status"]["conditions"]]
    assert types == ["Created", "Running", "Succeeded"]
    assert trial["spec"]["runSpec"]["kind"] == "Job"
    # Warm workers go with the experiment.
    until(lambda: not server.call("GET", "/api/v1/namespaces/default/pods")["items"])


@pytest.mark.parametrize(("algorithm", "trials"), [("random", 4), ("tpe", 40)])
def test_the_same_seed_tries_the_same(server: ServerProcess, algorithm: str, trials: int) -> None:
    def tried(seed: int) -> list[float]:
        made = tune(valley, X, algorithm=algorithm, trials=trials, parallel=1, seed=seed).wait(60)
        return sorted(each["parameters"]["x"] for each in made.trials())

    assert tried(5) == tried(5)


def test_whatever_a_function_does_becomes_of_its_own_trial_only(server: ServerProcess) -> None:
    def function(what: str) -> float:
        import ctypes

        print("about to", what, flush=True)
        if what == "raise":
            raise KeyError("what")
        if what == "exit":
            os._exit(3)
        if what == "crash":
            ctypes.string_at(0)
        if what == "hang":
            time.sleep(600)
        return 1.0

    kinds = ["return", "raise", "exit", "crash", "hang", "again"]
    tuning = tune(
        function,
        {"what": kinds},
        algorithm="grid",
        trials=len(kinds),
        parallel=2,
        timeout_seconds=5,
        name="rough",
    ).wait(60)
    found = {each["parameters"]["what"]: (each["state"], each["message"]) for each in tuning.trials()}
    assert found["return"][0] == found["again"][0] == "Succeeded"
    assert {found[each][0] for each in ("raise", "exit", "crash", "hang")} == {"Failed"}
    assert "KeyError: 'what' (function, line" in found["raise"][1]
    assert "exit code 3" in found["exit"][1]
    assert "exit code 139" in found["crash"][1]
    assert "took longer than 5 s" in found["hang"][1]
    assert tuning.best in ({"what": "return"}, {"what": "again"})
    # What each has printed, the one that was ended by force too.
    for each in tuning.trials():
        said = server.text(f"/tuning/v1/namespaces/default/trials/{each['name']}/log?tail=1000")
        assert said.startswith(f"about to {each['parameters']['what']}\n")
    raised = next(each["name"] for each in tuning.trials() if each["parameters"]["what"] == "raise")
    assert server.text(f"/tuning/v1/namespaces/default/trials/{raised}/log?tail=1") == "KeyError: 'what'\n"


def test_what_is_reported_is_kept_and_a_rule_ends_a_trial_at_a_report(server: ServerProcess) -> None:
    def function(x: float) -> None:
        for step in range(6):
            tune.report(loss=x + step, step=step)

    tuning = tune(
        function,
        {"x": search.discrete([1, 2, 3, 4, 50, 60])},
        objective="loss",
        direction="minimize",
        algorithm="grid",
        trials=6,
        parallel=1,
        early_stopping=("medianstop", {"min_trials_required": 3, "start_step": 2}),
        seed=7,  # From the smallest to the largest: the first three, which make the rule, are good ones.
        name="early",
    ).wait(60)
    records = tuning.trials()
    stopped = {each["parameters"]["x"] for each in records if each["state"] == "EarlyStopped"}
    assert stopped
    assert 1 not in stopped
    assert {50, 60} & stopped
    assert tuning.best == {"x": 1}
    whole = next(each["name"] for each in records if each["state"] == "Succeeded")
    assert len(observed(server, whole)) == 6
    some = next(each["name"] for each in records if each["state"] == "EarlyStopped")
    assert len(observed(server, some)) == 2


def test_a_function_that_cannot_be_read_there_ends_the_experiment_with_the_reason() -> None:
    import yaml

    def function(x: float) -> float:
        return float(yaml.safe_load("1")) + x

    with pytest.raises(TuningError, match=r"the image lacks it, name it in packages"):
        tune(function, X, trials=4).wait(60)


def test_it_is_stopped_and_goes_on_and_edited_and_deleted(server: ServerProcess) -> None:
    def slow(x: float) -> float:
        time.sleep(0.2)
        return x

    tuning = tune(slow, X, algorithm="random", trials=500, parallel=2, name="long")
    until(lambda: tuning.status.done >= 2)
    tuning.stop()
    tuning.wait(60)
    assert tuning.status.reason == "ExperimentStopped"
    ended = tuning.trials()
    assert all(each["state"] in ("Succeeded", "Killed") for each in ended)
    tuning.resume(trials=3)
    # It may have been that, and be at its end again.
    until(lambda: tuning.state is not State.SUCCEEDED or len(tuning.trials()) > len(ended))
    tuning.wait(60)
    assert tuning.status.reason == "ExperimentMaxTrialsReached"
    assert len(tuning.trials()) == len(ended) + 3
    assert asyncio.run(_awaited(tuning)) is State.SUCCEEDED
    attached = tune.attach("long")
    assert attached.best == tuning.best
    tuning.delete()
    tuning.delete()
    until(
        lambda: (
            server.call("GET", _TRIALS + "?labelSelector=katib.kubeflow.org/experiment=long")["items"] == []
        )
    )
    until(lambda: not (server.home / "tuning" / "in-process" / "default" / "long").exists())


async def _awaited(tuning: Tuning) -> State:
    await tuning
    return tuning.state


@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_runs_twice_when_the_server_is_killed(
    server: ServerProcess, tmp_path: Path
) -> None:
    def function(x: float) -> float:
        # A pod's /tmp is its own.
        with open(os.environ["SAMPAN_OUTPUT"] + "/marks", "a") as file:
            print(tune.trial_name(), "begins", file=file)
        for step in range(3):
            tune.report(height=x, step=step)
            time.sleep(0.03)
        return x

    def begun() -> list[str]:
        return [line.split()[0] for line in (tmp_path / "marks").read_text().splitlines()]

    options: dict[str, Any] = {"algorithm": "random", "trials": 40, "parallel": 2, "seed": 1}
    tuning = tune(function, X, objective="height", output=str(tmp_path), name="kill", **options)
    for count in (4, 14):
        while tuning.status.done < count:
            time.sleep(0.05)
        before = {each["name"]: each for each in tuning.trials() if each["state"] == "Succeeded"}
        server.kill()
        server.start()
        tune.session().close()
        tune.use(connect(server.home))
        tuning = tune.attach("kill")
        after = {each["name"]: each for each in tuning.trials()}
        assert before.items() <= after.items()
    tuning.wait(400)
    assert states(tuning) == ["Succeeded"] * 40
    names = begun()
    for each in tuning.trials():
        # Those that a kill has cut off, two at a time, are done again; what was said in both attempts counts once.
        assert names.count(each["name"]) in (1, 2)
        assert len(observed(server, each["name"])) == 4
    # Of each kill: two that ran, and at most two whose end was on its way into the store while those began.
    assert len(names) <= 48
