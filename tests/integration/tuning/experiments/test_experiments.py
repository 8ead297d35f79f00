"""Experiments from their first suggestion to their end, against what upstream's controllers write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.suggesting import Rule
from sampan.kube import meta

if TYPE_CHECKING:
    from conftest import Scenario, Tuning

Run = Callable[["Scenario"], None]


def types(obj: Any) -> list[tuple[str, str, str]]:
    return [(each["type"], each["status"], each["reason"]) for each in obj["status"]["conditions"]]


def test_it_ends_when_max_trials_are_reached(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        assert list(map(x_of, await tuning.have(2))) == [1, 2]
        running = await tuning.counts(trials=2, trialsPending=2)
        # In the order in which they came, which their names do not tell.
        assert sorted(running["pendingTrialList"]) == sorted(map(meta.name, await tuning.trials()))
        await tuning.report((await tuning.trials())[0], "Running")
        await tuning.counts(trialsPending=1, trialsRunning=1)
        await tuning.succeed(0.5, 0.3)
        await tuning.have(4)
        await tuning.succeed(0.4, 0.7)
        done = await tuning.becomes("Succeeded")
        assert (done["reason"], done["message"]) == (
            "ExperimentMaxTrialsReached",
            "Experiment has succeeded because max trial count has reached",
        )
        experiment = await tuning.get()
        assert types(experiment) == [
            ("Created", "True", "ExperimentCreated"),
            ("Running", "False", "ExperimentRunning"),
            ("Succeeded", "True", "ExperimentMaxTrialsReached"),
        ]
        status = experiment["status"]
        assert (status["trials"], status["trialsSucceeded"]) == (4, 4)
        assert len(status["succeededTrialList"]) == 4
        assert "runningTrialList" not in status
        assert status["startTime"]
        assert status["completionTime"]
        best = status["currentOptimalTrial"]
        assert best["parameterAssignments"] == [{"name": "x", "value": "2"}]
        assert best["observation"]["metrics"] == [
            {"name": "loss", "min": "0.3", "max": "0.3", "latest": "0.3"}
        ]
        await tuning.becomes("Succeeded", resource=SUGGESTIONS)
        suggestion = await tuning.suggestion()
        assert types(suggestion) == [
            ("Created", "True", "SuggestionCreated"),
            ("Running", "False", "Suggestion is succeeded"),
            ("DeploymentReady", "False", "Suggestion is succeeded"),
            ("Succeeded", "True", "Experiment is succeeded"),
        ]
        assert suggestion["status"]["suggestionCount"] == suggestion["spec"]["requests"] == 4

    run(scenario)


def test_a_trial_is_what_upstream_makes_of_an_assignment(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        tuning.algorithm.stopping = (Rule("loss", "0.7", "greater", 4),)
        tuning.algorithm.settings = {"state": "s"}
        experiment = await tuning.submit(
            metadata={"labels": {"team": "a"}},
            earlyStopping={"algorithmName": "medianstop"},
            maxTrialCount=1,
            maxFailedTrialCount=1,
            parallelTrialCount=1,
        )
        (trial,) = await tuning.have(1)
        assert meta.labels(trial) == {"team": "a", "katib.kubeflow.org/experiment": "search"}
        assert meta.finalizers(trial) == ["clean-metrics-in-db"]
        (owner,) = trial["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == (
            "Experiment",
            meta.uid(experiment),
            True,
        )
        name = meta.name(trial)
        assert len(name) == len("search-") + 8
        run_spec = trial["spec"].pop("runSpec")
        assert run_spec["metadata"] == {"name": name, "namespace": "team"}
        (container,) = run_spec["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["train", "--x=1"]
        assert trial["spec"] == {
            "objective": {
                "type": "minimize",
                "goal": 0.001,
                "objectiveMetricName": "loss",
                "metricStrategies": [{"name": "loss", "value": "min"}],
            },
            "parameterAssignments": [{"name": "x", "value": "1"}],
            "earlyStoppingRules": [{"name": "loss", "value": "0.7", "comparison": "greater", "startStep": 4}],
            "metricsCollector": {"collector": {"kind": "StdOut"}},
            "primaryContainerName": "training",
            "successCondition": 'status.conditions.#(type=="Complete")#|#(status=="True")#',
            "failureCondition": 'status.conditions.#(type=="Failed")#|#(status=="True")#',
        }
        suggestion = await tuning.suggestion()
        assert meta.labels(suggestion) == {"team": "a"}
        assert suggestion["status"]["algorithmSettings"] == [{"name": "state", "value": "s"}]
        assert suggestion["spec"] == {
            "algorithm": {"algorithmName": "random"},
            "earlyStopping": {"algorithmName": "medianstop"},
            "requests": 1,
            "resumePolicy": "Never",
        }

    run(scenario)


def test_it_ends_when_the_goal_is_reached_and_counts_on(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=10)
        first, second = await tuning.have(2)
        await tuning.report(second, "Running")
        await tuning.report(first, "Succeeded", 0.001)
        assert (await tuning.becomes("Succeeded"))["reason"] == "ExperimentGoalReached"
        status = (await tuning.get())["status"]
        assert (status["trials"], status["trialsRunning"], status["trialsSucceeded"]) == (2, 1, 1)
        await tuning.report(second, "Succeeded", 0.5)
        await tuning.counts(trials=2, trialsSucceeded=2)
        assert len(await tuning.trials()) == 2

    run(scenario)


def test_it_fails_when_too_many_trials_fail(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        first, second = await tuning.have(2)
        await tuning.report(first, "Failed", message="the pod was killed")
        await tuning.have(3)
        await tuning.says(
            f"none of 1 trials that ended has succeeded; the last to fail was {meta.name(first)}: the pod was killed"
        )
        await tuning.report(second, "MetricsUnavailable", message="no line matched")
        failed = await tuning.becomes("Failed")
        assert failed["reason"] == "ExperimentFailed"
        assert failed["message"].startswith(
            "Experiment has failed because max failed count has reached; the last to fail was search-"
        )
        status = (await tuning.get())["status"]
        assert (status["trialsFailed"], status["trialMetricsUnavailable"]) == (1, 1)
        assert status["metricsUnavailableTrialList"] == [meta.name(second)]
        assert "currentOptimalTrial" not in status
        assert len(await tuning.trials()) == 3

    run(scenario)


def test_no_trial_is_made_beyond_the_maximum_for_one_without_metrics(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=2, maxFailedTrialCount=2)
        first, second = await tuning.have(2)
        await tuning.report(first, "MetricsUnavailable")
        await tuning.counts(trialMetricsUnavailable=1)
        await tuning.settled()
        assert len(await tuning.trials()) == 2
        await tuning.report(second, "Killed")
        assert "there is no best trial" in (await tuning.becomes("Succeeded"))["message"]

    run(scenario)


def test_what_is_no_number_is_never_the_best(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=4, parallelTrialCount=4)
        trials = await tuning.have(4)
        for trial, value in zip(trials, ("0.9", "nan", "unavailable", "low"), strict=True):
            await tuning.report(trial, "Succeeded", value)
        await tuning.becomes("Succeeded")
        best = (await tuning.get())["status"]["currentOptimalTrial"]
        assert best["bestTrialName"] == meta.name(trials[0])

    run(scenario)


def test_it_ends_when_the_algorithm_has_no_more(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        tuning.algorithm.most = 3
        await tuning.submit(maxTrialCount=10)
        await tuning.have(2)
        await tuning.succeed(0.5, 0.4)
        await tuning.have(3)
        await tuning.succeed(0.3)
        done = await tuning.becomes("Succeeded")
        assert done["reason"] == "ExperimentSuggestionEndReached"
        assert done["message"] == "Experiment has succeeded because suggestion service has reached the end"
        # It was not asked over and over: at the start, and at most once for each that ended.
        assert len(tuning.algorithm.asked) <= 4

    run(scenario)


def test_early_stopped_trials_are_waited_for_until_their_metrics_are_there(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=3, parallelTrialCount=1)
        (trial,) = await tuning.have(1)
        await tuning.report(trial, "EarlyStopped")
        await tuning.says(f"waiting for the metrics of {meta.name(trial)}, stopped early")
        await tuning.settled()
        assert len(await tuning.trials()) == 1
        await tuning.report(trial, "EarlyStopped", 0.5)
        await tuning.have(2)
        status = await tuning.counts(trialsEarlyStopped=1, trials=2)
        assert status["earlyStoppedTrialList"] == [meta.name(trial)]

    run(scenario)


def test_it_says_what_it_waits_for(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        tuning.algorithm.patient = True
        await tuning.submit(maxTrialCount=8)
        first, second = await tuning.have(2)
        await tuning.report(first, "Succeeded", 0.5)
        await tuning.says("waiting for 1 more suggestions: all trials must end first")
        await tuning.report(second, "Succeeded", 0.4)
        await tuning.have(4)
        await tuning.says("Experiment is running", alone=True)

    run(scenario)


def test_an_algorithm_that_does_not_answer_is_named_and_asked_again(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        tuning.algorithm.trouble = "the worker died"
        await tuning.submit()
        found = await tuning.says("random: the worker died")
        assert "no answer since" in types_and_message(found)
        assert (await tuning.becomes("Running", "False", resource=SUGGESTIONS))["reason"] == (
            "SuggestionServiceNotAnswering"
        )
        tuning.algorithm.trouble = ""
        await tuning.have(2)
        await tuning.says("Experiment is running", alone=True)

    run(scenario)


def test_settings_that_the_algorithm_refuses_fail_the_experiment(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        tuning.algorithm.refusal = "bad: must not be set"
        await tuning.submit()
        failed = await tuning.becomes("Failed")
        assert failed["message"] == "Suggestion has failed: Validation failed: bad: must not be set"
        assert not await tuning.trials()
        suggestion = await tuning.suggestion()
        assert types(suggestion)[-1] == ("Failed", "True", "SuggestionFailed")

    run(scenario)


def test_surplus_trials_are_deleted_the_newest_active_first(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(parallelTrialCount=4, maxTrialCount=8)
        trials = await tuning.have(4)
        await tuning.report(trials[3], "Succeeded", 0.5)
        trials = await tuning.have(5)
        await tuning.edit(parallelTrialCount=2)
        left = await tuning.have(3)
        gone = [each for each in trials if meta.name(each) not in {meta.name(one) for one in left}]
        assert meta.name(trials[3]) in {meta.name(each) for each in left}

        async def given_back() -> bool:
            return (await tuning.suggestion())["status"]["suggestionCount"] == 3

        await tuning.until(given_back)
        for trial in gone:
            await tuning.let_go(trial)
        await tuning.counts(trials=3)
        await tuning.settled()
        suggestion = await tuning.suggestion()
        assert suggestion["spec"]["requests"] == 3
        assert {each["name"] for each in suggestion["status"]["suggestions"]} == {
            meta.name(each) for each in left
        }
        await tuning.succeed(0.5)
        found = {meta.name(each) for each in await tuning.have(4)}
        assert not found & {meta.name(each) for each in gone}

    run(scenario)


def test_a_trial_that_somebody_deletes_comes_again(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        first, _ = await tuning.have(2)
        await tuning.client.delete(TRIALS, meta.name(first), "team")
        await tuning.let_go(first)

        async def again() -> bool:
            return meta.uid(first) not in {meta.uid(each) for each in await tuning.trials()} and (
                {meta.name(each) for each in await tuning.have(2)} >= {meta.name(first)}
            )

        await tuning.until(again)
        assert (await tuning.suggestion())["status"]["suggestionCount"] == 2

    run(scenario)


def test_a_long_running_one_goes_on_when_its_budget_grows(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=2, resumePolicy="LongRunning")
        await tuning.have(2)
        await tuning.succeed(0.5, 0.4)
        await tuning.becomes("Succeeded")
        assert types(await tuning.suggestion())[-1] == ("Running", "True", "SuggestionRunning")
        await tuning.edit(maxTrialCount=3)
        assert (await tuning.becomes("Restarting"))["message"] == "Experiment is restarted"
        await tuning.have(3)
        assert types(await tuning.get())[-1] == ("Running", "True", "ExperimentRunning")
        await tuning.succeed(0.3)
        assert (await tuning.becomes("Succeeded"))["reason"] == "ExperimentMaxTrialsReached"
        experiment = await tuning.get()
        assert [each[0] for each in types(experiment)] == ["Created", "Restarting", "Running", "Succeeded"]
        assert experiment["status"]["trialsSucceeded"] == 3

    run(scenario)


def test_one_that_is_over_does_not_mind_that_its_trials_go(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=2, resumePolicy="LongRunning")
        trials = await tuning.have(2)
        await tuning.succeed(0.5, 0.4)
        await tuning.becomes("Succeeded")
        await tuning.client.delete(TRIALS, meta.name(trials[0]), "team")
        await tuning.let_go(trials[0])
        await tuning.settled()
        assert len(await tuning.trials()) == 1
        status = (await tuning.get())["status"]
        assert (status["trials"], types(await tuning.get())[-1][0]) == (2, "Succeeded")

    run(scenario)


def test_one_from_a_volume_starts_its_suggestion_again(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=2, resumePolicy="FromVolume")
        await tuning.have(2)
        await tuning.succeed(0.5, 0.4)
        over = await tuning.becomes("Succeeded", resource=SUGGESTIONS)
        assert (
            over["message"] == "Suggestion is succeeded, suggestion volume is not deleted, can be restarted"
        )
        await tuning.edit(maxTrialCount=3)
        await tuning.have(3)
        assert "Succeeded" not in {each[0] for each in types(await tuning.suggestion())}
        await tuning.succeed(0.3)
        await tuning.becomes("Succeeded", resource=SUGGESTIONS)

    run(scenario)


def test_an_exhausted_one_that_was_never_to_be_resumed_stays_over(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(maxTrialCount=2, maxFailedTrialCount=None)
        await tuning.have(2)
        await tuning.succeed(0.5, 0.4)
        await tuning.becomes("Succeeded", resource=SUGGESTIONS)
        version = meta.resource_version(await tuning.get())
        await tuning.settled()
        assert meta.resource_version(await tuning.get()) == version

    run(scenario)


def test_two_hundred_trials_at_a_time(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit(
            parallelTrialCount=200,
            maxTrialCount=450,
            maxFailedTrialCount=None,
            objective={"type": "maximize", "objectiveMetricName": "loss"},
        )
        for count in (200, 400, 450):
            trials = await tuning.have(count)
            await asyncio.gather(
                *(
                    tuning.report(each, "Succeeded", x_of(each))
                    for each in trials[-200:]
                    if not each.get("status")
                )
            )
        await tuning.becomes("Succeeded")
        status = (await tuning.get())["status"]
        assert status["trialsSucceeded"] == len(status["succeededTrialList"]) == 450
        assert status["currentOptimalTrial"]["parameterAssignments"] == [{"name": "x", "value": "450"}]
        suggestion = (await tuning.suggestion())["status"]
        assert (suggestion["suggestionCount"], len(suggestion["suggestions"])) == (450, 50)

    run(scenario)


def test_a_restarted_server_goes_on_where_it_was(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        names = {meta.name(each) for each in await tuning.have(2)}
        await tuning.stop()
        await tuning.succeed(0.5, 0.4)
        await tuning.start()
        assert names < {meta.name(each) for each in await tuning.have(4)}
        assert tuning.algorithm.asked == [(0, 2, 2), (2, 2, 4)]

    run(scenario)


def test_a_generation_of_the_same_name_has_nothing_of_the_one_before(run: Run) -> None:
    async def scenario(tuning: Tuning) -> None:
        await tuning.submit()
        before = await tuning.have(2)
        await tuning.client.delete(EXPERIMENTS, "search", "team")

        async def gone() -> bool:
            for each in before:
                try:
                    await tuning.let_go(each)
                except Exception:
                    continue
            return not await tuning.trials()

        await tuning.until(gone)
        await tuning.submit()
        after = await tuning.have(2)
        assert not {meta.name(each) for each in before} & {meta.name(each) for each in after}

    run(scenario)


def x_of(trial: Any) -> int:
    return int(trial["spec"]["parameterAssignments"][0]["value"])


def types_and_message(obj: Any) -> str:
    return " ".join(str(each["message"]) for each in obj["status"]["conditions"])
