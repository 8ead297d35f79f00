"""Claims become folders; released folders go, and nothing else ever does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS

CLASS_ANNOTATION = "pv.kubernetes.io/provisioned-by"


def claim(storage: str = "1Gi", **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"storage": storage}}
    return {"spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}}


async def bound(cluster, name: str = "data") -> Object:
    async def look():
        found = await cluster.get(PERSISTENT_VOLUME_CLAIMS, name)
        return found if found and meta.status(found).get("phase") == "Bound" else None

    return await cluster.until(look)


async def volume(cluster, name: str) -> Object | None:
    found = (await cluster.client.list(PERSISTENT_VOLUMES)).items
    return next((each for each in found if meta.name(each) == name), None)


def test_a_claim_gets_a_folder(run, tmp_path):
    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim("2Gi"))
        found = await bound(cluster)
        assert found["status"]["capacity"] == {"storage": "2Gi"}
        assert found["status"]["accessModes"] == ["ReadWriteOnce"]
        assert found["spec"]["storageClassName"] == "standard"
        pv = await volume(cluster, found["spec"]["volumeName"])
        assert pv["status"]["phase"] == "Bound"
        folder = Path(pv["spec"]["hostPath"]["path"])
        assert folder.is_dir()
        assert folder.parent == tmp_path / "volumes"
        assert folder.name.endswith("_team_data")

    run(scenario)


def test_deleting_the_claim_removes_the_folder_even_if_it_is_read_only(run):
    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim())
        pv = await volume(cluster, (await bound(cluster))["spec"]["volumeName"])
        folder = Path(pv["spec"]["hostPath"]["path"])
        locked = folder / "locked"
        locked.mkdir()
        (locked / "file").write_text("x")
        locked.chmod(0o500)
        await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "team")
        await cluster.gone(PERSISTENT_VOLUME_CLAIMS, "data")

        async def away():
            return await volume(cluster, meta.name(pv)) is None

        await cluster.until(away)
        assert not folder.exists()

    run(scenario)


def test_a_claim_in_use_waits_for_its_pods(run):
    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim())
        await bound(cluster)
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        spec = {"containers": [{"name": "main", "image": "busybox"}], "volumes": volumes}
        pod = await cluster.create(PODS, "pod", spec=spec)
        await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "team")
        await asyncio.sleep(0.3)
        assert meta.is_deleting(await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data"))
        await cluster.finish(pod)
        await cluster.gone(PERSISTENT_VOLUME_CLAIMS, "data")

    run(scenario)


def test_a_pods_ephemeral_volume_gets_a_claim_of_its_own(run):
    async def scenario(cluster):
        template = {"metadata": {"labels": {"kind": "scratch"}}, **claim()}
        volumes = [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]
        spec = {"containers": [{"name": "main", "image": "busybox"}], "volumes": volumes}
        pod = await cluster.create(PODS, "pod", spec=spec)
        found = await bound(cluster, "pod-v")
        assert found["metadata"]["labels"] == {"kind": "scratch"}
        assert found["spec"]["resources"] == template["spec"]["resources"]
        (owner,) = found["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (meta.uid(pod), True)
        await cluster.client.delete(PODS, "pod", "team")
        await cluster.gone(PERSISTENT_VOLUME_CLAIMS, "pod-v")

    run(scenario)


def test_links_out_of_the_folder_are_not_followed(run, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "gold").write_text("x")

    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim())
        pv = await volume(cluster, (await bound(cluster))["spec"]["volumeName"])
        (Path(pv["spec"]["hostPath"]["path"]) / "link").symlink_to(treasure)
        await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "team")

        async def away():
            return await volume(cluster, meta.name(pv)) is None

        await cluster.until(away)
        assert (treasure / "gold").read_text() == "x"

    run(scenario)


def test_a_forged_volume_deletes_nothing(run, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()

    async def scenario(cluster):
        forged = {
            "metadata": {"name": "forged", "annotations": {CLASS_ANNOTATION: "sampan.dev/folder"}},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Delete",
                "hostPath": {"path": str(treasure)},
                "claimRef": {"namespace": "team", "name": "gone", "uid": "u-1"},
            },
        }
        await cluster.client.create(PERSISTENT_VOLUMES, forged)

        async def failed():
            return (await volume(cluster, "forged")).get("status", {}).get("phase") == "Failed"

        await cluster.until(failed)
        assert treasure.is_dir()

    run(scenario)


def test_an_existing_volume_is_preferred_and_kept_when_its_policy_says_so(run, tmp_path):
    async def scenario(cluster):
        for name, size in (("big", "10Gi"), ("right", "3Gi"), ("small", "1Gi")):
            spec = {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "manual",
                "hostPath": {"path": str(tmp_path / name)},
            }
            await cluster.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": name}, "spec": spec})
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim("2Gi", storageClassName="manual"))
        found = await bound(cluster)
        assert found["spec"]["volumeName"] == "right"
        assert found["status"]["capacity"] == {"storage": "3Gi"}
        await cluster.client.delete(PERSISTENT_VOLUME_CLAIMS, "data", "team")

        async def released():
            return (await volume(cluster, "right"))["status"]["phase"] == "Released"

        await cluster.until(released)

    run(scenario)


def test_a_claim_that_waits_is_bound_when_a_volume_comes(run, tmp_path):
    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim(storageClassName="fast"))
        events = await cluster.events("data", "ProvisioningFailed")
        assert events["ProvisioningFailed"].startswith('storageclass.storage.k8s.io "fast" not found')
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "hostPath": {"path": str(tmp_path / "fast")},
        }
        await cluster.client.create(PERSISTENT_VOLUMES, {"metadata": {"name": "fast"}, "spec": spec})
        assert (await bound(cluster))["spec"]["volumeName"] == "fast"

    run(scenario)


def test_a_claim_may_grow(run):
    async def scenario(cluster):
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "data", **claim("1Gi"))
        await bound(cluster)
        patch = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
        await cluster.client.patch(PERSISTENT_VOLUME_CLAIMS, "data", patch, "team")

        async def grown():
            return (await cluster.get(PERSISTENT_VOLUME_CLAIMS, "data"))["status"]["capacity"] == {
                "storage": "5Gi"
            }

        await cluster.until(grown)

    run(scenario)
