"""What a user of the SDK 1.8 does with `kfp.Client`. Run by that SDK's own interpreter:

    python kfp_v1_journey.py URL FOLDER

It imports nothing of ours: the client is the official one, unmodified, and so is the generated client below it. The
package is of the IR, whose pipelines run whatever version of the API they come through.
"""

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import kfp
import kfp_server_api
from kfp import dsl
from kfp.components import create_component_from_func
from kfp_server_api import ApiException

PIPELINE = """
pipelineInfo: {name: greet}
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
root:
  inputDefinitions:
    parameters:
      word: {parameterType: STRING, defaultValue: hello}
      times: {parameterType: NUMBER_INTEGER, defaultValue: 2}
  dag:
    tasks:
      say:
        taskInfo: {name: say}
        componentRef: {name: comp-say}
        inputs: {parameters: {text: {componentInputParameter: word}}}
components:
  comp-say:
    executorLabel: exec-say
    inputDefinitions: {parameters: {text: {parameterType: STRING}}}
deploymentSpec:
  executors:
    exec-say:
      container:
        image: python:3.11
        command: [COMMAND]
        args: ["{{$.inputs.parameters['text']}}"]
"""


def refused(call: Callable[[], Any], status: int, word: str) -> None:
    try:
        call()
    except ApiException as error:
        answer = error
    else:
        raise AssertionError(f"should have been refused with {status}")
    body = json.loads(answer.body)
    assert answer.status == status, answer
    assert word in (body.get("message") or body["error_message"]), body


