"""An S3 of our own: SeaweedFS from PyPI (`sampan[s3]`), as one child process below the home folder.

It listens on loopback only, knows one pair of keys that is made once and kept in the home, reports nothing to anybody,
and is started again whenever it ends. What it has acknowledged is in its files: it may be killed at any time, and has
to be, as it does not end within minutes when it is asked to.

Source of options and their meaning: `weed server -h`, SeaweedFS 4.48.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sampan.lib.files import replace_text
from sampan.lib.log import get_logger
from sampan.lib.tasks import TaskSet
from sampan.store.artifacts.objects import Bucket
from sampan.store.artifacts.protocol import StoreUnusableError

log = get_logger(__name__)

REGION = "us-east-1"
_PROGRAM = "weed"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_READY_POLL_SECONDS = 0.05
_GRACE_SECONDS = 1.0
_VOLUME_MIB = 1024
_MOST_VOLUMES = 10_000
"""Volumes are files that grow: many of them cost nothing, and each bucket has its own."""
_PORTS = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc")

# One file of each collection at a time, where SeaweedFS would begin with seven.
_MASTER_TOML = "[master.volume_growth]\ncopy_1 = 1\n"


@dataclass(frozen=True, slots=True)
class Keys:
    access_key: str
    secret_key: str = field(repr=False)


class SeaweedFS:
    """For one event loop. `start` returns before it serves; `ready` waits for that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks = TaskSet("seaweedfs")
        self._process: asyncio.subprocess.Process | None = None
        self._serves = asyncio.Event()
        self._ports: dict[str, int] = {}
        self._keys: Keys | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._ports["s3"]

    @property
    def keys(self) -> Keys:
        assert self._keys is not None, "it has started"
        return self._keys

    def bucket(self, name: str) -> Bucket:
        keys = self.keys
        return Bucket(
            "s3",
            name,
            endpoint=self.endpoint,
            region=REGION,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
        )

    async def start(self) -> None:
        """Raises StoreUnusableError where the program is missing, OSError."""
        program = _program()
        await asyncio.to_thread(self._prepare)
        self._tasks.spawn(self._supervise(program), name="supervision")

    async def ready(self) -> None:
        await self._serves.wait()

    async def stop(self) -> None:
        await self._tasks.close()
        await self._end()

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "data").mkdir(exist_ok=True)
        _end_former(self._folder)
        self._ports = _ports(self._folder / "ports.json")
        self._keys = keys = _keys(self._folder / "keys.json")
        identity = {
            "name": "sampan",
            "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        replace_text(self._folder / "identities.json", json.dumps({"identities": [identity]}), 0o600)
        replace_text(self._folder / "master.toml", _MASTER_TOML, 0o600)

    async def _supervise(self, program: str) -> None:
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._run(program)
            except OSError as error:
                log.error("the embedded S3 cannot be started, trying again", error=str(error))
            self._serves.clear()
            if loop.time() - began > _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _run(self, program: str) -> None:
        """One process, until it ends."""
        with (self._folder / "weed.log").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                program,
                *_arguments(self._ports),
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._process = process
        (self._folder / "pid").write_text(str(process.pid), encoding="utf-8")
        waiting = asyncio.create_task(self._note_when_it_serves())
        try:
            code = await process.wait()
            log.warning(
                "the embedded S3 ended, starting it again", code=code, log=str(self._folder / "weed.log")
            )
        finally:
            waiting.cancel()

    async def _note_when_it_serves(self) -> None:
        while not await _answers(self.port):  # noqa: ASYNC110  another process: there is no event to wait for
            await asyncio.sleep(_READY_POLL_SECONDS)
        self._serves.set()
        log.info("embedded S3 ready", endpoint=self.endpoint)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _program() -> str:
    # Beside our own Python first: that is where pip has put it.
    beside = Path(sys.executable).with_name(_PROGRAM)
    found = str(beside) if beside.exists() else shutil.which(_PROGRAM)
    if found is None:
        raise StoreUnusableError("the embedded S3 is not installed: pip install 'sampan[s3]'")
    return found


def _arguments(ports: dict[str, int]) -> list[str]:
    return [
        "-logtostderr=true",
        "server",
        "-dir=data",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={ports['master']}",
        f"-master.port.grpc={ports['master_grpc']}",
        "-master.telemetry=false",
        # Of one server: it may well elect itself at once.
        "-master.electionTimeout=500ms",
        "-master.heartbeatInterval=100ms",
        f"-master.volumeSizeLimitMB={_VOLUME_MIB}",
        f"-volume.port={ports['volume']}",
        f"-volume.port.grpc={ports['volume_grpc']}",
        f"-volume.max={_MOST_VOLUMES}",
        "-volume.index=leveldb",
        "-filer",
        f"-filer.port={ports['filer']}",
        f"-filer.port.grpc={ports['filer_grpc']}",
        "-filer.disableHttp",
        # Relative: the path of a socket must be short, that of a home need not be.
        "-filer.localSocket=filer.sock",
        "-s3",
        f"-s3.port={ports['s3']}",
        f"-s3.port.grpc={ports['s3_grpc']}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.localSocket=s3.sock",
        "-s3.config=identities.json",
    ]


def _ports(file: Path) -> dict[str, int]:
    """The ports of last time, where they are all free: what was told an endpoint goes on working."""
    with contextlib.suppress(OSError, ValueError):
        known = {name: int(port) for name, port in json.loads(file.read_text(encoding="utf-8")).items()}
        if set(known) == set(_PORTS) and all(_is_free(port) for port in known.values()):
            return known
    held = []
    try:
        for _ in _PORTS:
            listener = socket.socket()
            held.append(listener)
            listener.bind(("127.0.0.1", 0))
        ports = {name: listener.getsockname()[1] for name, listener in zip(_PORTS, held, strict=True)}
    finally:
        for listener in held:
            listener.close()
    file.write_text(json.dumps(ports), encoding="utf-8")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _keys(file: Path) -> Keys:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Keys(**json.loads(file.read_text(encoding="utf-8")))
    keys = Keys(f"SAMPAN{secrets.token_hex(7).upper()}", secrets.token_urlsafe(30))
    replace_text(file, json.dumps(asdict(keys)), 0o600)
    return keys


def _end_former(folder: Path) -> None:
    """The process that a server left which was killed: two of them must not write the same files."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((folder / "pid").read_text(encoding="utf-8"))
        if Path(f"/proc/{pid}/cwd").resolve() == folder.resolve():
            os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + _GRACE_SECONDS
            # Until it is gone, or only its entry is left: it holds ports and files.
            while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
                time.sleep(0.01)


async def _answers(port: int) -> bool:
    """Whether S3 answers with HTTP: the port is open before it can."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return (await reader.read(12)).startswith(b"HTTP/1.1 2")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
