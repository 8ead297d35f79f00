"""Every metrics collector on a real server, with real programs in real pods; and trials that are stopped early."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sampan.testing.server import HttpError, ServerProcess

NAMESPACE = "/apis/kubeflow.org/v1beta1/namespaces/default"
COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
FAILED = 'status.conditions.#(type=="Failed")#|#(status=="True")#'
QUOTED = """print('it is "quoted" & $HOME; accuracy=0.25'); print("accuracy=0.75 loss=1e-3")"""
FILE = """
with open("/data/out/metrics.log", "w") as file:
    for n in range(1, 4):
        print(f"2026-01-01T00:00:0{4 - n}Z accuracy=0.{n}", file=file, flush=True)
print("accuracy=99")
"""
JSON = """
import json
with open("/katib/mnist.log", "w") as file:
    for n in range(1, 4):
        print(json.dumps({"accuracy": str(n / 10), "loss": n, "timestamp": 1700000000 + n}), file=file)
"""
EVENTS = """
import os, struct, time
def varint(n):
    out = b""
    while True:
        n, low = n >> 7, n & 127
        out += bytes([low | (128 if n else 0)])
        if not n: return out
def block(n, data): return varint(n << 3 | 2) + varint(len(data)) + data
def event(step, tag, value):
    inner = block(1, tag.encode()) + varint(2 << 3 | 5) + struct.pack("<f", value)
    data = varint(1 << 3 | 1) + struct.pack("<d", 1700000000.5 + step) + varint(2 << 3) + varint(step)
    data += block(5, block(1, inner))
    return struct.pack("<QI", len(data), 0) + data + bytes(4)
for run in ("train", "test"):
    os.makedirs(f"/logs/{run}")
    with open(f"/logs/{run}/events.out.tfevents.1.host", "wb") as file:
        for step in range(3):
            file.write(event(step, "accuracy", 0.1 * step + (0.5 if run == "test" else 0)))
"""
SERVES = """
import http.server, threading, time
value = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f'# HELP accuracy\\naccuracy{{step="1"}} 0.{value}\\nother 3\\n'.encode() if self.path == "/m" else b""
        self.send_response(200 if body else 404); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("", 9100), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for value in range(1, 5): time.sleep(0.7)
server.shutdown()
"""
REPORTS = """
import os, time
while not os.path.exists("/shared/result"): time.sleep(0.05)
print("collected", open("/shared/result").read(), flush=True)
time.sleep(600)
"""
SLOW = """
import signal, sys, time
def stop(*args):
    print("saved", flush=True); sys.exit(4)
signal.signal(signal.SIGTERM, stop)
for n in range(600):
    print(f"accuracy={0.3 - n / 1000}", flush=True); time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "home") as server:
        yield server


def start(server: ServerProcess, name: str, program: str, collector: Any, **spec: Any) -> None:
    container = {"name": "training", "image": "python:3.11", "command": ["python", "-c", program]}
    template = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 5}
    run = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"backoffLimit": 0, "template": {"spec": template}},
    }
    objective = {"type": "maximize", "objectiveMetricName": "accuracy", "additionalMetricNames": ["loss"]}
    wanted = {
        "objective": objective,
        "runSpec": run,
        "metricsCollector": collector,
        "primaryContainerName": "training",
        "successCondition": COMPLETE,
        "failureCondition": FAILED,
        "retainRun": True,
        **spec,
    }
    body = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": {"name": name}, "spec": wanted}
    server.call("POST", f"{NAMESPACE}/trials", body)


def ended(server: ServerProcess, name: str, condition: str = "Succeeded") -> Any:
    deadline = time.monotonic() + 90
    trial: Any = {}
    while time.monotonic() < deadline:
        trial = server.call("GET", f"{NAMESPACE}/trials/{name}")
        true = {
            each["type"]: each
            for each in trial.get("status", {}).get("conditions", ())
            if each["status"] == "True"
        }
        if condition in true:
            return trial
        assert not true.keys() & {"Succeeded", "Failed", "MetricsUnavailable", "EarlyStopped"}, true
        time.sleep(0.1)
    raise AssertionError(f"{name} does not end: {trial.get('status')}")


