"""Volumes that consist of data, and the way out of them that there must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.node import env, volumes
from sampan.cluster.node.layout import PodFolder
from sampan.cluster.node.references import ContainerConfigError, References
from sampan.cluster.node.volumes import VolumeNotReadyError

CAPACITY = env.Capacity(1000, 1 << 30)


def prepare(tmp_path: Path, volume: dict[str, Any], references: References | None = None) -> Path:
    pod = {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"volumes": [{"name": "v", **volume}]}}
    return volumes.prepare(pod, PodFolder(tmp_path), references or References("ns"), CAPACITY)["v"]


def test_files_are_replaced_together(tmp_path: Path) -> None:
    volumes.write_files(tmp_path, {"a": (b"1", 0o644), "gone/b": (b"1", 0o600)})
    old = (tmp_path / "a").resolve().parent
    volumes.write_files(tmp_path, {"a": (b"2", 0o644)})
    assert (tmp_path / "a").read_bytes() == b"2"
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("..")] == ["a"]
    assert not old.exists()


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x"])
def test_item_paths_stay_inside(path: str, tmp_path: Path) -> None:
    with pytest.raises(ContainerConfigError, match="must be relative"):
        volumes.write_files(tmp_path, {path: (b"", 0o644)})


def test_sub_paths_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    for sub_path, reason in (
        ("../x", "must be relative"),
        ("/x", "must be relative"),
        ("link/x", "leads out"),
    ):
        container = {"volumeMounts": [{"name": "v", "mountPath": "/m", "subPath": sub_path}]}
        with pytest.raises(ContainerConfigError, match=reason):
            volumes.mounts(container, {"v": tmp_path}, can_mount=True)


def test_without_mount_namespaces_the_remedy_is_named(tmp_path: Path) -> None:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/m"}]}
    with pytest.raises(ContainerConfigError, match="hostPath volume whose mountPath is its path"):
        volumes.mounts(container, {"v": tmp_path}, can_mount=False)


def test_a_volume_that_is_its_own_mount_point_needs_none(tmp_path: Path) -> None:
    container = {"volumeMounts": [{"name": "v", "mountPath": f"{tmp_path}/"}]}
    assert volumes.mounts(container, {"v": tmp_path}, can_mount=False) == ()


def test_missing_data_is_waited_for_unless_optional(tmp_path: Path) -> None:
    with pytest.raises(
        VolumeNotReadyError, match=r'MountVolume\.SetUp failed for volume "v" : secret "s" not found'
    ):
        prepare(tmp_path, {"secret": {"secretName": "s"}})
    assert not list(prepare(tmp_path, {"secret": {"secretName": "s", "optional": True}}).glob("[!.]*"))


def test_items_choose_and_rename(tmp_path: Path) -> None:
    references = References("ns", config_maps={"c": {"data": {"a": "1", "b": "2"}}})
    place = prepare(
        tmp_path, {"configMap": {"name": "c", "items": [{"key": "a", "path": "x/y"}]}}, references
    )
    assert (place / "x" / "y").read_text() == "1"
    assert not (place / "b").exists()


def test_host_paths_are_checked(tmp_path: Path) -> None:
    with pytest.raises(VolumeNotReadyError, match=r"is not a directory"):
        prepare(tmp_path, {"hostPath": {"path": str(tmp_path / "none"), "type": "Directory"}})
    made = prepare(tmp_path, {"hostPath": {"path": str(tmp_path / "made"), "type": "DirectoryOrCreate"}})
    assert made.is_dir()


def test_a_kind_that_needs_a_cluster_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContainerConfigError, match="nfs is not supported"):
        prepare(tmp_path, {"nfs": {"server": "x", "path": "/"}})


def test_a_volume_of_no_files_is_an_empty_folder(tmp_path: Path) -> None:
    # An optional Secret that is not there.
    volumes.write_files(tmp_path / "volume", {})
    assert (tmp_path / "volume").is_dir()
    assert [entry.name for entry in (tmp_path / "volume").iterdir() if not entry.name.startswith("..")] == []
