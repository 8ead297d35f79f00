"""`from sampan.sdk import remote`: functions and notebooks run as jobs, and what they give comes back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.components.training.api.summary import State
from sampan.components.training.sdk.remote import Remote
from sampan.kube.errors import NotFoundError
from sampan.sdk import RemoteError
from sampan.sdk.sending import connect
from sampan.testing.server import ServerProcess

FACTOR = 3


class DataError(Exception):
    pass


def train(lr: float, fail: bool = False) -> dict[str, Any]:
    print("training with", lr)
    if fail:
        raise DataError("no data")
    return {"loss": lr * FACTOR, "rank": os.environ.get("RANK"), "token": os.environ.get("TOKEN")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("remote") / "home") as server:
        yield server


@pytest.fixture(scope="module")
def remote(server: ServerProcess) -> Iterator[Remote]:
    session = connect(server.home)
    yield Remote(lambda: session)
    session.close()


def test_a_call_prints_what_is_said_there_and_gives_what_is_returned(
    remote: Remote, server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = {"metadata": {"name": "keys"}, "data": {"token": base64.b64encode(b"s3cret").decode()}}
    server.call("POST", "/api/v1/namespaces/default/secrets", secret)
    function = remote(secrets={"TOKEN": "keys/token"}, cleanup=True)(train)
    assert function(0.5) == {"loss": 1.5, "rank": None, "token": "s3cret"}
    assert "training with 0.5" in capsys.readouterr().out
    # Cleaned up, with the code that was sent; the secret passed through nothing of ours.
    assert server.call("GET", "/apis/batch/v1/namespaces/default/jobs")["items"] == []
    with pytest.raises(DataError, match="no data") as caught:
        remote(stream=False)(train)(0.5, fail=True)
    assert "in train" in str(caught.value.__cause__)


@pytest.mark.parametrize("kind", ["PyTorchJob", "TrainJob"])
def test_every_node_has_a_result(remote: Remote, kind: str) -> None:
    job = remote(kind=kind, nodes=2, stream=False)(train).submit(2.0)
    found = job.wait(90).results()
    assert [each["rank"] for each in found] == ["0", "1"]
    assert job.result() == found[0]
    assert job.status is State.SUCCEEDED
    role = "node" if kind == "TrainJob" else "master"
    assert f"[{role}-0] training with 2.0" in list(job.logs())
    job.cancel()
    with pytest.raises(NotFoundError):
        print(job.status)


@pytest.mark.slow
def test_many_at_once_and_awaited(remote: Remote) -> None:
    function = remote(stream=False)(train)
    assert [each["loss"] for each in function.map([1.0, 2.0, 3.0])] == [3.0, 6.0, 9.0]

    async def many() -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(function.submit(lr) for lr in (1.0, 2.0))))

    assert [each["loss"] for each in asyncio.run(many())] == [3.0, 6.0]


@pytest.mark.slow
def test_what_is_killed_or_cannot_start_is_told_of(remote: Remote) -> None:
    def dies() -> None:
        print("last words", flush=True)
        os.kill(os.getpid(), 9)

    with pytest.raises(RemoteError, match="last words"):
        remote(stream=False)(dies)()
    with pytest.raises(RemoteError, match="could not be installed"):
        remote(stream=False, packages=["no-such-package-of-that-name @ file:///none"])(train)(1.0)
    job = remote(stream=False, deadline_seconds=2)(time.sleep).submit(60)
    with pytest.raises(RemoteError, match=r"DeadlineExceeded|longer than"):
        job.result(90)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_packages_are_there_and_kept(remote: Remote) -> None:
    def version() -> str:
        import six

        return str(six.__version__)

    assert remote(stream=False, packages=["six==1.16.0"], kind="TrainJob", nodes=2)(version)() == "1.16.0"


def cell(source: str, **metadata: Any) -> dict[str, Any]:
    found = {"cell_type": "code", "id": f"c{abs(hash(source))}", "source": source, "outputs": []}
    return {**found, "execution_count": None, "metadata": metadata}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_notebook_comes_back_with_what_it_showed(remote: Remote, tmp_path: Path) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    cells = [cell("lr = 1", tags=["parameters"]), cell("open('near.txt').read() * lr")]
    document = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "near.txt").write_text("ab")
    file = tmp_path / "analysis.ipynb"
    file.write_text(json.dumps(document))
    saved = remote.notebook(file, {"lr": 3}, include=[tmp_path / "near.txt"]).result()
    assert saved == tmp_path / "analysis.output.ipynb"
    assert "'ababab'" in saved.read_text()

    cells[1] = cell("print('as far as here')\n1 / 0")
    file.write_text(json.dumps(document))
    with pytest.raises(RemoteError, match="ZeroDivisionError"):
        remote.notebook(file, save=tmp_path / "failed.ipynb").result()
    assert "as far as here" in (tmp_path / "failed.ipynb").read_text()


@pytest.mark.slow
def test_a_script_of_its_own_finds_the_server_and_sends_its_modules(
    server: ServerProcess, tmp_path: Path
) -> None:
    (tmp_path / "numbers_of_mine.py").write_text("def double(x): return 2 * x\n")
    (tmp_path / "main.py").write_text(
        "import numbers_of_mine\nfrom sampan.sdk import remote\n"
        "@remote\ndef f(x): return numbers_of_mine.double(x)\nprint(f(21))\n"
    )
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env={**os.environ, "SAMPAN_HOME": str(server.home)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr
