"""What tuning costs a trial, beside libraries that do the same: `tuning.py [NAME…]`. README.md lists them."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psutil
from harness import memory_mib, server, table
from uv import find_uv_bin

from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

KATIB = "/apis/kubeflow.org/v1beta1/namespaces/default"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
SPACE = {"x": search.uniform(-5, 5), "y": search.uniform(-5, 5)}
COUNTS = (500, 1000)
RAY_COUNT = 100
_IDLE_PERCENT, _QUIET_LOOKS, _MOST_LOOKS = 5, 4, 60

# As many trials of an empty function, one after the other, by Optuna with each of its storages.
OPTUNA = """
import json, sys, tempfile, time
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
count, algorithm, storage = int(sys.argv[1]), sys.argv[2], sys.argv[3]
folder = tempfile.mkdtemp()
storages = {"memory": lambda: None, "sqlite": lambda: f"sqlite:///{folder}/optuna.db",
            "journal": lambda: JournalStorage(JournalFileBackend(f"{folder}/journal.log"))}
sampler = optuna.samplers.TPESampler(seed=1) if algorithm == "tpe" else optuna.samplers.RandomSampler(seed=1)
study = optuna.create_study(storage=storages[storage](), sampler=sampler, direction="maximize")
began = time.perf_counter()
study.optimize(lambda trial: -(trial.suggest_float("x", -5, 5) - 1) ** 2 - trial.suggest_float("y", -5, 5) ** 2,
               n_trials=count)
print(json.dumps((time.perf_counter() - began) / count))
"""
# The same by Ray Tune, whose trials share one actor; a clock begins with the first trial.
RAY = """
import json, logging, os, sys, tempfile, time
os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_USAGE_STATS_ENABLED="0", RAY_raylet_start_wait_time_s="180")
import optuna, ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch
optuna.logging.set_verbosity(optuna.logging.ERROR)
count, algorithm = int(sys.argv[1]), sys.argv[2]
began = []
class First(tune.Callback):
    def on_trial_start(self, iteration, trials, trial, **_):
        began.append(time.perf_counter())
def function(config):
    tune.report({"height": -(config["x"] - 1) ** 2 - config["y"] ** 2})
search = OptunaSearch(sampler=optuna.samplers.TPESampler(seed=1)) if algorithm == "tpe" else None
with tempfile.TemporaryDirectory() as folder:
    ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    config = tune.TuneConfig(metric="height", mode="max", num_samples=count, search_alg=search,
                             max_concurrent_trials=1, reuse_actors=True)
    space = {"x": tune.uniform(-5, 5), "y": tune.uniform(-5, 5)}
    run = tune.RunConfig(verbose=0, storage_path=folder, callbacks=[First()])
    found = tune.Tuner(function, param_space=space, tune_config=config, run_config=run).fit()
    ended = time.perf_counter()
    assert len(found) == count and not found.errors
    ray.shutdown()
print(json.dumps((ended - began[0]) / count))
"""
RAY_PACKAGES = ("ray[tune]==2.60.0", "optuna==5.0.0")
TRIAL = "print('height=1.5')"


def empty(x: float, y: float) -> float:
    return -((x - 1) ** 2) - y**2


def bookkeeping() -> None:
    """An empty function: suggestion, objects and observations, durably, for each trial."""
    rows: list[tuple[str, str, str]] = []
    with server() as it:
        tune.use(connect(it.home))
        _warm(it)
        for algorithm in ("random", "tpe"):
            for count in COUNTS:
                seconds = _tuned(algorithm, count, 1)
                # SQLite's trials cost the same however many there are, and take most of the time.
                storages = ("sqlite", "journal", "memory") if count == COUNTS[0] else ("journal", "memory")
                beside = ", ".join(
                    f"{storage} {_optuna(count, algorithm, storage) * 1000:.2f}" for storage in storages
                )
                rows.append(
                    (
                        f"{algorithm}, {count} trials",
                        f"{seconds / count * 1000:.2f} ms",
                        f"Optuna: {beside} ms",
                    )
                )
        rows.append(("memory of the process tree", f"{memory_mib(it):.0f} MiB", ""))
        _disconnect()
    table("A trial of an empty function, one at a time", rows)


def rate() -> None:
    """Empty trials in-process, as many as there come."""
    rows = []
    with server() as it:
        tune.use(connect(it.home))
        _warm(it)
        for parallel in (1, 2, 4):
            _tuned("random", 20, parallel)
            found = [500 / _tuned("random", 500, parallel) for _ in range(3)]
            note = f"{min(found):.0f} to {max(found):.0f}"
            rows.append((f"{parallel} at a time", f"{statistics.median(found):.0f} a second", note))
        _disconnect()
    table("Empty trials in-process, 500 at random, median of 3", rows)


def many() -> None:
    """10,000 empty trials in one experiment, in-process at random, two at a time."""
    count = 10_000
    with server() as it:
        tune.use(connect(it.home))
        _warm(it)
        before = memory_mib(it)
        seconds = _tuned("random", count, 2)
        rows = [
            ("all of them", f"{seconds:.0f} s", f"{seconds / count * 1000:.2f} ms a trial"),
            ("memory of the process tree", f"{memory_mib(it):.0f} MiB", f"{before:.0f} MiB before"),
        ]
        _disconnect()
    table("An experiment of 10,000 trials", rows)


def pods() -> None:
    """A trial that is a Job beside the Job alone, one after the other, warm."""
    count = 15
    with server() as it:
        _jobs(it, 2)
        bare = _jobs(it, count)
        _experiment(it, "warm", 2)
        trials = _experiment(it, "measured", count)
    more = f"{trials / count - bare / count:+.3f} s a trial"
    table(
        "Trials that are Jobs",
        [
            ("a bare Job", f"{bare / count:.3f} s", f"{count} one after the other"),
            ("a trial that is that Job", f"{trials / count:.3f} s", more),
        ],
    )


def page() -> None:
    """10,000 trials in the browser, as `dashboard.py trials`, where there is one."""
    if shutil.which("chromium") is None and "SAMPAN_TEST_CHROMIUM" not in os.environ:
        table("10,000 trials in a page", [("no Chromium", "-", "")])
        return
    import dashboard  # which needs Playwright

    dashboard.trials()


def ray() -> None:
    """Ray Tune, in an environment of its own, beside the same trials here and by Optuna on SQLite."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="sampan-bench-ray-", ignore_cleanup_errors=True) as folder:
        python = _ray_python(folder)
        with server() as it:
            tune.use(connect(it.home))
            _warm(it)
            for algorithm in ("random", "tpe"):
                seconds = _tuned(algorithm, RAY_COUNT, 1) / RAY_COUNT
                optuna = _optuna(RAY_COUNT, algorithm, "sqlite")
                beside = _said([python, "-c", RAY, str(RAY_COUNT), algorithm])
                note = f"Optuna on SQLite {optuna * 1000:.1f} ms, Ray Tune {beside * 1000:.0f} ms"
                rows.append((f"{algorithm}, {RAY_COUNT} trials", f"{seconds * 1000:.2f} ms", note))
            _disconnect()
    table("A trial of an empty function, one at a time, beside Ray Tune", rows)


