"""`/katib` over HTTP: parameters, codes and shapes of Katib's web API, and who may."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount

from sampan.components.tuning.api.kinds import EXPERIMENTS, SUGGESTIONS, TRIALS
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.rest.katib import KatibApi, endpoints
from sampan.kube import rbac
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS

sys.path.insert(0, str(Path(__file__).parent))
from web_kit import ADMIN, ALICE, Kit, experiment, kit

LOSSES = {"loss": ("0.10", "0.50", "0.2"), "accuracy": ("0.5", "0.9", "0.8")}
LABEL = {"katib.kubeflow.org/component": "trial-templates"}
Scenario = Callable[[Kit], Awaitable[None]]


def play(folder: Path, scenario: Scenario) -> None:
    async def played() -> None:
        async with kit(folder, lambda sources: [Mount("/katib", app=KatibApi(sources))]) as made:
            await scenario(made)

    asyncio.run(played())


def test_experiments_are_made_listed_read_and_deleted(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        made = experiment("random")
        for key in ("apiVersion", "kind"):
            del made[key]
        answer = await kit.ask("/katib/create_experiment/", "POST", json={"postData": made})
        assert (answer.status_code, answer.content) == (200, b"")
        await kit.experiment("nas", nasConfig={"graphConfig": {"numLayers": 2}, "operations": []})
        await kit.best("one")
        condition = [{"type": "Running", "status": "True", "reason": "r"}]
        await kit.client.patch(
            EXPERIMENTS, "random", {"status": {"conditions": condition}}, "default", subresource="status"
        )
        nas, random = sorted(
            await kit.get("/katib/fetch_experiments/?namespace=default"), key=lambda each: each["name"]
        )
        assert nas == {
            "name": "nas", "namespace": "default", "type": "nas", "status": "Created",
            "currentOptimalTrial": {"observation": {}},
        }  # fmt: skip
        assert (random["type"], random["status"], random["trials"], random["trialsSucceeded"]) == (
            "hp",
            "Running",
            3,
            2,
        )
        assert random["currentOptimalTrial"]["bestTrialName"] == "one"
        assert random["conditions"][0]["reason"] == "r"
        assert len(await kit.get("/katib/fetch_experiments?namespace=")) == 2
        found = await kit.get("/katib/fetch_experiment/", experimentName="random", namespace="default")
        assert (found["kind"], found["metadata"]["name"], found["spec"]["maxTrialCount"]) == (
            "Experiment",
            "random",
            5,
        )
        assert (
            await kit.ask("/katib/delete_experiment/?experimentName=random&namespace=default")
        ).status_code == 405
        left = await kit.ask("/katib/delete_experiment/?experimentName=random&namespace=default", "DELETE")
        assert [each["name"] for each in left.json()] == ["nas"]
        with pytest.raises(NotFoundError):
            await kit.client.get(EXPERIMENTS, "random", "default")

    play(tmp_path, scenario)


def test_trials_as_a_table_and_their_logs_by_the_second(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("b", metrics=LOSSES, parameters={"lr": "0.1", "layers": "3", "kind": "b"})
        await kit.trial("a", "Running", parameters={"lr": "0.2"})
        await kit.trial("c", "EarlyStopped", metrics={**LOSSES, "foreign": ("1", "1", "1")})
        table = await kit.get("/katib/fetch_hp_job_info/", experimentName="random", namespace="default")
        assert table.split("\n") == [
            "Status,trialName,loss,accuracy,lr,layers,kind",
            "Running,a,,,0.2,,",
            "Succeeded,b,0.10,0.5,0.1,3,b",
            "EarlyStopped,c,0.10,0.5,0.1,,",
        ]
        run = {"metadata": {"annotations": {"kubeflow-kale.org/kfp-run-uuid": "run-1"}}}
        await kit.client.patch(TRIALS, "c", run, "default")
        lines = (
            await kit.get("/katib/fetch_hp_job_info/", experimentName="random", namespace="default")
        ).split("\n")
        assert lines[0].endswith(",KFP Run")
        assert [line.rpartition(",")[2] for line in lines[1:]] == ["", "", "run-1"]

        said = [("00", "loss", "0.5"), ("00.5", "loss", "0.4"), ("00.7", "loss", "0.45"), ("01", "accuracy", "0.9"),
                ("02", "loss", "unavailable"), ("03", "loss", "0.3")]  # fmt: skip
        await kit.sources.observations.report(
            "default", "b", [MetricLog(f"2026-11-26T10:00:{at}Z", name, value) for at, name, value in said]
        )
        text = await kit.get("/katib/fetch_hp_job_trial_info/", trialName="b", namespace="default")
        assert text == (
            "metricName,time,value\nloss,2026-11-26T10:00:00,0.4\naccuracy,2026-11-26T10:00:01,0.9\n"
            "loss,2026-11-26T10:00:03,0.3\n"
        )
        assert (await kit.get("/katib/fetch_trial/", trialName="b", namespace="default"))["kind"] == "Trial"
        suggestion = {"metadata": {"name": "random", "namespace": "default"},
                      "spec": {"algorithm": {"algorithmName": "random"}, "requests": 1}}  # fmt: skip
        await kit.client.create(
            SUGGESTIONS, {"apiVersion": "kubeflow.org/v1beta1", "kind": "Suggestion", **suggestion}
        )
        found = await kit.get("/katib/fetch_suggestion/", suggestionName="random", namespace="default")
        assert found["spec"]["requests"] == 1

    play(tmp_path, scenario)


def test_networks_are_drawn_and_what_is_none_is_empty(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment("random")
        convolution = {"opt_id": 0, "opt_type": "convolution",
                       "opt_params": {"filter_size": "3", "num_filter": "32", "stride": "1"}}  # fmt: skip
        config = json.dumps(
            {"num_layers": 2, "input_sizes": [8, 8, 1], "output_sizes": [10], "embedding": {"0": convolution}}
        )
        good = {"architecture": "[[0], [0, 1]]", "nn_config": config.replace('"', "'")}
        await kit.trial("a", parameters=good, metrics=LOSSES)
        await kit.trial("b", "Running", parameters=good)
        await kit.trial("c", parameters={"architecture": "[[", "nn_config": "x"})
        await kit.sources.observations.report(
            "default", "a", [MetricLog("2026-11-26T10:00:00Z", "loss", "0.5")]
        )
        a, c = await kit.get("/katib/fetch_nas_job_info/", experimentName="random", namespace="default")
        assert (a["Name"], a["TrialName"], a["MetricsName"], a["MetricsValue"]) == (
            "Generation 0",
            "a",
            ["loss"],
            ["0.5"],
        )
        assert a["Architecture"].startswith("digraph G {")
        assert "conv" in a["Architecture"]
        assert (c["Name"], c["Architecture"], c["MetricsName"]) == ("Generation 2", "", [])

    play(tmp_path, scenario)


def test_templates_live_in_labelled_config_maps_only(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        async def change(action: str, **fields: str) -> Any:
            body = {"updatedConfigMapNamespace": "default", "updatedConfigMapName": "mine", **fields}
            return await kit.ask(f"/katib/{action}_template/", "POST", json=body)

        added = await change("add", updatedConfigMapPath="b.yaml", updatedTemplateYaml="kind: Job")
        assert added.json() == {
            "Data": [
                {
                    "ConfigMapNamespace": "default",
                    "ConfigMaps": [
                        {"ConfigMapName": "mine", "Templates": [{"Path": "b.yaml", "Yaml": "kind: Job"}]}
                    ],
                }
            ]
        }
        await kit.client.patch(CONFIG_MAPS, "mine", {"metadata": {"labels": {"own": "kept"}}}, "default")
        await change("add", updatedConfigMapPath="a.yaml", updatedTemplateYaml="")
        edited = await change(
            "edit", configMapPath="b.yaml", updatedConfigMapPath="c.yaml", updatedTemplateYaml="x"
        )
        (templates,) = edited.json()["Data"][0]["ConfigMaps"]
        assert templates["Templates"] == [{"Path": "a.yaml", "Yaml": ""}, {"Path": "c.yaml", "Yaml": "x"}]
        assert (await kit.client.get(CONFIG_MAPS, "mine", "default"))["metadata"]["labels"] == {
            **LABEL,
            "own": "kept",
        }
        assert (await kit.get("/katib/fetch_trial_templates/")) == edited.json()
        await change("delete", updatedConfigMapPath="a.yaml")
        assert (await change("delete", updatedConfigMapPath="c.yaml")).json() == {"Data": []}
        with pytest.raises(NotFoundError):
            await kit.client.get(CONFIG_MAPS, "mine", "default")

        # Any other ConfigMap is none of its business, whoever asks.
        secret = {"metadata": {"name": "plain", "namespace": "default"}, "data": {"a": "1"}}
        await kit.client.create(CONFIG_MAPS, secret)
        for action, extra in (("add", {}), ("edit", {"configMapPath": "a"}), ("delete", {})):
            fields = {
                "updatedConfigMapName": "plain",
                "updatedConfigMapPath": "a",
                "updatedTemplateYaml": "evil",
                **extra,
            }
            answer = await change(action, **fields)
            assert (answer.status_code, "holds no trial templates" in answer.text) == (403, True)
        assert (await kit.client.get(CONFIG_MAPS, "plain", "default"))["data"] == {"a": "1"}
        for fields, code in (
            ({"updatedConfigMapPath": "x"}, 400),
            ({"updatedConfigMapPath": "../x", "updatedTemplateYaml": "y"}, 500),
            ({"updatedConfigMapName": "../x", "updatedConfigMapPath": "x", "updatedTemplateYaml": "y"}, 400),
            ({"updatedConfigMapPath": 7, "updatedTemplateYaml": "y"}, 400),
        ):
            assert (await change("add", **fields)).status_code == code, fields  # type: ignore[arg-type]
        assert (
            await change("edit", updatedConfigMapPath="x", updatedTemplateYaml="y", configMapPath="z")
        ).status_code == 500

    play(tmp_path, scenario)


def test_logs_of_the_collector_or_of_the_trial(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        await kit.experiment()
        await kit.trial("one")
        query = {"trialName": "one", "namespace": "default"}
        answer = await kit.ask("/katib/fetch_trial_logs/", params=query)
        assert (answer.status_code, "no pod yet" in answer.text) == (500, True)
        metadata = {
            "name": "p",
            "namespace": "default",
            "labels": {"katib.kubeflow.org/trial": "one", "role": "main"},
        }
        containers = [
            {"name": each, "image": "python:3.11"} for each in ("main", "metrics-logger-and-collector")
        ]
        pod = await kit.client.create(PODS, {"metadata": metadata, "spec": {"containers": containers}})
        await kit.client.patch(PODS, "p", {"status": {"phase": "Running"}}, "default", subresource="status")
        folder = kit.home / "logs" / "default" / pod["metadata"]["uid"]
        folder.mkdir(parents=True)
        line = "2026-11-26T10:00:00.000000000Z stdout F"
        (folder / "main.0.log").write_text(f"{line} printed <b>\n")
        assert await kit.get("/katib/fetch_trial_logs/", **query) == "printed <b>\n"
        (folder / "metrics-logger-and-collector.0.log").write_text(f"{line} collected\n")
        assert await kit.get("/katib/fetch_trial_logs/", **query) == "collected\n"

    play(tmp_path, scenario)


def test_what_is_missing_wrong_or_elsewhere_is_said_in_text(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        for path, code, words in (
            ("/katib/fetch_experiments/", 400, "no 'namespace' query parameter was provided"),
            ("/katib/fetch_experiment/?namespace=default", 400, "experimentName"),
            ("/katib/fetch_trial/?namespace=default", 400, "trialName"),
            ("/katib/fetch_nas_job_info/", 400, "namespace"),
            (
                "/katib/fetch_trial/?namespace=default&trialName=../../x",
                400,
                "no name that Kubernetes allows",
            ),
            ("/katib/fetch_trial/?namespace=&trialName=x", 400, "namespace"),
            ("/katib/fetch_experiment/?namespace=default&experimentName=nosuch", 500, '"nosuch" not found'),
            ("/katib/fetch_hp_job_info/?namespace=default&experimentName=nosuch", 500, "not found"),
            ("/katib/nosuch", 404, "404 page not found"),
        ):
            answer = await kit.ask(path)
            assert (answer.status_code, words in answer.text) == (code, True), answer.text
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        for body in (b"", b"{", b"[]", b'{"x": 1}', b'{"postData": 7}', b'{"postData": {"metadata": {}}}',
                     b'{"postData": {"metadata": {"name": "x", "namespace": "default"}, "spec": 7}}'):  # fmt: skip
            answer = await kit.ask("/katib/create_experiment/", "POST", content=body)
            assert answer.status_code == 500, body
        assert (
            await kit.ask("/katib/create_experiment/", "POST", content=b" " * 4_000_000)
        ).status_code == 413
        page = await kit.ask("/katib/", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (307, "/ui/tuning/experiments")

    play(tmp_path, scenario)


def test_only_who_may_is_answered(tmp_path: Path) -> None:
    """Every route: nobody, a stranger, and one whose rights are in another namespace."""

    async def scenario(kit: Kit) -> None:
        for namespace in ("default", "team-b"):
            await kit.experiment("random", namespace)
            await kit.trial("random", namespace=namespace)
            data = {
                "metadata": {"name": "maps", "namespace": namespace, "labels": LABEL},
                "data": {"a": "secret"},
            }
            await kit.client.create(CONFIG_MAPS, data)
        await grant_all(kit, "team-b")

        async def ask(endpoint: Any, namespace: str) -> Any:
            names = {"experimentName": "random", "trialName": "random", "suggestionName": "random"}
            made = experiment("new", namespace)
            body = {"postData": made, "updatedConfigMapNamespace": namespace, "updatedConfigMapName": "maps",
                    "updatedConfigMapPath": "a", "configMapPath": "a", "updatedTemplateYaml": "x"}  # fmt: skip
            method = "POST" if endpoint.changes else "GET"
            query = {"namespace": namespace, **names}
            return await kit.ask(f"/katib{endpoint.path}/", method, params=query, json=body)

        # What others need is deleted last.
        for endpoint in sorted(endpoints(), key=lambda each: each.path.startswith("/delete")):
            kit.users.append(None)
            assert (await ask(endpoint, "team-b")).status_code == 401
            kit.users.append(ALICE)
            for namespace in ("default", "team-b"):
                answer = await ask(endpoint, namespace)
                if endpoint.path == "/fetch_namespaces":
                    assert answer.json() == ["team-b"]
                elif endpoint.path == "/fetch_trial_templates":
                    assert [each["ConfigMapNamespace"] for each in answer.json()["Data"]] == ["team-b"]
                elif namespace == "default":
                    assert answer.status_code == 403, answer.text
                    assert "default" in answer.text
                else:
                    # What is missing there, a pod or a suggestion, is an error of another kind.
                    assert answer.status_code == 200 or endpoint.path in (
                        "/fetch_trial_logs",
                        "/fetch_suggestion",
                    )
                    assert "default" not in answer.text
        assert len((await kit.client.list(EXPERIMENTS, "default")).items) == 1
        assert (await kit.client.get(CONFIG_MAPS, "maps", "default"))["data"] == {"a": "secret"}

    play(tmp_path, scenario)


def test_names_of_namespaces_are_all_for_the_administrator(tmp_path: Path) -> None:
    async def scenario(kit: Kit) -> None:
        kit.users.append(ADMIN)
        found = sorted(each["metadata"]["name"] for each in (await kit.client.list(NAMESPACES)).items)
        assert await kit.get("/katib/fetch_namespaces") == found

    play(tmp_path, scenario)


async def grant_all(kit: Kit, namespace: str) -> None:
    rules = [
        {"apiGroups": ["kubeflow.org"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods/log", "configmaps"], "verbs": ["*"]},
    ]
    await kit.client.create(
        rbac.ROLES, {"metadata": {"name": "editor", "namespace": namespace}, "rules": rules}
    )
    binding = {
        "metadata": {"name": "alice", "namespace": namespace},
        "roleRef": {"apiGroup": rbac.GROUP, "kind": "Role", "name": "editor"},
        "subjects": [{"apiGroup": rbac.GROUP, "kind": "User", "name": ALICE.name}],
    }
    await kit.client.create(rbac.ROLE_BINDINGS, binding)
