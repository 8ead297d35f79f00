"""Makes an Experiment, waits for its end and writes the best trial: what the image of the component "Katib - Launch
Experiment" runs, in pipelines of kfp v1.

Run in a pod as `python src/launch_experiment.py`; nothing of Sampan is there. Written for the purpose, with upstream's
arguments and its output: `{"currentOptimalTrial": {...}}` as the experiment's status has it. The specification may have
the SDK's names (`max_trial_count`) or the API's. Other than upstream's, an experiment that fails fails the step, with
its words; and a step that is stopped ends its experiment.

Source: kubeflow/pipelines components/kubeflow/katib-launcher (component.yaml, src/launch_experiment.py), as of 2.0.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
STOP = {"metadata": {"annotations": {"sampan.dev/stop": "true"}}}
AS_WRITTEN = {"trialSpec", "primaryPodLabels"}
"""Of a specification: what is the user's own below, names and all."""
MOST_FAILURES = 60


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Experiments:
    """Those of a namespace, by the pod's service account."""

    def __init__(self, namespace: str) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        at = f"[{host}]" if ":" in host else host
        self.url = f"https://{at}:{port}/apis/kubeflow.org/v1beta1/namespaces/{namespace}/experiments"
        self.context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def call(self, method: str, name: str = "", body: Any = None) -> Any:
        """Raises ApiError."""
        headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}"}
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), media
        url = f"{self.url}/{name}" if name else self.url
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  https, as it is built
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise ApiError(error.code, message_of(text)) from None
        except OSError as error:
            raise ApiError(0, f"the API server cannot be reached: {error}") from None


def message_of(text: str) -> str:
    try:
        return str(json.loads(text).get("message") or text)
    except ValueError:
        return text


def specification(found: Any) -> Any:
    """With the API's names, and without what is None."""
    if isinstance(found, list):
        return [specification(each) for each in found if each is not None]
    if not isinstance(found, Mapping):
        return found
    made = {}
    for name, value in found.items():
        if value is not None:
            key = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
            made[key] = value if key in AS_WRITTEN else specification(value)
    return made


def ended(experiment: Mapping[str, Any]) -> tuple[str, str]:
    """Its last condition, if it has come to an end, and what it says; else nothing and what it says."""
    conditions = experiment.get("status", {}).get("conditions") or []
    true = [each for each in conditions if each.get("status") == "True"]
    if not true:
        return "", "nothing yet"
    state = true[-1]["type"] if true[-1]["type"] in ("Succeeded", "Failed") else ""
    return state, str(true[-1].get("message") or true[-1]["type"])


def wait(experiments: Experiments, name: str, minutes: float) -> tuple[str, Mapping[str, Any]]:
    """Its end, and the experiment as it was then. Stops the program where there is none."""
    deadline, said, failures = time.monotonic() + 60 * minutes, "", 0
    while True:
        try:
            experiment = experiments.call("GET", name)
            failures = 0
        except ApiError as error:
            failures += 1
            if error.code == 404 or failures > MOST_FAILURES:
                sys.exit(f"Experiment {name}: {error}")
            time.sleep(1)
            continue
        state, message = ended(experiment)
        if message != said:
            print(f"Experiment {name}: {message}", flush=True)
            said = message
        if state:
            return state, experiment
        if time.monotonic() > deadline:
            sys.exit(
                f"Experiment {name} has not ended within {minutes:g} minutes, and is left as it is: {message}"
            )
        time.sleep(1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes an Experiment and waits for its end")
    parser.add_argument("--experiment-name", required=True)
    parser.add_argument("--experiment-namespace", default="anonymous")
    parser.add_argument("--experiment-spec", type=json.loads, required=True)
    parser.add_argument("--experiment-timeout-minutes", type=float, default=24 * 60)
    parser.add_argument("--delete-after-done", type=truth, default=True)
    parser.add_argument("--output-file", type=Path, default=Path("/output.txt"))
    return parser.parse_args()


def truth(text: str) -> bool:
    """As distutils' strtobool, which upstream reads it by."""
    if text.lower() in ("y", "yes", "t", "true", "on", "1"):
        return True
    if text.lower() in ("n", "no", "f", "false", "off", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def main() -> None:
    options = arguments()
    experiments, name = Experiments(options.experiment_namespace), options.experiment_name

    def stop(number: int, frame: object) -> NoReturn:
        print(f"the step is ended: so is Experiment {name}", flush=True)
        try:
            experiments.call("PATCH", name, STOP)
        except ApiError as error:
            print(f"Experiment {name}: {error}", file=sys.stderr, flush=True)
        os._exit(128 + number)

    made = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": options.experiment_namespace},
        "spec": specification(options.experiment_spec),
    }
    try:
        experiments.call("POST", body=made)
    except ApiError as error:
        sys.exit(f"Experiment {name} in namespace {options.experiment_namespace}: {error}")
    # Not before: an experiment of that name that was there is somebody else's.
    signal.signal(signal.SIGTERM, stop)
    print(f"Experiment {name} is created in namespace {options.experiment_namespace}", flush=True)
    state, experiment = wait(experiments, name, options.experiment_timeout_minutes)
    best = experiment.get("status", {}).get("currentOptimalTrial")
    if state == "Succeeded":
        options.output_file.parent.mkdir(parents=True, exist_ok=True)
        options.output_file.write_text(json.dumps({"currentOptimalTrial": best}))
        print(f"the best: {json.dumps(best)}", flush=True)
    if options.delete_after_done:
        experiments.call("DELETE", name)
        print(f"Experiment {name} is deleted", flush=True)
    if state == "Failed":
        sys.exit(f"Experiment {name} failed: {ended(experiment)[1]}")


if __name__ == "__main__":
    main()
