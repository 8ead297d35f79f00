"""The model server in pods of the embedded cluster: found in the image's environment, forked, on the pod's address."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sampan.components.serving.engine.programs.modelserver.grpc_messages import SERVICE, message
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

IMAGE = "kserve/sklearnserver:v0.20.0"
PODS = "/api/v1/namespaces/default/pods"
ENVIRONMENT_SECONDS = 600
MODEL = """
import joblib, sys
from sklearn import datasets, svm
x, y = datasets.load_iris(return_X_y=True)
joblib.dump(svm.SVC(gamma="scale").fit(x, y), sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(home_with_frameworks(tmp_path_factory.mktemp("cluster") / "home")) as server:
        yield server


@pytest.fixture(scope="module")
def folder(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With an estimator that the image's own environment has made."""
    made = tmp_path_factory.mktemp("model")
    script = f"import sys; sys.argv = ['', '/mnt/models/model.joblib']\n{MODEL}"
    pod = of("maker", made, command=["python3", "-c", script])
    call(server, "POST", PODS, pod)
    until(server, "maker", lambda status: status.get("phase") == "Succeeded")
    return made


def call(server: ServerProcess, method: str, path: str, document: Any = None) -> Any:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(
        server.url + path, body, {"content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def of(name: str, folder: Path, **container: Any) -> dict[str, Any]:
    more = {"name": "kserve-container", "image": IMAGE, **container}
    more["volumeMounts"] = [{"name": "model", "mountPath": "/mnt/models"}]
    if "command" not in container:
        more["readinessProbe"] = {"httpGet": {"path": "/v1/models/iris", "port": 8080}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "containers": [more],
            "volumes": [{"name": "model", "hostPath": {"path": str(folder)}}],
        },
    }


def until(server: ServerProcess, name: str, is_so: Any) -> dict[str, Any]:
    end = time.monotonic() + ENVIRONMENT_SECONDS
    while time.monotonic() < end:
        status: dict[str, Any] = call(server, "GET", f"{PODS}/{name}").get("status", {})
        if is_so(status):
            return status
        assert status.get("phase") != "Failed", status
        time.sleep(0.05)
    raise AssertionError(status)


def started(server: ServerProcess, name: str, folder: Path, *words: str, **container: Any) -> str:
    """The address of the pod, when it is ready."""
    args = ["--model_name=iris", "--model_dir=/mnt/models", "--http_port=8080", *words]
    call(server, "POST", PODS, of(name, folder, args=args, **container))

    def is_ready(status: dict[str, Any]) -> bool:
        return bool((status.get("containerStatuses") or [{}])[0].get("ready"))

    return str(until(server, name, is_ready)["podIP"])


def predict(address: str) -> Any:
    request = urllib.request.Request(
        f"http://{address}:8080/v1/models/iris:predict", b'{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def infer(address: str) -> list[int]:
    with grpc.insecure_channel(f"{address}:8081") as channel:
        grpc.channel_ready_future(channel).result(30)
        request = message("ModelInferRequest")(model_name="iris")
        tensor = request.inputs.add(name="x", datatype="FP64", shape=[1, 4])
        tensor.contents.fp64_contents.extend([6.8, 2.8, 4.8, 1.4])
        stub = channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            lambda each: each.SerializeToString(),
            message("ModelInferResponse").FromString,
        )
        return list(stub(request, timeout=60).outputs[0].contents.int64_contents)


def test_pods_serve_side_by_side_each_on_its_own_address(server: ServerProcess, folder: Path) -> None:
    addresses = {started(server, f"one-{number}", folder) for number in range(3)}
    assert len(addresses) == 3
    for address in addresses:
        assert predict(address) == {"predictions": [1]}
        assert infer(address) == [1]
    # They are forked from one interpreter, which has loaded the framework.
    found = subprocess.run(
        ["ps", "-ww", "-eo", "ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    parents = [line.split()[0] for line in found.splitlines() if "sampan_serving.modelserver.preload" in line]
    assert max(map(parents.count, parents)) >= 3


def test_what_a_container_says_of_python_is_kept(server: ServerProcess, folder: Path) -> None:
    (folder / "own_module.py").write_text("print('found', flush=True)")
    env = [{"name": "PYTHONPATH", "value": "/mnt/models"}, {"name": "OMP_NUM_THREADS", "value": "1"}]
    assert predict(started(server, "own", folder, env=env)) == {"predictions": [1]}
    script = "import own_module, sampan_serving.modelserver, os; assert os.environ['OMP_NUM_THREADS'] == '1'"
    call(server, "POST", PODS, of("own-command", folder, env=env, command=["python3", "-c", script]))
    until(server, "own-command", lambda status: status.get("phase") == "Succeeded")


def test_a_model_of_a_users_own_class_in_an_image_of_his_own(server: ServerProcess, folder: Path) -> None:
    """As docs/serving.md says it."""
    documentation = Path(__file__).parents[3] / "docs" / "serving.md"
    entry = documentation.read_text().split('```toml\n[[image]]\nmatch = "registry.example/team/doubler"')[1]
    entry = entry.split("```")[0].replace("~/project/doubler.py", str(folder / "doubler.py"))
    (server.home / "images.toml").write_text(f'[[image]]\nmatch = "registry.example/team/doubler"{entry}')
    code = documentation.read_text().split("```python\nfrom kserve import Model")[1].split("```")[0]
    (folder / "doubler.py").write_text("from kserve import Model" + code)
    address = started(server, "doubler", folder, image="registry.example/team/doubler:1")
    request = urllib.request.Request(
        f"http://{address}:8080/v1/models/iris:predict", b'{"instances": [1, 2]}'
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.loads(answer.read()) == {"predictions": [2, 4]}


def test_workers_of_a_pod(server: ServerProcess, folder: Path) -> None:
    address = started(server, "several", folder, "--workers=2")
    for _ in range(20):
        assert predict(address) == {"predictions": [1]}
        assert infer(address) == [1]
    call(server, "DELETE", f"{PODS}/several")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            call(server, "GET", f"{PODS}/several")
        except urllib.error.HTTPError:
            break
        time.sleep(0.1)
    with pytest.raises(OSError, match="refused"):
        predict(address)
