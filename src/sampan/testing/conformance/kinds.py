"""What single kinds add: status, defaults, validation, deletion of pods."""

from __future__ import annotations

from sampan.client.protocol import (
    DeleteOptions,
    Object,
)
from sampan.kube import conditions, meta
from sampan.kube.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
)
from sampan.kube.kinds import CONFIG_MAPS, JOBS, PODS, SECRETS
from sampan.testing.conformance.world import Connected, World, check, refused, since


class KindChecks(Connected):
    @check
    async def test_spec_and_status_are_apart(self, world: World) -> None:
        made = await world.client.create(JOBS, {**world.job("one"), "status": {"failed": 7}})
        assert "failed" not in meta.status(made)
        through_main = await world.client.patch(JOBS, "one", {"status": {"failed": 7}}, world.namespace)
        assert "failed" not in meta.status(through_main)
        patch = {"status": {"succeeded": 1}, "spec": {"parallelism": 9}}
        through_status = await world.client.patch(JOBS, "one", patch, world.namespace, subresource="status")
        assert meta.spec(through_status)["parallelism"] == 1
        assert meta.status(through_status)["succeeded"] == 1

    @check
    @since((1, 22), "generation of Jobs")
    async def test_generation_counts_changes_of_the_spec(self, world: World) -> None:
        made = await world.client.create(JOBS, world.job("one"))
        assert meta.generation(made) == 1
        labelled = await world.client.patch(
            JOBS, "one", {"metadata": {"labels": {"a": "b"}}}, world.namespace
        )
        assert meta.generation(labelled) == 1
        changed = await world.client.patch(JOBS, "one", {"spec": {"parallelism": 2}}, world.namespace)
        assert meta.generation(changed) == 2

    @check
    async def test_job_gets_its_selector(self, world: World) -> None:
        made = await world.client.create(JOBS, world.job("one"))
        # The prefix came with 1.27; the labels without it stay.
        prefix = "batch.kubernetes.io/" if world.version >= (1, 27) else ""
        label = {f"{prefix}controller-uid": meta.uid(made)}
        assert made["spec"]["selector"]["matchLabels"] == label
        template = meta.labels(made["spec"]["template"])
        assert label.items() <= template.items()
        assert template[f"{prefix}job-name"] == template["job-name"] == "one"
        assert (made["spec"]["backoffLimit"], made["spec"]["completions"]) == (6, 1)

    @check
    async def test_job_template_is_fixed(self, world: World) -> None:
        await world.client.create(JOBS, world.job("one"))
        containers = [{"name": "main", "image": "other"}]
        change = {"spec": {"template": {"spec": {"containers": containers}}}}
        error = await refused(InvalidError, world.client.patch(JOBS, "one", change, world.namespace))
        assert [cause.field for cause in error.causes] == ["spec.template"]

    @check
    @since((1, 23), "changes of where a Job's pods run")
    async def test_job_may_be_placed_before_it_starts(self, world: World) -> None:
        await world.client.create(JOBS, world.job("one"))
        change = {"spec": {"template": {"spec": {"nodeSelector": {"tier": "a"}}}}}
        placed = await world.client.patch(JOBS, "one", change, world.namespace)
        assert placed["spec"]["template"]["spec"]["nodeSelector"] == {"tier": "a"}

    @check
    @since((1, 22), "indexed Jobs")
    async def test_job_completion_mode_is_fixed(self, world: World) -> None:
        await world.client.create(JOBS, world.job("one"))
        error = await refused(
            InvalidError,
            world.client.patch(JOBS, "one", {"spec": {"completionMode": "Indexed"}}, world.namespace),
        )
        assert "spec.completionMode" in {cause.field for cause in error.causes}

    @check
    async def test_pod_defaults(self, world: World) -> None:
        made = await world.create_pod("one")
        spec = made["spec"]
        assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", 30)
        assert (spec["dnsPolicy"], spec["serviceAccountName"]) == ("ClusterFirst", "default")
        assert spec["containers"][0]["imagePullPolicy"] == "Always"
        assert made["status"]["phase"] == "Pending"
        assert made["status"]["qosClass"] == "BestEffort"

    @check
    async def test_pod_validation_names_every_field(self, world: World) -> None:
        containers: list[Object] = [
            {"name": "Bad_Name", "image": "busybox"},
            {"name": "twice", "image": "busybox"},
            {"name": "twice", "image": "busybox", "volumeMounts": [{"name": "none", "mountPath": "/x"}]},
            {"name": "no-image"},
        ]
        pod = {**world.pod("one"), "spec": {"containers": containers}}
        error = await refused(InvalidError, world.client.create(PODS, pod))
        found = {(cause.field, cause.reason) for cause in error.causes}
        assert found >= {
            ("spec.containers[0].name", "FieldValueInvalid"),
            ("spec.containers[2].name", "FieldValueDuplicate"),
            ("spec.containers[2].volumeMounts[0].name", "FieldValueNotFound"),
            ("spec.containers[3].image", "FieldValueRequired"),
        }

    @check
    async def test_pod_spec_is_fixed(self, world: World) -> None:
        made = await world.create_pod("one")
        made["spec"]["containers"][0]["command"] = ["other"]
        error = await refused(InvalidError, world.client.replace(PODS, made))
        assert error.causes[0].field == "spec"
        assert error.causes[0].reason == "FieldValueForbidden"

    @check
    async def test_binding(self, world: World) -> None:
        await world.create_pod("one")
        await world.client.bind("one", world.namespace, "sampan-test-node")
        bound = await world.client.get(PODS, "one", world.namespace)
        assert bound["spec"]["nodeName"] == "sampan-test-node"
        assert conditions.is_true(bound, "PodScheduled")
        await refused(ConflictError, world.client.bind("one", world.namespace, "another-node"))
        # The node that would confirm the end is not there.
        now = DeleteOptions(grace_period_seconds=0)
        await world.client.delete(PODS, "one", world.namespace, now)

    @check
    async def test_pod_on_a_node_ends_gracefully(self, world: World) -> None:
        await world.create_pod("one")
        await world.client.bind("one", world.namespace, "sampan-test-node")
        going = await world.client.delete(
            PODS, "one", world.namespace, DeleteOptions(grace_period_seconds=25)
        )
        assert meta.is_deleting(going)
        assert going["metadata"]["deletionGracePeriodSeconds"] == 25
        await world.client.delete(PODS, "one", world.namespace, DeleteOptions(grace_period_seconds=0))
        await refused(NotFoundError, world.client.get(PODS, "one", world.namespace))

    @check
    async def test_pod_without_a_node_ends_at_once(self, world: World) -> None:
        await world.create_pod("one")
        await world.client.delete(PODS, "one", world.namespace)
        await refused(NotFoundError, world.client.get(PODS, "one", world.namespace))

    @check
    async def test_secret_string_data_is_written_only(self, world: World) -> None:
        secret = {"metadata": {"name": "one", "namespace": world.namespace}, "stringData": {"key": "value"}}
        made = await world.client.create(SECRETS, secret)
        assert made["data"] == {"key": "dmFsdWU="}
        assert "stringData" not in made
        assert made["type"] == "Opaque"

    @check
    async def test_immutable_config_maps(self, world: World) -> None:
        await world.client.create(CONFIG_MAPS, {**world.config_map("one", {"a": "1"}), "immutable": True})
        error = await refused(InvalidError, world.patch("one", {"data": {"a": "2"}}))
        assert error.causes[0].reason == "FieldValueForbidden"
        await world.patch("one", {"metadata": {"labels": {"still": "allowed"}}})
