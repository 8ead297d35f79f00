"""The objects that a TrainJob and its runtime come to. Cases by upstream's tests (kubeflow/trainer 2.3)."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.runtimes import shipped
from sampan.components.training.engine.trainer import plugins
from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.components.training.engine.trainer.info import info_of
from sampan.kube.kinds import JOB_SETS, POD_GROUPS, VOLCANO_POD_GROUPS, Resource

ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"


def replicated(name: str, ancestor: str = "", **pod_spec: Any) -> dict[str, Any]:
    pod_spec.setdefault("containers", [{"name": "node", "image": "a"}])
    template: dict[str, Any] = {"spec": {"template": {"spec": pod_spec}}}
    if ancestor:
        template["metadata"] = {"labels": {ANCESTOR: ancestor}}
    return {"name": name, "template": template}


def runtime(*jobs: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"spec": {"replicatedJobs": list(jobs)}, **spec.pop("template", {})}
    return {"metadata": {"name": "r"}, "spec": {"mlPolicy": {"numNodes": 1}, "template": template, **spec}}


def train_job(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "job", "namespace": "team", "uid": "u"}, "spec": spec}


def built(job: dict[str, Any], runtime: dict[str, Any], *there: tuple[Resource, dict[str, Any]]) -> list[Any]:
    info = info_of(job, runtime)
    plugins.enforce(info)
    found = dict(there)
    return plugins.build(info, lambda resource, _name: found.get(resource))


def job_set_of(objects: list[Any]) -> Any:
    (found,) = [each for each in objects if each["kind"] == "JobSet"]
    return found


def test_the_trainer_takes_the_containers_place_in_the_template() -> None:
    env = [{"name": "A", "value": "theirs"}, {"name": "B", "value": "kept"}]
    container = {"name": "node", "image": "a", "command": ["x"], "args": ["y"], "env": env}
    sidecar = {"name": "other", "image": "z"}
    job = train_job(
        trainer={
            "image": "mine",
            "command": ["run"],
            "args": ["1"],
            "numNodes": 3,
            "env": [{"name": "A", "value": "mine"}],
        }
    )
    spec = job_set_of(built(job, runtime(replicated("node", "trainer", containers=[container, sidecar]))))[
        "spec"
    ]
    (nodes,) = spec["replicatedJobs"]
    assert nodes["replicas"] == 1
    assert (nodes["template"]["spec"]["parallelism"], nodes["template"]["spec"]["completions"]) == (3, 3)
    trains, other = nodes["template"]["spec"]["template"]["spec"]["containers"]
    assert trains == {
        "name": "node",
        "image": "mine",
        "command": ["run"],
        "args": ["1"],
        "env": [{"name": "A", "value": "mine"}, {"name": "B", "value": "kept"}],
    }
    assert other == sidecar
    assert spec["suspend"] is False


def test_initializers_get_their_uri_environment_and_secret() -> None:
    initializers = [
        replicated(
            name,
            name,
            containers=[{"name": name, "image": "i", "env": [{"name": "STORAGE_URI", "value": "old"}]}],
        )
        for name in ("dataset-initializer", "model-initializer")
    ]
    job = train_job(
        initializer={
            "dataset": {
                "storageUri": "hf://a/b",
                "env": [{"name": "X", "value": "1"}],
                "secretRef": {"name": "s"},
            },
            "model": {"env": [{"name": "Y", "value": "2"}]},
        }
    )
    spec = job_set_of(built(job, runtime(*initializers, replicated("node", "trainer"))))["spec"]
    dataset, model = (
        each["template"]["spec"]["template"]["spec"]["containers"][0] for each in spec["replicatedJobs"][:2]
    )
    assert dataset["env"] == [{"name": "STORAGE_URI", "value": "hf://a/b"}, {"name": "X", "value": "1"}]
    assert dataset["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert model["env"] == [{"name": "STORAGE_URI", "value": "old"}, {"name": "Y", "value": "2"}]
    assert "envFrom" not in model


def test_labels_of_runtime_and_patches_reach_the_job_set() -> None:
    patches = [
        {
            "manager": "a/b",
            "trainingRuntimeSpec": {
                "template": {"metadata": {"labels": {"l": "2"}, "annotations": {"n": "3"}}}
            },
        }
    ]
    found = runtime(replicated("node", "trainer"), template={"metadata": {"labels": {"l": "1", "k": "1"}}})
    metadata = job_set_of(built(train_job(runtimePatches=patches), found))["metadata"]
    assert metadata == {"name": "job", "labels": {"l": "2", "k": "1"}, "annotations": {"n": "3"}}


def pod_patch(name: str, **pod: Any) -> dict[str, Any]:
    return {"replicatedJobs": [{"name": name, "template": {"spec": {"template": pod}}}]}


def test_patches_are_merged_by_name_in_their_order() -> None:
    jobs = [
        replicated("first", containers=[{"name": "node", "image": "a"}]),
        replicated(
            "node",
            "trainer",
            containers=[
                {"name": "node", "image": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                {"name": "s", "image": "b"},
            ],
            tolerations=[{"key": "old"}],
            nodeSelector={"a": "1"},
        ),
    ]
    pod = {
        "metadata": {"labels": {"x": "y"}},
        "spec": {
            "serviceAccountName": "me",
            "nodeSelector": {"b": "2"},
            "tolerations": [{"key": "new"}],
            "volumes": [{"name": "w", "emptyDir": {}}],
            "containers": [
                {"name": "s", "env": [{"name": "E", "value": "1"}]},
                {"name": "node", "volumeMounts": [{"name": "w", "mountPath": "/w"}]},
            ],
        },
    }
    patches = [
        {"manager": "a/b", "trainingRuntimeSpec": {"template": {"spec": pod_patch("node", **pod)}}},
        {
            "manager": "c/d",
            "trainingRuntimeSpec": {
                "template": {"spec": pod_patch("node", spec={"nodeSelector": {"b": "3"}})}
            },
        },
    ]
    spec = job_set_of(built(train_job(runtimePatches=patches), runtime(*jobs)))["spec"]
    assert [each["name"] for each in spec["replicatedJobs"]] == ["first", "node"]
    template = spec["replicatedJobs"][1]["template"]["spec"]["template"]
    assert template["metadata"]["labels"] == {"x": "y"}
    pod_spec = template["spec"]
    assert pod_spec["serviceAccountName"] == "me"
    assert pod_spec["nodeSelector"] == {"a": "1", "b": "3"}
    assert pod_spec["tolerations"] == [{"key": "new"}]
    assert pod_spec["volumes"] == [{"name": "w", "emptyDir": {}}]
    assert pod_spec["containers"] == [
        {"name": "s", "image": "b", "env": [{"name": "E", "value": "1"}]},
        {
            "name": "node",
            "image": "a",
            "volumeMounts": [{"name": "w", "mountPath": "/w"}, {"name": "v", "mountPath": "/v"}],
        },
    ]


def test_overrides_of_older_clients_mean_the_same() -> None:
    overrides = [{"targetJobs": [{"name": "node"}], "spec": {"nodeSelector": {"a": "1"}}}]
    spec = job_set_of(
        built(train_job(podTemplateOverrides=overrides), runtime(replicated("node", "trainer")))
    )["spec"]
    assert spec["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["nodeSelector"] == {"a": "1"}


def test_a_patch_for_a_job_that_the_runtime_lacks_is_refused() -> None:
    patches = [{"manager": "a/b", "trainingRuntimeSpec": {"template": {"spec": pod_patch("gone", spec={})}}}]
    with pytest.raises(UnbuildableError, match="no replicated job 'gone'; it has node"):
        built(train_job(runtimePatches=patches), runtime(replicated("node", "trainer")))


@pytest.mark.parametrize(
    ("job_suspended", "set_suspended", "is_built"),
    [(False, False, False), (False, True, True), (True, False, True), (True, True, True)],
)
def test_a_set_that_runs_stays_as_it_is(job_suspended: bool, set_suspended: bool, is_built: bool) -> None:
    there = (JOB_SETS, {"spec": {"suspend": set_suspended}})
    objects = built(train_job(suspend=job_suspended), runtime(replicated("node", "trainer")), there)
    assert bool(objects) is is_built
    assert not objects or objects[0]["spec"]["suspend"] is job_suspended


def gang(policy: dict[str, Any], **more: Any) -> dict[str, Any]:
    def container(name: str) -> dict[str, Any]:
        return {"name": name, "image": "a", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}

    return runtime(
        replicated("launcher", containers=[container("node")], **more),
        replicated("node", "trainer", containers=[container("node")]),
        podGroupPolicy=policy,
    )


def test_coscheduling_ties_all_pods_into_one_group() -> None:
    objects = built(
        train_job(trainer={"numNodes": 3}), gang({"coscheduling": {"scheduleTimeoutSeconds": 30}})
    )
    assert [each["kind"] for each in objects] == ["PodGroup", "JobSet"]
    assert objects[0]["apiVersion"] == "scheduling.x-k8s.io/v1alpha1"
    assert objects[0]["spec"] == {
        "minMember": 4,
        "minResources": {"cpu": "2", "memory": "4Gi"},
        "scheduleTimeoutSeconds": 30,
    }
    for each in objects[1]["spec"]["replicatedJobs"]:
        labels = each["template"]["spec"]["template"]["metadata"]["labels"]
        assert labels == {"scheduling.x-k8s.io/pod-group": "job"}


@pytest.mark.parametrize("policy", ["coscheduling", "volcano"])
def test_initializers_are_no_members_of_the_gang_that_waits_for_their_end(policy: str) -> None:
    found = runtime(
        replicated("dataset-initializer", "dataset-initializer"),
        replicated("node", "trainer"),
        podGroupPolicy={policy: {}},
    )
    jobs = found["spec"]["template"]["spec"]["replicatedJobs"]
    jobs[1]["dependsOn"] = [{"name": "dataset-initializer", "status": "Complete"}]
    group, job_set = built(train_job(trainer={"numNodes": 2}), found)
    assert group["spec"]["minMember"] == 2
    first, second = (
        each["template"]["spec"]["template"].get("metadata") for each in job_set["spec"]["replicatedJobs"]
    )
    assert not first
    assert second


def test_volcano_ties_by_an_annotation_and_knows_queue_priority_and_topology() -> None:
    topology = {"mode": "hard", "highestTierAllowed": 1}
    found = gang({"volcano": {"networkTopology": topology}}, priorityClassName="high")
    found["spec"]["template"]["metadata"] = {"annotations": {"scheduling.volcano.sh/queue-name": "q"}}
    objects = built(train_job(trainer={"numNodes": 1}), found)
    assert objects[0]["apiVersion"] == "scheduling.volcano.sh/v1beta1"
    assert objects[0]["spec"] == {
        "minMember": 2,
        "minResources": {"cpu": "1", "memory": "2Gi"},
        "queue": "q",
        "priorityClassName": "high",
        "networkTopology": topology,
    }
    for each in objects[1]["spec"]["replicatedJobs"]:
        annotations = each["template"]["spec"]["template"]["metadata"]["annotations"]
        assert annotations == {"scheduling.k8s.io/group-name": "job"}


@pytest.mark.parametrize(
    ("policy", "resource"), [("coscheduling", POD_GROUPS), ("volcano", VOLCANO_POD_GROUPS)]
)
def test_a_group_changes_only_while_the_job_is_suspended(policy: str, resource: Resource) -> None:
    there = ((resource, {"spec": {}}), (JOB_SETS, {"spec": {"suspend": True}}))
    running = built(train_job(suspend=False), gang({policy: {}}), *there)
    suspended = built(train_job(suspend=True), gang({policy: {}}), *there)
    assert [each["kind"] for each in running] == ["JobSet"]
    assert [each["kind"] for each in suspended] == ["PodGroup", "JobSet"]


@pytest.mark.parametrize("runtime", shipped(), ids=lambda each: each["metadata"]["name"])
def test_every_shipped_runtime_makes_a_job_set(runtime: dict[str, Any]) -> None:
    job = train_job(
        runtimeRef={"name": runtime["metadata"]["name"]}, trainer={"numNodes": 2, "command": ["run"]}
    )
    spec = job_set_of(built(job, runtime))["spec"]
    trainers = [
        each
        for each in spec["replicatedJobs"]
        if ((each["template"].get("metadata") or {}).get("labels") or {}).get(ANCESTOR) == "trainer"
    ]
    assert [
        each["template"]["spec"]["template"]["spec"]["containers"][0]["command"] for each in trainers
    ] == [["run"]]
    assert runtime["metadata"]["labels"]["trainer.kubeflow.org/framework"]
