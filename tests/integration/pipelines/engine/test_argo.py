"""Argo Workflows in the engine. Steps are shell programs that the kubelet really runs, where it knows no mounts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.components.pipelines.api.settings import PipelineSettings
from sampan.components.pipelines.store import runs
from sampan.kube.kinds import CONFIG_MAPS
from sampan.testing.connections import listening

Json = dict[str, Any]


def workflow(text: str, **spec: Any) -> Json:
    """The document of a spec in YAML, as a run stores it."""
    return {
        "workflow": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": "wf"},
            "spec": {"entrypoint": "main", **yaml.safe_load(text), **spec},
        }
    }


def shell(failed: Any) -> Any:
    """A behaviour that runs the container's own command."""

    async def run(call: Any) -> None:
        container = call.pod["spec"]["containers"][0]
        process = await asyncio.create_subprocess_exec(
            *container.get("command", []),
            *container.get("args", []),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                # Its pod is gone: a process left over would outlive the loop.
                process.kill()
                await process.wait()
        if process.returncode:
            raise failed(process.returncode, out.decode())

    return run


SAY = """
- name: say
  inputs: {parameters: [{name: text}]}
  script: {image: test/sh, command: [sh], source: 'printf %s "{{inputs.parameters.text}}"'}
"""


def test_steps_pass_results_on_in_order(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        f"""
templates:
- name: main
  steps:
  - - {{name: a, template: say, arguments: {{parameters: [{{name: text, value: "{{{{workflow.name}}}}"}}]}}}}
  - - name: b
      template: say
      arguments: {{parameters: [{{name: text, value: "<{{{{steps.a.outputs.result}}}}>"}}]}}
    - {{name: c, template: say, when: "{{{{steps.a.outputs.result}}}} == other",
       arguments: {{parameters: [{{name: text, value: x}}]}}}}
{SAY}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            tasks = cluster.tasks(run_id)
            assert tasks["root/main/[1]/b"].details["result"] == "<wf>"
            assert tasks["root/main/[1]/c"].state == "SKIPPED"
            assert tasks["root/main/[0]/a"].details["full"] == "wf[0].a"

    go(scenario())


def test_a_dag_with_loops_outputs_and_failures(
    open_cluster: Any, go: Any, failed: Any, tmp_path: Path
) -> None:
    document = workflow(
        """
templates:
- name: main
  dag:
    tasks:
    - {name: list, template: print, arguments: {parameters: [{name: text, value: '["x", "y"]'}]}}
    - name: each
      depends: list.Succeeded
      template: file
      withParam: "{{tasks.list.outputs.result}}"
      arguments: {parameters: [{name: text, value: "{{item}}!"}]}
    - {name: bad, template: fail}
    - name: after-bad
      depends: bad.Failed && each
      template: print
      arguments: {parameters: [{name: text, value: "{{tasks.each.outputs.parameters.out}}"}]}
    - {name: never, depends: bad.Succeeded, template: fail}
  outputs:
    parameters: [{name: all, valueFrom: {parameter: "{{tasks.after-bad.outputs.result}}"}}]
- name: print
  inputs: {parameters: [{name: text}]}
  script: {image: test/sh, command: [sh], source: "cat <<'END'\\n{{inputs.parameters.text}}\\nEND\\n"}
- name: file
  inputs: {parameters: [{name: text}]}
  script: {image: test/sh, command: [sh], source: 'echo {{inputs.parameters.text}} > {{outputs.parameters.out.path}}'}
  outputs: {parameters: [{name: out, valueFrom: {path: "FOLDER/{{pod.name}}"}}]}
- name: fail
  container: {image: test/sh, command: [sh, -c, "exit 3"]}
""".replace("FOLDER", str(tmp_path))
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            row = await cluster.wait(run_id)
            tasks = cluster.tasks(run_id)
            assert tasks["root/main/after-bad"].details["result"] == '["x!","y!"]'
            assert tasks["root/main/bad"].details["exit_code"] == "3"
            assert tasks["root/main/never"].details["phase"] == "Omitted"
            # `never` is a target, and as good as what it hung on.
            assert row.state == "FAILED"

    go(scenario())


def test_an_exit_handler_is_told_how_it_went(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        f"""
onExit: bye
hooks: {{running: {{expression: workflow.status == "Running", template: hooked}}}}
templates:
- {{name: main, container: {{image: test/sh, command: [sh, -c, "exit 7"]}}}}
- {{name: hooked, container: {{image: test/sh, command: [sh, -c, "exit 1"]}}}}
- name: bye
  steps:
  - - name: tell
      template: say
      arguments:
        parameters: [{{name: text, value: "{{{{workflow.status}}}} {{{{=len(fromJSON(workflow.failures))}}}}"}}]
    - name: good
      template: say
      when: "{{{{workflow.status}}}} == Succeeded"
      arguments: {{parameters: [{{name: text, value: ""}}]}}
{SAY}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "FAILED"
            tasks = cluster.tasks(run_id)
            assert tasks["root/hooks.exit/[0]/tell"].details["result"] == "Failed 1"
            assert tasks["root/hooks.exit/[0]/good"].state == "SKIPPED"
            assert tasks["root/hooks.running"].details["phase"] == "Failed"
            assert tasks["root/hooks.exit"].details["full"] == "wf.onExit"

    go(scenario())


def test_what_fails_is_tried_again(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
templates:
- name: main
  retryStrategy: {limit: "1"}
  steps:
  - - {name: flaky, template: flaky}
- name: flaky
  retryStrategy: {limit: 2, expression: "asInt(lastRetry.exitCode) != 9", backoff: {duration: "0.05", factor: 2}}
  script: {image: test/sh, command: [sh], source: 'echo "{{retries}}"; exit $(( {{retries}} == 1 ? 9 : 3 ))'}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "FAILED"
            phases = {path: row.details["phase"] for path, row in cluster.tasks(run_id).items()}
            tries = [path for path in phases if path.rpartition("/")[2].startswith("flaky(")]
            # Twice within each of two tries of the steps around it: then the expression says no.
            assert len(tries) == 4
            assert phases["root/main"] == "Failed"
            assert "evaluated to false" in cluster.tasks(run_id)["root/main"].error

    go(scenario())


def test_a_workflow_goes_on_after_restarts(open_cluster: Any, go: Any, failed: Any, tmp_path: Path) -> None:
    document = workflow(
        f"""
templates:
- name: main
  dag:
    tasks:
    - name: a
      template: slow
      withSequence: {{count: "3"}}
      arguments: {{parameters: [{{name: n, value: "{{{{item}}}}"}}]}}
    - name: b
      depends: a
      template: slow
      arguments: {{parameters: [{{name: n, value: "{{{{tasks.a.outputs.result}}}}"}}]}}
- name: slow
  inputs: {{parameters: [{{name: n}}]}}
  synchronization: {{mutexes: [{{name: one}}]}}
  script:
    image: test/sh
    command: [sh]
    source: "echo x >> {tmp_path}/ran; sleep 0.2; echo {{{{inputs.parameters.n}}}}"
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            for _ in range(6):
                await asyncio.sleep(0.15)
                await cluster.restart_engine()
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert cluster.tasks(run_id)["root/main/b"].details["result"] == "[0,1,2]"
            assert (tmp_path / "ran").read_text() == "x\n" * 4
            assert cluster.kubelet.busiest == 1

    go(scenario())


def test_a_stopped_workflow_cleans_up(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        f"""
onExit: say
arguments: {{parameters: [{{name: text, value: bye}}]}}
templates:
- name: main
  steps: [[{{name: long, template: long}}], [{{name: never, template: long}}]]
- {{name: long, container: {{image: test/sh, command: [sleep, "60"]}}}}
{SAY}
""".replace("name: text}", 'name: text, value: "{{workflow.parameters.text}}"}')
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            for strategy, state in (("", "CANCELED"), ("Stop", "FAILED"), ("Terminate", "FAILED")):
                run_id = await cluster.submit(document)
                await cluster.until_state(run_id, "root/main/[0]/long", "RUNNING")
                if strategy:
                    await cluster.engine.shut_down(run_id, strategy)
                else:
                    await cluster.engine.terminate(run_id)
                await cluster.restart_engine()
                assert (await cluster.wait(run_id)).state == state
                tasks = cluster.tasks(run_id)
                assert "root/main/[1]" not in tasks
                assert ("root/hooks.exit" in tasks) is (strategy != "Terminate")

    go(scenario())


def test_who_is_suspended_waits_for_what_is_supplied(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        f"""
templates:
- name: main
  steps:
  - - {{name: approve, template: approve}}
    - {{name: nap, template: nap}}
  - - name: use
      template: say
      arguments: {{parameters: [{{name: text, value: "{{{{steps.approve.outputs.parameters.who}}}}"}}]}}
- name: approve
  suspend: {{}}
  outputs: {{parameters: [{{name: who, valueFrom: {{supplied: {{}}}}}}]}}
- {{name: nap, suspend: {{duration: "0.1s"}}}}
{SAY}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            await cluster.until_state(run_id, "root/main/[0]/nap", "SUCCEEDED")
            await cluster.restart_engine()
            waiting = cluster.tasks(run_id)["root/main/[0]/approve"]
            assert waiting.state == "RUNNING"
            await cluster.engine.resume(run_id, waiting.task_id, parameters={"who": "Ada"})
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert cluster.tasks(run_id)["root/main/[1]/use"].details["result"] == "Ada"

    go(scenario())


def test_limits_come_from_config_maps_and_the_template(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
arguments: {parameters: [{name: n, valueFrom: {configMapKeyRef: {name: facts, key: many}}}]}
templates:
- name: main
  parallelism: 3
  steps:
  - - {name: s, template: work, withSequence: {count: "{{workflow.parameters.n}}"}}
    - {name: p, template: free, withSequence: {count: "4"}}
- name: work
  synchronization: {semaphores: [{configMapKeyRef: {name: facts, key: few}}]}
  container: {image: test/slow, command: [sleep, "0.1"]}
- {name: free, container: {image: test/sh, command: [sleep, "0.1"]}}
"""
    )
    data = {"many": "5", "few": "2"}
    running, most = 0, 0

    async def slow(call: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed), slow=slow) as cluster:
            facts = {"metadata": {"name": "facts", "namespace": "default"}, "data": data}
            await cluster.client.create(CONFIG_MAPS, facts)
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert sum("/s(" in path for path in cluster.tasks(run_id)) == 5
            assert most == 2
            assert cluster.kubelet.busiest == 3

    go(scenario())


def test_a_memoized_result_is_taken_again(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
templates:
- name: main
  memoize: {key: "k-{{workflow.name}}", maxAge: 1h, cache: {configMap: {name: memos}}}
  script: {image: test/sh, command: [sh], source: "date +%N"}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            first = await cluster.submit(document)
            await cluster.wait(first)
            async with asyncio.timeout(60):
                while not (await cluster.client.list(CONFIG_MAPS, "default")).items:
                    await asyncio.sleep(0.02)
            second = await cluster.submit(document)
            assert (await cluster.wait(second)).state == "SUCCEEDED"
            known, again = cluster.tasks(first)["root/main"], cluster.tasks(second)["root/main"]
            assert (known.state, again.state) == ("SUCCEEDED", "CACHED")
            assert known.details["result"] == again.details["result"]

    go(scenario())


def test_resources_are_made_and_read(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
templates:
- name: main
  steps:
  - - {name: make, template: make}
  - - name: drop
      template: drop
      arguments: {parameters: [{name: name, value: "{{steps.make.outputs.parameters.name}}"}]}
  - - {name: far, template: far, continueOn: {failed: true}}
    - {name: role, template: role, continueOn: {failed: true}}
- name: make
  resource:
    action: create
    successCondition: data.key == value
    manifest: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {generateName: made-}
      data: {key: value}
  outputs:
    parameters:
    - {name: name, valueFrom: {jsonPath: "{.metadata.name}"}}
    - {name: all, valueFrom: {jqFilter: ".data | .key"}}
- name: drop
  inputs: {parameters: [{name: name}]}
  resource: {action: delete, flags: [configmap, "{{inputs.parameters.name}}"]}
- name: far
  resource: {action: create, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: kube-system}}"}
- name: role
  resource: {action: create, manifest: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}}"}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            tasks = cluster.tasks(run_id)
            made = tasks["root/main/[0]/make"].outputs.parameters
            assert made["name"].startswith("made-")
            assert made["all"] == "value"
            assert not (await cluster.client.list(CONFIG_MAPS, "default")).items
            assert "is not the workflow's own" in tasks["root/main/[2]/far"].error
            assert "may not write objects of kind Role" in tasks["root/main/[2]/role"].error

    go(scenario())


@pytest.mark.parametrize(("allowed", "state"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_http_goes_where_it_may(open_cluster: Any, go: Any, failed: Any, allowed: bool, state: str) -> None:
    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

        settings = PipelineSettings(allow_private_urls=allowed)
        async with listening(answer) as there, open_cluster(settings, sh=shell(failed)) as cluster:
            document = workflow(
                f"""
templates:
- name: main
  http:
    url: "http://{there.address}/"
    successCondition: "response.statusCode == 201 && response.body contains 'ok'"
"""
            )
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == state
            error = cluster.tasks(run_id)["root/main"].error
            assert allowed or "private or loopback" in error

    go(scenario())


def test_a_failed_run_is_retried_from_where_it_failed(
    open_cluster: Any, go: Any, failed: Any, tmp_path: Path
) -> None:
    document = workflow(
        f"""
onExit: log
templates:
- name: main
  dag:
    tasks:
    - {{name: a, template: log}}
    - {{name: b, depends: a, template: b}}
    - {{name: c, depends: b, template: log}}
- {{name: log, container: {{image: test/sh, command: [sh, -c, "echo x >> {tmp_path}/ran"]}}}}
- {{name: b, container: {{image: test/sh, command: [sh, -c, "test -e {tmp_path}/mended"]}}}}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "FAILED"
            (tmp_path / "mended").touch()
            await cluster.engine.retry(run_id)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED", cluster.row(run_id).error
            # a and the exit handler of the first try; then c and the exit handler.
            assert (tmp_path / "ran").read_text() == "x\n" * 4
            assert len(cluster.tasks(run_id)["root/main/b"].attempts) == 2

    go(scenario())


def test_recursion_ends(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
arguments: {parameters: [{name: n, value: "LIMIT"}]}
templates:
- name: main
  inputs: {parameters: [{name: n, value: "{{workflow.parameters.n}}"}]}
  steps:
  - - name: again
      template: main
      when: "{{inputs.parameters.n}} > 0"
      arguments: {parameters: [{name: n, value: "{{=asInt(inputs.parameters.n) - 1}}"}]}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            for depth, state in (("5", "SUCCEEDED"), ("1000", "FAILED")):
                run_id = await cluster.submit(document, {"n": depth})
                row = await cluster.wait(run_id)
                assert row.state == state
            assert "recursion depth" in row.error

    go(scenario())


def test_a_retried_run_tries_again_what_had_been_tried_often(
    open_cluster: Any, go: Any, failed: Any, tmp_path: Path
) -> None:
    document = workflow(
        f"""
templates:
- name: main
  steps: [[{{name: leaf, template: leaf}}, {{name: whole, template: whole}}]]
- name: leaf
  retryStrategy: {{limit: 1}}
  container: {{image: test/sh, command: [sh, -c, "test -e {tmp_path}/mended"]}}
- name: whole
  retryStrategy: {{limit: 0}}
  steps: [[{{name: good, template: good}}], [{{name: bad, template: leaf}}]]
- {{name: good, container: {{image: test/sh, command: [sh, -c, "echo x >> {tmp_path}/ran"]}}}}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "FAILED"
            (tmp_path / "mended").touch()
            await cluster.engine.retry(run_id)
            row = await cluster.wait(run_id)
            assert row.state == "SUCCEEDED", row.error
            phases = {path: task.details["phase"] for path, task in cluster.tasks(run_id).items()}
            leaf = "root/main/[0]/leaf/leaf"
            assert [phases[f"{leaf}({index})"] for index in range(3)] == ["Failed", "Failed", "Succeeded"]
            # What had succeeded within the steps that were tried again is kept.
            assert (tmp_path / "ran").read_text() == "x\n"

    go(scenario())


def test_a_deleted_workflow_leaves_no_files(open_cluster: Any, go: Any, failed: Any) -> None:
    document = workflow(
        """
templates:
- name: main
  container: {image: test/sh, command: [sh, -c], args: ["echo content > /tmp/out.txt"]}
  outputs: {artifacts: [{name: out, path: /tmp/out.txt, archive: {none: {}}}]}
"""
    )

    async def scenario() -> None:
        async with open_cluster(sh=shell(failed)) as cluster:
            run_id = await cluster.submit(document)
            assert (await cluster.wait(run_id)).state == "SUCCEEDED"
            assert files_below(cluster.home / "artifacts")
            await cluster.database.write(lambda connection: runs.delete(connection, run_id))
            await cluster.engine.forget(run_id, "default")
            await cluster.engine._sweeper.sweep()
            assert not files_below(cluster.home / "artifacts")

    go(scenario())


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
