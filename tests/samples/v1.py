"""Runs what the compiler of kfp 1.8 wrote, on a server of its own, and says how each ended.

    python tests/samples/v1.py FOLDER [--jobs 4] [--only TEXT] [--home DIR]

FOLDER is `sdk/python/tests/compiler/testdata` of kubeflow/pipelines at 1.8.22; nothing of it is kept here. Each
Workflow in it is uploaded as a pipeline and run. `v1.toml` says which must not succeed, and why.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sampan.testing.server import FINAL_STATES, HttpError, ServerProcess

_HERE = Path(__file__).parent
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Golden:
    name: str
    file: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = 2
    state: str = "SUCCEEDED"
    says: str = ""
    lacks: str = ""
    why: str = ""


@dataclass(frozen=True)
class Ended:
    golden: Golden
    state: str
    seconds: float
    why: str = ""

    @property
    def is_expected(self) -> bool:
        return self.state in self.golden.state.split("|") and self.golden.says in self.why


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    goldens = [each for each in read_goldens(given.folder) if given.only in each.name]
    with (
        tempfile.TemporaryDirectory(prefix="sampan-v1-", ignore_cleanup_errors=True) as folder,
        ServerProcess(given.home or Path(folder)) as server,
        ThreadPoolExecutor(given.jobs) as pool,
    ):
        for wanted in yaml.safe_load_all((_HERE / "v1-cluster.yaml").read_text()):
            if wanted:
                prepare(server, wanted)
        snapshots = threading.Thread(target=take_snapshots, args=(server,), daemon=True)
        snapshots.start()
        ended = list(pool.map(lambda each: run(server, each), goldens))
    wrong = [one for one in ended if not one.is_expected]
    for one in sorted(wrong, key=lambda one: (bool(one.golden.lacks), one.golden.name)):
        print(f"{one.state:<10} {one.seconds:6.1f} s  {one.golden.name}")
        text = f"lacks {one.golden.lacks}" if one.golden.lacks else one.why
        print("\n".join(f"           {line}" for line in text[-700:].splitlines()))
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected")
    return 1 if any(not one.golden.lacks for one in wrong) else 0


def read_goldens(folder: Path) -> list[Golden]:
    known = tomllib.loads((_HERE / "v1.toml").read_text())
    found = {
        file.name: file for file in sorted(folder.glob("*.yaml")) if "kind: Workflow" in file.read_text()
    }
    if unknown := sorted(known.keys() - found.keys()):
        sys.exit(f"v1.toml names files that {folder} lacks: {', '.join(unknown)}")
    return [Golden(name, file, **known.get(name, {})) for name, file in found.items()]


def prepare(server: ServerProcess, wanted: dict[str, Any]) -> None:
    where = f"/api/v1/namespaces/default/{wanted['kind'].lower()}s"
    if wanted["kind"] == "CustomResourceDefinition":
        where = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    try:
        server.call("POST", where, wanted)
    except HttpError as error:
        if error.code != 409:
            raise


def take_snapshots(server: ServerProcess) -> None:
    """As the controller of a CSI driver: every VolumeSnapshot is ready at once."""
    where = "/apis/snapshot.storage.k8s.io/v1alpha1/namespaces/default/volumesnapshots"
    while True:
        try:
            for found in server.call("GET", where)["items"]:
                if not found.get("status"):
                    found["status"] = {"readyToUse": True, "restoreSize": "1Gi"}
                    server.call("PUT", f"{where}/{found['metadata']['name']}", found)
        except HttpError:
            pass  # somebody wrote it first; there is a next time
        except OSError:
            return  # the server has ended
        time.sleep(_POLL_SECONDS)


def run(server: ServerProcess, golden: Golden) -> Ended:
    started = time.monotonic()
    try:
        pipeline = upload(server, golden.file)
        body = {
            "display_name": golden.name,
            "pipeline_version_reference": {"pipeline_id": pipeline["pipeline_id"]},
            "runtime_config": {"parameters": {**missing(golden.file), **golden.parameters}},
        }
        run_id = server.call("POST", "/apis/v2beta1/runs", body)["run_id"]
        state, why = end(server, run_id, golden)
    except HttpError as error:
        body = error.body if isinstance(error.body, dict) else {}
        state, why = f"HTTP {error.code}", body.get("message") or body.get("error_message") or str(error.body)
    return Ended(golden, state, time.monotonic() - started, why)


def upload(server: ServerProcess, file: Path) -> dict[str, Any]:
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{file.name}"\r\n\r\n'
    request = urllib.request.Request(
        f"{server.url}/apis/v2beta1/pipelines/upload?name={file.stem}-{mark[:6]}",
        data=head.encode() + file.read_bytes() + f"\r\n--{mark}--\r\n".encode(),
        headers={"content-type": f"multipart/form-data; boundary={mark}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(error.code, json.loads(error.read())) from None


def missing(file: Path) -> dict[str, str]:
    """A plain text for parameters without a default."""
    workflow = next(each for each in yaml.safe_load_all(file.read_text()) if each)
    listed = (workflow["spec"].get("arguments") or {}).get("parameters") or ()
    return {each["name"]: "text" for each in listed if "value" not in each}


def end(server: ServerProcess, run_id: str, golden: Golden) -> tuple[str, str]:
    deadline = time.monotonic() + golden.minutes * 60
    while time.monotonic() < deadline:
        found = server.call("GET", f"/apis/v2beta1/runs/{run_id}")
        if found["state"] in FINAL_STATES:
            return found["state"], found.get("error", {}).get("message", "")
        if golden.state == "WAITING":
            said = [task.get("status_metadata", {}).get("message", "") for task in server.tasks(run_id)]
            if found_text := next((text for text in said if golden.says in text), ""):
                server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
                return "WAITING", found_text
        time.sleep(_POLL_SECONDS)
    messages = [task.get("status_metadata", {}).get("message", "") for task in server.tasks(run_id)]
    server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    return "TIMEOUT", f"still going after {golden.minutes} minutes. {'; '.join(filter(None, messages))}"


if __name__ == "__main__":
    sys.exit(main())
