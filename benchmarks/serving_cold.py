"""What the first request of an endpoint waits for: from `kubectl apply` to an answer, and from zero.

The environment of the image is there before; the interpreter that pods are forked from is not at the first apply, and
is afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from harness import table
from serving import SUBJECTS, environment_of, make_model

from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

KIND = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
PODS = "/api/v1/namespaces/default/pods"
BODY = b'{"instances": [[6.8, 2.8, 4.8, 1.4]]}'


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as folder:
        home = home_with_frameworks(Path(folder) / "home")
        python, _ = environment_of(home, SUBJECTS["sklearn"])
        make_model(python, "sklearn", Path(folder) / "model")
        with ServerProcess(home) as server:
            time.sleep(3)
            applied = [_applied(server, f"iris-{number}", Path(folder) / "model") for number in range(3)]
            woken = [_woken(server, "iris-0") for _ in range(rounds)]
    table(
        f"sklearn iris, load {os.getloadavg()[0]:.1f}",
        [
            ("apply to the first answer", f"{applied[0]:.2f} s", "the interpreter loads scikit-learn"),
            ("the next ones", f"{statistics.median(applied[1:]):.2f} s", "the interpreter is there"),
            (
                "first request to one at zero",
                f"{statistics.median(woken):.2f} s",
                f"worst {max(woken):.2f} s",
            ),
        ],
    )


def _applied(server: ServerProcess, name: str, model: Path) -> float:
    annotations = {
        "autoscaling.knative.dev/window": "6s",
        "autoscaling.knative.dev/scale-to-zero-pod-retention-period": "0s",
    }
    predictor = {
        "minReplicas": 0,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"file://{model}"},
    }
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"predictor": predictor},
    }
    begin = time.perf_counter()
    server.call("POST", KIND, body)
    while not _is_ready(server.call("GET", f"{KIND}/{name}")):
        time.sleep(0.01)
    _ask(server, name)
    return time.perf_counter() - begin


def _is_ready(found: dict) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _woken(server: ServerProcess, name: str) -> float:
    while any(each["metadata"]["name"].startswith(f"{name}-") for each in server.call("GET", PODS)["items"]):
        time.sleep(0.2)
    begin = time.perf_counter()
    _ask(server, name)
    return time.perf_counter() - begin


def _ask(server: ServerProcess, name: str) -> None:
    headers = {"content-type": "application/json", "host": f"{name}-default.localhost"}
    request = urllib.request.Request(f"{server.url}/v1/models/{name}:predict", BODY, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.loads(answer.read()) == {"predictions": [1]}


if __name__ == "__main__":
    main()
