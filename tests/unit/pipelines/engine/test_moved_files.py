"""A step's pod for nodes that see no folders of ours, and what its end is then said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.engine.failure import End, pod_end
from sampan.components.pipelines.engine.moved_files import MovedStepFiles
from sampan.components.pipelines.engine.mover_pod import PLAN_ANNOTATION, Mover
from sampan.components.pipelines.engine.step_files import StepOutputs
from sampan.components.pipelines.engine.transfer_plans import PlanError, TransferPlan, signed, verified

MOVER = Mover("http://host:1/pipelines", "python", b"program")
KEY = b"k" * 32


def decorated(files: MovedStepFiles, main: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [main], "initContainers": [{"name": "theirs"}]}
    pod = {"metadata": {"name": "p", "namespace": "ns", "annotations": {"a": "b"}}, "spec": spec}
    paths = files.layout(files.pipeline_root("", "ns", "p"), "run", "root/step", 1, StepOutputs(("o",), ()))
    files.attach(pod, paths, ["/x", "/x", "gs://y"])
    return pod


def test_the_users_container_stays_what_it_is(tmp_path: Path) -> None:
    main = {
        "name": "main",
        "image": "theirs",
        "command": ["run"],
        "env": [{"name": "A", "value": "b"}],
        "securityContext": {"runAsUser": 5},
    }
    pod = decorated(MovedStepFiles(tmp_path, MOVER, KEY), json.loads(json.dumps(main)))
    spec = pod["spec"]
    assert {key: spec["containers"][0][key] for key in main} == main
    folders = [str(tmp_path / "artifacts"), str(tmp_path / "pipelines" / "work" / "run")]
    assert sorted(each["mountPath"] for each in spec["containers"][0]["volumeMounts"]) == folders
    # Who may act as a mover is not the step's own container.
    assert [each["name"] for each in spec["initContainers"]] == ["sampan-fetch", "theirs"]
    for mover in (spec["initContainers"][0], spec["containers"][1]):
        assert {each["mountPath"] for each in mover["volumeMounts"]} > set(folders)
        assert mover["securityContext"] == {"runAsUser": 5}
        assert mover["image"] == "python"
    plan = verified(pod["metadata"]["annotations"][PLAN_ANNOTATION], "ns/p", KEY)
    assert plan.inputs == ("/x", "gs://y")
    assert len(plan.folders) == 2
    assert pod["metadata"]["annotations"]["a"] == "b"


@pytest.mark.parametrize(
    ("requested", "root"),
    [
        ("", "HOME/artifacts/ns/p"),
        ("HOME/artifacts/mine", "HOME/artifacts/mine"),
        ("/data/x", "HOME/artifacts/local/data/x"),
        ("file:///etc", "HOME/artifacts/local/etc"),
        ("gs://bucket/x", "HOME/artifacts/gs/bucket/x"),
    ],
)
def test_roots_lie_in_the_home(tmp_path: Path, requested: str, root: str) -> None:
    files = MovedStepFiles(tmp_path, MOVER, KEY)
    found = files.pipeline_root(requested.replace("HOME", str(tmp_path)), "ns", "p")
    assert found == root.replace("HOME", str(tmp_path))


def test_what_a_step_says_leads_nowhere_else(tmp_path: Path) -> None:
    files = MovedStepFiles(tmp_path / "home", MOVER, KEY)
    inside, outside = tmp_path / "home/artifacts/a", tmp_path / "secret"
    inside.mkdir(parents=True)
    outside.write_text("s")
    (inside / "link").symlink_to(outside)
    assert files.exists(str(inside))
    assert not files.exists(str(outside))
    assert not files.exists(f"{inside}/link")
    paths = files.layout(str(inside), "run", "root/t", 1, StepOutputs((), ()))
    assert not files.publish(str(outside), str(inside / "copy"), paths)
    assert not files.publish(str(inside / "link"), str(inside / "copy"), paths)
    assert not (inside / "copy").exists()
    assert not files.pipeline_root(f"{inside}/../../x", "ns", "p").startswith(f"{inside}/..")


def test_a_plan_is_good_for_one_pod_and_one_home() -> None:
    text = signed(TransferPlan("ns/p", ("/f",), ("/i",)), KEY)
    assert verified(text, "ns/p", KEY) == TransferPlan("ns/p", ("/f",), ("/i",))
    for wrong, pod, key in (
        (text, "ns/q", KEY),
        (text, "ns/p", b"x" * 32),
        (text.replace("/f", "/"), "ns/p", KEY),
        ("", "ns/p", KEY),
        ("é:[]", "ns/p", KEY),
    ):
        with pytest.raises(PlanError):
            verified(wrong, pod, key)


def ended(name: str, code: int, message: str = "") -> dict[str, Any]:
    state = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "message": message}
    return {"name": name, "state": {"terminated": state}}


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (
            {"containerStatuses": [ended("main", 0), ended("sampan-publish", 1, "the disk is full")]},
            1,
            "exit code 1; container sampan-publish failed: the disk is full",
        ),
        (
            {"containerStatuses": [ended("main", 3), ended("sampan-publish", 1, "x")]},
            3,
            "exit code 3",
        ),
        (
            {
                "initContainerStatuses": [ended("sampan-fetch", 1, "no such input")],
                "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            1,
            "exit code 1; init container sampan-fetch failed: no such input",
        ),
    ],
)
def test_which_container_failed_is_said(status: dict[str, Any], code: int, text: str) -> None:
    end = pod_end({"metadata": {"uid": "u"}, "status": {"phase": "Failed", **status}})
    assert end is not None
    assert (end.end, end.exit_code, end.explanation) == (End.FAILED, code, text)
