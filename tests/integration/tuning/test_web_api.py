"""`/tuning/v1` over HTTP: what is answered, from objects, rows and files."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from starlette.datastructures import QueryParams
from starlette.routing import Mount

from sampan.components.tuning.api.kinds import EXPERIMENTS, TRIALS
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import SuggestingError
from sampan.components.tuning.controller.counting import count
from sampan.components.tuning.controller.remembering import Remembering
from sampan.components.tuning.engine.counting import Totals
from sampan.components.tuning.rest import trial_log
from sampan.components.tuning.rest.door import Api, endpoints
from sampan.components.tuning.rest.metrics import metrics
from sampan.components.tuning.rest.place import place_of
from sampan.kube import rbac
from sampan.kube.kinds import PODS
from sampan.reconcile.cache import Caches

sys.path.insert(0, str(Path(__file__).parent))
from web_kit import ADMIN, ALICE, Kit, experiment, kit

E, T = "/tuning/v1/namespaces/default/experiments/random", "/tuning/v1/namespaces/default/trials"
LOSSES = {"loss": ("0.1", "0.5", "0.2"), "accuracy": ("0.5", "0.9", "nan")}
Scenario = Callable[[Kit], Awaitable[None]]


def play(folder: Path, scenario: Scenario, algorithms: Any = None) -> None:
    async def played() -> None:
        async with kit(folder, lambda sources: [Mount("/tuning/v1", app=Api(sources))], algorithms) as made:
            await scenario(made)

    asyncio.run(played())


def test_trials_are_columns_and_changes_come_alone(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("one", metrics=LOSSES, parameters={"lr": "0.1", "layers": "3"})
        await kit.trial("two", "Running", parameters={"lr": "0.2", "extra": "x"})
        await kit.trial("other", experiment="another", metrics=LOSSES)
        await kit.best("one")
        found = await kit.get(f"{E}/trials")
        assert found["columns"]["name"] == ["one", "two"]
        assert found["columns"]["state"] == ["Succeeded", "Running"]
        assert found["columns"]["reason"] == ["TrialSucceeded", "TrialRunning"]
        assert found["columns"]["message"] == ["", "Trial is Running"]
        assert found["columns"]["started"] == [1795687201.0] * 2
        assert found["columns"]["ended"] == [1795687209.0, None]
        assert found["parameters"] == {
            "lr": ["0.1", "0.2"], "layers": ["3", None], "kind": [None, None], "extra": [None, "x"],
        }  # fmt: skip
        # By strategy: the lowest loss, the highest accuracy; what is no number is none.
        assert found["metrics"] == {"loss": [0.1, None], "accuracy": [0.9, None]}
        assert (found["whole"], found["total"], found["best"]) == (True, 2, "one")
        assert found["objective"] == {"metric": "loss", "type": "minimize", "goal": None}

        nothing = await kit.get(f"{E}/trials", since=found["version"])
        assert (nothing["whole"], nothing["columns"]["name"], nothing["total"]) == (False, [], 2)
        await kit.put("two", "Failed")
        await kit.trial("three", "Running")
        changed = await kit.get(f"{E}/trials", since=found["version"])
        assert changed["columns"]["name"] == ["two", "three"] or changed["columns"]["name"] == [
            "three",
            "two",
        ]
        assert changed["total"] == 3
        assert (await kit.get(f"{E}/trials", names="three"))["columns"]["name"] == ["three"]
        assert (await kit.ask(f"{E}/trials?since=yesterday")).status_code == 400

    play(tmp_path, scenario)


def test_katibs_counters(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        nothing = (await kit.ask("/tuning/v1/metrics")).text.splitlines()
        assert "# TYPE katib_trials_current gauge" in nothing
        assert all(each.startswith("#") for each in nothing)
        # One that was there before is counted by nobody but those that count what there is.
        await kit.experiment("before")
        caches, totals = Caches(kit.client), Totals()
        count(caches, totals)
        kinds = [caches.of(EXPERIMENTS), caches.of(TRIALS)]
        for each in kinds:
            each.start()
            await each.synced()
        held = replace(kit.sources, caches=lambda: caches, totals=lambda: totals)
        try:
            await kit.experiment()
            await kit.trial("one", metrics=LOSSES)
            await kit.trial("two", "MetricsUnavailable")
            await kit.trial("three", "Failed", namespace="team-b")
            await kit.trial("four", "Running")
            await kit.client.delete(TRIALS, "one", "default")
            ended = {"type": "Failed", "status": "True", "reason": "x", "message": "y"}
            failed = {"status": {"conditions": [ended]}}
            last = await kit.client.patch(EXPERIMENTS, "random", failed, "default", subresource="status")
            await kinds[0].reached(last["metadata"]["resourceVersion"])
            while totals.trials.events["deleted"].total() < 1:
                await asyncio.sleep(0.01)
            answer = await metrics(held, place_of({}), QueryParams())
        finally:
            for each in kinds:
                await each.stop()
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = bytes(answer.body).decode().splitlines()
        assert "# HELP katib_experiment_created_total The total number of created experiments" in lines
        assert "# TYPE katib_trials_current gauge" in lines
        assert [each for each in lines if not each.startswith("#")] == [
            'katib_experiment_created_total{namespace="default"} 1',
            'katib_experiment_failed_total{namespace="default"} 1',
            'katib_experiments_current{namespace="default",status="Failed"} 1',
            'katib_experiments_current{namespace="default",status="Unknown"} 1',
            'katib_trial_created_total{namespace="default"} 3',
            'katib_trial_created_total{namespace="team-b"} 1',
            'katib_trial_succeeded_total{namespace="default"} 1',
            'katib_trial_failed_total{namespace="team-b"} 1',
            'katib_trial_metrics_unavailable_total{namespace="default"} 1',
            'katib_trial_deleted_total{namespace="default"} 1',
            'katib_trials_current{namespace="default",status="MetricsUnavailable"} 1',
            'katib_trials_current{namespace="default",status="Running"} 1',
            'katib_trials_current{namespace="team-b",status="Failed"} 1',
        ]

    play(tmp_path, scenario)


def test_the_list_says_how_each_goes(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.experiment("nas", "team-b", nasConfig={"graphConfig": {"numLayers": 2}, "operations": []})
        await kit.best("one")
        (found,) = (await kit.get("/tuning/v1/namespaces/default/experiments"))["items"]
        assert found["best"] == {"trial": "one", "value": 0.1, "parameters": {"lr": "0.1"}}
        assert (found["counts"]["trials"], found["counts"]["succeeded"], found["counts"]["failed"]) == (
            3,
            2,
            0,
        )
        assert (found["maxTrialCount"], found["algorithm"], found["kind"], found["state"]) == (
            5,
            "random",
            "hp",
            "",
        )
        every = (await kit.get("/tuning/v1/experiments"))["items"]
        assert [(each["name"], each["kind"], each["best"] is None) for each in every] == [
            ("random", "hp", False),
            ("nas", "nas", True),
        ]

    play(tmp_path, scenario)


def test_curves_keep_their_ends_and_their_extremes(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("one")
        await kit.trial("two")
        lines = [
            MetricLog(f"2026-11-26T10:{at // 60:02}:{at % 60:02}Z", "loss", str(at)) for at in range(2000)
        ]
        lines[700] = MetricLog(lines[700].time, "loss", "-5")
        lines += [
            MetricLog("2026-11-26T10:00:00Z", "accuracy", text)
            for text in ("0.5", "nan", "unavailable", "inf")
        ]
        await kit.sources.observations.report("default", "one", lines)
        found = (await kit.get(f"{E}/curves", points=50))["trials"]
        assert set(found) == {"one"}
        loss = found["one"]["loss"]
        assert loss["of"] == 2000
        assert len(loss["value"]) == len(loss["time"]) <= 50
        assert (loss["value"][0], loss["value"][-1], min(loss["value"]), max(loss["value"])) == (
            0,
            1999,
            -5,
            1999,
        )
        assert found["one"]["accuracy"] == {"time": [1795687200.0], "value": [0.5], "of": 1}
        only = (await kit.get(f"{T}/one/curves", metric="accuracy"))["trials"]
        assert list(only["one"]) == ["accuracy"]
        assert (await kit.get(f"{E}/curves", trials="two,nosuch"))["trials"] == {}
        for bad in (
            f"{E}/curves?points=1",
            f"{E}/curves?points=x",
            f"{E}/curves?trials={'a%d,' * 1}" + "b,".join(map(str, range(600))),
        ):
            assert (await kit.ask(bad)).status_code == 400
        assert (await kit.ask(f"{T}/nosuch/curves")).status_code == 404

    play(tmp_path, scenario)


def test_the_best_parameters_are_ready_to_be_used(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        assert (await kit.ask(f"{E}/best")).status_code == 404
        await kit.trial(
            "one", metrics=LOSSES, parameters={"lr": "1e-3", "layers": "3", "kind": "1", "it's": "a b"}
        )
        await kit.trial("two", parameters={"lr": "0.5"})
        await kit.trial("foreign", experiment="another")
        await kit.best("one")
        best = await kit.get(f"{E}/best")
        assert best["parameters"]["lr"] == "1e-3"
        assert best["metrics"]["loss"] == {"min": 0.1, "max": 0.5, "latest": 0.2}
        assert yaml.safe_load((await kit.ask(f"{E}/best?as=yaml")).text) == {
            "lr": 0.001, "layers": 3, "kind": "1", "it's": "a b",
        }  # fmt: skip
        assert (await kit.ask(f"{E}/best?as=env")).text == "lr=1e-3\nlayers=3\nkind=1\nit_s='a b'\n"
        run = yaml.safe_load((await kit.ask(f"{E}/best?as=run")).text)
        assert list(run)[:3] == ["apiVersion", "kind", "metadata"]
        assert run["metadata"] == {"name": "random-best", "namespace": "default", "labels": {"own": "kept"}}
        assert run["spec"]["template"]["spec"]["containers"][0]["args"][0] == "--lr=1e-3"
        assert (await kit.get(f"{E}/best", **{"as": "run", "format": "json", "trial": "two"}))[
            "kind"
        ] == "Job"
        again = yaml.safe_load((await kit.ask(f"{E}/best?as=experiment")).text)
        assert again["metadata"]["name"] == "random-copy"
        assert "status" not in again
        for bad, code in (
            ("as=xml", 400),
            ("trial=nosuch", 404),
            ("trial=foreign", 404),
            ("trial=../x", 404),
        ):
            assert (await kit.ask(f"{E}/best?{bad}")).status_code == code

    play(tmp_path, scenario)


def test_the_front_has_what_no_other_is_better_than(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        made = await kit.experiment()
        for name, loss, accuracy in (
            ("a", "1", "0.5"),
            ("b", "2", "0.9"),
            ("c", "3", "0.8"),
            ("d", "nan", "1"),
        ):
            await kit.trial(name, metrics={"loss": (loss,) * 3, "accuracy": (accuracy,) * 3})
        await kit.trial("e", "Running")
        one = await kit.get(f"{E}/pareto")
        assert (one["trials"], one["values"]) == (["a"], [[1.0]])
        note = {"metadata": {"annotations": {"sampan.dev/objectives": '{"accuracy": "maximize"}'}}}
        await kit.client.patch(EXPERIMENTS, made["metadata"]["name"], note, "default")
        both = await kit.get(f"{E}/pareto")
        assert (both["trials"], both["values"]) == (["a", "b"], [[1.0, 0.5], [2.0, 0.9]])
        objectives = [{"metric": "loss", "type": "minimize"}, {"metric": "accuracy", "type": "maximize"}]
        assert both["objectives"] == (await kit.get(f"{E}/trials"))["objectives"] == objectives
        note["metadata"]["annotations"]["sampan.dev/objectives"] = "nonsense"
        await kit.client.patch(EXPERIMENTS, made["metadata"]["name"], note, "default")
        refused = await kit.get(f"{E}/pareto")
        assert (refused["trials"], "sampan.dev/objectives" in refused["why"]) == ([], True)

    play(tmp_path, scenario)


def test_the_front_is_of_all_objectives(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        found = experiment("several")
        found["metadata"]["annotations"] = {"sampan.dev/objectives": '{"accuracy": "maximize"}'}
        await kit.client.create(EXPERIMENTS, found)
        for name, loss, accuracy in (("low", "1", "0.5"), ("high", "2", "0.9"), ("beaten", "3", "0.4")):
            metrics = {"loss": (loss,) * 3, "accuracy": (accuracy,) * 3}
            await kit.trial(name, experiment="several", metrics=metrics)
        path = "/tuning/v1/namespaces/default/experiments/several/pareto"
        assert await kit.get(path) == {
            "objectives": [
                {"metric": "loss", "type": "minimize"},
                {"metric": "accuracy", "type": "maximize"},
            ],
            "trials": ["low", "high"],
            "values": [[1.0, 0.5], [2.0, 0.9]],
            "why": "",
        }

    play(tmp_path, scenario)


def test_importances_say_why_there_are_none(tmp_path: Path) -> None:
    class Algorithms:
        async def importances(self, problem: Any, trials: Any, metric: str) -> Any:
            if len(trials) < 2:
                raise SuggestingError("too few trials have ended: 1 of 2")
            return {"importances": [{"parameter": "lr", "importance": 1.0}], "trials": len(trials)}

    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("one")
        found = await kit.get(f"{E}/importances")
        assert (found["importances"], found["why"], found["metric"]) == (
            [],
            "too few trials have ended: 1 of 2",
            "loss",
        )
        await kit.trial("two")
        assert (await kit.get(f"{E}/importances", metric="accuracy"))["importances"][0]["parameter"] == "lr"

    play(tmp_path, scenario, Algorithms())


def test_logs_are_there_when_the_pods_are_gone(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("one")
        remembering = Remembering(kit.client, kit.sources.clock, kit.sources.pods, kit.home, 1)
        remembering.start()
        helper = await pod(kit, "helper", role="other")
        main = await pod(kit, "main", role="main")
        say(kit, helper, "main.0.log", "helping")
        say(kit, main, "main.0.log", "first run")
        say(kit, main, "main.1.log", "loss=0.5", "loss=0.1")
        say(kit, main, "metrics-logger-and-collector.0.log", "collected")
        for _ in range(3000):
            if len(await kit.sources.pods.of("default", "one")) == 2:
                break
            await asyncio.sleep(0.02)
        for each in ("helper", "main"):
            await kit.client.delete(PODS, each, "default")
        listed = (await kit.get(f"{T}/one/pods"))["pods"]
        assert [(each["name"], each["gone"], each["primary"]) for each in listed] in (
            [("helper", True, False), ("main", True, True)],
            [("main", True, True), ("helper", True, False)],
        )

        async def read(query: str = "") -> str:
            answer = await kit.ask(f"{T}/one/log{query}")
            assert answer.status_code == 200, answer.text
            return answer.text

        assert await read() == "first run\nloss=0.5\nloss=0.1\n"
        assert await read("?tail=1") == "loss=0.1\n"
        assert await read("?follow=true&tail=1") == "loss=0.1\n"
        assert await read("?container=metrics-logger-and-collector") == "collected\n"
        assert await read("?pod=helper&container=main") == "helping\n"
        assert (await read("?tail=1&timestamps=true")).startswith("2026-11-26T10:00:01.000000000Z loss=0.1")
        for bad, code in (("?container=nosuch", 404), ("?container=../../x", 404), ("?pod=nosuch", 404),
                          ("?pod=../main", 404), ("?tail=-1", 400), ("?follow=perhaps", 400)):  # fmt: skip
            assert (await kit.ask(f"{T}/one/log{bad}")).status_code == code

        # What a deleted trial has printed goes once its time is over.
        await kit.client.delete(TRIALS, "one", "default")
        await remembering.forget_gone()
        assert (kit.home / "logs" / "default" / main["metadata"]["uid"]).exists()
        remembering._keep_days = -1
        await remembering.forget_gone()
        assert not (kit.home / "logs" / "default" / main["metadata"]["uid"]).exists()
        assert await kit.sources.pods.of("default", "one") == []
        await remembering.stop()

    play(tmp_path, scenario)


def test_only_who_may_reads(tmp_path: Path) -> None:
    """Of every route: a stranger, nobody, and one whose rights are in another namespace."""

    async def scenario(kit: Kit) -> None:
        for namespace in ("default", "team-b"):
            await kit.experiment("random", namespace)
            await kit.trial("random", namespace=namespace)
        await grant(kit, "team-b")
        for endpoint in endpoints():
            path = "/tuning/v1" + endpoint.path.replace("{name}", "random")
            for user, namespace, code in ((None, "team-b", 401), (ALICE, "default", 403)):
                kit.users.append(user)
                assert (await kit.ask(path.replace("{namespace}", namespace))).status_code == code
            kit.users.append(ALICE)
            answer = await kit.ask(path.replace("{namespace}", "team-b"))
            if "{namespace}" in path:
                # What is not there is nobody's secret any more.
                assert answer.status_code in (200, 404), answer.text
            else:
                assert answer.status_code == 403
            assert (await kit.ask(path.replace("{namespace}", "team-b"), "POST")).status_code in (404, 405)
            kit.users.append(ADMIN)
            assert (await kit.ask(path.replace("{namespace}", "..%2Fdefault"))).status_code in (200, 404)

    play(tmp_path, scenario)


def test_a_trial_that_is_a_call_has_a_log_and_no_link_leads_out_of_it(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        for name in ("one", "link", "folder", "pipe"):
            await kit.trial(name)
        logs = kit.home / "tuning" / "in-process" / "default" / "random" / "logs"
        logs.mkdir(parents=True)
        (logs / "one.log").write_text("".join(f"line {at}\n" for at in range(5)) + "no end")
        (kit.home / "secret").write_text("secret")
        (logs / "link.log").symlink_to(kit.home / "secret")
        (logs / "folder.log").mkdir()
        os.mkfifo(logs / "pipe.log")
        assert (await kit.ask(f"{T}/one/log")).text.endswith("line 4\nno end")
        assert (await kit.ask(f"{T}/one/log?tail=2&follow=true")).text == "line 4\nno end"
        assert (await kit.ask(f"{T}/one/log?tail=0")).text == ""
        for name in ("link", "folder", "pipe"):
            assert (await kit.ask(f"{T}/{name}/log")).status_code == 404
        logs.rename(kit.home / "elsewhere")
        logs.symlink_to(kit.home / "elsewhere")
        assert (await kit.ask(f"{T}/one/log")).status_code == 404

    play(tmp_path, scenario)


def test_a_log_that_nobody_reads_is_not_open(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        trial = await kit.trial("one")
        logs = kit.home / "tuning" / "in-process" / "default" / "random" / "logs"
        logs.mkdir(parents=True)
        (logs / "one.log").write_text("a line\n")

        def opened() -> list[str]:
            links = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
            return [each for each in links if os.path.realpath(each) == str(logs / "one.log")]

        lines = await trial_log.opened(kit.sources, trial, trial_log.LogQuery(follow=True))
        assert not opened()
        assert await anext(lines) == b"a line\n"
        assert opened()
        await lines.aclose()  # type: ignore[attr-defined]
        assert not opened()

    play(tmp_path, scenario)


async def grant(kit: Kit, namespace: str) -> None:
    rules = [
        {"apiGroups": ["kubeflow.org"], "resources": ["experiments", "trials"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]
    await kit.client.create(
        rbac.ROLES, {"metadata": {"name": "reader", "namespace": namespace}, "rules": rules}
    )
    binding = {
        "metadata": {"name": "alice", "namespace": namespace},
        "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": rbac.GROUP, "kind": "User", "name": ALICE.name}],
    }
    await kit.client.create(rbac.ROLE_BINDINGS, binding)


async def pod(kit: Kit, name: str, role: str) -> Any:
    labels = {"katib.kubeflow.org/trial": "one", "role": role}
    containers = [{"name": each, "image": "python:3.11"} for each in ("main", "metrics-logger-and-collector")]
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return await kit.client.create(PODS, {"metadata": metadata, "spec": {"containers": containers}})


def say(kit: Kit, pod: Any, file: str, *lines: str) -> None:
    path = kit.home / "logs" / "default" / pod["metadata"]["uid"] / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f"2026-11-26T10:00:{at:02}.000000000Z stdout F {text}\n" for at, text in enumerate(lines))
    )
