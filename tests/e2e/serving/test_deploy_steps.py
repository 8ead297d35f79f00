"""Endpoints made by steps of pipelines: by `sampan.sdk.serving`, and by upstream's KServe component."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.components.serving.sdk import lineage
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.sdk import serve
from sampan.sdk.sending import connect
from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

SOURCE = Path(__file__).parents[3] / "src"
KFP = ("kfp==2.17.0", "httpx==0.28.1", "msgspec==0.20.0", "pyyaml", "cloudpickle")

DEPLOYED = """
import sys
from kfp import compiler, dsl
from sampan.sdk import serving

@dsl.component(base_image="python:3.11")
def data(rows: dsl.Output[dsl.Dataset]):
    open(rows.path, "w").write("1,2")

@dsl.component(base_image="kserve/sklearnserver:v0.20.0")
def train(rows: dsl.Input[dsl.Dataset], says: int, model: dsl.Output[dsl.Model]):
    import os, joblib
    from sklearn.dummy import DummyClassifier
    os.makedirs(model.path)
    fitted = DummyClassifier(strategy="constant", constant=says).fit([[0, 0], [1, 1]], [says, 1000])
    joblib.dump(fitted, model.path + "/model.joblib")

@dsl.component(base_image="python:3.11")
def use(url: str, endpoint: str) -> str:
    return endpoint + " at " + url

@dsl.pipeline(name="deployed")
def deployed(says: int = 7, canary: str = ""):
    trained = train(rows=data().outputs["rows"], says=says)
    served = serving.deploy(model=trained.outputs["model"], name="steps", canary=canary)
    use(url=served.outputs["url"], endpoint=served.outputs["endpoint"])

@dsl.pipeline(name="broken")
def broken(uri: str = "file:///no/such/model.onnx"):
    serving.deploy(model=uri, name="broken", format="onnx")

compiler.Compiler().compile({"deployed": deployed, "broken": broken}[sys.argv[2]], sys.argv[1])
"""

COMPONENT = """
import sys
from kfp import compiler, components, dsl

COMPONENT = '''
name: Serve a model with KServe
inputs:
- {name: Action, type: String, default: create}
- {name: Model Name, type: String, default: ''}
- {name: InferenceService YAML, type: String, default: '{}'}
- {name: Pred Model URI, type: String, default: ''}
- {name: Pred Framework, type: String, default: ''}
- {name: Pred Custom Model Spec, type: String, default: '{}'}
outputs:
- {name: InferenceService Status, type: String}
implementation:
  container:
    image: quay.io/aipipeline/kserve-component:v0.11.1
    command: [python]
    args: [-u, kservedeployer.py, --action, {inputValue: Action}, --model-name, {inputValue: Model Name},
           --inferenceservice-yaml, {inputValue: InferenceService YAML}, --pred-model-uri, {inputValue: Pred Model URI},
           --pred-framework, {inputValue: Pred Framework},
           --pred-custom-model-spec, {inputValue: Pred Custom Model Spec},
           --output-path, {outputPath: InferenceService Status}]
'''
PROGRAM = "import http.server as h; h.HTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
serve = components.load_component_from_text(COMPONENT)
spec = '{"name": "main", "image": "python:3.11", "port": "8080", "command": ["python3", "-c", "%s"]}' % PROGRAM

@dsl.component(base_image="python:3.11")
def use(status: str) -> str:
    import json
    found = json.loads(status)
    return found["metadata"]["name"] + " " + found["status"]["url"]

@dsl.pipeline(name="upstream")
def upstream():
    made = serve(action="apply", model_name="by-component", pred_custom_model_spec=spec)
    told = use(status=made.output)
    other = spec.replace("serve_forever()", "serve_forever(2)")
    changed = serve(action="update", model_name="by-component", pred_custom_model_spec=other)
    changed.after(told)
    serve(action="delete", model_name="by-component").after(changed)

@dsl.pipeline(name="missing")
def missing():
    serve(action="create", model_name="no-model", pred_framework="sklearn", pred_model_uri="file:///no/such/model")

compiler.Compiler().compile({"upstream": upstream, "missing": missing}[sys.argv[2]], sys.argv[1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    home = home_with_frameworks(tmp_path_factory.mktemp("deploy") / "home")
    with ServerProcess(home) as running:
        yield running


def compiled(tmp_path: Path, program: str, name: str) -> dict[str, Any]:
    file, source = tmp_path / f"{name}.yaml", tmp_path / f"{name}.py"
    source.write_text(program)
    done = subprocess.run(
        [str(interpreter_with(*KFP)), "-W", "ignore", str(source), str(file), name],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def outputs(server: ServerProcess, run_id: str, step: str) -> Any:
    task = next(each for each in server.tasks(run_id) if each["name"] == step)
    return task["outputs"]["parameters"][0]["value"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_pipeline_trains_deploys_and_is_found_again(server: ServerProcess, tmp_path: Path) -> None:
    spec = compiled(tmp_path, DEPLOYED, "deployed")
    first = server.submit(spec, says=7)
    assert server.wait_run(first)["state"] == "SUCCEEDED", server.tasks(first)
    assert outputs(server, first, "use").startswith("steps at http://steps-default.localhost")
    second = server.submit(spec, says=9, canary="0")
    assert server.wait_run(second)["state"] == "SUCCEEDED", server.tasks(second)
    with connect(server.home) as session:
        serve.use(session)
        endpoint = serve.attach("steps")
        assert endpoint.predict([[1, 2]]) == [7]
        assert endpoint.promote().wait().predict([[1, 2]]) == [9]
        (found,) = lineage.of_endpoint(Endpoints(session), Ref("default", "steps"))
        assert found.run["run_id"] == second
        assert [step.name for step in found.steps] == ["train", "data"]
        assert found.steps[0].read == ("rows (Dataset)",)
        assert found.steps[0].image == "kserve/sklearnserver:v0.20.0"
        artifact = found.artifact or {}
        # By the run's name, as a user says it.
        again = serve(f"run:{first}/train/model", name="again")
        assert again.predict([[0, 0]]) == [7]
        served = server.call("GET", f"/apis/v2beta1/artifacts/{artifact['artifact_id']}/endpoints")
        assert [each["name"] for each in served["endpoints"]] == ["steps"]
        serve.use(None)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_step_fails_with_the_reason(server: ServerProcess, tmp_path: Path) -> None:
    run_id = server.submit(compiled(tmp_path, DEPLOYED, "broken"))
    assert server.wait_run(run_id)["state"] == "FAILED"
    log = server.text(f"/apis/v1alpha1/runs/{run_id}/nodes/deploy/log")
    assert "broken does not start" in log
    assert "/no/such/model.onnx" in log


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_upstreams_component_makes_changes_and_deletes(server: ServerProcess, tmp_path: Path) -> None:
    run_id = server.submit(compiled(tmp_path, COMPONENT, "upstream"))
    assert server.wait_run(run_id)["state"] == "SUCCEEDED", server.tasks(run_id)
    assert outputs(server, run_id, "use").startswith("by-component http://by-component-default.localhost")
    run_id = server.submit(compiled(tmp_path, COMPONENT, "missing"))
    assert server.wait_run(run_id)["state"] == "FAILED"
    log = server.text(f"/apis/v1alpha1/runs/{run_id}/nodes/serve-a-model-with-kserve/log")
    assert "does not start" in log
    assert "/no/such/model" in log
