"""Importers that bring an artifact to the run's workspace, and models that lie in OCI images."""

from __future__ import annotations

import pytest

WORKSPACE = {"platforms": {"kubernetes": {"pipelineConfig": {"workspace": {"size": "1Gi"}}}}}


def _importer(spec, name, title="system.Dataset", **importer):
    """A component `name` that imports its input `uri`."""
    spec.document["components"][name] = {
        "executorLabel": f"exec-{name}",
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {"artifact": {"artifactType": {"schemaTitle": title}}}},
    }
    spec.document["deploymentSpec"]["executors"][f"exec-{name}"] = {
        "importer": {
            "artifactUri": {"runtimeParameter": "uri"},
            "typeSchema": {"schemaTitle": title},
            **importer,
        }
    }


def _used(spec, title="system.Dataset", **importer):
    """A pipeline of an importer and a step that is told the artifact's path and metadata."""
    _importer(spec, "importer", title, **importer)
    spec.step("use", inputs={"data": title}, args=["{{$.inputs.artifacts['data'].path}}", "{{$}}"])
    return spec.done(
        {
            "importer": spec.task("importer", inputs={"uri": "<uri"}),
            "use": spec.task("use", ("importer",), artifacts={"data": "importer.artifact"}),
        },
        inputs={"uri": "str"},
    )


def test_a_download_to_the_workspace_is_copied_there_by_a_pod(open_cluster, go, spec, tmp_path):
    (tmp_path / "artifacts").mkdir()
    uri = str(tmp_path / "artifacts" / "data.csv")
    place = f"/kfp-workspace/.artifacts{uri}"
    copies, uses = [], []

    def mounts(call):
        return {mount["mountPath"] for mount in call.pod["spec"]["containers"][0]["volumeMounts"]}

    def copy(call):
        copies.append((call.args[-2:], "/kfp-workspace" in mounts(call)))

    def use(call):
        metadata = call.artifact("data", "inputs")["metadata"]
        uses.append((call.args[1], metadata, "/kfp-workspace" in mounts(call)))

    document = _used(spec, downloadToWorkspace=True, metadata={"from": "me"})

    async def main():
        async with open_cluster(**{"busybox:stable": copy, "use": use}) as cluster:
            run = await cluster.run({"pipeline_spec": document, "platform_spec": WORKSPACE}, {"uri": uri})
            assert run.state == "SUCCEEDED", run.error
            assert copies == [([uri, place], True)]
            assert uses == [(place, {"from": "me", "_kfp_workspace": True}, True)]

    go(main())


@pytest.mark.parametrize(
    ("uri", "platform", "says"),
    [
        ("gs://bucket/data.csv", WORKSPACE, "gs://bucket/data.csv cannot be downloaded to the workspace"),
        ("/data.csv", {}, "the pipeline has none"),
    ],
)
def test_a_download_that_cannot_be_says_why(open_cluster, go, spec, uri, platform, says):
    document = _used(spec, downloadToWorkspace=True)

    async def main():
        async with open_cluster() as cluster:
            run = await cluster.run({"pipeline_spec": document, "platform_spec": platform}, {"uri": uri})
            assert run.state == "FAILED"
            assert says in run.error
            assert cluster.executed == []

    go(main())


def test_a_copy_that_failed_is_made_when_the_run_is_retried(open_cluster, go, spec, tmp_path, failed):
    document = _used(spec, downloadToWorkspace=True)
    copies = []

    def copy(call):
        copies.append(call.args[-1])
        if len(copies) == 1:
            raise failed(1, "cp: no space left")

    async def main():
        async with open_cluster(**{"busybox:stable": copy, "use": lambda call: None}) as cluster:
            run = await cluster.run(
                {"pipeline_spec": document, "platform_spec": WORKSPACE}, {"uri": "/data.csv"}
            )
            assert run.state == "FAILED"
            assert "cp: no space left" in run.error
            await cluster.engine.retry(run.run_id)
            assert (await cluster.wait(run.run_id)).state == "SUCCEEDED"
            assert len(copies) == 2

    go(main())


def test_a_model_in_an_oci_image_is_a_sidecar(open_cluster, go, spec):
    document = _used(spec, title="system.Model")
    pods = []

    async def main():
        async with open_cluster(use=lambda call: pods.append((call.pod["spec"], call.args))) as cluster:
            run = await cluster.run(document, {"uri": "oci://registry.example/team/model:v1"})
            assert run.state == "SUCCEEDED", run.error
            [(pod, args)] = pods
            path = "/oci/registry.example_team_model:v1"
            assert args[1] == f"{path}/models"
            assert pod["shareProcessNamespace"] is True
            [sidecar] = pod["initContainers"]
            assert (sidecar["image"], sidecar["restartPolicy"]) == (
                "registry.example/team/model:v1",
                "Always",
            )
            token = "/var/run/secrets/kubernetes.io/serviceaccount"
            [shared] = [each for each in sidecar["volumeMounts"] if each["mountPath"] != token]
            assert shared["mountPath"] == path
            assert shared in pod["containers"][0]["volumeMounts"]

    go(main())