def metrics(trial: Any, name: str = "accuracy") -> tuple[str, str, str]:
    own = next(each for each in trial["status"]["observation"]["metrics"] if each["name"] == name)
    return own["min"], own["max"], own["latest"]


def pod_of(server: ServerProcess, trial: str) -> Any:
    selector = f"labelSelector=katib.kubeflow.org/trial%3D{trial}"
    (pod,) = server.call("GET", f"/api/v1/namespaces/default/pods?{selector}")["items"]
    return pod


def log(server: ServerProcess, pod: Any, container: str) -> str:
    name = pod["metadata"]["name"]
    return server.text(f"/api/v1/namespaces/default/pods/{name}/log?container={container}")


def file_at(path: str, kind: str, **more: str) -> Any:
    return {"collector": {"kind": kind}, "source": {"fileSystemPath": {"path": path, "kind": "File", **more}}}


def test_what_is_printed_is_read_and_the_command_is_left_alone(server: ServerProcess) -> None:
    start(server, "printed", QUOTED, {"collector": {"kind": "StdOut"}})
    trial = ended(server, "printed")
    assert metrics(trial) == ("0.25", "0.75", "0.75")
    assert metrics(trial, "loss") == ("1e-3", "1e-3", "1e-3")
    pod = pod_of(server, "printed")
    own, collector = pod["spec"]["containers"]
    assert own["command"] == ["python", "-c", QUOTED]
    assert collector["name"] == "metrics-logger-and-collector"
    assert collector["args"][:4] == ["-t", "printed", "-m", "accuracy;loss"]
    assert [each["state"]["terminated"]["exitCode"] for each in pod["status"]["containerStatuses"]] == [0, 0]
    assert pod["status"]["phase"] == "Succeeded"
    # Its last words are written beside the trial's end, not before it.
    deadline = time.monotonic() + 60
    while "Metrics of trial" not in (said := log(server, pod, "metrics-logger-and-collector")):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    assert "accuracy=0.25\n" in said
    assert "Metrics of trial printed reported\n" in said


def test_files_of_lines_are_read_from_the_pods_volume(server: ServerProcess) -> None:
    start(server, "text", FILE, file_at("/data/out/metrics.log", "File", format="TEXT"))
    start(server, "json", JSON, file_at("/katib/mnist.log", "File", format="JSON"))
    start(server, "none", "print('accuracy=1')", file_at("/katib/mnist.log", "File", format="TEXT"))
    # The latest is so by its time.
    assert metrics(ended(server, "text")) == ("0.1", "0.3", "0.1")
    trial = ended(server, "json")
    assert metrics(trial) == ("0.1", "0.3", "0.3")
    assert metrics(trial, "loss") == ("1", "3", "3")
    pod = pod_of(server, "text")
    mounts = [
        [each for each in container["volumeMounts"] if each["name"] == "metrics-volume"]
        for container in pod["spec"]["containers"]
    ]
    assert mounts == [[{"name": "metrics-volume", "mountPath": "/data/out"}]] * 2
    trial = ended(server, "none", "MetricsUnavailable")
    assert "/katib/mnist.log in container training of pod" in trial["status"]["conditions"][-1]["message"]
    assert "was not written" in trial["status"]["conditions"][-1]["message"]


def test_event_files_of_tensorboard_are_read(server: ServerProcess) -> None:
    objective = {
        "type": "maximize",
        "objectiveMetricName": "test/accuracy",
        "additionalMetricNames": ["train/accuracy"],
    }
    events = {"collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": {"path": "/logs"}}}
    start(server, "events", EVENTS, events, objective=objective)
    trial = ended(server, "events")
    assert metrics(trial, "test/accuracy") == ("0.5", "0.7", "0.7")
    assert metrics(trial, "train/accuracy") == ("0", "0.2", "0.2")
    assert pod_of(server, "events")["spec"]["containers"][1]["name"] == "metrics-collector"


