"""Runs upstream's compiled sample pipelines on a server of their own and says how each ended.

    python tests/samples/run.py FOLDER [--jobs 4] [--only TEXT] [--home DIR]

FOLDER is `test_data/sdk_compiled_pipelines/valid` of kubeflow/pipelines; nothing of it is kept here. A sample is
expected to succeed, unless it lies in `failing` or `samples.toml` says otherwise. README.md lists what cannot end
as expected here, and why.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sampan.testing.server import FINAL_STATES, HttpError, ServerProcess

_VALUES: dict[str, Any] = {
    "STRING": "text",
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 1.5,
    "BOOLEAN": True,
    "LIST": ["a", "b"],
    "STRUCT": {"a": "b"},
}
_HERE = Path(__file__).parent
_COLLECTIONS = {"Secret": "secrets", "PersistentVolumeClaim": "persistentvolumeclaims"}
_SDK = re.compile(r"kfp==\d+\.\d+\.\d+")
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Sample:
    """One file, and what `samples.toml` says of it."""

    name: str
    file: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sdk: str = ""
    minutes: float = 4
    fails: str = ""
    waits: str = ""
    lacks: str = ""
    why: str = ""

    @property
    def expected(self) -> str:
        if self.waits:
            return "WAITING"
        return "FAILED" if self.fails or self.name.startswith("failing/") else "SUCCEEDED"


@dataclass(frozen=True)
class Ended:
    sample: Sample
    state: str
    seconds: float
    why: str = ""

    @property
    def is_expected(self) -> bool:
        says = self.sample.fails or self.sample.waits
        return self.state == self.sample.expected and says in self.why


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--s3", action="store_true", help="keep artifacts in the platform's own S3")
    given = parser.parse_args()
    samples = [sample for sample in read_samples(given.folder) if given.only in sample.name]
    # The longest first, or the others would be waited out before it begins.
    samples.sort(key=lambda sample: -sample.minutes)
    with tempfile.TemporaryDirectory(prefix="sampan-samples-", ignore_cleanup_errors=True) as folder:
        home = given.home or Path(folder)
        options = ("--port", "0", *(("--s3",) if given.s3 else ()))
        with ServerProcess(home, options=options) as server, ThreadPoolExecutor(given.jobs) as pool:
            prepare(server)
            ended = list(pool.map(lambda sample: run(server, sample), samples))
    wrong = [one for one in ended if not one.is_expected]
    for one in sorted(wrong, key=lambda one: (bool(one.sample.lacks), one.sample.name)):
        print(f"{one.state:<10} {one.seconds:6.1f} s  {one.sample.name}")
        print(f"           lacks {one.sample.lacks}" if one.sample.lacks else _indented(one.why))
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected")
    return 1 if any(not one.sample.lacks for one in wrong) else 0


def read_samples(folder: Path) -> list[Sample]:
    known = tomllib.loads((_HERE / "samples.toml").read_text())
    found = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*.yaml"))}
    if unknown := sorted(known.keys() - found.keys()):
        sys.exit(f"samples.toml names samples that {folder} lacks: {', '.join(unknown)}")
    return [Sample(name, file, **known.get(name, {})) for name, file in found.items()]


def prepare(server: ServerProcess) -> None:
    """What a cluster would hold: `cluster.yaml`."""
    for wanted in yaml.safe_load_all((_HERE / "cluster.yaml").read_text()):
        namespace, collection = wanted["metadata"]["namespace"], _COLLECTIONS[wanted["kind"]]
        try:
            server.call("POST", f"/api/v1/namespaces/{namespace}/{collection}", wanted)
        except HttpError as error:
            if error.code != 409:  # there since an earlier time in this home
                raise


def run(server: ServerProcess, sample: Sample) -> Ended:
    started = time.monotonic()
    run_id = ""
    try:
        spec, platform = documents(sample)
        whole = {"pipeline_spec": spec, "platform_spec": platform} if platform else spec
        run_id = server.submit(whole, name=sample.file.stem[:60], **parameters(server, spec, sample))
        state, why = end(server, run_id, sample)
    except HttpError as error:
        state = f"HTTP {error.code}"
        why = error.body.get("message", "") if isinstance(error.body, dict) else str(error.body)
    if run_id and state not in FINAL_STATES:
        server.call("POST", f"/apis/v2beta1/runs/{run_id}:terminate")
    return Ended(sample, state, time.monotonic() - started, why)


def end(server: ServerProcess, run_id: str, sample: Sample) -> tuple[str, str]:
    """The state in which the run ended, and what it says; WAITING when it waits for what it was expected to."""
    deadline = time.monotonic() + sample.minutes * 60
    said = ""
    while time.monotonic() < deadline:
        found = server.call("GET", f"/apis/v2beta1/runs/{run_id}")
        if found["state"] in FINAL_STATES:
            return found["state"], found.get("error", {}).get("message", "")
        if sample.waits:
            messages = (task.get("status_metadata", {}).get("message", "") for task in server.tasks(run_id))
            said = next(filter(None, messages), "")
            if sample.waits in said:
                return "WAITING", said
        time.sleep(_POLL_SECONDS)
    return "TIMEOUT", f"run {run_id} is still going after {sample.minutes} minutes. {said}"


def documents(sample: Sample) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline and the platform document, with the SDK that the sample needs."""
    text = sample.file.read_text()
    if sample.sdk:
        text = _SDK.sub(f"kfp=={sample.sdk}", text)
    loaded = [document for document in yaml.safe_load_all(text) if document]
    spec = next(document for document in loaded if "pipelineInfo" in document)
    platform = next((document for document in loaded if "platforms" in document), {})
    return json.loads(json.dumps(spec, default=str)), platform


def parameters(server: ServerProcess, spec: dict[str, Any], sample: Sample) -> dict[str, Any]:
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    plain = {
        name: _VALUES.get(about.get("parameterType", ""), "text")
        for name, about in declared.items()
        if "defaultValue" not in about and not about.get("isOptional")
    }
    if "mlpipeline_minio_artifact_secret" in declared:
        plain |= minio(server)
    return plain | dict(sample.parameters)


def minio(server: ServerProcess) -> dict[str, str]:
    """Where a program finds the S3 in which its artifacts are, in the form that upstream's test hands it over."""
    try:
        secret = server.call("GET", "/api/v1/namespaces/default/secrets/mlpipeline-minio-artifact")
    except HttpError:
        return {}
    where = {"host": "minio-service.kubeflow", "port": "9000", "secure": "false"}
    told = secret["data"] | {key: base64.b64encode(value.encode()).decode() for key, value in where.items()}
    return {"mlpipeline_minio_artifact_secret": str(told), "bucket_name": "default"}


def _indented(text: str) -> str:
    """The beginning, which names the step, and the end, which is the end of its log."""
    text = text.strip()
    shown = text if len(text) < 700 else f"{text[:200]} […] {text[-500:]}"
    return "\n".join(f"           {line}" for line in shown.splitlines())


if __name__ == "__main__":
    sys.exit(main())
