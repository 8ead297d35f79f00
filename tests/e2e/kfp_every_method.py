"""Every public method of `kfp.Client`, called at least once. Run by the SDK's own interpreter:

    python kfp_every_method.py URL FOLDER

It imports nothing of ours: the client is the official one, unmodified. That all were called is checked at the end,
against whatever methods the client of this version has.
"""

import inspect
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kfp
from kfp import compiler, dsl


@dsl.container_component
def say(text: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["echo"], args=[text])


@dsl.container_component
def linger() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="python:3.11", command=["sleep", "600"])


@dsl.pipeline(name="greet", description="Says a word.")
def greet(word: str = "hello", settings: dict = {"deep": [1, {"er": "x"}]}):  # noqa: B006  the SDK reads it
    say(text=word)


@dsl.pipeline(name="long")
def long():
    linger()


class Recorder:
    """The client, and which of its methods were called."""

    def __init__(self, client: kfp.Client) -> None:
        self.client = client
        self.called: set = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self.client, name)

    def missed(self) -> set:
        public = inspect.getmembers(kfp.Client, inspect.isfunction)
        return {name for name, _ in public if not name.startswith("_")} - self.called


def by(key: str, value: str) -> str:
    return json.dumps({"predicates": [{"operation": 1, "key": key, "stringValue": value}]})


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def pipelines(client: Any, package: str) -> tuple:
    pipeline = client.upload_pipeline(package, pipeline_name="greet", description="of a file")
    if hasattr(client.client, "upload_pipeline_from_pipeline_func"):
        of_function = client.upload_pipeline_from_pipeline_func(greet, pipeline_name="of a function")
    else:
        of_function = client.upload_pipeline(package, pipeline_name="of a function")
    assert client.get_pipeline_id("of a function") == of_function.pipeline_id
    version = client.upload_pipeline_version(package, "second", pipeline_id=pipeline.pipeline_id)
    if hasattr(client.client, "upload_pipeline_version_from_pipeline_func"):
        client.upload_pipeline_version_from_pipeline_func(
            greet, pipeline_version_name="third", pipeline_id=pipeline.pipeline_id
        )
        client.delete_pipeline_version(
            pipeline.pipeline_id,
            client.list_pipeline_versions(pipeline.pipeline_id, filter=by("display_name", "third"))
            .pipeline_versions[0]
            .pipeline_version_id,
        )
    assert client.get_pipeline(pipeline.pipeline_id).display_name == "greet"
    read = client.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    assert read.pipeline_spec["root"]["inputDefinitions"]["parameters"]["settings"]["defaultValue"] == {
        "deep": [1, {"er": "x"}]
    }
    found = client.list_pipelines(page_size=1, sort_by="created_at desc")
    assert [each.pipeline_id for each in found.pipelines] == [of_function.pipeline_id]
    rest = client.list_pipelines(page_size=1, sort_by="created_at desc", page_token=found.next_page_token)
    assert [each.pipeline_id for each in rest.pipelines] == [pipeline.pipeline_id]
    assert client.list_pipelines(filter=by("display_name", "greet")).total_size == 1
    (last,) = client.list_pipeline_versions(of_function.pipeline_id).pipeline_versions
    client.delete_pipeline_version(of_function.pipeline_id, last.pipeline_version_id)
    client.delete_pipeline(of_function.pipeline_id)
    return pipeline.pipeline_id, version.pipeline_version_id


def experiments(client: Any) -> str:
    experiment = client.create_experiment("all", description="d")
    assert client.get_experiment(experiment_name="all").experiment_id == experiment.experiment_id
    assert "all" in [
        each.display_name for each in client.list_experiments(sort_by="display_name").experiments
    ]
    client.archive_experiment(experiment.experiment_id)
    client.unarchive_experiment(experiment.experiment_id)
    other = client.create_experiment("other").experiment_id
    client.delete_experiment(other)
    return str(experiment.experiment_id)


def runs(client: Any, package: str, experiment: str, source: tuple) -> None:
    run = client.run_pipeline(
        experiment, "one", package, params={"word": "x", "settings": {"a": [None, 1.5]}}, enable_caching=False
    )
    ended = client.wait_for_run_completion(run.run_id, timeout=120, sleep_duration=1)
    assert ended.state == "SUCCEEDED", ended
    assert client.get_run(run.run_id).runtime_config.parameters == {
        "word": "x",
        "settings": {"a": [None, 1.5]},
    }
    two = client.run_pipeline(experiment, "two", pipeline_id=source[0], version_id=source[1])
    three = client.create_run_from_pipeline_package(package, {"word": "y"}, experiment_name="all")
    four = client.create_run_from_pipeline_func(greet, {}, experiment_name="all")
    for each in (two.run_id, three.run_id, four.run_id):
        assert until(lambda each=each: client.get_run(each).state == "SUCCEEDED"), each
    stopped = client.create_run_from_pipeline_func(long, {}, experiment_name="all").run_id
    client.terminate_run(stopped)
    assert until(lambda: client.get_run(stopped).state == "CANCELED")
    client.archive_run(run.run_id)
    archived = by("storage_state", "ARCHIVED")
    assert [each.run_id for each in client.list_runs(filter=archived).runs] == [run.run_id]
    client.unarchive_run(run.run_id)
    client.delete_run(run.run_id)
    assert client.list_runs(experiment_id=experiment).total_size == 4


def schedules(client: Any, experiment: str, source: tuple) -> None:
    made = client.create_recurring_run(
        experiment, "nightly", cron_expression="0 0 3 * * *", pipeline_id=source[0], version_id=source[1]
    )
    key = made.recurring_run_id
    assert client.get_recurring_run(key).trigger.cron_schedule.cron == "0 0 3 * * *"
    for off, on in (
        (client.disable_recurring_run, client.enable_recurring_run),
        (client.disable_job, client.enable_job),
    ):
        off(key)
        assert client.get_recurring_run(key).status == "DISABLED"
        on(key)
        assert client.get_recurring_run(key).status == "ENABLED"
    assert client.list_recurring_runs(experiment_id=experiment).total_size == 1
    client.delete_recurring_run(key)
    other = client.create_recurring_run(
        experiment, "hourly", interval_second=3600, pipeline_id=source[0], version_id=source[1], enabled=False
    )
    client.delete_job(other.recurring_run_id)
    assert client.list_recurring_runs().recurring_runs is None


def main(url: str, folder: Path) -> None:
    client = Recorder(kfp.Client(host=url))
    assert client.get_kfp_healthz().multi_user is False
    package = str(folder / "greet.yaml")
    compiler.Compiler().compile(greet, package)
    source = pipelines(client, package)
    experiment = experiments(client)
    runs(client, package, experiment, source)
    schedules(client, experiment, source)
    client.set_user_namespace("somewhere")
    assert client.get_user_namespace() == "somewhere"
    assert not client.missed(), client.missed()
    print(f"every method of kfp {kfp.__version__} was called")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
