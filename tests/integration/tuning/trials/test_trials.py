"""Trials of Jobs on the embedded API server: what they run, how they end, and what is left of them."""

from __future__ import annotations

from sampan.components.tuning.api.kinds import TRIALS
from sampan.kube import meta, pods
from sampan.kube.kinds import JOBS, NAMESPACES, PODS

from .conftest import condition, metric


def test_a_trial_runs_its_job_and_is_measured(run):
    async def scenario(tuning):
        await tuning.trial("one", retainRun=True)
        trial = await tuning.becomes("one", "Running")
        assert condition(trial, "Created")["reason"] == "TrialCreated"
        assert condition(trial, "Created")["message"] == "Trial is created"
        assert condition(trial, "Running")["reason"] == "TrialRunning"
        assert meta.finalizers(trial) == ["clean-metrics-in-db"]
        job = await tuning.get(JOBS, "one")
        assert job["metadata"]["ownerReferences"][0]["uid"] == meta.uid(trial)
        pod = await tuning.runs("one", "epoch 1", "accuracy=0.7", "accuracy=0.9 loss=1e-3", "accuracy=0.8")
        assert meta.labels(pod)["katib.kubeflow.org/trial"] == "one"
        assert pod["spec"]["containers"][0]["env"] == [
            {
                "name": "KATIB_TRIAL_NAME",
                "valueFrom": {
                    "fieldRef": {
                        "apiVersion": "v1",
                        "fieldPath": "metadata.labels['katib.kubeflow.org/trial']",
                    }
                },
            }
        ]
        trial = await tuning.becomes("one", "Succeeded")
        assert metric(trial) == ("0.7", "0.9", "0.8")
        said = condition(trial, "Succeeded")
        assert said["reason"] == "TrialSucceeded. Job reason: CompletionsReached"
        assert said["message"] == (
            "Trial has succeeded. Job message: Reached expected number of succeeded pods"
        )
        assert condition(trial, "Running")["status"] == "False"
        assert trial["status"]["startTime"]
        assert trial["status"]["completionTime"]
        assert [each["type"] for each in trial["status"]["conditions"]] == ["Created", "Running", "Succeeded"]
        assert await tuning.events("one", 3) == [
            ("JobCreated", "Job one has been created"),
            ("JobRunning", "Job one is running"),
            ("JobSucceeded", "Job one has succeeded"),
        ]
        rows = await tuning.observations.of("team", "one")
        assert [each.value for each in rows] == ["0.7", "0.9", "0.8"]
        # It is to be retained.
        assert await tuning.get(JOBS, "one")

    run(scenario)


def test_what_a_trial_ran_goes_with_its_end(run):
    async def scenario(tuning):
        await tuning.trial("one")
        await tuning.runs("one", "accuracy=1")
        await tuning.becomes("one", "Succeeded")
        await tuning.gone(JOBS, "one")
        await tuning.until(lambda: _none(tuning, PODS))
        assert ("JobDeleted", "Job one has been deleted") in await tuning.events("one", 4)
        # And is not made anew.
        assert metric(await tuning.get(TRIALS, "one")) == ("1", "1", "1")
        assert await tuning.get(JOBS, "one") is None

    run(scenario)


def test_a_trial_fails_with_its_job(run):
    async def scenario(tuning):
        await tuning.trial("one")
        await tuning.runs("one", "accuracy=0.5", code=3)
        trial = await tuning.becomes("one", "Failed")
        said = condition(trial, "Failed")
        assert said["reason"] == "TrialFailed. Job reason: BackoffLimitExceeded"
        assert said["message"].startswith(
            "Trial has failed. Job message: Job has reached the specified backoff limit. container main of pod one"
        )
        assert said["message"].endswith("ended with exit code 3")
        assert "observation" not in trial["status"]
        # Its curve is kept all the same.
        assert [each.value for each in await tuning.observations.of("team", "one")] == ["0.5"]

    run(scenario)


def test_events_name_what_was_run(run):
    async def scenario(tuning):
        template = {"spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": template}}
        for name, code, line, end in (
            ("good", 0, "accuracy=1", "Job its-good has succeeded"),
            ("unmeasured", 0, "done", "Metrics are not available for Job its-unmeasured"),
            ("bad", 1, "", "Job its-bad has failed. "),
        ):
            await tuning.trial(name, runSpec={**job, "metadata": {"name": f"its-{name}"}})
            await tuning.runs(f"its-{name}", line, code=code)
            made, _, last, *_ = await tuning.events(name, 3)
            assert made == ("JobCreated", f"Job its-{name} has been created")
            assert last[1].startswith(end)

    run(scenario)


