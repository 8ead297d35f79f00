"""What an endpoint costs that nobody asks: memory and CPU of 100 at zero: `serving_idle.py [--count N]`."""

from __future__ import annotations

import argparse
import time
from typing import Any

import psutil
from harness import memory_mib, server, table

from sampan.testing.server import ServerProcess

ISVCS = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
CONFIG_MAPS = "/api/v1/namespaces/knative-serving/configmaps"
DEADLINE_SECONDS = 300.0
IDLE_SECONDS = 30.0
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 3.0
"""Between two looks at all of them: a list of a thousand is work for the server that is measured."""


def service(name: str) -> dict[str, Any]:
    """At zero from the beginning: what is measured is the endpoint, not what a hundred starts leave behind."""
    container = {
        "name": "kserve-container",
        "image": "python:3.11",
        "command": ["python", "-m", "http.server"],
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"autoscaling.knative.dev/initial-scale": "0"}},
        "spec": {"predictor": {"minReplicas": 0, "containers": [container]}},
    }


def allow_zero(it: ServerProcess) -> None:
    it.call("POST", "/api/v1/namespaces", {"metadata": {"name": "knative-serving"}})
    data = {"allow-zero-initial-scale": "true"}
    it.call("POST", CONFIG_MAPS, {"metadata": {"name": "config-autoscaler"}, "data": data})


def ready(it: ServerProcess) -> int:
    return sum(
        1
        for each in it.call("GET", ISVCS)["items"]
        for condition in (each.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "True"
    )


def wait(it: ServerProcess, count: int) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while (found := ready(it)) < count:
        if time.monotonic() > until:
            raise RuntimeError(f"only {found} of {count} endpoints became ready")
        time.sleep(LOOK_SECONDS)


def used(it: ServerProcess) -> float:
    """Seconds of CPU."""
    assert it.process is not None
    times = psutil.Process(it.process.pid).cpu_times()
    return float(times.user + times.system)


def rest(it: ServerProcess) -> tuple[float, float]:
    """Memory in MiB, and the share of one CPU, while nothing happens."""
    assert it.process is not None
    time.sleep(SETTLE_SECONDS)
    memory = memory_mib(it)
    process = psutil.Process(it.process.pid)
    before = process.cpu_times()
    time.sleep(IDLE_SECONDS)
    after = process.cpu_times()
    return memory, (after.user + after.system - before.user - before.system) / IDLE_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    count = parser.parse_args().count
    with server() as it:
        allow_zero(it)
        # The first brings along what all of them share.
        it.call("POST", ISVCS, service("first"))
        wait(it, 1)
        memory, cpu = rest(it)
        started, before = time.perf_counter(), used(it)
        for number in range(count):
            it.call("POST", ISVCS, service(f"model-{number}"))
        wait(it, count + 1)
        seconds, spent = time.perf_counter() - started, used(it) - before
        memory_after, cpu_after = rest(it)
    each = (memory_after - memory) / count
    table(
        f"{count} endpoints at zero",
        [
            (
                "memory for each",
                f"{each:.2f} MiB",
                f"{memory:.0f} MiB with one, {memory_after:.0f} MiB with all",
            ),
            ("CPU for all", f"{cpu_after:.2%}", f"{cpu:.2%} with one"),
            ("until all were ready", f"{seconds:.1f} s", f"{spent:.1f} s of CPU"),
        ],
    )


if __name__ == "__main__":
    main()
