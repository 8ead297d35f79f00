"""The model server beside a bare handler around the same predict, and beside other servers: `serving.py [NAME…]`.

Load comes from wrk (Debian's package), which takes little of the two cores it shares with the server. README.md says
what is measured. Environments are the images' own, kept where those of the tests are; the peers' are built on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sampan.cluster.node.environments import Environments, PipInstall
from sampan.cluster.node.environments.programs import package_folder
from sampan.testing.clients import interpreter_with
from sampan.testing.homes import home_with_frameworks
from sampan.testing.model_servers import free_port

PROGRAMS = Path(__file__).with_name("servers")
CONNECTIONS = (1, 32)
ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]


@dataclass(frozen=True)
class Subject:
    image: str
    runtime: str
    installs: tuple[str, ...]


SUBJECTS = {
    "sklearn": Subject("kserve/sklearnserver:v0.20.0", "sklearn", ("starlette", "uvicorn")),
    "onnx": Subject("onnxruntime/server", "onnx", ("starlette", "uvicorn", "onnx")),
    "pytorch": Subject("gcr.io/kfserving/pytorchserver:v0.5.1", "pytorch", ("starlette", "uvicorn")),
}
PEERS = {
    "kserve": ("kserve==0.21.0", "scikit-learn"),
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
    "litserve": ("litserve", "scikit-learn"),
    "bentoml": ("bentoml", "scikit-learn"),
}


@dataclass(frozen=True)
class Rate:
    requests: float
    p50_ms: float
    p99_ms: float
    errors: int


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(SUBJECTS))
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt install wrk")
    for name in given.names:
        with tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as folder:
            _measure(name, Path(folder), given)
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}")


def _measure(name: str, folder: Path, given: argparse.Namespace) -> None:
    """All servers are up at a time and asked in turn, so that whatever else the machine does hits each alike."""
    subject = SUBJECTS[name]
    python, package = environment_of(folder / "home", subject)
    model = make_model(python, name, folder / "model")
    options = ["--runtime", subject.runtime, "--model_name=m", f"--model_dir={model}", "--enable_grpc=false"]
    ours = [python, "-m", "sampan_serving.modelserver", *options]
    with contextlib.ExitStack() as stack:
        servers = {
            "bare handler": stack.enter_context(
                _up([python, PROGRAMS / "bare.py", name, str(model)], "--port")
            ),
            "Sampan": stack.enter_context(_up(ours, "--http_port", PYTHONPATH=str(package))),
        }
        if given.peers and name == "sklearn":
            for peer in PEERS:
                with contextlib.suppress(subprocess.CalledProcessError, RuntimeError):
                    servers[peer] = stack.enter_context(_peer(peer, model))
        script = folder / "post.lua"
        rates: dict[tuple[str, int], list[Rate]] = {}
        for _ in range(given.rounds):
            for connections in CONNECTIONS:
                for server, address in servers.items():
                    rate = _load(server, address, connections, given.seconds, script)
                    rates.setdefault((server, connections), []).append(rate)
    _tell(name, list(servers), rates)


def _tell(name: str, servers: Sequence[str], rates: dict[tuple[str, int], list[Rate]]) -> None:
    print(f"\n{name}: requests a second, beside the bare handler; p50 and p99 in ms")
    for connections in CONNECTIONS:
        bare = statistics.median(each.requests for each in rates["bare handler", connections])
        for server in servers:
            found = rates[server, connections]
            rate = statistics.median(each.requests for each in found)
            p50, p99 = (
                statistics.median(getattr(each, which) for each in found) for which in ("p50_ms", "p99_ms")
            )
            errors = sum(each.errors for each in found)
            print(
                f"  {connections:>3} connections  {server:<13} {rate:>8.0f}  {rate / bare:>6.2f}  "
                f"{p50:>7.2f} {p99:>7.2f}" + (f"  {errors} errors" if errors else ""),
                flush=True,
            )


def _load(server: str, address: str, connections: int, seconds: int, script: Path) -> Rate:
    body = json.dumps({"inputs" if server == "mlserver" else "instances": _payload(server)})
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = [==[{body}]==]\nwrk.headers['Content-Type'] = 'application/json'\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", str(script)]
    for duration in (1, seconds):
        said = subprocess.run(
            [*command, f"-d{duration}s", address], capture_output=True, text=True, check=True
        ).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    return Rate(
        float(rate.group(1)),
        _milliseconds(said, 50),
        _milliseconds(said, 99),
        int(bad.group(1)) if bad else 0,
    )


def _payload(server: str) -> object:
    if server == "mlserver":
        flat = [value for row in ROWS for value in row]
        return [{"name": "x", "shape": [len(ROWS), 4], "datatype": "FP64", "data": flat}]
    return ROWS


def _milliseconds(said: str, percent: int) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None, said
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found.group(2)]


@contextlib.contextmanager
def _up(
    command: Sequence[object], flag: str, path: str = "/v1/models/m:predict", **environ: str
) -> Iterator[str]:
    """The address of the server, when it answers."""
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*map(str, command), f"{flag}={port}"],
            stdout=log,
            stderr=log,
            env={**_environ(), **environ},
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 90
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    sys.stderr.write(log.read().decode()[-3000:])
                    raise RuntimeError(f"{command} does not answer")
                time.sleep(0.1)
            yield address + path
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            # With the processes that some leave behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _peer(name: str, model: Path) -> Iterator[str]:
    python = interpreter_with(*PEERS[name])
    paths = {"mlserver": "/v2/models/m/infer", "litserve": "/predict", "bentoml": "/predict"}
    command = [python, PROGRAMS / f"{name}_server.py", str(model)]
    with _up(command, "--port", paths.get(name, "/v1/models/m:predict")) as address:
        yield address


def make_model(python: Path, name: str, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run([python, PROGRAMS / "models.py", name, folder], check=True, env=_environ())
    return folder


def environment_of(home: Path, subject: Subject) -> tuple[Path, Path]:
    """Its Python, and the folder of the model server's package."""
    return asyncio.run(_environment(home, subject))


async def _environment(home: Path, subject: Subject) -> tuple[Path, Path]:
    environments = Environments(home_with_frameworks(home))
    try:
        base = await environments.for_image(subject.image)
        made = await environments.with_installs(base, [PipInstall(subject.installs)])
    finally:
        await environments.close()
    package = package_folder(home / "envs" / "programs", "serving")
    assert package is not None
    return made.python, package


def _environ() -> dict[str, str]:
    # As a pod on such a machine would be told, else each server's library takes both cores.
    return {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
    }


if __name__ == "__main__":
    main()