def test_only_the_attempt_that_completed_counts(run):
    async def scenario(tuning):
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "backoffLimit": 1,
                "template": {
                    "spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}
                },
            },
        }
        await tuning.trial("one", runSpec=job)
        await tuning.runs("one", "accuracy=0.99", code=1)
        await tuning.runs("one", "accuracy=0.5", number=1)
        trial = await tuning.becomes("one", "Succeeded")
        assert metric(trial) == ("0.5", "0.5", "0.5")
        assert [each.value for each in await tuning.observations.of("team", "one")] == ["0.5"]

    run(scenario)


def test_a_container_that_restarts_counts_from_its_last_run(run):
    async def scenario(tuning):
        await tuning.trial("one")
        pod = await tuning.pod_of("one")
        await tuning.phase(pod, pods.RUNNING)
        tuning.prints(pod, "accuracy=0.99")
        await tuning.phase(pod, pods.RUNNING, restarts=1)
        tuning.prints(pod, "accuracy=0.4", run=1)
        await tuning.phase(pod, pods.SUCCEEDED, 0, restarts=1)
        assert metric(await tuning.becomes("one", "Succeeded")) == ("0.4", "0.4", "0.4")

    run(scenario)


def test_a_value_that_is_none_is_told_of_with_its_line(run):
    async def scenario(tuning):
        await tuning.trial("one", retainRun=True)
        await tuning.runs("one", "begin", "accuracy=high")
        trial = await tuning.becomes("one", "MetricsUnavailable")
        said = condition(trial, "MetricsUnavailable")
        assert said["reason"].startswith("MetricsUnavailable")
        assert said["message"].startswith(
            "Metrics are not available: nothing was reported for accuracy; in container"
        )
        assert "line 2 says 'accuracy=high', where accuracy has no number for a value" in said["message"]
        assert metric(trial) == ("unavailable", "unavailable", "unavailable")
        assert [each.value for each in await tuning.observations.of("team", "one")] == ["unavailable"]
        await tuning.trial("two", retainRun=True)
        await tuning.runs("two", "accuracy: 0.9")
        trial = await tuning.becomes("two", "MetricsUnavailable")
        assert (
            "line 1 says 'accuracy: 0.9', which no filter finds a value of accuracy in"
            in (condition(trial, "MetricsUnavailable")["message"])
        )

    run(scenario)


def test_a_bad_value_among_good_ones_is_left_out_with_a_word(run):
    async def scenario(tuning):
        await tuning.trial("one")
        await tuning.runs("one", "Namespace(accuracy=None)", "accuracy=nan", "accuracy=0.5")
        trial = await tuning.becomes("one", "Succeeded")
        assert metric(trial) == ("0.5", "0.5", "0.5")
        assert "line 1 says 'Namespace(accuracy=None)'" in condition(trial, "Succeeded")["message"]

    run(scenario)


def test_a_latest_value_that_is_no_number_is_no_result(run):
    async def scenario(tuning):
        objective = {
            "type": "minimize",
            "objectiveMetricName": "loss",
            "metricStrategies": [{"name": "loss", "value": "latest"}],
        }
        await tuning.trial("one", objective=objective)
        await tuning.runs("one", "loss=0.5", "loss=nan")
        trial = await tuning.becomes("one", "MetricsUnavailable")
        assert metric(trial, "loss") == ("0.5", "0.5", "nan")
        assert "the latest value of loss is nan" in condition(trial, "MetricsUnavailable")["message"]
        await tuning.trial("two", objective={**objective, "metricStrategies": []})
        await tuning.runs("two", "loss=0.5", "loss=inf")
        assert metric(await tuning.becomes("two", "Succeeded"), "loss") == ("0.5", "0.5", "inf")

    run(scenario)


def test_pods_that_are_not_primary_do_not_count(run):
    async def scenario(tuning):
        await tuning.trial("one", primaryPodLabels={"role": "master"}, retainRun=True)
        await tuning.runs("one", "accuracy=0.5")
        trial = await tuning.becomes("one", "MetricsUnavailable")
        assert (
            "no pod of the run has the labels role=master"
            in (condition(trial, "MetricsUnavailable")["message"])
        )
        await tuning.trial("two", primaryPodLabels={"batch.kubernetes.io/job-name": "two"})
        await tuning.runs("two", "accuracy=0.5")
        await tuning.becomes("two", "Succeeded")

    run(scenario)


