"""What one of many users does with `kfp.Client`: in a namespace of theirs, with a token. Run by the SDK's interpreter:

    python kfp_tenant_journey.py URL TOKEN NAMESPACE OTHERS_NAMESPACE FOLDER

It imports nothing of ours: the client is the official one, unmodified.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp
from kfp import compiler, dsl
from kfp_server_api import ApiException


@dsl.container_component
def say(text: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["echo"], args=[text])


@dsl.pipeline(name="greet")
def greet(word: str = "hello"):
    say(text=word)


def refused(call: Callable[[], Any], status: int, word: str) -> None:
    try:
        call()
    except ApiException as error:
        answer = error
    else:
        raise AssertionError(f"should have been refused with {status}")
    assert answer.status == status, answer
    assert word in answer.body, answer.body


def main(url: str, token: str, namespace: str, others: str, folder: Path) -> None:
    package = str(folder / "greet.yaml")
    compiler.Compiler().compile(greet, package)
    client = kfp.Client(host=url, existing_token=token)
    assert client.get_kfp_healthz().multi_user is True
    client.set_user_namespace(namespace)

    experiment = client.create_experiment("mine", namespace=namespace)
    assert experiment.namespace == namespace
    assert client.get_experiment(experiment_name="mine").experiment_id == experiment.experiment_id
    pipeline = client.upload_pipeline(package, pipeline_name="greet", namespace=namespace)
    assert [each.pipeline_id for each in client.list_pipelines(namespace=namespace).pipelines] == [
        pipeline.pipeline_id
    ]
    (version,) = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    source = {"pipeline_id": pipeline.pipeline_id, "version_id": version.pipeline_version_id}
    run = client.run_pipeline(experiment.experiment_id, "mine", **source)
    ended = client.wait_for_run_completion(run.run_id, timeout=120, sleep_duration=1)
    assert ended.state == "SUCCEEDED", ended
    assert [each.run_id for each in client.list_runs(namespace=namespace).runs] == [run.run_id]
    of_function = client.create_run_from_pipeline_func(greet, {}, experiment_name="mine", namespace=namespace)
    assert of_function.wait_for_run_completion(timeout=120).state == "SUCCEEDED"
    schedule = client.create_recurring_run(
        experiment.experiment_id, "nightly", cron_expression="0 0 3 * * *", **source
    )
    listed = client.list_recurring_runs(namespace=namespace).recurring_runs
    assert [each.recurring_run_id for each in listed] == [schedule.recurring_run_id]

    refused(lambda: client.list_runs(namespace=others), 403, others)
    refused(lambda: client.create_experiment("theirs", namespace=others), 403, others)
    refused(lambda: client.upload_pipeline(package, pipeline_name="theirs", namespace=others), 403, others)
    refused(lambda: client.upload_pipeline(package, pipeline_name="everybodys"), 403, "pipelines")

    client.delete_recurring_run(schedule.recurring_run_id)
    client.delete_run(run.run_id)
    refused(lambda: client.get_run(run.run_id), 404, run.run_id)
    print(json.dumps({"run": of_function.run_id}))


if __name__ == "__main__":
    main(*sys.argv[1:5], Path(sys.argv[5]))
