"""What tuning costs a trial, beside libraries that do the same: `tuning.py [NAME…]`. README.md lists them."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import memory_mib, server, table

from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

KATIB = "/apis/kubeflow.org/v1beta1/namespaces/default"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
SPACE = {"x": search.uniform(-5, 5), "y": search.uniform(-5, 5)}
COUNTS = (500, 1000)

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
RAY = """
import json, logging, os, sys, time
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
import ray
from ray import tune
ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
count = int(sys.argv[1])
def function(config):
    return {"height": -(config["x"] - 1) ** 2 - config["y"] ** 2}
began = time.perf_counter()
tune.Tuner(function, param_space={"x": tune.uniform(-5, 5), "y": tune.uniform(-5, 5)},
           tune_config=tune.TuneConfig(num_samples=count), run_config=tune.RunConfig(verbose=0)).fit()
print(json.dumps((time.perf_counter() - began) / count))
"""
TRIAL = "print('height=1.5')"


def empty(x: float, y: float) -> float:
    return -((x - 1) ** 2) - y**2


def bookkeeping() -> None:
    """An empty function: suggestion, objects and observations, durably, for each trial."""
    rows: list[tuple[str, str, str]] = []
    with server() as it:
        tune.use(connect(it.home))
        _tuned("random", 20, 1)
        for algorithm in ("random", "tpe"):
            for count in COUNTS:
                seconds = _tuned(algorithm, count, 1)
                beside = ", ".join(
                    f"{storage} {_optuna(count, algorithm, storage) * 1000:.2f}"
                    for storage in ("sqlite", "journal", "memory")
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
        _tuned("random", 20, 1)
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


def ray() -> None:
    """Ray Tune, in an environment of its own, with a fresh one for each run of this."""
    count = 50
    with tempfile.TemporaryDirectory(prefix="sampan-bench-ray-") as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        packages = ["ray[tune]"]
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True
        )
        if installed.returncode:
            table("Ray Tune", [("cannot be installed", "-", installed.stderr.strip().splitlines()[-1][:80])])
            return
        seconds = _said([python, "-c", RAY, str(count)])
    table(
        "Ray Tune",
        [(f"random, {count} trials, 2 CPUs", f"{seconds * 1000:.0f} ms", "a trial, not one at a time")],
    )


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
