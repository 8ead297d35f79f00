"""The runtimes that come along: made once, followed while they are ours alone, and left to whoever has changed them."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES
from sampan.components.training.api.runtimes import shipped
from sampan.components.training.controller.trainer import shipping
from sampan.kube import meta
from sampan.kube.kinds import CONFIG_MAPS, NAMESPACES

NAMES = sorted(meta.name(each) for each in shipped())


async def runtimes(cluster) -> dict[str, Any]:
    found = (await cluster.client.list(CLUSTER_TRAINING_RUNTIMES)).items
    return {meta.name(each): each for each in found}


def test_what_ships_is_made_once(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.client.create(NAMESPACES, {"metadata": {"name": "kubeflow-system"}})
        await shipping.ship(cluster.client, with_public=True)
        first = await runtimes(cluster)
        assert sorted(first) == NAMES
        public = await cluster.client.get(CONFIG_MAPS, "kubeflow-trainer-public", "kubeflow-system")
        assert public["data"] == {"kubeflow_trainer_version": "v2.3.0"}
        await shipping.ship(cluster.client, with_public=True)
        assert await runtimes(cluster) == first

    run(scenario)


def test_ours_follow_our_newest_and_changed_ones_are_their_owners(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(cluster) -> None:
        await shipping.ship(cluster.client, with_public=False)
        client = cluster.client
        changed = {"metadata": {"labels": {"mine": "yes"}}}
        await client.patch(CLUSTER_TRAINING_RUNTIMES, "jax-distributed", changed)
        await client.delete(CLUSTER_TRAINING_RUNTIMES, "xgboost-distributed")
        own = shipped()[0]
        await client.delete(CLUSTER_TRAINING_RUNTIMES, "mlx-distributed")
        await client.create(CLUSTER_TRAINING_RUNTIMES, {**own, "metadata": {"name": "mlx-distributed"}})
        newer = shipped()
        for each in newer:
            each["spec"]["mlPolicy"]["numNodes"] = 7
        monkeypatch.setattr(shipping, "shipped", lambda: newer)
        await shipping.ship(client, with_public=False)
        nodes = {
            name: each["spec"]["mlPolicy"]["numNodes"] for name, each in (await runtimes(cluster)).items()
        }
        theirs = {"jax-distributed", "mlx-distributed"}
        assert nodes == {name: 1 if name in theirs else 7 for name in NAMES}

    run(scenario)


def test_where_there_is_no_place_for_them_the_rest_is_made(run) -> None:
    async def scenario(cluster) -> None:
        await shipping.ship(cluster.client, with_public=True)
        assert sorted(await runtimes(cluster)) == NAMES

    run(scenario)
