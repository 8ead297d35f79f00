"""Runs Seldon Core's own end-to-end tests against a server of their own; compares how each ended with what is to be.

    python tests/samples/seldon.py FOLDER [--only TEXT ...] [--home DIR] [--buckets DIR]

FOLDER is a checkout of SeldonIO/seldon-core 1.18; nothing of it is kept here. Its `testing` is copied and run as it is,
by seldon-core's client and pytest in an environment of their own. What they have beside a cluster is played: buckets
as in serving.py, with models of seldon_models.py; `s2i`, `kind` and `docker`, which would build images, do nothing, as
the programs of these images are upstream's own files (`seldon.toml`); `helm` installs the one chart that they use.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving import Ended, images, make_models, told_of
from serving_stores import stores

from sampan.cluster.node.environments import Environments
from sampan.testing.clients import interpreter_with, kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

_HERE = Path(__file__).parent
_KUBECTL = "1.37.1"
_CLIENT = (
    *("seldon-core==1.18.2", "pytest<9", "pytest-timeout", "pytest-xdist", "tenacity", "pandas<3", "sh"),
    "setuptools<81",
)
"""What upstream's tests import."""
_PROTOC = "grpcio-tools==1.62.3"
_PLACES = ("localhost:8003", "localhost:8004")
"""Of Ambassador's and Istio's gateways, as the tests have them."""
_ENVIRONMENT = ["numpy", "pyyaml", "uvloop", "grpcio", "protobuf"]


def programs(folder: Path, upstream: Path) -> None:
    """What is called beside kubectl."""
    folder.mkdir(parents=True)
    (folder / "kubectl").symlink_to(kubectl(_KUBECTL))
    for name in ("s2i", "kind", "docker"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
    helm = f'#!/bin/sh\nexec "{sys.executable}" "{_HERE / "seldon_helm.py"}" "{upstream}" "$@"\n'
    (folder / "helm").write_text(helm)
    for each in folder.iterdir():
        if not each.is_symlink():
            each.chmod(0o755)


def protocol(scripts: Path, upstream: Path) -> None:
    """MLServer's messages, of which the tests want no more: MLServer does not install beside a current Python."""
    package = scripts / "mlserver" / "grpc"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    source = package / "dataplane.proto"
    shutil.copy(upstream / "proto" / "v2" / "dataplane.proto", source)
    out = [f"--{kind}_out={scripts}" for kind in ("python", "grpc_python")]
    command = [interpreter_with(_PROTOC), "-m", "grpc_tools.protoc", f"-I{scripts}", *out, source]
    subprocess.run([str(each) for each in command], check=True)


def prepare(server: ServerProcess, storage: str) -> None:
    """The namespace that some tests expect, and where the buckets are."""
    environ = {**os.environ, "KUBECONFIG": str(server.home / "kubeconfig")}
    told = [{"name": "STORAGE_EMULATOR_HOST", "value": storage}]
    where = [{"op": "add", "path": "/spec/container/env", "value": told}]
    for command in (
        ("create", "namespace", "seldon"),
        ("patch", "clusterstoragecontainer", "default", "--type=json", "-p", json.dumps(where)),
    ):
        subprocess.run([kubectl(_KUBECTL), *command], env=environ, check=False, timeout=90)


def edit(testing: Path, place: str, more: Sequence[Sequence[str]]) -> None:
    for name, old, new in more:
        text = (testing / name).read_text()
        if old not in text:
            raise SystemExit(f"{name} holds no {old!r}")
        (testing / name).write_text(text.replace(old, new))
    for file in (testing / "scripts").rglob("*.py"):
        text = file.read_text()
        for old in _PLACES:
            text = text.replace(old, place)
        file.write_text(text)


def built(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The images of upstream's s2i, with what its wrapper needs."""
    return [
        {
            "match": each["match"],
            "requirements": [*_ENVIRONMENT, *each.get("requirements", ())],
            "programs": ["serving", "seldon"],
            "workdir": "/microservice",
            "entrypoint": each["entrypoint"],
            "files": each["files"],
        }
        for each in told["images"]
    ]


def build(home: Path, known: Sequence[dict[str, Any]]) -> None:
    """Their environments, as upstream's tests build images before they never pull them."""

    async def made() -> None:
        environments = Environments(home)
        try:
            for each in known:
                await environments.for_image(each["match"])
        finally:
            await environments.close()

    asyncio.run(made())


def run(server: ServerProcess, told: dict[str, Any], work: Path, only: Sequence[str]) -> list[Ended]:
    scripts, report = work / "testing" / "scripts", work / "report.xml"
    environ = {
        **os.environ,
        "PATH": f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(server.home / "kubeconfig"),
        "PYTHONPATH": str(scripts),
    }
    wanted = f"({' or '.join(only)})" if any(only) else ""
    unwanted = " and ".join(f"not {each}" for each in told["left_out"])
    command = [
        *(str(interpreter_with(*_CLIENT)), "-m", "pytest", f"--junitxml={report}", "-p", "no:cacheprovider"),
        *("-rA", "--tb=short", "-W", "ignore", "--timeout=600", "-vv", "-n", "4", "--dist=worksteal"),
        *("-k", f"{wanted} and {unwanted}" if wanted else unwanted),
        *told["files"],
    ]
    with (work / "output.txt").open("w") as output:
        subprocess.run(
            command, cwd=scripts, env=environ, check=False, stdout=output, stderr=subprocess.STDOUT
        )
    return [_ended(each) for each in ElementTree.parse(report).iter("testcase")]


def _ended(case: ElementTree.Element) -> Ended:
    module, _, group = case.get("classname", "").partition(".")
    name = "::".join([f"{module}.py", *filter(None, [group]), case.get("name", "")])
    seconds = float(case.get("time", 0))
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return Ended(name, kind.upper(), seconds, f"{found.get('message')}\n{found.text}")
    return Ended(name, "PASSED", seconds)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--buckets", type=Path, help="models that were made before are not made again")
    given = parser.parse_args()
    told: dict[str, Any] = tomllib.loads((_HERE / "seldon.toml").read_text())
    upstream = given.folder.resolve()
    with tempfile.TemporaryDirectory(prefix="sampan-seldon-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        home = home_with_frameworks(given.home or work / "home")
        for name in ("testing", "servers", "helm-charts"):
            shutil.copytree(upstream / name, work / name, symlinks=True)
        shutil.copy(upstream / "version.txt", work)
        programs(work / "bin", upstream)
        protocol(work / "testing" / "scripts", upstream)
        root = given.buckets or work / "buckets"
        root.mkdir(parents=True, exist_ok=True)
        make_models(home, told["models"], root, upstream, upstream, "seldon_models.py")
        images(home, built(told), upstream, root)
        build(home, told["images"])
        with stores(root) as storage, ServerProcess(home) as server:
            prepare(server, storage)
            edit(work / "testing", server.url.removeprefix("http://"), told["edits"])
            ended = run(server, told, work, given.only)
        wrong = [one for one in ended if not told_of(one, told["tests"])]
        if given.home:
            shutil.copy(work / "output.txt", given.home / "output.txt")
    passed = sum(one.state == "PASSED" for one in ended)
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected, {passed} of them well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