def _ray_python(folder: str) -> str:
    python, tool = f"{folder}/bin/python", find_uv_bin()
    subprocess.run([tool, "venv", "-q", "--python", sys.executable, folder], check=True)
    subprocess.run([tool, "pip", "install", "-q", "--python", python, *RAY_PACKAGES], check=True)
    return python


def _warm(it: ServerProcess) -> None:
    """A few trials, and then until the server has loaded what it loads after its start."""
    _tuned("random", 50, 1)
    assert it.process is not None
    process, quiet = psutil.Process(it.process.pid), 0
    for _ in range(_MOST_LOOKS):
        quiet = quiet + 1 if process.cpu_percent(interval=0.25) < _IDLE_PERCENT else 0
        if quiet == _QUIET_LOOKS:
            return


def _tuned(algorithm: str, count: int, parallel: int) -> float:
    """Seconds from the making of the first trial to the end, by a clock that looks ten times a second."""
    tuning = tune(empty, SPACE, algorithm=algorithm, trials=count, parallel=parallel, seed=1)
    while not tuning.status.trials:
        time.sleep(0.01)
    began = time.perf_counter()
    while not tuning.status.state.is_finished:
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    assert tuning.status.done == count, tuning.status
    tuning.delete()
    return seconds


def _disconnect() -> None:
    tune.session().close()
    tune.use(None)


def _optuna(count: int, algorithm: str, storage: str) -> float:
    return _said([sys.executable, "-c", OPTUNA, str(count), algorithm, storage])


def _said(command: list[Any]) -> float:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: float = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _job(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": "python:3.11", "command": ["python3", "-c", TRIAL]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template},
    }


def _jobs(it: ServerProcess, count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        name = f"bare-{count}-{number}"
        it.call("POST", JOBS, _job(name))
        while not it.call("GET", f"{JOBS}/{name}").get("status", {}).get("completionTime"):
            time.sleep(0.005)
    return time.perf_counter() - began


def _experiment(it: ServerProcess, name: str, count: int) -> float:
    run = {key: value for key, value in _job("x").items() if key != "metadata"}
    template = {
        "primaryContainerName": "main",
        "trialParameters": [{"name": "x", "reference": "x"}],
        "trialSpec": {**run, "metadata": {"annotations": {"x": "${trialParameters.x}"}}},
    }
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "height"},
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 1,
        "maxTrialCount": count,
        "parameters": [
            {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
        ],
        "trialTemplate": template,
    }
    body = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": spec,
    }
    began = time.perf_counter()
    it.call("POST", f"{KATIB}/experiments", body)
    while True:
        status = it.call("GET", f"{KATIB}/experiments/{name}").get("status", {})
        if status.get("completionTime"):
            break
        time.sleep(0.01)
    assert status["trialsSucceeded"] == count, status
    assert datetime.fromisoformat(status["completionTime"])
    return time.perf_counter() - began


BENCHMARKS: dict[str, Callable[[], None]] = {
    "bookkeeping": bookkeeping,
    "rate": rate,
    "many": many,
    "pods": pods,
    "page": page,
    "ray": ray,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHMARKS)}; all without one"
    )
    names = parser.parse_args().names or list(BENCHMARKS)
    for name in names:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