@pytest.mark.slow
def test_a_pod_is_asked_for_its_metrics_while_it_runs(server: ServerProcess) -> None:
    http = {"httpGet": {"path": "/m", "port": 9100}}
    start(server, "scraped", SERVES, {"collector": {"kind": "PrometheusMetric"}, "source": http})
    start(server, "unserved", "import time; time.sleep(1)", {"collector": {"kind": "PrometheusMetric"}})
    low, high, latest = metrics(ended(server, "scraped"))
    assert (float(low) <= 0.2, high, latest) == (True, "0.4", "0.4")
    message = ended(server, "unserved", "MetricsUnavailable")["status"]["conditions"][-1]["message"]
    assert "/metrics at port 8080 of pod unserved-" in message
    assert "connection refused" in message


@pytest.mark.slow
def test_a_collector_of_ones_own_ends_with_its_trial(server: ServerProcess) -> None:
    shared = {"name": "shared", "mountPath": "/shared"}
    own = {
        "name": "own",
        "image": "python:3.11",
        "command": ["python", "-c", REPORTS],
        "volumeMounts": [shared],
    }
    custom = {"collector": {"kind": "Custom", "customCollector": own}}
    program = "open('/shared/result', 'w').write('42')"
    container = {
        "name": "training",
        "image": "python:3.11",
        "command": ["python", "-c", program],
        "volumeMounts": [shared],
    }
    template = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "shared", "emptyDir": {}}],
    }
    run = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": template}}}
    start(server, "custom", "", custom, runSpec=run)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            pod = pod_of(server, "custom")
        except (ValueError, HttpError):
            pod = {}
        if pod.get("status", {}).get("phase") == "Succeeded":
            break
        time.sleep(0.1)
    assert pod["status"]["phase"] == "Succeeded"
    assert log(server, pod, "own") == "collected 42\n"
    # It has half a minute to be reported for, and that is said.
    while time.monotonic() < deadline:
        trial = server.call("GET", f"{NAMESPACE}/trials/custom")
        last = trial["status"]["conditions"][-1]
        if last["reason"] == "CollectingMetrics":
            assert last["message"] == "the run has succeeded; somebody has 30 s to report accuracy"
            return
        time.sleep(0.1)
    raise AssertionError(trial["status"])


@pytest.mark.parametrize("retain", [True, False])
def test_a_trial_whose_rules_are_met_is_stopped_early(server: ServerProcess, retain: bool) -> None:
    name = f"stopped-{str(retain).lower()}"
    rules = [{"name": "accuracy", "value": "0.5", "comparison": "less", "startStep": 3}]
    start(server, name, SLOW, {"collector": {"kind": "StdOut"}}, earlyStoppingRules=rules, retainRun=retain)
    trial = ended(server, name, "EarlyStopped")
    last = trial["status"]["conditions"][-1]
    assert last["reason"] == "TrialEarlyStopped"
    assert last["message"] == "Trial is early stopped: accuracy 0.3 is less than 0.5"
    assert metrics(trial)[1] == "0.3"
    deadline = time.monotonic() + 60
    job: Any = {}
    while time.monotonic() < deadline:
        jobs = server.call("GET", "/apis/batch/v1/namespaces/default/jobs")["items"]
        job = next((each for each in jobs if each["metadata"]["name"] == name), None)
        done = job is None if not retain else job is not None and job["status"].get("succeeded") == 1
        if done:
            break
        time.sleep(0.1)
    assert done, job
    if retain:
        assert log(server, pod_of(server, name), "training").endswith("saved\n")
    # It stays as it was.
    assert ended(server, name, "EarlyStopped")["status"] == trial["status"]
