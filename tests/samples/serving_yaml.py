"""Applies upstream's samples of serving as they are written, asks what comes of each, and says how it ended.

    python tests/samples/serving_yaml.py FOLDER... [--only TEXT ...] [--home DIR] [--buckets DIR] [--jobs N] [--table]

FOLDERs are checkouts of kserve/kserve 0.20, kubeflow/kfserving 0.5 and SeldonIO/seldon-core 1.18; nothing of them is
kept here. kubectl applies each file, in a namespace of its own where it names none; its objects must become ready, and
answer what its README shows. `serving_yaml.toml` has a row for each that is asked, or must end otherwise. Models,
buckets and images are those of serving.py and seldon.py, and what serving_yaml_models.py makes.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from seldon import built
from serving import images, make_models
from serving_stores import S3, s3_of, stores

from sampan.testing.clients import interpreter_with, kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

_HERE = Path(__file__).parent
_KUBECTL = "1.37.1"
_POLL_SECONDS, _LOADS_SECONDS = 0.5, 60.0
"""A TrainedModel is ready when its service has room for it, and then it is loaded."""
_READY = {
    "InferenceService": "inferenceservices",
    "InferenceGraph": "inferencegraphs",
    "TrainedModel": "trainedmodels",
    "SeldonDeployment": "seldondeployments",
    "Service": "services",
}
"""Kinds that must become ready, and their plurals. Services are so of Knative alone."""
_PROJECTS = {
    "kserve": ("python/kserve", "docs/samples"),
    "kfserving": ("python/kfserving", "docs/samples"),
    "seldon": ("executor", ""),
}
"""A folder that tells each, and where its samples are."""
_SELDONS = {
    "ask": "/seldon/{namespace}/{name}/api/v1.0/predictions",
    "body": '{"data": {"ndarray": [[5.1, 3.5, 1.4, 0.2]]}}',
    "says": '{"data": {"ndarray": "*"}, "meta": "*"}',
}
"""What a SeldonDeployment is asked whose row says nothing else."""


@dataclass(frozen=True)
class Sample:
    """One file, and what `serving_yaml.toml` says of it."""

    name: str
    file: Path
    edit: Sequence[Sequence[str]] = ()
    """Pairs: a text, and what stands for it."""
    after: Sequence[str] = ()
    """Files beside it that are applied before, as its README has them."""
    ask: str = ""
    """The path, at the address of the last object that has one."""
    body: str = ""
    """A file beside it, or the text itself."""
    says: str = ""
    """JSON that the answer must hold; `"*"` is any value."""
    loads_later: bool = False
    """It is ready before what it needs is."""
    of: str = ""
    """The object that is asked, where it is not the last one."""
    code: int = 200
    """Of the answer."""
    at: str = ""
    """The Host, where it is not what the object's address says."""
    logs: str = ""
    """What one of the pods must have printed then."""
    minutes: float = 3
    waits: str = ""
    """It does not become ready, and says this."""
    refused: str = ""
    """The API, or kubectl itself, says so."""
    why: str = ""

    @property
    def expected(self) -> str:
        if self.refused:
            return "REFUSED"
        return "WAITING" if self.waits else "ANSWERED" if self.says else "READY"


@dataclass(frozen=True)
class Ended:
    sample: Sample
    state: str
    seconds: float
    why: str = ""

    @property
    def is_expected(self) -> bool:
        says = self.sample.waits or self.sample.refused
        states = {self.sample.expected} | ({"TAKEN"} if self.sample.expected == "READY" else set())
        return self.state in states and says in self.why


class UnansweredError(Exception):
    """What is asked does not answer as upstream says."""


