"""Which files of metrics are a pod's to show: `controller.collecting.opening`, with the node's own places."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sampan.cluster.node.layout import Layout
from sampan.cluster.node.places import Places
from sampan.components.tuning.controller.collecting.opening import seen_as_own
from sampan.components.tuning.engine.collecting.wanted import wanted_of
from sampan.kube.errors import NotFoundError


class Claims:
    """Reads claims, each bound to a volume which is a folder below `volumes`, in the namespace `team` only."""

    def __init__(self, volumes: Path) -> None:
        self._volumes = volumes

    async def get(self, resource: Any, name: str, namespace: str | None = None) -> Any:
        if resource.plural == "persistentvolumeclaims" and namespace == "team":
            return {"spec": {"volumeName": f"team-{name}"}}
        if resource.plural == "persistentvolumes":
            return {"spec": {"hostPath": {"path": str(self._volumes / name)}}}
        raise NotFoundError(name)


def _place(home: Path, path: str, **mount: str) -> str:
    """Where the file of metrics at `path` is read; empty where it is not the pod's."""
    pod = {
        "metadata": {"name": "one", "namespace": "team", "uid": "u"},
        "spec": {
            "containers": [
                {"name": "side"},
                {"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/data", **mount}]},
            ],
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}},
                {"name": "more", "ephemeral": {"volumeClaimTemplate": {}}},
            ],
        },
    }
    trial = {
        "metadata": {"name": "one", "namespace": "team"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "metricsCollector": {
                "collector": {"kind": "File"},
                "source": {"fileSystemPath": {"path": path, "kind": "File"}},
            },
            "primaryContainerName": "main",
        },
    }
    places = Places(Claims(home / "volumes"), Layout(home), lambda: False)  # type: ignore[arg-type]
    return asyncio.run(seen_as_own(places.of, home, wanted_of(trial), pod))()


def test_a_link_into_a_volume_of_another_namespace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pods/u/tmp").mkdir(parents=True)
    mine, more, theirs = (
        tmp_path / "volumes" / each for each in ("team-mine", "team-one-more", "else-claim")
    )
    for each in (mine, more, theirs):
        each.mkdir(parents=True)
        (each / "loss.log").write_text("loss=1")
    (mine / "own").symlink_to("loss.log")
    (mine / "other").symlink_to(more / "loss.log")
    (mine / "theirs").symlink_to(theirs / "loss.log")
    (mine / "folder").symlink_to(theirs)
    (mine / "up").symlink_to("../../volumes/else-claim")
    assert _place(tmp_path, "/data/loss.log") == str(mine / "loss.log")
    assert _place(tmp_path, "/data/own") == str(mine / "loss.log")
    assert _place(tmp_path, "/data/other") == str(more / "loss.log")
    assert _place(tmp_path, "/data/theirs") == ""
    assert _place(tmp_path, "/data/folder/loss.log") == ""
    assert _place(tmp_path, "/data/up/loss.log") == ""
    assert _place(tmp_path, "/data/loss.log", subPath="folder") == ""
    assert _place(tmp_path, "/data/loss.log", subPath="../else-claim") == ""
    assert _place(tmp_path, str(theirs / "loss.log")) == ""
