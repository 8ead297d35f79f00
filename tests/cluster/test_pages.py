"""The dashboard's way to a real cluster: discovery, tables, checks without effect, watches, logs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.cluster.conftest import Cluster

from sampan.app.changes import Changes
from sampan.app.forwarding import ForwardedCluster
from sampan.dashboard.kubernetes import kinds, tables
from sampan.dashboard.kubernetes.saving import Saver
from sampan.lib.clock import SystemClock
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.objects.yamltext import dump
from sampan.web.guards import User

Question = Callable[[Api, Changes], Awaitable[None]]


def _with_api(cluster: Cluster, question: Question) -> None:
    async def ask(client: Any) -> None:
        changes = Changes(client, SystemClock())
        try:
            await question(
                Api(ForwardedCluster(client, changes), User("sampan", ("system:masters",))), changes
            )
        finally:
            await changes.close()

    cluster.ask(ask)


def test_kinds_and_tables_are_the_clusters_own(cluster: Cluster) -> None:
    async def question(api: Api, _: Changes) -> None:
        catalogue = await kinds.find(api)
        pods = catalogue.lookup("po")
        assert pods is not None
        assert "log" in pods.subresources
        assert catalogue.lookup("deploy") == catalogue.of("apps/v1", "Deployment")
        for kind in catalogue.kinds.values():
            answer = await api.get(kind.path(), {"limit": "5"}, accept=tables.TABLE)
            assert [key for key, _, _ in tables.read(answer).columns], kind.key

    _with_api(cluster, question)


def test_an_edit_is_checked_saved_and_seen(cluster: Cluster) -> None:
    async def question(api: Api, changes: Changes) -> None:
        kind = (await kinds.find(api)).lookup("configmaps")
        assert kind is not None
        path = kind.path(cluster.namespace)
        made = await api.post(path, {"metadata": {"name": "pages"}, "data": {"a": "1"}})
        await api.get(path, accept=tables.TABLE)
        saver = Saver(api, kind)
        made = {"apiVersion": "v1", "kind": "ConfigMap", **made}
        bad = await saver.save(dump({**made, "data": {"b@d": "1"}}), made)
        assert [(each.field, each.line > 1) for each in bad.problems] == [("data[b@d]", True)]
        before = changes.count
        good = await saver.save(dump({**made, "data": {"a": "2"}}), made)
        assert good.saved["data"] == {"a": "2"}
        async with asyncio.timeout(10):
            # Its own write and its dry run count at once; the watch's event is one more.
            while changes.count < before + 3:
                await asyncio.sleep(0.05)

    _with_api(cluster, question)


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/logs"])
def test_no_other_path_is_reached(cluster: Cluster, path: str) -> None:
    async def question(api: Api, _: Changes) -> None:
        with pytest.raises(ApiFailureError):
            await api.get(path)

    _with_api(cluster, question)
