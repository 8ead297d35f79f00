"""Pruners at work: values of running trials are decided on as they come, and the condition says why."""

from __future__ import annotations

from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.api.observing import MetricLog
from sampan.kube import meta, pods
from sampan.kube.kinds import JOBS
from sampan.lib.clock import rfc3339

from .conftest import condition


def experiment(stopping, **spec):
    container = {"name": "main", "image": "busybox", "command": ["train", "${trialParameters.x}"]}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    return {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": "Experiment",
        "metadata": {"name": "search", "namespace": "team"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "earlyStopping": {
                "algorithmName": stopping.pop("name"),
                "algorithmSettings": [{"name": name, "value": value} for name, value in stopping.items()],
            },
            "parallelTrialCount": 1,
            "maxTrialCount": 3,
            "parameters": [
                {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"backoffLimit": 0, "template": template},
                },
            },
            **spec,
        },
    }


async def _next(tuning, known):
    """The name of a trial that is new."""

    async def look():
        return [meta.name(each) for each in await tuning.all(TRIALS) if meta.name(each) not in known]

    (name,) = await tuning.until(look)
    known.append(name)
    return name


def test_a_trial_is_stopped_at_a_value_and_says_why(run):
    async def scenario(tuning):
        known = []
        await tuning.client.create(
            EXPERIMENTS, experiment({"name": "MedianPruner", "n_startup_trials": "1", "n_warmup_steps": "1"})
        )
        first = await _next(tuning, known)
        await tuning.runs(first, "loss=3", "loss=2", "loss=1")
        await tuning.becomes(first, "Succeeded")
        # Its first value is in the warm-up.
        second = await _next(tuning, known)
        pod = await tuning.pod_of(second)
        await tuning.phase(pod, pods.RUNNING)
        tuning.prints(pod, "loss=9")
        tuning.prints(pod, "loss=8")
        trial = await tuning.becomes(second, "EarlyStopped")
        assert condition(trial, "EarlyStopped")["reason"] == "TrialEarlyStopped"
        assert condition(trial, "EarlyStopped")["message"].endswith(
            "at step 1 the best loss so far, 8, is worse than 2, which 50% of 1 finished trials have reached"
        )
        assert trial["status"]["observation"]["metrics"][0]["latest"] == "8"
        await tuning.gone(JOBS, second)
        # As good a one goes on.
        third = await _next(tuning, known)
        await tuning.runs(third, "loss=3", "loss=2", "loss=1")
        await tuning.becomes(third, "Succeeded")
        found = await tuning.becomes("search", "Succeeded", resource=EXPERIMENTS)
        assert (found["status"]["trialsEarlyStopped"], found["status"]["trialsSucceeded"]) == (1, 2)

    run(scenario)


def test_values_that_are_pushed_are_decided_on_too(run):
    async def scenario(tuning):
        known = []
        collector = {"collector": {"kind": "Push"}}
        await tuning.client.create(
            EXPERIMENTS,
            experiment({"name": "threshold", "upper": "5"}, metricsCollectorSpec=collector),
        )
        name = await _next(tuning, known)
        pod = await tuning.pod_of(name)
        await tuning.phase(pod, pods.RUNNING)
        await tuning.becomes(name, "Running")
        now = rfc3339(tuning.clock.now(), micro=True)
        await tuning.observations.report("team", name, [MetricLog(now, "loss", each) for each in ("1", "7")])
        trial = await tuning.becomes(name, "EarlyStopped")
        assert "loss is 7 at step 1, greater than 5" in condition(trial, "EarlyStopped")["message"]

    run(scenario)