@dataclass
class Runner:
    """One server, and the way to it. Several samples at a time, but one in a namespace."""

    server: ServerProcess
    places: dict[str, str]
    """What edits may name: where the stores are."""
    scratch: Path
    minutes: float = 0
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def kubectl(self, *words: str, text: str = "", own: str = "") -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "KUBECONFIG": str(self._kubeconfig(own))}
        command = [kubectl(_KUBECTL), *words]
        return subprocess.run(
            command, input=text, env=environ, capture_output=True, text=True, check=False, timeout=180
        )

    def _kubeconfig(self, own: str) -> Path:
        """With a namespace for what names none: `-n` refuses what names another."""
        file = self.server.home / "kubeconfig"
        if not own:
            return file
        other = self.scratch / own
        if not other.exists():
            read = yaml.safe_load(file.read_text())
            for each in read["contexts"]:
                each["context"]["namespace"] = own
            other.write_text(yaml.safe_dump(read))
        return other

    def run(self, sample: Sample) -> Ended:
        started = time.monotonic()
        own = "s" + re.sub(r"[^a-z0-9]+", "-", sample.name.lower())[-50:].strip("-")
        texts = [self._text(sample, path, own) for path in (*sample.after, "")]
        if absent := [old for old, _ in sample.edit if old not in "".join(self._texts_as_written(sample))]:
            return Ended(sample, "WRONG", 0.0, f"it holds none of {absent}")
        objects = [each for text in texts for each in documents(text)]
        named = {each["metadata"].get("namespace", own) for each in objects}
        with self._alone(named):
            for namespace in {own, *named}:
                self.kubectl("create", "namespace", namespace)
            try:
                state, why = self._played(sample, texts, objects, own)
            except UnansweredError as wrong:
                state, why = "WRONG", f"{wrong}\n{self._told(objects, own)}"
            for text in reversed(texts):
                self.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", text=text, own=own)
            self.kubectl("delete", "namespace", own, "--wait=false")
        return Ended(sample, state, time.monotonic() - started, why)

    @contextmanager
    def _alone(self, namespaces: set[str]) -> Iterator[None]:
        with self.guard:
            locks = [self.locks.setdefault(each, threading.Lock()) for each in sorted(namespaces)]
        for lock in locks:
            lock.acquire()
        try:
            yield
        finally:
            for lock in locks:
                lock.release()

    def _texts_as_written(self, sample: Sample) -> list[str]:
        return [(sample.file.parent / path).read_text() for path in (*sample.after, sample.file.name)]

    def _text(self, sample: Sample, path: str, own: str) -> str:
        text = (sample.file.parent / path if path else sample.file).read_text()
        for old, new in sample.edit:
            text = text.replace(old, new.format(namespace=own, **self.places))
        return text

    def _played(self, sample: Sample, texts: Sequence[str], objects: list[Any], own: str) -> tuple[str, str]:
        for text in texts:
            applied = self.kubectl("apply", "-f", "-", text=text, own=own)
            if applied.returncode:
                return "REFUSED", applied.stderr
        awaited = [each for each in objects if is_awaited(each)]
        if not awaited:
            return "TAKEN", ""
        state, why = self._end(sample, awaited, own)
        if state != "READY" or not sample.ask:
            return state, why
        asked = next((each for each in awaited if each["metadata"]["name"] == sample.of), awaited[-1])
        waits = sample.loads_later or sample.logs or any(each["kind"] == "TrainedModel" for each in awaited)
        deadline = time.monotonic() + _LOADS_SECONDS * bool(waits)
        while True:
            try:
                said = self._asked(sample, asked, own)
                if sample.logs and sample.logs not in (told := self._told(awaited, own)):
                    raise UnansweredError(f"no pod says {sample.logs}:\n{told}")
                return ("ANSWERED", said) if sample.says else (state, why)
            except UnansweredError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def _end(self, sample: Sample, awaited: list[Any], own: str) -> tuple[str, str]:
        deadline = time.monotonic() + (self.minutes or sample.minutes) * 60
        while time.monotonic() < deadline:
            if all(is_ready(self._get(each, own)) for each in awaited):
                return "READY", ""
            if sample.waits and sample.waits in (told := self._told(awaited, own)):
                return "WAITING", told
            time.sleep(_POLL_SECONDS)
        return "TIMEOUT", self._told(awaited, own)

    def _get(self, one: Any, own: str) -> Any:
        metadata = one["metadata"]
        path = f"/apis/{one['apiVersion']}/namespaces/{metadata.get('namespace', own)}"
        try:
            return self.server.call("GET", f"{path}/{_READY[one['kind']]}/{metadata['name']}")
        except HttpError as error:
            return {"status": {"error": str(error)}}

    def _asked(self, sample: Sample, one: Any, own: str) -> str:
        """The answer, of which all is held against what it must say. Raises UnansweredError."""
        name, namespace = one["metadata"]["name"], one["metadata"].get("namespace", own)
        file = sample.file.parent / sample.body.replace("{buckets}", self.places["buckets"])
        is_file = sample.body and len(sample.body) < 200 and file.is_file()
        body = file.read_bytes() if is_file else sample.body.encode()
        host = (sample.at or _host(self._get(one, own))).format(name=name, namespace=namespace)
        path = sample.ask.format(name=name, namespace=namespace)
        headers = {"content-type": "application/json", **({"host": host} if host else {})}
        request = urllib.request.Request(self.server.url + path, data=body or None, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                said = answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            if error.code != sample.code:
                raise UnansweredError(f"{path} at {host}: {error.code} {said[:2000]}") from error
        except OSError as error:
            raise UnansweredError(f"{path} at {host}: {error}") from error
        if sample.says and not holds(_value(said), _value(sample.says)):
            raise UnansweredError(f"{path} at {host}: {said[:2000]}")
        return said

    def _told(self, awaited: list[Any], own: str) -> str:
        """All that the objects and their pods say of how they are."""
        lines = [
            f"{each['kind']} {each['metadata']['name']}: {told_of(self._get(each, own))}"
            for each in awaited
            if is_awaited(each)
        ]
        for namespace in sorted({each["metadata"].get("namespace", own) for each in awaited}):
            lines += self._pods(namespace)
        return "\n".join(lines)

    def _pods(self, namespace: str) -> list[str]:
        lines = []
        for pod in self.server.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]:
            own, status = pod["metadata"]["name"], pod.get("status", {})
            kept = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
            told = [
                f"{each['name']}: {state} {one.get('reason', '')} {one.get('message', '')}"
                for each in kept
                for state, one in each.get("state", {}).items()
            ]
            told += [each["message"] for each in status.get("conditions") or () if each.get("message")]
            lines.append(f"pods {own}: {status.get('phase')} {'; '.join(told)}")
            for container in pod["spec"]["containers"]:
                path = f"/api/v1/namespaces/{namespace}/pods/{own}/log?container={container['name']}&tailLines=20"
                try:
                    lines += [f"    {line}" for line in self.server.text(path).splitlines()]
                except HttpError:
                    continue
        return lines