def test_a_missing_container_is_told_of(run):
    async def scenario(tuning):
        await tuning.trial("one", primaryContainerName="training", retainRun=True)
        await tuning.runs("one", "accuracy=0.5")
        trial = await tuning.becomes("one", "MetricsUnavailable")
        assert (
            "has no container training (primaryContainerName), it has: main"
            in (condition(trial, "MetricsUnavailable")["message"])
        )

    run(scenario)


def test_what_can_never_run_fails_with_the_reason(run):
    async def scenario(tuning):
        await tuning.trial("nothing", runSpec=None)
        trial = await tuning.becomes("nothing", "Failed")
        assert condition(trial, "Failed")["message"] == (
            "Trial has failed. spec.runSpec must be an object with apiVersion and kind"
        )
        await tuning.trial("path", successCondition='status.#(type=="Complete"')
        trial = await tuning.becomes("path", "Failed")
        assert "spec.successCondition is no GJSON path" in condition(trial, "Failed")["message"]
        filters = {"source": {"filter": {"metricsFormat": ["(["]}}, "collector": {"kind": "StdOut"}}
        await tuning.trial("filter", metricsCollector=filters)
        trial = await tuning.becomes("filter", "Failed")
        assert "metricsFormat: '([' is no regular expression" in condition(trial, "Failed")["message"]
        broken = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {}}}
        await tuning.trial("refused", runSpec=broken)
        trial = await tuning.becomes("refused", "Failed")
        assert "Job cannot be created: " in condition(trial, "Failed")["message"]
        await tuning.client.create(JOBS, _plain_job("taken"))
        await tuning.trial("taken")
        trial = await tuning.becomes("taken", "Failed")
        assert "is there already and is not the trial's" in condition(trial, "Failed")["message"]
        assert await tuning.get(JOBS, "taken")

    run(scenario)


def test_a_kind_that_is_not_served_is_waited_for(run):
    async def scenario(tuning):
        await tuning.trial("one", runSpec={"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"})
        trial = await tuning.becomes("one", "Running", "False")
        assert condition(trial, "Running")["reason"] == "UnknownKind"
        assert (
            "does not serve the kind Workflow of argoproj.io/v1alpha1"
            in condition(trial, "Running")["message"]
        )

    run(scenario)


def test_a_pod_that_cannot_start_is_told_of(run):
    async def scenario(tuning):
        await tuning.trial("one")
        pod = await tuning.pod_of("one")
        await tuning.becomes("one", "Running")
        unplaced = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }
        await tuning.client.patch(
            PODS, meta.name(pod), {"status": {"conditions": [unplaced]}}, "team", subresource="status"
        )
        trial = await tuning.becomes("one", "Running", "False")
        said = condition(trial, "Running")
        assert said["reason"] == "Unschedulable"
        assert "Insufficient cpu" in said["message"]
        await tuning.phase(pod, pods.RUNNING)
        trial = await tuning.becomes("one", "Running")
        assert condition(trial, "Running")["reason"] == "TrialRunning"

    run(scenario)


def test_a_job_that_somebody_deletes_is_made_anew(run):
    async def scenario(tuning):
        await tuning.trial("one")
        pod = await tuning.pod_of("one")
        await tuning.phase(pod, pods.RUNNING)
        tuning.prints(pod, "accuracy=0.9")
        before = await tuning.get(JOBS, "one")
        await tuning.client.delete(JOBS, "one", "team")

        async def another():
            found = await tuning.get(JOBS, "one")
            return found if found is not None and meta.uid(found) != meta.uid(before) else None

        await tuning.until(another)

        async def new_pod():
            there = [each for each in await tuning.all(PODS) if meta.uid(each) != meta.uid(pod)]
            return there[0] if there else None

        second = await tuning.until(new_pod)
        await tuning.phase(second, pods.RUNNING)
        tuning.prints(second, "accuracy=0.4")
        await tuning.phase(second, pods.SUCCEEDED, 0)
        assert metric(await tuning.becomes("one", "Succeeded")) == ("0.4", "0.4", "0.4")

    run(scenario)


