"""What a user does with `PipelinesClient`, which the Kubeflow SDK shows as `kubeflow.pipelines.PipelinesClient`:

    python kubeflow_pipelines_journey.py URL FOLDER

It imports nothing of ours: the client is the official one, unmodified. That all of its methods were called is
checked at the end.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import compiler, dsl
from kfp.kubeflow_client import PipelinesClient
from kfp.kubeflow_client.backends.kubernetes import KubernetesBackendConfig


@dsl.container_component
def say(text: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["echo"], args=[text])


@dsl.container_component
def fail() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["false"])


@dsl.pipeline(name="greet")
def greet(word: str = "hello"):
    say(text=word)


@dsl.pipeline(name="broken")
def broken():
    fail()


def wrong(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    raise AssertionError("should have been refused")


def main(url: str, folder: Path) -> None:
    package = str(folder / "greet.yaml")
    compiler.Compiler().compile(greet, package)
    client = PipelinesClient(KubernetesBackendConfig(base_url=url))
    called = set()

    def call(method: str, /, *given: Any, **named: Any) -> Any:
        called.add(method)
        return getattr(client, method)(*given, **named)

    first = call("upload_pipeline", greet, version="v1", description="d")
    assert first.display_name == "v1", first
    second = call("upload_pipeline", package, name="greet", version="v2")
    assert call("get_pipeline", "greet").pipeline_id == second.pipeline_id
    assert call("get_pipeline_version", "greet", "v1").pipeline_version_id == first.pipeline_version_id
    assert [each.display_name for each in call("list_pipelines").pipelines] == ["greet"]
    assert len(call("list_pipeline_versions", "greet").pipeline_versions) == 2
    assert wrong(lambda: call("get_pipeline", "nobody"))
    assert call("create_experiment", "mine", description="d").display_name == "mine"
    assert call("create_experiment", "mine").description == "d"
    assert call("get_experiment", "mine").display_name == "mine"
    assert "mine" in [each.display_name for each in call("list_experiments").experiments]

    seen = []
    run = call("run", "greet", params={"word": "x"}, experiment="mine", version="v1")
    ended = call("wait_for_run_status", run, polling_interval=1, callbacks=[seen.append])
    assert ended.state == "SUCCEEDED", ended
    assert [each.run_id for each in seen] == [run.run_id]
    for source in (package, greet, second, client.get_pipeline("greet")):
        other = call("run", source)
        assert call("wait_for_run_status", other, polling_interval=1).state == "SUCCEEDED"
        assert call("get_run", other.run_id).state == "SUCCEEDED"
    failed = call("run", broken, experiment="mine")
    assert call("wait_for_run_status", failed, polling_interval=1).state == "FAILED"
    assert [each.run_id for each in call("list_runs", experiment="mine", status="failed").runs] == [
        failed.run_id
    ]
    # Three runs are of the uploaded pipeline, the others bring their own specification.
    assert len(call("list_runs", pipeline="greet", page_size=50).runs) == 3

    assert wrong(lambda: call("delete_pipeline", "greet"))
    call("delete_pipeline", "greet", version="v1")
    call("delete_pipeline", "greet", force=True)
    call("delete_experiment", "mine")
    assert wrong(lambda: call("get_experiment", "mine"))
    assert client.kfp_client.get_kfp_healthz().multi_user is False
    public = {name for name, _ in inspect.getmembers(PipelinesClient, inspect.isfunction) if name[0] != "_"}
    assert public == called, public - called
    print("the journey of PipelinesClient is over")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
