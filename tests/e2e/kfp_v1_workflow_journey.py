"""What a user of kfp 1.8 does in its own mode: pipelines compiled to Argo Workflows. Run by hand: SERVER FOLDER.

In the environment of `kfp==1.8.22`; everything that is said to the server is said by the SDK.
"""

import json
import sys
import tarfile
import zipfile
from pathlib import Path

import kfp
from kfp import compiler, components, dsl
from kfp_server_api import ApiException

HOST, FOLDER = sys.argv[1], Path(sys.argv[2])


def add(a: int, b: int) -> int:
    print(f"adding {a} and {b}")
    return a + b


def many(count: int) -> list:
    return list(range(count))


add_op = components.create_component_from_func(add, base_image="python:3.11")
many_op = components.create_component_from_func(many, base_image="python:3.11")
consume_op = components.load_component_from_text(
    """
name: consume
inputs: [{name: text, type: Integer}, {name: greeting, type: String, default: hello}]
outputs: [{name: result, type: String}]
implementation:
  container:
    image: busybox
    command: [sh, -c, 'mkdir -p "$(dirname "$1")"; printf "%s %s" "$2" "$(cat "$0")" > "$1"']
    args: [{inputPath: text}, {outputPath: result}, {inputValue: greeting}]
"""
)


@dsl.pipeline(name="sums", description="adds, repeats and decides")
def sums(first: int = 1, second: int = 2) -> None:
    total = add_op(first, second)
    with dsl.ParallelFor(many_op(3).output) as item:
        add_op(item, total.output)
    with dsl.Condition(total.output > 2):
        consume_op(text=total.output).after(total)


def main() -> None:
    client = kfp.Client(host=HOST)

    result = client.create_run_from_pipeline_func(
        sums, arguments={"first": 5}, run_name="from a function", experiment_name="v1"
    )
    ended = result.wait_for_run_completion(timeout=300)
    assert ended.run.status == "Succeeded", ended.run.error
    shown = json.loads(ended.pipeline_runtime.workflow_manifest)
    assert shown["status"]["phase"] == "Succeeded"
    pods = [node for node in shown["status"]["nodes"].values() if node["type"] == "Pod"]
    names = sorted(node["displayName"] for node in pods)
    assert len(pods) == 6, names
    values = [
        each["value"]
        for node in pods
        if node["displayName"] == "consume"
        for each in node["outputs"].get("parameters", [])
    ]
    assert values in ([], ["hello 7"]), values
    assert {each.name: each.value for each in ended.run.pipeline_spec.parameters}["first"] == "5"

    package = FOLDER / "sums.yaml"
    compiler.Compiler().compile(sums, str(package))
    with zipfile.ZipFile(FOLDER / "sums.zip", "w") as archive:
        archive.write(package, "pipeline.yaml")
    with tarfile.open(FOLDER / "sums.tar.gz", "w:gz") as archive:
        archive.add(package, "pipeline.yaml")
    for name in ("sums.yaml", "sums.zip", "sums.tar.gz"):
        pipeline = client.upload_pipeline(str(FOLDER / name), pipeline_name=name)
        found = client.get_pipeline(pipeline.id)
        assert {each.name: each.value for each in found.parameters} == {"first": "1", "second": "2"}
    version = client.upload_pipeline_version(str(package), "second version", pipeline_id=pipeline.id)

    experiment = client.get_experiment(experiment_name="v1")
    run = client.run_pipeline(
        experiment.id,
        "from a version",
        params={"second": "40"},
        version_id=version.id,
        service_account="default",
    )
    ended = client.wait_for_run_completion(run.id, timeout=300)
    assert ended.run.status == "Succeeded", ended.run.error
    listed = client.list_runs(experiment_id=experiment.id)
    assert {each.name for each in listed.runs} == {"from a function", "from a version"}

    wrong = FOLDER / "wrong.yaml"
    wrong.write_text(package.read_text().replace("dependencies: [add]", "dependencies: [gone]", 1))
    said = ""
    try:
        client.upload_pipeline(str(wrong), pipeline_name="wrong")
    except ApiException as error:
        said = str(error.body)
    assert "spec.templates" in said, said
    assert "gone" in said, said
    print(f"the journey of workflows of kfp {kfp.__version__} is over")


if __name__ == "__main__":
    main()
