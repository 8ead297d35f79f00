"""Argo Workflows in the engine. Steps are shell programs that the kubelet really runs, where it knows no mounts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import yaml

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
        out, _ = await process.communicate()
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