def test_a_job_that_goes_as_it_ends_has_ended(run):
    async def scenario(tuning):
        job = _plain_job("x")["spec"] | {"ttlSecondsAfterFinished": 0}
        # Retained, for the trial takes other jobs away itself.
        await tuning.trial(
            "one", retainRun=True, runSpec={"apiVersion": "batch/v1", "kind": "Job", "spec": job}
        )
        await tuning.runs("one", "accuracy=0.6")
        assert metric(await tuning.becomes("one", "Succeeded")) == ("0.6", "0.6", "0.6")
        await tuning.gone(JOBS, "one")

    run(scenario)


def test_a_deleted_trial_takes_its_values_and_its_job_along(run):
    async def scenario(tuning):
        await tuning.trial("one", retainRun=True)
        await tuning.runs("one", "accuracy=0.5")
        await tuning.becomes("one", "Succeeded")
        await tuning.client.delete(TRIALS, "one", "team")
        await tuning.gone(TRIALS, "one")
        await tuning.gone(JOBS, "one")
        assert await tuning.observations.of("team", "one") == []

    run(scenario)


def test_any_kind_can_be_run(run):
    async def scenario(tuning):
        shown = 'status.[@this].#(phase=="Active")#'
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"},
        }
        succeeded, failed = shown.replace("Active", "Succeeded"), shown.replace("Active", "Failed")
        await tuning.trial("bare", runSpec=pod, successCondition=succeeded, failureCondition=failed)
        made = await tuning.until(lambda: tuning.get(PODS, "bare"))
        await tuning.phase(made, pods.RUNNING)
        tuning.prints(made, "accuracy=0.25")
        await tuning.phase(made, pods.SUCCEEDED, 0)
        assert metric(await tuning.becomes("bare", "Succeeded"))[2] == "0.25"
        config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
        await tuning.trial(
            "map", runSpec=config, successCondition="[data].#(a==b)#", metricsCollector=_collector("Push")
        )
        # Nothing was pushed.
        await tuning.becomes("map", "MetricsUnavailable")

    run(scenario)


def test_pushed_values_count_once_the_run_has_ended(run):
    from sampan.components.tuning.api.observing import MetricLog

    async def scenario(tuning):
        await tuning.trial("one", metricsCollector=_collector("Push"))
        await tuning.pod_of("one")
        pushed = [MetricLog(f"2026-01-01T00:00:0{n}Z", "accuracy", str(n)) for n in (3, 1, 2)]
        await tuning.observations.report("team", "one", pushed)
        await tuning.runs("one", "accuracy=99")
        assert metric(await tuning.becomes("one", "Succeeded")) == ("1", "3", "3")

    run(scenario)


def test_a_namespace_may_switch_collecting_off(run):
    async def scenario(tuning):
        label = {"metadata": {"labels": {"katib.kubeflow.org/metrics-collector-injection": "disabled"}}}
        await tuning.client.patch(NAMESPACES, "team", label)
        await tuning.trial("one", retainRun=True)
        pod = await tuning.runs("one", "accuracy=0.5")
        assert "katib.kubeflow.org/trial" not in meta.labels(pod)
        trial = await tuning.becomes("one", "MetricsUnavailable")
        assert (
            "katib.kubeflow.org/metrics-collector-injection"
            in (condition(trial, "MetricsUnavailable")["message"])
        )

    run(scenario)


def test_metrics_are_read_while_the_pod_runs(run):
    async def scenario(tuning):
        await tuning.trial("one")
        pod = await tuning.pod_of("one")
        await tuning.phase(pod, pods.RUNNING)
        tuning.prints(pod, "accuracy=0.1")

        async def values():
            return [each.value for each in await tuning.observations.of("team", "one")]

        async def has_one():
            return await values() == ["0.1"]

        await tuning.until(has_one)
        await tuning.stop()
        tuning.prints(pod, "accuracy=0.2")
        await tuning.start()
        await tuning.phase(pod, pods.SUCCEEDED, 0)
        await tuning.becomes("one", "Succeeded")
        assert await values() == ["0.1", "0.2"]

    run(scenario)


def _collector(kind):
    return {"collector": {"kind": kind}}


def _plain_job(name):
    containers = [{"name": "main", "image": "x"}]
    return {
        "metadata": {"name": name, "namespace": "team"},
        "spec": {"template": {"spec": {"containers": containers, "restartPolicy": "Never"}}},
    }


async def _none(tuning, resource):
    return not await tuning.all(resource)
