"""Runs upstream's own end-to-end tests against a server of their own, and compares how each ended with what is to be.

    python tests/samples/serving.py FOLDER [--only TEXT ...] [--home DIR] [--buckets DIR]

FOLDER is a checkout of kserve/kserve 0.20; nothing of it is kept here. Its `test/e2e` is copied, and run as it is, by
the SDK and pytest in an environment of their own. They fetch models from public buckets and from a hub:
serving_models.py and serving_languages.py make some that say what upstream's say, and serving_stores.py answers for
where they lie. `serving.toml` names the files and what must end otherwise; README.md has the table.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving_stores import S3, s3_of, stores

from sampan.cluster.node.environments import Environments, PipInstall
from sampan.cluster.node.node_object import node_name
from sampan.testing.clients import interpreter_with, kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import ServerProcess

_HERE = Path(__file__).parent
_KUBECTL = "1.37.1"
_NAMESPACE = "kserve-ci-e2e-test"
_LANGUAGES = ("kserve-huggingfaceserver", "kserve-vllmserver")
_CLIENT = (
    "kserve==0.21.0",
    "kubernetes==35.0.0",
    "pytest<9",
    "pytest-asyncio==0.23.8",
    "pytest-timeout",
    "httpx-retries",
    "portforward",
    "boto3",
    "requests",
    "pyarrow",
    "jinja2",
    "pytest-xdist",
)
"""What upstream's tests import."""


@dataclass(frozen=True)
class Ended:
    name: str
    """FILE::TEST"""
    state: str
    seconds: float
    why: str = ""


def make_models(
    home: Path,
    known: dict[str, Any],
    root: Path,
    upstream: Path,
    data: Path,
    otherwise: str = "serving_models.py",
) -> None:
    """Each in the environment of the image that serves it."""

    async def python(image: str, installs: Sequence[str]) -> str:
        environments = Environments(home)
        try:
            base = await environments.for_image(image)
            more = [PipInstall(tuple(installs))] if installs else []
            return str((await environments.with_installs(base, more)).python)
        finally:
            await environments.close()

    for name, each in known.items():
        done = root / f".{name}"
        if not done.exists():
            maker = asyncio.run(python(each["image"], each.get("installs", ())))
            script = each.get("script", otherwise)
            command = [
                maker,
                str(_HERE / script),
                each.get("maker", name),
                str(root),
                str(data),
                str(upstream),
            ]
            made = subprocess.run(command, check=False, capture_output=True, text=True)
            if made.returncode:
                raise SystemExit(f"{name} could not be made:\n{made.stderr}")
            done.touch()


def add_data(root: Path, data: Path) -> None:
    """Inputs that some copies of upstream's repository lack, made with the models."""
    for file in (root / ".data").glob("*"):
        if not (data / file.name).exists():
            shutil.copy(file, data)


def asked(server: ServerProcess, *command: str, text: str = "") -> str:
    """What kubectl says."""
    environ = {**os.environ, "KUBECONFIG": str(server.home / "kubeconfig")}
    words: Sequence[str | Path] = [kubectl(_KUBECTL), *command]
    done = subprocess.run(words, env=environ, input=text, capture_output=True, text=True, timeout=90)
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(command)}: {done.stderr}")
    return str(done.stdout)