def documents(text: str) -> list[Any]:
    """The objects of a file; none where it is no YAML, which kubectl says itself. JSON may have tabs."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith(("---", "#"))).strip()
    try:
        read = [json.loads(bare)] if bare.startswith("{") else list(yaml.safe_load_all(text))
    except (ValueError, yaml.YAMLError):
        return []
    read = [each for each in read if isinstance(each, dict)]
    objects = [one for each in read for one in (each["items"] if each.get("kind") == "List" else [each])]
    return [each for each in objects if isinstance(each.get("metadata"), dict) and "kind" in each]


def is_awaited(one: Any) -> bool:
    return one["kind"] in _READY and (one["kind"] != "Service" or one["apiVersion"] != "v1")


def is_ready(found: Any) -> bool:
    status, generation = found.get("status") or {}, found.get("metadata", {}).get("generation", 0)
    if status.get("observedGeneration", generation) < generation:
        return False
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    if "state" in status:
        return bool(status["state"] == "Available")
    return conditions.get("Ready") == "True"


def told_of(found: Any) -> str:
    status = found.get("status") or {}
    told = [
        f"{each['type']}={each['status']} ({each.get('reason', '')}): {each.get('message', '')}"
        for each in status.get("conditions") or ()
        if each["status"] != "True"
    ]
    more = {key: status[key] for key in ("state", "description", "modelStatus", "error") if key in status}
    return "; ".join([*told, json.dumps(more)])


def _host(found: Any) -> str:
    address = (found.get("status") or {}).get("url") or ""
    return address.partition("://")[2].partition("/")[0] if isinstance(address, str) else ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def holds(said: Any, wanted: Any) -> bool:
    """Of objects all wanted fields, of lists as many; numbers to the third digit; `"*"` is anything."""
    if wanted == "*":
        return True
    if isinstance(wanted, dict):
        return isinstance(said, dict) and all(
            key in said and holds(said[key], each) for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(said, list)
            and len(said) == len(wanted)
            and all(holds(*pair) for pair in zip(said, wanted, strict=True))
        )
    if isinstance(wanted, float) and isinstance(said, int | float):
        return abs(said - wanted) <= 1e-3 * max(1.0, abs(wanted))
    if isinstance(wanted, str) and isinstance(said, str):
        return wanted in said
    return bool(said == wanted)


def project_of(folder: Path) -> str:
    for name, (sign, _) in _PROJECTS.items():
        if (folder / sign).is_dir():
            return name
    raise SystemExit(f"{folder} is a checkout of none of {', '.join(_PROJECTS)}")


def read_samples(checkouts: Mapping[str, Path], known: dict[str, Any]) -> list[Sample]:
    found = {}
    for project, folder in checkouts.items():
        below = folder / _PROJECTS[project][1]
        for file in sorted([*below.rglob("*.yaml"), *below.rglob("*.yml"), *below.rglob("*.json")]):
            if is_sample(project, file):
                found[f"{project}/{file.relative_to(below)}"] = file
    projects = {each.partition("/")[0] for each in found}
    if absent := sorted(each for each in known if each.partition("/")[0] in projects and each not in found):
        sys.exit(f"serving_yaml.toml names files that are not there: {', '.join(absent)}")
    return [Sample(name, file, **_row(name, known)) for name, file in found.items()]


def _row(name: str, known: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = known.get(name, {})
    return {**_SELDONS, **own} if name.startswith("seldon/") else own


def is_sample(project: str, file: Path) -> bool:
    if project != "seldon":
        return file.suffix != ".json" and "llmisvc" not in file.parts
    text = file.read_text(errors="replace")
    of_users = not {"helm-charts", "operator", "testing"} & set(file.parts)
    return of_users and bool(re.search(r"""["']?kind["']?: *["']?SeldonDeployment\b""", text))


def told(one: Ended) -> Ended:
    """Says it at once: all together take long."""
    mark = "  " if one.is_expected else "!!"
    print(f"{mark} {one.state:<9} {one.seconds:6.1f} s  {one.sample.name}", flush=True)
    if not one.is_expected or os.environ.get("SAMPAN_SAMPLES_TELL"):
        print("\n".join(f"      {line[:1500]}" for line in one.why.strip().splitlines()[:30]), flush=True)
    return one


def row(one: Ended) -> str:
    words = one.sample.why or one.sample.waits or one.sample.refused
    return f"| `{one.sample.name.partition('/')[2]}` | {one.state.lower()} | {words} |"


def prepare(runner: Runner, storage: str) -> None:
    """Where Google's buckets and the hub are."""
    names = ("STORAGE_EMULATOR_HOST", "HF_ENDPOINT")
    env = [{"name": name, "value": storage} for name in names]
    where = [{"op": "add", "path": "/spec/container/env", "value": env}]
    patched = runner.kubectl(
        "patch", "clusterstoragecontainer", "default", "--type=json", "-p", json.dumps(where)
    )
    assert patched.returncode == 0, patched.stderr


