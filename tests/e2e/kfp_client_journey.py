"""What a user does with `kfp.Client`, from connecting to cleaning up. Run by the SDK's own interpreter:

    python kfp_client_journey.py URL FOLDER

It imports nothing of ours: the client is the official one, unmodified. Only names
that every 2.x has are used, so that one file serves them all. Annotations are evaluated: the SDK reads them.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp
from kfp import compiler, dsl
from kfp_server_api import ApiException


@dsl.container_component
def say(text: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["echo"], args=[text])


@dsl.container_component
def fail() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["sh", "-c", "echo before the end; exit 3"])


@dsl.container_component
def linger() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["sleep", "600"])


@dsl.pipeline(name="greet", description="Says a word twice.")
def greet(word: str = "hello", times: int = 2):
    first = say(text=word)
    say(text="again").after(first)


@dsl.pipeline(name="broken")
def broken():
    fail()


@dsl.pipeline(name="long")
def long():
    linger()


def by_name(name: str) -> str:
    """A filter as the SDK writes it: the operation as a number, the value in camelCase."""
    return json.dumps({"predicates": [{"operation": 1, "key": "display_name", "stringValue": name}]})


def refused(call: Callable[[], Any], status: int, *words: str) -> None:
    try:
        call()
    except ApiException as error:
        answer = error
    else:
        raise AssertionError(f"should have been refused with {status}")
    body = json.loads(answer.body)
    message = body.get("message") or body["error_message"]
    assert answer.status == status, answer
    assert all(word in message for word in words), message


def pipelines(client: kfp.Client, package: str) -> tuple[str, str]:
    """Uploads, finds and lists; the ids of a pipeline and of its newest version."""
    pipeline = client.upload_pipeline(package, pipeline_name="greet", description="first")
    assert client.get_pipeline_id("greet") == pipeline.pipeline_id
    assert client.get_pipeline_id("nobody") is None
    assert client.get_pipeline(pipeline.pipeline_id).description == "first"
    refused(lambda: client.upload_pipeline(package, pipeline_name="greet"), 409, "greet")

    client.upload_pipeline_version(package, "v2", pipeline_id=pipeline.pipeline_id)
    version = client.upload_pipeline_version(package, "v3", pipeline_name="greet", description="third")
    listed = client.list_pipeline_versions(pipeline.pipeline_id, sort_by="created_at desc")
    assert [v.display_name for v in listed.pipeline_versions] == ["v3", "v2", "greet"]
    assert listed.total_size == 3
    read = client.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    assert read.pipeline_spec["pipelineInfo"]["name"] == "greet"
    assert read.description == "third"
    return pipeline.pipeline_id, version.pipeline_version_id


def experiments(client: kfp.Client) -> str:
    experiment = client.create_experiment("journey", description="of a client")
    assert client.create_experiment("journey").experiment_id == experiment.experiment_id
    assert client.get_experiment(experiment_name="journey").description == "of a client"
    client.archive_experiment(experiment.experiment_id)
    assert client.get_experiment(experiment.experiment_id).storage_state == "ARCHIVED"
    client.unarchive_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def runs(client: kfp.Client, folder: Path, package: str, experiment_id: str, source: tuple[str, str]) -> None:
    inline = client.run_pipeline(experiment_id, "inline", package, params={"word": "ahoy"})
    ended = client.wait_for_run_completion(inline.run_id, timeout=120, sleep_duration=1)
    assert ended.state == "SUCCEEDED", ended
    assert ended.finished_at > ended.created_at
    assert ended.runtime_config.parameters == {"word": "ahoy"}
    names = {task.display_name: task.state for task in ended.run_details.task_details}
    assert names["say"] == names["say-2"] == "SUCCEEDED", names

    of_version = client.run_pipeline(
        experiment_id, "of a version", pipeline_id=source[0], version_id=source[1], enable_caching=False
    )
    assert of_version.pipeline_version_reference.pipeline_version_id == source[1]
    assert client.wait_for_run_completion(of_version.run_id, 120, 1).state == "SUCCEEDED"
    of_function = client.create_run_from_pipeline_func(greet, arguments={}, experiment_name="journey")
    assert of_function.wait_for_run_completion(timeout=120).state == "SUCCEEDED"

    bad = {"word": "x", "times": "many"}
    refused(lambda: client.run_pipeline(experiment_id, "bad", package, params=bad), 400, "times")
    refused(lambda: client.get_run("no-such-run"), 404, "no-such-run")
    failed = client.run_pipeline(experiment_id, "failed", compiled(broken, folder))
    failed = client.wait_for_run_completion(failed.run_id, 120, 1)
    assert failed.state == "FAILED", failed
    errors = [task.error.message for task in failed.run_details.task_details if task.error]
    assert any("3" in message for message in errors), errors

    stopped = client.run_pipeline(experiment_id, "stopped", compiled(long, folder))
    client.terminate_run(stopped.run_id)
    assert until(lambda: client.get_run(stopped.run_id).state == "CANCELED")
    refused(lambda: client.terminate_run(stopped.run_id), 400, "CANCELED")

    listed = client.list_runs(experiment_id=experiment_id, page_size=2, sort_by="created_at desc")
    assert [run.display_name for run in listed.runs] == ["stopped", "failed"]
    assert listed.total_size == 5
    second = client.list_runs(
        experiment_id=experiment_id,
        page_size=10,
        sort_by="created_at desc",
        page_token=listed.next_page_token,
    )
    assert len(second.runs) == 3
    found = client.list_runs(experiment_id=experiment_id, filter=by_name("inline"))
    assert [run.run_id for run in found.runs] == [inline.run_id]

    client.archive_run(inline.run_id)
    assert client.get_run(inline.run_id).storage_state == "ARCHIVED"
    client.unarchive_run(inline.run_id)
    for run in [*listed.runs, *second.runs]:
        client.delete_run(run.run_id)
    assert client.list_runs(experiment_id=experiment_id).runs is None


def schedules(client: kfp.Client, package: str, experiment_id: str, source: tuple[str, str]) -> None:
    fast = client.create_recurring_run(
        experiment_id,
        "every second",
        interval_second=1,
        max_concurrency=2,
        no_catchup=True,
        params={"word": "[[Index]]"},
        pipeline_package_path=package,
    )
    schedule_id = fast.recurring_run_id
    assert (fast.status, fast.mode, fast.max_concurrency) == ("ENABLED", "ENABLE", "2"), fast
    made_by = {"operation": 1, "key": "recurring_run_id", "stringValue": schedule_id}
    of_schedule = json.dumps({"predicates": [made_by]})
    assert until(
        lambda: len(client.list_runs(filter=of_schedule, experiment_id=experiment_id).runs or []) >= 2
    )
    client.disable_recurring_run(schedule_id)
    assert client.get_recurring_run(schedule_id).status == "DISABLED"
    started = client.list_runs(filter=of_schedule, sort_by="scheduled_at").runs
    words = [run.runtime_config.parameters["word"] for run in started]
    assert words == [str(number + 1) for number in range(len(started))], words
    assert client.wait_for_run_completion(started[0].run_id, 120, 1).state == "SUCCEEDED"

    nightly = client.create_recurring_run(
        experiment_id,
        "nightly",
        cron_expression="TZ=Europe/Berlin 0 30 2 * * *",
        start_time="2026-01-01T00:00:00Z",
        pipeline_id=source[0],
        version_id=source[1],
        enabled=False,
    )
    read = client.get_recurring_run(nightly.recurring_run_id)
    assert read.trigger.cron_schedule.cron == "TZ=Europe/Berlin 0 30 2 * * *"
    assert read.pipeline_version_reference.pipeline_version_id == source[1]
    listed = client.list_recurring_runs(experiment_id=experiment_id, sort_by="created_at desc")
    assert [each.display_name for each in listed.recurring_runs] == ["nightly", "every second"]
    client.enable_recurring_run(nightly.recurring_run_id)
    assert client.get_recurring_run(nightly.recurring_run_id).status == "ENABLED"
    wrong = {"interval_second": 5, "max_concurrency": 11, "pipeline_package_path": package}
    refused(lambda: client.create_recurring_run(experiment_id, "x", **wrong), 400, "max_concurrency")
    for each in (fast, nightly):
        client.delete_recurring_run(each.recurring_run_id)
    assert client.list_recurring_runs(experiment_id=experiment_id).recurring_runs is None
    for run in started:
        client.delete_run(run.run_id)


def clean_up(client: kfp.Client, experiment_id: str, pipeline_id: str) -> None:
    refused(lambda: client.delete_pipeline(pipeline_id), 400, "cascade")
    for version in client.list_pipeline_versions(pipeline_id).pipeline_versions:
        client.delete_pipeline_version(pipeline_id, version.pipeline_version_id)
    client.delete_pipeline(pipeline_id)
    client.delete_experiment(experiment_id)
    assert client.list_pipelines().pipelines is None
    refused(lambda: client.get_experiment(experiment_id), 404, experiment_id)


def compiled(pipeline: Any, folder: Path) -> str:
    file = folder / f"{pipeline.name}.yaml"
    compiler.Compiler().compile(pipeline, str(file))
    return str(file)


def until(condition: Callable[[], bool], seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def main(url: str, folder: Path) -> None:
    client = kfp.Client(host=url)
    health = client.get_kfp_healthz()
    assert health.multi_user is False, health
    package = compiled(greet, folder)
    pipeline_id, version_id = pipelines(client, package)
    experiment_id = experiments(client)
    runs(client, folder, package, experiment_id, (pipeline_id, version_id))
    schedules(client, package, experiment_id, (pipeline_id, version_id))
    clean_up(client, experiment_id, pipeline_id)
    print(f"the journey of kfp {kfp.__version__} is over")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