def status(client: kfp.Client, run_id: str) -> str:
    """The run's last one. The SDK's own waiting looks every five seconds only."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = client.get_run(run_id).run.status
        if found in ("Succeeded", "Failed"):
            return str(found)
        time.sleep(0.2)
    raise AssertionError(f"run {run_id} has not ended")


def pipelines(client: kfp.Client, package: str) -> tuple:
    pipeline = client.upload_pipeline(package, pipeline_name="greet", description="first")
    assert client.get_pipeline_id("greet") == pipeline.id
    assert client.get_pipeline_id("nobody") is None
    parameters = client.get_pipeline(pipeline.id).parameters
    assert [(each.name, each.value) for each in parameters] == [("word", "hello"), ("times", "2")]
    version = client.upload_pipeline_version(package, "v2", pipeline_name="greet", description="second")
    listed = client.list_pipeline_versions(pipeline.id, sort_by="created_at desc").versions
    assert [each.name for each in listed] == ["v2", "greet"]
    api = client._pipelines_api
    assert api.get_pipeline_version(version.id).description == "second"
    assert "pipelineInfo" in api.get_template(pipeline.id).template
    assert "pipelineInfo" in api.get_pipeline_version_template(version.id).template
    api.update_pipeline_default_version(pipeline.id, listed[1].id)
    assert client.get_pipeline(pipeline.id).default_version.id == listed[1].id
    refused(lambda: client.upload_pipeline(package, pipeline_name="greet"), 409, "greet")
    assert [each.name for each in client.list_pipelines().pipelines] == ["greet"]
    return pipeline.id, version.id


def experiments(client: kfp.Client) -> str:
    experiment = client.create_experiment("journey", description="of a client")
    assert client.create_experiment("journey").id == experiment.id
    assert client.get_experiment(experiment_name="journey").description == "of a client"
    client.archive_experiment(experiment.id)
    assert client.get_experiment(experiment.id).storage_state == "STORAGESTATE_ARCHIVED"
    client._experiment_api.unarchive_experiment(experiment.id)
    assert [each.name for each in client.list_experiments().experiments] == ["journey"]
    return str(experiment.id)


def runs(client: kfp.Client, packages: dict, experiment_id: str, source: tuple) -> None:
    run = client.run_pipeline(experiment_id, "inline", packages["echo"], params={"word": "ahoy", "times": 3})
    ended = client.wait_for_run_completion(run.id, timeout=120)
    assert ended.run.status == "Succeeded", ended
    given = {each.name: each.value for each in ended.run.pipeline_spec.parameters}
    assert given == {"word": "ahoy", "times": "3"}, given
    workflow = client._get_workflow_json(run.id)
    assert workflow["status"]["phase"] == "Succeeded", workflow
    (step,) = [node for node in workflow["status"]["nodes"].values() if node["type"] == "Pod"]
    assert step["displayName"] == "say", step
    assert step["phase"] == "Succeeded", step
    assert step["inputs"]["parameters"] == [{"name": "text", "value": "ahoy"}], step

    of_version = client.run_pipeline(
        experiment_id, "of a version", pipeline_id=source[0], version_id=source[1]
    )
    references = {each.key.type: each.key.id for each in of_version.resource_references}
    assert references == {"EXPERIMENT": experiment_id, "PIPELINE_VERSION": source[1]}, references
    assert status(client, of_version.id) == "Succeeded"

    failed = client.create_run_from_pipeline_package(packages["false"], {}, experiment_name="journey")
    assert status(client, failed.run_id) == "Failed"
    client._run_api.retry_run(failed.run_id)
    assert status(client, failed.run_id) == "Failed"
    assert "exit code" in client.get_run(failed.run_id).run.error

    metric = kfp_server_api.ApiRunMetric(name="accuracy", node_id=step["id"], number_value=0.9, format="RAW")
    body = kfp_server_api.ApiReportRunMetricsRequest(run_id=run.id, metrics=[metric, metric])
    results = client._run_api.report_run_metrics(run.id, body).results
    assert [each.status for each in results] == ["OK", "DUPLICATE_REPORTING"], results
    assert client.get_run(run.id).run.metrics == [metric]
    listed = client.list_runs(experiment_id=experiment_id, sort_by="metric:accuracy desc", page_size=1)
    assert [each.id for each in listed.runs] == [run.id]
    assert listed.total_size == 3
    refused(lambda: client.get_run("no-such-run"), 404, "no-such-run")
    client._run_api.archive_run(run.id)
    assert client.get_run(run.id).run.storage_state == "STORAGESTATE_ARCHIVED"
    client._run_api.unarchive_run(run.id)
    client._run_api.delete_run(run.id)
    assert len(client.list_runs(experiment_id=experiment_id).runs) == 2


def jobs(client: kfp.Client, experiment_id: str, source: tuple) -> None:
    job = client.create_recurring_run(
        experiment_id,
        "often",
        interval_second=1,
        params={"word": "tick"},
        pipeline_id=source[0],
        version_id=source[1],
        max_concurrency=1,
    )
    assert job.enabled is True, job
    assert job.trigger.periodic_schedule.interval_second == "1", job

    def started() -> list:
        return [run for run in client.list_runs(page_size=100).runs if run.name.startswith("often")]

    deadline = time.monotonic() + 60
    while not started() and time.monotonic() < deadline:
        time.sleep(0.2)
    client.disable_job(job.id)
    assert started(), "no run has started"
    creators = {
        each.key.type: each.key.id for each in client.get_run(started()[0].id).run.resource_references
    }
    assert creators["JOB"] == job.id, creators
    assert client.get_recurring_run(job.id).enabled in (False, None)
    assert [each.id for each in client.list_recurring_runs(experiment_id=experiment_id).jobs] == [job.id]
    client.delete_job(job.id)
    assert client.list_recurring_runs().jobs is None


def evaluate(value: float) -> NamedTuple("Out", [("mlpipeline_metrics", "Metrics")]):  # noqa: F821  a type of the SDK
    import json

    return (json.dumps({"metrics": [{"name": "accuracy", "numberValue": value, "format": "PERCENTAGE"}]}),)


@dsl.pipeline(name="evaluation")
def evaluation(value: float = 0.5):
    create_component_from_func(evaluate, base_image="python:3.11")(value)


def metrics(client: kfp.Client) -> None:
    """Of the steps of a Workflow: runs show them, and are sorted by them."""
    for value in (0.25, 0.75):
        name, arguments = f"of {value}", {"value": value}
        run = client.create_run_from_pipeline_func(
            evaluation, arguments, run_name=name, experiment_name="metrics"
        )
        assert status(client, run.run_id) == "Succeeded", client.get_run(run.run_id)
    (pod,) = [
        node
        for node in client._get_workflow_json(run.run_id)["status"]["nodes"].values()
        if node["type"] == "Pod"
    ]
    (shown,) = client.get_run(run.run_id).run.metrics
    assert (shown.name, shown.number_value, shown.format) == ("accuracy", 0.75, "PERCENTAGE"), shown
    assert shown.node_id == pod["id"], (shown, pod)
    read = client._run_api.read_artifact(run.run_id, pod["id"], "mlpipeline-metrics")
    assert "accuracy" in base64.b64decode(read.data).decode(), read
    best = client.list_runs(sort_by="metric:accuracy desc", page_size=2).runs
    assert [each.name for each in best] == ["of 0.75", "of 0.25"], best


def main(url: str, folder: Path) -> None:
    packages = {}
    for command in ("echo", "false"):
        file = folder / f"{command}.yaml"
        file.write_text(PIPELINE.replace("COMMAND", f'"{command}"'))
        packages[command] = str(file)
    client = kfp.Client(host=url)
    assert client.get_kfp_healthz().multi_user is False
    source = pipelines(client, packages["echo"])
    experiment_id = experiments(client)
    runs(client, packages, experiment_id, source)
    jobs(client, experiment_id, source)
    metrics(client)
    client.delete_pipeline_version(source[1])
    client.delete_pipeline(source[0])
    client.delete_experiment(experiment_id)
    assert client.list_pipelines().pipelines is None
    print(f"the journey of kfp {kfp.__version__} is over")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