def known_images(
    told: Mapping[str, Any], checkouts: Mapping[str, Path], storage: str
) -> list[dict[str, Any]]:
    """Those whose programs are in the checkouts that are there, or that have to be told where the stores are."""
    of = {
        "kserve": tomllib.loads((_HERE / "serving.toml").read_text())["images"],
        "seldon": built(tomllib.loads((_HERE / "seldon.toml").read_text())),
    }
    found = []
    for project, folder in checkouts.items():
        for each in (*of.get(project, ()), *told["images"].get(project, ())):
            files = {path: str(folder / own) for path, own in each["files"].items() if own[0] != "{"}
            env = {name: value.format(stores=storage) for name, value in each.get("env", {}).items()}
            found.append({**each, "env": env, "files": {**each["files"], **files}})
    return found


def make(home: Path, told: Mapping[str, Any], root: Path, checkouts: Mapping[str, Path]) -> None:
    """All models: those of upstream's tests first, for some of ours are copies."""
    if kserve := checkouts.get("kserve"):
        known = tomllib.loads((_HERE / "serving.toml").read_text())["models"]
        make_models(home, known, root, kserve, kserve / "test/e2e/data")
        make_models(
            home,
            own_names("yaml", told["models"]),
            root,
            kserve,
            kserve / "test/e2e/data",
            "serving_yaml_models.py",
        )
    if seldon := checkouts.get("seldon"):
        known = tomllib.loads((_HERE / "seldon.toml").read_text())["models"]
        make_models(home, own_names("seldon", known), root, seldon, seldon, "seldon_models.py")