def prepare(server: ServerProcess, storage: str, s3: S3, upstream: Path) -> None:
    """What upstream's setup-kserve.sh puts into the cluster, and where its buckets and its hub are."""
    ask = functools.partial(asked, server)
    # What KEDA is told is looked at; who would act on it is not there.
    ask("apply", "-f", str(upstream / "test/crds/keda.yaml"))
    ask("delete", "namespace", _NAMESPACE, "--ignore-not-found")
    ask("create", "namespace", _NAMESPACE)
    told = [{"name": "STORAGE_EMULATOR_HOST", "value": storage}]
    told.append({"name": "HF_ENDPOINT", "value": storage})
    where = [{"op": "add", "path": "/spec/container/env", "value": told}]
    ask("patch", "clusterstoragecontainer", "default", "--type=json", "-p", json.dumps(where))
    fetcher = json.loads(ask("get", "clusterstoragecontainer", "default", "-o", "json"))
    spec = {**fetcher["spec"], "workloadType": "localModelDownloadJob"}
    downloads = {**fetcher, "metadata": {"name": "downloads"}, "spec": spec}
    ask("apply", "-f", "-", text=json.dumps(downloads))
    for runtime in _LANGUAGES:
        found = json.loads(ask("get", "clusterservingruntime", runtime, "-o", "json"))
        env = [
            *(
                each
                for each in found["spec"]["containers"][0].get("env", [])
                if each["name"] != "HF_ENDPOINT"
            ),
            {"name": "HF_ENDPOINT", "value": storage},
        ]
        hub = [{"op": "add", "path": "/spec/containers/0/env", "value": env}]
        ask("patch", "clusterservingruntime", runtime, "--type=json", "-p", json.dumps(hub))
    ask("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": _s3_service(s3)}))
    for name in ("storage-config", "seaweedfs-s3-creds"):
        secret = (upstream / f"config/overlays/test/s3-local-backend/{name}-secret.yaml").read_text()
        secret = secret.replace("s3admin123", s3.secret_key).replace("s3admin", s3.access_key)
        ask("apply", "-n", _NAMESPACE, "-f", "-", text=secret.replace("us-south", "us-east-1"))
    account = {"secrets": [{"name": "seaweedfs-s3-creds"}]}
    ask("patch", "serviceaccount", "default", "-n", _NAMESPACE, "--type=merge", "-p", json.dumps(account))


def _s3_service(s3: S3) -> list[dict[str, Any]]:
    """By the name that upstream's has."""
    metadata = {"name": "s3-service", "namespace": "kserve"}
    ports = [{"name": "http", "port": 8333, "protocol": "TCP", "targetPort": s3.port}]
    labels = {"kubernetes.io/service-name": "s3-service"}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": s3.port, "protocol": "TCP"}],
        },
    ]


