"""Experiments at the API server: defaults, what is refused when it is written, and what may be edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.kube.errors import InvalidError
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PERSISTENT_VOLUMES

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]


def template(**trial_spec: Any) -> dict[str, Any]:
    made = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod_spec()}}} | trial_spec
    return {
        "primaryContainerName": "main",
        "trialParameters": [{"name": "number", "reference": "x"}],
        "successCondition": "a",
        "failureCondition": "b",
        "trialSpec": made,
    }


def pod_spec(**more: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox", "args": ["${trialParameters.number}"]} | more
    return {"restartPolicy": "Never", "containers": [container]}


async def refused(tuning: Tuning, **spec: Any) -> str:
    with pytest.raises(InvalidError) as error:
        await tuning.submit("refused", **spec)
    return error.value.message


def test_defaults_are_written(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        spec = (await tuning.submit(parallelTrialCount=None))["spec"]
        assert (spec["parallelTrialCount"], spec["resumePolicy"]) == (3, "Never")
        assert spec["metricsCollectorSpec"] == {"collector": {"kind": "StdOut"}}
        assert spec["trialTemplate"]["successCondition"]

    run(scenario)


def test_the_object_of_a_template_must_be_one_that_the_server_takes(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        message = await refused(tuning, trialTemplate=template(kind="Thing"))
        assert 'no matches for kind "Thing" in version "batch/v1": this server does not serve it' in message
        message = await refused(
            tuning, trialTemplate=template(spec={"template": {"spec": pod_spec(imagine="busybox")}})
        )
        assert 'unknown field "spec.template.spec.containers[0].imagine"' in message
        message = await refused(
            tuning, trialTemplate=template(spec={"template": {"spec": pod_spec(tty="yes")}})
        )
        assert "invalid spec.trialTemplate: Job in version" in message
        message = await refused(
            tuning,
            trialTemplate=template(spec={"template": {"spec": pod_spec() | {"restartPolicy": "Always"}}}),
        )
        assert "spec.template.spec.restartPolicy" in message
        # A number stands where one must be.
        limits = {"resources": {"limits": {"cpu": "${trialParameters.number}"}}}
        await tuning.submit(trialTemplate=template(spec={"template": {"spec": pod_spec(**limits)}}))

    run(scenario)


def test_templates_and_algorithms_are_read_where_they_stand(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.client.create(NAMESPACES, {"metadata": {"name": "kubeflow"}})
        source = {"configMapName": "templates", "configMapNamespace": "kubeflow", "templatePath": "job"}
        in_map = template() | {"trialSpec": None, "configMap": source}
        assert 'configmaps "templates" not found' in await refused(tuning, trialTemplate=in_map)
        text = "{apiVersion: batch/v1, kind: Job, spec: {template: {spec: {restartPolicy: Never, containers: "
        text += "[{name: main, image: busybox, args: ['${trialParameters.number}']}]}}}}"
        await tuning.client.create(
            CONFIG_MAPS, {"metadata": {"name": "templates", "namespace": "kubeflow"}, "data": {"job": text}}
        )
        await tuning.submit("by-map", trialTemplate=in_map)
        trials = await tuning.have(2, "by-map")
        run_spec = trials[0]["spec"]["runSpec"]
        assert run_spec["spec"]["template"]["spec"]["containers"][0]["args"] == ["1"]

    run(scenario)


def test_templates_of_other_namespaces_are_read_where_they_are_shared(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.client.create(NAMESPACES, {"metadata": {"name": "others"}})
        held = {"metadata": {"name": "own", "namespace": "others"}, "data": {"job": "kind: Job"}}
        await tuning.client.create(CONFIG_MAPS, held)
        source = {"configMapName": "own", "configMapNamespace": "others", "templatePath": "none"}
        in_map = template() | {"trialSpec": None, "configMap": source}
        said = await refused(tuning, trialTemplate=in_map)
        assert "not shared by the label katib.kubeflow.org/component=trial-templates" in said
        shared = {"metadata": {"labels": {"katib.kubeflow.org/component": "trial-templates"}}}
        await tuning.client.patch(CONFIG_MAPS, "own", shared, "others")
        assert "ConfigMap others/own has job" in await refused(tuning, trialTemplate=in_map)

    run(scenario)


def test_hostile_ones_are_refused_and_nothing_else_happens(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        for value in (1, "text", [], [1], {"a": 1}, True, {"a": {"b": [None]}}):
            for field in (
                *("objective", "algorithm", "earlyStopping", "parameters", "trialTemplate", "nasConfig"),
                *("metricsCollectorSpec", "maxTrialCount", "resumePolicy", "parallelTrialCount"),
            ):
                body = {
                    "metadata": {"name": "hostile", "namespace": "team"},
                    "spec": {**tuning.spec(), field: value},
                }
                code = await tuning.code_of(tuning.client.create(EXPERIMENTS, body))
                assert code in (0, 400, 422), (field, value, code)
                if not code:
                    await tuning.client.delete(EXPERIMENTS, "hostile", "team")
        await tuning.submit()
        await tuning.have(2)

    run(scenario)


def test_edits(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        await tuning.have(2)
        with pytest.raises(InvalidError, match=r"only spec\.parallelTrialCount, spec\.maxTrialCount and"):
            await tuning.edit(objective={"objectiveMetricName": "accuracy"})
        await tuning.counts(trials=2)
        with pytest.raises(InvalidError, match=r"must be greater than status\.trials count"):
            await tuning.edit(maxTrialCount=2)
        await tuning.edit(maxTrialCount=6, parallelTrialCount=3)
        await tuning.have(3)

    run(scenario)


def test_a_volume_that_is_left_of_another(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/tmp/experiments-volume"},
        }
        await tuning.client.create(
            PERSISTENT_VOLUMES, {"metadata": {"name": "refused-random-team"}, "spec": spec}
        )
        assert "PV: refused-random-team is not deleted" in await refused(tuning, resumePolicy="FromVolume")

    run(scenario)
