"""Trials that nobody should write: each costs itself, and no other."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from sampan.components.tuning.api.kinds import TRIALS
from sampan.components.tuning.controller.trials import reconciler
from sampan.kube.errors import BadRequestError, InvalidError, RequestTooLargeError, ServiceUnavailableError
from sampan.kube.kinds import JOBS, RESOURCE_QUOTAS

from .conftest import condition, metric

JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "template": {"spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}}
    },
}


def rbac():
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "mallory"}],
    }


ODD = {
    "no-objective": {"objective": None},
    "empty-objective": {"objective": {}},
    "deep-path": {"successCondition": "[" * 500 + "a" + "]" * 500},
    "long-path": {"successCondition": "a" * 5000},
    "odd-collector": {"metricsCollector": {"collector": {"kind": "Nonsense"}}},
    "no-kind": {"runSpec": {"apiVersion": "batch/v1"}},
    "no-version": {"runSpec": {"kind": "Job"}},
    "odd-metadata": {"runSpec": {**JOB, "metadata": "x"}},
    "odd-labels": {"runSpec": {**JOB, "metadata": {"labels": ["a"]}}},
    "other-namespace": {"runSpec": {**JOB, "metadata": {"namespace": "kube-system"}}},
    "no-spec": {"runSpec": {"apiVersion": "batch/v1", "kind": "Job"}},
    "cluster-wide": {
        "runSpec": {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "x"}
    },
    "powerful": {"runSpec": rbac()},
    "secret": {
        "runSpec": {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
    },
    "itself": {"runSpec": {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "spec": {}}},
    "odd-filter": {"metricsCollector": {"source": {"filter": {"metricsFormat": ["(?P<"]}}}},
}


def test_what_cannot_be_ends_with_a_word(run):
    async def scenario(tuning):
        refused = set()
        for name, spec in ODD.items():
            try:
                await tuning.trial(name, **spec)
            except (InvalidError, BadRequestError):
                refused.add(name)
        await tuning.trial("n" * 64)
        for name in (*(ODD.keys() - refused), "n" * 64):
            trial = await tuning.becomes(name, "Failed")
            assert condition(trial, "Failed")["message"].startswith("Trial has failed. ")
        assert len(refused) < 4
        # Others go on as if nothing were.
        await tuning.trial("good")
        await tuning.runs("good", "accuracy=1")
        assert metric(await tuning.becomes("good", "Succeeded"))[2] == "1"
        for name in ODD:
            with suppress(Exception):
                await tuning.client.delete(TRIALS, name, "team")
        for name in ODD.keys() - refused:
            await tuning.gone(TRIALS, name)

    run(scenario)


def test_strange_values_of_a_collector_cost_only_the_metrics(run):
    async def scenario(tuning):
        http = {"path": "no path", "port": 0, "httpHeaders": [{"name": "a", "value": "b\r\nc"}]}
        collecting = {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": http}}
        await tuning.trial("one", metricsCollector=collecting)
        await tuning.runs("one")
        trial = await tuning.becomes("one", "MetricsUnavailable")
        assert condition(trial, "MetricsUnavailable")["message"]
        rules = [{"name": "accuracy", "value": "many", "comparison": "odd", "startStep": -4}]
        await tuning.trial("two", earlyStoppingRules=rules, primaryPodLabels={})
        await tuning.runs("two", "\x00accuracy=0.5\x1b[0m", "\u202e accuracy=0.7" * 10)
        assert metric(await tuning.becomes("two", "Succeeded"))[1] == "0.7"

    run(scenario)


def test_what_a_quota_forbids_is_waited_for_and_said(run):
    async def scenario(tuning):
        quota = {
            "metadata": {"name": "none", "namespace": "team"},
            "spec": {"hard": {"count/jobs.batch": "0"}},
        }

        async def is_counted() -> bool:
            found = await tuning.get(RESOURCE_QUOTAS, "none")
            return (found.get("status") or {}).get("hard") == found["spec"]["hard"]

        await tuning.client.create(RESOURCE_QUOTAS, quota)
        await tuning.until(is_counted)
        await tuning.trial("one")
        trial = await tuning.becomes("one", "Running", "False")
        assert condition(trial, "Running")["reason"] == "Forbidden"
        assert "exceeded quota" in condition(trial, "Running")["message"]
        pods = {"spec": {"hard": {"count/jobs.batch": "9", "pods": "0"}}}
        await tuning.client.patch(RESOURCE_QUOTAS, "none", pods, "team")
        await tuning.until(is_counted)
        await tuning.trial("two")
        trial = await tuning.becomes("two", "Running", "False")
        assert condition(trial, "Running")["reason"] == "NoPods"
        message = condition(trial, "Running")["message"]
        assert message.startswith("Job two has no pods: ")
        assert "exceeded quota" in message
        assert await tuning.get(JOBS, "two")

    run(scenario)


class Refusing:
    """The client, which makes no Job as long as there is an `error`."""

    def __init__(self, client, error):
        self._client, self.error = client, error

    def __getattr__(self, name):
        return getattr(self._client, name)

    async def create(self, resource, *given, **more):
        if resource.plural == "jobs" and self.error is not None:
            raise self.error
        return await self._client.create(resource, *given, **more)


def test_a_refusal_that_stays_ends_a_trial_and_one_that_passes_is_waited_out_with_a_word(run, monkeypatch):
    monkeypatch.setattr(reconciler, "_LATER", timedelta(seconds=0.1))

    async def scenario(tuning):
        client = Refusing(tuning.client, RequestTooLargeError("the Job is too large"))
        await tuning.stop()
        await tuning.start(client=client)
        await tuning.trial("large")
        trial = await tuning.becomes("large", "Failed")
        assert condition(trial, "Failed")["message"] == (
            "Trial has failed. Job cannot be created: the Job is too large"
        )
        client.error = ServiceUnavailableError("the webhook does not answer")
        await tuning.trial("waits")
        trial = await tuning.becomes("waits", "Running", "False")
        assert condition(trial, "Running")["reason"] == "ServiceUnavailable"
        assert condition(trial, "Running")["message"] == "the webhook does not answer"
        client.error = None
        await tuning.runs("waits", "accuracy=1")
        await tuning.becomes("waits", "Succeeded")

    run(scenario)