def images(home: Path, entries: Sequence[dict[str, Any]], upstream: Path, root: Path) -> None:
    """Those that upstream builds of its own samples: its programs, in environments that can run them."""
    lines = []
    for each in entries:
        # `upstream / own` is `own` where that is a whole path.
        files = {
            path: str(upstream / own.format(buckets=root, here=_HERE))
            for path, own in each.pop("files").items()
        }
        environ, commands = each.pop("env", {}), each.pop("commands", {})
        lines.append("[[image]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in each.items()]
        lines += [
            *("[image.env]", *(f"{key} = {json.dumps(value)}" for key, value in environ.items())),
            *(
                "[image.commands]",
                *(f"{json.dumps(key)} = {json.dumps(told)}" for key, told in commands.items()),
            ),
            *("[image.files]", *(f"{json.dumps(path)} = {json.dumps(own)}" for path, own in files.items())),
        ]
    (home / "images.toml").write_text("\n".join(lines) + "\n")


def edit(e2e: Path, edits: dict[str, Sequence[Sequence[str]]], root: Path) -> None:
    """Only where models lie, for programs that no variable tells, and which nodes there are."""
    node = node_name(platform.node())
    for name, pairs in edits.items():
        text = (e2e / name).read_text()
        for old, new in pairs:
            if old not in text:
                raise SystemExit(f"{name} holds no {old!r}")
            text = text.replace(old, new.format(buckets=root.resolve(), node=node))
        (e2e / name).write_text(text)


def run(server: ServerProcess, told: dict[str, Any], e2e: Path, only: Sequence[str], s3: S3) -> list[Ended]:
    plugins = e2e.parent / "plugins"
    plugins.mkdir()
    shutil.copy(_HERE / "serving_tidying.py", plugins)
    environ = {
        **os.environ,
        **told["environ"],
        **s3.environ,
        "KUBECONFIG": str(server.home / "kubeconfig"),
        "KSERVE_INGRESS_HOST_PORT": server.url.removeprefix("http://"),
        "PYTHONPATH": str(plugins),
    }
    left_out = {name for name, each in told["tests"].items() if each.get("is_left_out")}
    command = [
        *(interpreter_with(*_CLIENT), "-m", "pytest", "-o", "log_cli=0", "-o", "log_level=WARNING"),
        *("-p", "no:cacheprovider", "-p", "serving_tidying", "-rA", "--tb=short", "-W", "ignore"),
        *("--timeout=1200", "-vv", "--dist=worksteal", "-m", told["marks"]),
        *(["-k", " or ".join(only)] if any(only) else []),
    ]
    ended: list[Ended] = []
    with (e2e / "output.txt").open("w") as output:
        for place, each in enumerate(told["rounds"]):
            # What a worker that was ended left has room that others want.
            asked(server, "delete", "isvc,ig,llmisvc", "--all", "-n", _NAMESPACE, "--wait=false")
            configure(server, each.get("config", {}))
            # Those that a later round names by themselves are not for this one.
            later = {name for other in told["rounds"][place + 1 :] for name in other["files"] if "::" in name}
            report = e2e / f"report-{place}.xml"
            words = [
                *(*command, f"--junitxml={report}", "-n", str(each["workers"])),
                *(f"--deselect={name}" for name in sorted(left_out | later)),
                *each["files"],
            ]
            subprocess.run(words, cwd=e2e, env=environ, check=False, stdout=output, stderr=subprocess.STDOUT)
            ended += [_ended(case) for case in ElementTree.parse(report).iter("testcase")]
    return ended


def configure(server: ServerProcess, config: dict[str, str]) -> None:
    """What `inferenceservice-config` says otherwise than it comes, for the tests of a round."""
    if config:
        told = ["patch", "configmap", "inferenceservice-config", "-n", "kserve", "--type=merge"]
        asked(server, *told, "-p", json.dumps({"data": config}))


def _ended(case: ElementTree.Element) -> Ended:
    file = case.get("classname", "").replace(".", "/").removeprefix("e2e/") + ".py"
    name, seconds = f"{file}::{case.get('name')}", float(case.get("time", 0))
    for kind in ("failure", "error", "skipped"):
        if (found := case.find(kind)) is not None:
            return Ended(name, kind.upper(), seconds, f"{found.get('message')}\n{found.text}")
    return Ended(name, "PASSED", seconds)


def told_of(one: Ended, expected: dict[str, Any]) -> bool:
    """Says it; whether it is as expected."""
    wanted = expected.get(one.name, {})
    says = wanted.get("fails", "")
    is_expected = one.state == "SKIPPED" or (
        says in one.why and one.state != "PASSED" if says else one.state == "PASSED"
    )
    print(f"{'  ' if is_expected else '!!'} {one.state:<8} {one.seconds:6.1f} s  {one.name}", flush=True)
    if not is_expected:
        print("\n".join(f"      {line}" for line in one.why.strip().splitlines()[-12:]), flush=True)
    return is_expected


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--buckets", type=Path, help="models that were made before are not made again")
    given = parser.parse_args()
    told: dict[str, Any] = tomllib.loads((_HERE / "serving.toml").read_text())
    with tempfile.TemporaryDirectory(prefix="sampan-serving-", ignore_cleanup_errors=True) as scratch:
        home = home_with_frameworks(given.home or Path(scratch) / "home")
        e2e = Path(scratch) / "e2e"
        shutil.copytree(given.folder / "test/e2e", e2e)
        root = given.buckets or Path(scratch) / "buckets"
        root.mkdir(parents=True, exist_ok=True)
        make_models(home, told["models"], root, given.folder, e2e / "data")
        add_data(root, e2e / "data")
        images(home, told["images"], given.folder, root.resolve())
        edit(e2e, told["edits"], root)
        with stores(root) as storage, ServerProcess(home, options=("--port", "0", "--s3")) as server:
            s3 = s3_of(home)
            model = str(root / "kfserving-examples/models/sklearn/1.0/model/model.joblib")
            buckets, known = (
                ["example-models", "logger-output"],
                ("example-models", "sklearn/model.joblib", model),
            )
            s3.fill(interpreter_with(*_CLIENT), buckets, [known])
            prepare(server, storage, s3, given.folder)
            ended = run(server, told, e2e, given.only, s3)
        wrong = [one for one in ended if not told_of(one, told["tests"])]
        if given.home:
            shutil.copy(e2e / "output.txt", given.home / "output.txt")
    passed = sum(one.state == "PASSED" for one in ended)
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected, {passed} of them well")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