def own_names(prefix: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Others have made models of the same names."""
    return {f"{prefix}-{name}": {**each, "maker": name} for name, each in known.items()}


def fill(s3: S3, root: Path) -> None:
    """The buckets that samples name as S3's."""
    own = root / ".s3"
    files = [each for each in own.rglob("*") if each.is_file()]
    listed = [(each.relative_to(own).parts[0], each) for each in files]
    told = [(bucket, str(each.relative_to(own / bucket)), str(each)) for bucket, each in listed]
    model = str(root / "kfserving-examples/models/sklearn/1.0/model/model.joblib")
    told.append(("example-models", "sklearn/model.joblib", model))
    s3.fill(interpreter_with("boto3"), sorted({bucket for bucket, *_ in told}), told)


def places(storage: str, root: Path, s3: S3) -> dict[str, str]:
    """What edits may name."""
    keys = {"access_key": s3.access_key, "secret_key": s3.secret_key}
    encoded = {f"{name}_b64": base64.b64encode(key.encode()).decode() for name, key in keys.items()}
    return {"stores": storage, "buckets": str(root), "s3": f"127.0.0.1:{s3.port}", **keys, **encoded}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--buckets", type=Path, help="models that were made before are not made again")
    parser.add_argument("--jobs", type=int, default=2, help="samples at a time")
    parser.add_argument(
        "--minutes", type=float, default=0, help="for each, in the place of what its row says"
    )
    parser.add_argument("--table", action="store_true", help="print the rows of README.md")
    given = parser.parse_args()
    told_all: dict[str, Any] = tomllib.loads((_HERE / "serving_yaml.toml").read_text())
    checkouts = {project_of(each): each.resolve() for each in given.folders}
    read = read_samples(checkouts, told_all["samples"])
    samples = [each for each in read if any(only in each.name for only in given.only)]
    with tempfile.TemporaryDirectory(prefix="sampan-yaml-", ignore_cleanup_errors=True) as scratch:
        home = home_with_frameworks(given.home or Path(scratch) / "home")
        root = (given.buckets or Path(scratch) / "buckets").resolve()
        root.mkdir(parents=True, exist_ok=True)
        kubeconfigs = Path(scratch) / "kubeconfigs"
        kubeconfigs.mkdir()
        make(home, told_all, root, checkouts)
        server = ServerProcess(home, options=("--port", "0", "--s3"))
        with stores(root) as storage:
            images(home, known_images(told_all, checkouts, storage), root, root)
            server.start()
            s3 = s3_of(home)
            fill(s3, root)
            runner = Runner(server, places(storage, root, s3), kubeconfigs, given.minutes)
            prepare(runner, storage)
            try:
                with ThreadPoolExecutor(given.jobs) as pool:
                    ended = list(pool.map(lambda each: told(runner.run(each)), samples))
            finally:
                server.stop()
    if given.table:
        print("\n".join(map(row, ended)))
    wrong = [one for one in ended if not one.is_expected]
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
