"""Where pods run on machines of a cluster: they are told of the platform's address there, and it answers them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.testclient import TestClient

from sampan.components import PodFiles, Services
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.component import TrainingComponent
from sampan.components.training.controller.trainer.reporting import Reporters
from sampan.store.database import Database

STATUS = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs/j/status"
FILES = PodFiles("https://10.0.0.5:8443", "python:3.11", 1, "MINE")


def test_trainers_are_told_of_the_address_that_pods_reach(run) -> None:
    async def scenario(cluster) -> None:
        found = await Reporters(cluster.client, FILES).for_namespace("team")
        assert found is not None
        assert (found.url, found.authority) == ("https://10.0.0.5:8443", "MINE")
        plain = dataclasses.replace(FILES, url="http://10.0.0.5:8080", authority="")
        found = await Reporters(cluster.client, plain).for_namespace("team")
        assert found is not None
        assert (found.url, found.authority) == ("http://10.0.0.5:8080", "PEM")
        assert await Reporters(cluster.client, plain).for_namespace("nowhere") is None

    run(scenario)


def test_the_port_for_pods_has_the_status_endpoint_and_asks_who_calls(run, tmp_path: Path) -> None:
    async def scenario(cluster) -> None:
        component = TrainingComponent(TrainingSettings(operators="off"))
        services = Services(
            cluster.client, cast("Database", None), cluster.clock, tmp_path, pod_files=FILES, url="http://x"
        )
        await component.start(services)
        try:
            routes: Any = component.pod_routes()
            with TestClient(Starlette(routes=routes)) as client:
                assert client.post(STATUS, content=b"{}").status_code == 403
                assert client.get(STATUS).status_code == 405
        finally:
            await component.stop()
        assert await cluster.get(TRAIN_JOBS, "j") is None
        assert await cluster.get(CLUSTER_TRAINING_RUNTIMES, "torch-distributed") is None

    run(scenario)
