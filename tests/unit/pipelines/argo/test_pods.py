"""From templates to pods: what surrounds the program, where its files are, and what must not be reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.argo.document import Called, load
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import Variables
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.git import git_clone
from sampan.components.pipelines.engine.argo.locks import Locks
from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType
from sampan.components.pipelines.engine.argo.podplan import PRIVATE_ANNOTATION, Attempt, plan
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepPaths
from sampan.components.pipelines.engine.turn import Launch
from sampan.components.pipelines.store.tasks import AttemptRow, RuntimeState

Json = dict[str, Any]


def _plan(home: Path, template: Json, spec: Json | None = None, **artifacts: Json) -> Launch:
    whole = {"entrypoint": "t", "templates": [{"name": "t", **template}], **(spec or {})}
    files = LocalStepFiles(home)
    context = ArgoContext(
        run_id="r",
        namespace="ns",
        name="wf",
        uid="u",
        document=load({"kind": "Workflow", "metadata": {"name": "wf"}, "spec": whole}),
        parameters={},
        files=files,
        root=str(home / "artifacts" / "ns" / "wf"),
        keys=str(home / "artifacts" / "ns" / "argo-keys"),
        locks=Locks(),
        now=lambda: 0,
        new_id=lambda: "n",
    )
    node = ArgoNode(
        "node-id", None, "t", "t", "root/main", NodeType.POD, 0, Called("local", "t", whole["templates"][0])
    )
    node.attempts.append(AttemptRow("pod-1", RuntimeState.RUNNING))
    node.inputs.artifacts = artifacts
    return plan(
        context, Attempt(node, 1, Variables({"workflow.name": "wf", "inputs.parameters.key": "../../x"}))
    )


def _main(launch: Launch) -> Json:
    found: Json = launch.pod["spec"]["containers"][0]
    return found


_SH = {"image": "busybox", "command": ["sh", "-c"], "args": ["true"]}


def test_a_program_without_outputs_runs_bare(tmp_path: Path) -> None:
    launch = _plan(tmp_path, {"container": _SH})
    assert _main(launch)["command"] == ["sh", "-c"]
    assert _main(launch)["args"] == ["true"]
    assert launch.pod["metadata"]["name"] == "pod-1"


def test_outputs_are_named_and_folders_are_the_pods_own(tmp_path: Path) -> None:
    outputs = {
        "parameters": [{"name": "p", "valueFrom": {"path": "/mnt/out/p"}}],
        "artifacts": [{"name": "a", "path": "/result.txt"}, {"name": "b", "path": "/tmp/b"}],
    }
    launch = _plan(tmp_path, {"container": _SH, "outputs": outputs})
    told = _main(launch)["args"][0]
    assert [line.split("\t")[0] for line in told.split("\n")] == ["/mnt/out/p", "/result.txt", "/tmp/b"]
    assert _main(launch)["args"][-3:] == ["sh", "-c", "true"]
    assert launch.pod["metadata"]["annotations"][PRIVATE_ANNOTATION] == "/mnt,/"


def test_without_a_command_outputs_cannot_be_had(tmp_path: Path) -> None:
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/p"}}]}
    with pytest.raises(ArgoError, match="command is missing"):
        _plan(tmp_path, {"container": {"image": "own/image"}, "outputs": outputs})
    known = _plan(
        tmp_path, {"container": {"image": "argoproj/argosay:v2", "args": ["cat"]}, "outputs": outputs}
    )
    assert _main(known)["args"][-2:] == ["argosay", "cat"]


def test_inputs_are_copies_that_the_program_sees_at_their_paths(tmp_path: Path) -> None:
    stored = tmp_path / "artifacts" / "ns" / "wf" / "x"
    stored.parent.mkdir(parents=True)
    stored.write_text("content")
    template = {
        "container": _SH,
        "inputs": {
            "artifacts": [{"name": "x", "path": "/in/x"}, {"name": "r", "path": "/in/r", "mode": "0700"}]
        },
    }
    launch = _plan(tmp_path, template, x={"uri": str(stored)}, r={"raw": {"data": "raw"}})
    mounts = {mount["mountPath"]: mount for mount in _main(launch)["volumeMounts"]}
    assert mounts["/in/x"]["subPath"].endswith("/inputs/x")
    LocalStepFiles(tmp_path).prepare(launch.paths)
    [(source, copy)] = launch.paths.copies
    assert source == str(stored)
    assert Path(copy).read_text() == "content"
    [(raw, _)] = launch.paths.contents
    assert Path(raw).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("key", ["../../secret", "a/../../b", "..", "", "{{inputs.parameters.key}}"])
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_keys_lead_nowhere_else(tmp_path: Path, key: str, side: str) -> None:
    artifact = {"name": "x", "path": "/x", "s3": {"key": key, "bucket": "b"}}
    template: Json = {"container": _SH, side: {"artifacts": [artifact]}}
    launch = None
    try:
        location = {"s3": {"key": key.replace("{{inputs.parameters.key}}", "../../x"), "bucket": "b"}}
        launch = _plan(tmp_path, template, **({"x": location} if side == "inputs" else {}))
    except ArgoError:
        return
    base = str(tmp_path / "artifacts")
    places = [*(source for source, _ in launch.paths.copies), *launch.paths.folders]
    assert all(str(Path(place).resolve()).startswith((base, str(tmp_path / "pipelines"))) for place in places)


def test_a_link_left_as_an_artifact_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    link = tmp_path / "artifacts" / "link"
    link.parent.mkdir()
    link.symlink_to(secret)
    paths = StepPaths("", {}, {}, (), (), copies=((str(link), str(tmp_path / "copy")),))
    with pytest.raises(OSError, match="leads out"):
        LocalStepFiles(tmp_path).prepare(paths)
    assert not (tmp_path / "copy").exists()


def test_a_pod_is_patched_and_stays_its_runs(tmp_path: Path) -> None:
    spec = {
        "podSpecPatch": "{containers: [{name: main, resources: {limits: {memory: 1Mi}}}]}",
        "podMetadata": {"labels": {"pipeline/runid": "another", "team": "a"}},
        "tolerations": [{"key": "k"}],
    }
    template = {
        "container": _SH,
        "podSpecPatch": json.dumps(
            {
                "terminationGracePeriodSeconds": 3,
                "containers": [{"name": "main", "image": "{{workflow.name}}"}],
            }
        ),
        "sidecars": [{"name": "side", "image": "busybox", "mirrorVolumeMounts": True}],
        "activeDeadlineSeconds": "30",
    }
    launch = _plan(tmp_path, template, spec)
    pod = launch.pod
    assert _main(launch)["image"] == "wf"
    assert _main(launch)["resources"] == {"limits": {"memory": "1Mi"}}
    assert pod["spec"]["terminationGracePeriodSeconds"] == 3
    assert pod["spec"]["activeDeadlineSeconds"] == 30
    assert pod["spec"]["tolerations"] == [{"key": "k"}]
    assert pod["spec"]["initContainers"][0]["restartPolicy"] == "Always"
    assert pod["metadata"]["labels"]["pipeline/runid"] == "r"
    assert pod["metadata"]["labels"]["team"] == "a"


def test_git_takes_no_options_from_a_document() -> None:
    with pytest.raises(ArgoError):
        git_clone(0, "/p", {"repo": "x", "revision": "--upload-pack=evil"})
    container = git_clone(0, "/p", {"repo": "--upload-pack=evil"})
    assert '-- "$repo"' in container["command"][2]
