"""Where a path of a container lies on this machine."""

from __future__ import annotations

import pytest

from sampan.cluster.node.layout import PodFolder
from sampan.cluster.node.places import seen

MOUNTS = {
    "/data": "claim",
    "/data/deep": "cache",
    "/host": "machine",
    "/part": "claim",
    "/lost": "unbound",
}


def pod():
    mounts = [{"name": name, "mountPath": path} for path, name in MOUNTS.items()]
    mounts[3]["subPath"] = "a/b"
    return {
        "metadata": {"name": "step", "namespace": "default", "uid": "u"},
        "spec": {
            "containers": [{"name": "main", "volumeMounts": mounts}],
            "volumes": [
                {"name": "claim", "persistentVolumeClaim": {"claimName": "mine"}},
                {"name": "unbound", "persistentVolumeClaim": {"claimName": "nobodys"}},
                {"name": "cache", "emptyDir": {}},
                {"name": "machine", "hostPath": {"path": "/srv/files"}},
            ],
        },
    }


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/tmp/x/y", "{pod}/tmp/x/y"),
        ("/tmp", "{pod}/tmp"),
        ("/tmpx", "/tmpx"),
        ("/data/x", "/volumes/mine/x"),
        ("/data/deep/../x", "/volumes/mine/x"),
        ("/data/deep/x", "{pod}/volumes/cache/x"),
        ("/part/x", "/volumes/mine/a/b/x"),
        ("/host/x", "/srv/files/x"),
        ("/lost/x", ""),
        ("/somewhere", "/somewhere"),
    ],
)
def test_a_process_sees_its_own_tmp_its_volumes_and_the_machine(tmp_path, path, place):
    folder = PodFolder(tmp_path / "u")
    folder.tmp.mkdir(parents=True)
    found = seen(pod(), folder, {"mine": "/volumes/mine"}, has_own_tmp=True)
    assert found(path) == place.format(pod=folder.path)


def test_without_a_tmp_of_its_own_it_is_the_machines(tmp_path):
    folder = PodFolder(tmp_path / "u")
    folder.tmp.mkdir(parents=True)
    assert seen(pod(), folder, {}, has_own_tmp=False)("/tmp/x") == "/tmp/x"


def test_of_a_container_with_an_image_only_volumes_are_seen(tmp_path):
    found = seen(pod(), PodFolder(tmp_path / "u"), {"mine": "/volumes/mine"}, has_own_tmp=True)
    assert found("/data/x") == "/volumes/mine/x"
    assert found("/tmp/x") == ""
    assert found("/etc/passwd") == ""


def test_links_lead_where_they_would_lead_the_container(tmp_path):
    folder = PodFolder(tmp_path / "u")
    folder.tmp.mkdir(parents=True)
    (folder.tmp / "latest").symlink_to("/tmp/model-2")
    (folder.tmp / "near").symlink_to("latest")
    (folder.tmp / "round").symlink_to("/tmp/round")
    found = seen(pod(), folder, {}, has_own_tmp=True)
    assert found("/tmp/near") == str(folder.tmp / "model-2")
    assert found("/tmp/round") == ""


def test_links_on_the_way_lead_where_they_would_lead_the_container(tmp_path):
    folder = PodFolder(tmp_path / "u")
    claim = tmp_path / "claim"
    (claim / "runs" / "2").mkdir(parents=True)
    (claim / "latest").symlink_to("runs/2")
    (claim / "etc").symlink_to("/etc")
    (claim / "up").symlink_to("../../etc")
    (claim / "again").symlink_to("/data/latest/..")
    found = seen(pod(), folder, {"mine": str(claim)}, has_own_tmp=True)
    assert found("/data/latest/model") == f"{claim}/runs/2/model"
    assert found("/data/again/x") == f"{claim}/runs/x"
    # Of its image nothing is seen from here, and the machine's own is not the container's.
    assert found("/data/etc/passwd") == found("/data/up/passwd") == ""


def test_a_part_of_a_volume_does_not_lead_out_of_it(tmp_path):
    claim, outside = tmp_path / "claim", tmp_path / "outside"
    claim.mkdir()
    outside.mkdir()
    (claim / "a").symlink_to(outside)
    found = seen(pod(), PodFolder(tmp_path / "u"), {"mine": str(claim)}, has_own_tmp=True)
    assert found("/part/x") == ""
