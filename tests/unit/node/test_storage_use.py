"""What a pod may keep on disk, and the words when it keeps more. Tokens of pods. GPUs that are remembered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sampan.cluster.node import gpus
from sampan.cluster.node.layout import PodFolder
from sampan.cluster.node.storage_use import StorageUse, exceeded, limits_of, measure
from sampan.cluster.node.tokens import Tokens
from sampan.lib.clock import rfc3339

MIB = 1024 * 1024


def pod(limits: dict[str, str], size: str = "") -> dict[str, Any]:
    containers = [
        {"name": name, "resources": {"limits": {"ephemeral-storage": limit}} if limit else {}}
        for name, limit in limits.items()
    ]
    volume = {"name": "v", "emptyDir": {"sizeLimit": size} if size else {}}
    metadata = {"name": "p", "namespace": "ns", "uid": "u"}
    return {"metadata": metadata, "spec": {"containers": containers, "volumes": [volume]}}


def test_most_pods_have_no_limit() -> None:
    assert not limits_of(pod({"a": ""}))
    assert not limits_of(pod({"a": ""}, "0"))


def test_the_volume_the_pod_the_container() -> None:
    limits = limits_of(pod({"a": "1Mi", "b": "2Mi"}, "1Mi"))
    assert exceeded(limits, StorageUse({"v": MIB}, {"a": 0, "b": 0}, 0)) == ""
    volume = exceeded(limits, StorageUse({"v": MIB + 1}, {}, 0))
    assert volume == 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '
    whole = exceeded(limits, StorageUse({"v": MIB}, {"a": MIB, "b": MIB}, 1))
    assert whole == "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. "
    one = exceeded(limits, StorageUse({}, {"a": MIB + 1}, 0))
    assert one == 'Container a exceeded its local ephemeral storage limit "1Mi". '


def test_what_counts_for_whom(tmp_path: Path) -> None:
    folder, logs = PodFolder(tmp_path / "pod"), tmp_path / "logs"
    for path, kib in (
        (folder.volume("v") / "x", 64),
        (folder.container("a", 0) / "work" / "y", 128),
        (folder.container("a", 1) / "work" / "y", 128),
        (folder.home / "z", 32),
        (logs / "a.0.log", 16),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * kib * 1024)
    (folder.volume("v") / "loop").symlink_to("/")
    use = measure(pod({"a": "1Mi", "b": ""}), folder, logs)
    assert use.volumes["v"] // 1024 in range(64, 96)
    assert use.containers["a"] // 1024 in range(272, 320)
    assert use.containers["b"] == 0
    assert use.shared // 1024 in range(32, 64)


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


def test_a_token_is_renewed_when_four_fifths_of_its_life_are_over() -> None:
    clock, asked = _Clock(), []

    class Source:
        async def create_token(self, account: str, namespace: str, request: Any) -> Any:
            asked.append((account, namespace, request["spec"]))
            ends = clock.now() + timedelta(seconds=request["spec"]["expirationSeconds"])
            return {"status": {"token": f"t{len(asked)}", "expirationTimestamp": rfc3339(ends)}}

    tokens = Tokens(Source(), clock)
    wanted = {"audience": "vault", "expirationSeconds": 1000, "path": "t"}

    async def main() -> None:
        assert await tokens.get(pod({}), wanted) == "t1"
        clock.seconds = 799
        assert await tokens.get(pod({}), wanted) == "t1"
        assert not tokens.is_due("u")
        clock.seconds = 801
        assert tokens.is_due("u")
        assert await tokens.get(pod({}), wanted) == "t2"
        assert await tokens.get(pod({}), {"path": "other"}) == "t3"
        tokens.forget("u")
        assert not tokens.is_due("u")

    asyncio.run(main())
    account, namespace, spec = asked[0]
    assert (account, namespace, spec["audiences"]) == ("default", "ns", ["vault"])
    assert spec["boundObjectRef"] == {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}


def test_gpus_are_remembered_on_disk(tmp_path: Path) -> None:
    gpus.remember(tmp_path / "main.0", ("1", "3"))
    assert gpus.remembered(tmp_path / "main.0") == ("1", "3")
    assert gpus.remembered(tmp_path / "main.1") == ()
    allocator = gpus.GpuAllocator(("0", "1", "2", "3"))
    allocator.take("u/main/0", ("1", "3"))
    assert allocator.acquire("other", 3) is None
    assert allocator.acquire("other", 2) == ("0", "2")
