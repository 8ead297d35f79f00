"""Runs upstream's training examples on a server of their own and says how each ended.

    python tests/samples/training.py FOLDER... [--only TEXT] [--home DIR] [--jobs 1] [--table]

Each FOLDER is a checkout of kubeflow/training-operator, kubeflow/trainer or kubeflow/mpi-operator; nothing of them is
kept here. YAML goes through kubectl, notebooks and Python through the SDK that they are for, unmodified but for what
`training.toml` edits: where an example asks for a GPU, for more CPUs than this machine has, or for the internet. It
also says what each must end as. README.md has the table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sampan.testing.clients import interpreter_with, kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

_HERE = Path(__file__).parent
_CHECKOUTS = {
    "training-operator": "examples/pytorch/simple.yaml",
    "trainer": "examples/yaml/01-multi-node.yaml",
    "mpi-operator": "examples/v2beta1/pi/pi.yaml",
}
_JOBS = {"PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "JAXJob", "PaddleJob", "TrainJob"}
_KUBECTL = "1.37.1"
_ENDS = {"Succeeded": "SUCCEEDED", "Complete": "SUCCEEDED", "Failed": "FAILED"}
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Example:
    """One file, and what `training.toml` says of it."""

    name: str
    file: Path
    edit: Sequence[Sequence[str]] = ()
    """Pairs: a text, and what stands for it."""
    sdk: Sequence[str] = ()
    """For notebooks and Python: what is installed."""
    pytest: bool = False
    after: str = ""
    """Needs what another one leaves behind."""
    minutes: float = 6
    fails: str = ""
    waits: str = ""
    lacks: str = ""
    """What this machine would have to have; then any end is expected."""
    refused: str = ""
    """The API says so."""
    why: str = ""

    @property
    def expected(self) -> str:
        if self.refused:
            return "REFUSED"
        return "WAITING" if self.waits else "FAILED" if self.fails else "SUCCEEDED"

    @property
    def driver(self) -> str:
        return self.sdk[0] if self.sdk else "kubectl"


@dataclass(frozen=True)
class Ended:
    example: Example
    state: str
    seconds: float
    why: str = ""

    @property
    def is_expected(self) -> bool:
        says = self.example.fails or self.example.waits or self.example.refused
        return self.state == self.example.expected and says in self.why


@dataclass
class Runner:
    """One server, and the way to it."""

    server: ServerProcess
    scratch: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """In the home, which every pod sees."""
        return self.server.home / "volumes" / "data-of-the-examples"

    def __post_init__(self) -> None:
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "KUBECONFIG": str(self.server.home / "kubeconfig"),
            "HOME": str(self.scratch),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, example: Example) -> Ended:
        started = time.monotonic()
        state, why = self._program(example) if example.sdk else self._manifest(example)
        return Ended(example, state, time.monotonic() - started, why)

    def kubectl(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [kubectl(_KUBECTL), *words]
        return subprocess.run(
            command, input=text, env=self.environ, capture_output=True, text=True, check=False
        )

    def _manifest(self, example: Example) -> tuple[str, str]:
        text = edited(example, self.data)
        applied = self.kubectl("apply", "-f", "-", text=text)
        if applied.returncode:
            return "REFUSED", applied.stderr
        jobs = [each for each in yaml.safe_load_all(text) if each and each.get("kind") in _JOBS]
        state, why = "SUCCEEDED", ""
        for job in jobs:
            state, why = self._end(example, job)
            if state != "SUCCEEDED":
                break
        self.kubectl("delete", "--wait=true", "--ignore-not-found", "-f", "-", text=without_claims(text))
        return state, why

    def _end(self, example: Example, job: dict[str, Any]) -> tuple[str, str]:
        """How the job ends, or that it waits for what it was expected to wait for."""
        namespace, name = job["metadata"].get("namespace", "default"), job["metadata"]["name"]
        path = f"/apis/{job['apiVersion']}/namespaces/{namespace}/{job['kind'].lower()}s/{name}"
        deadline = time.monotonic() + example.minutes * 60
        told = ""
        while time.monotonic() < deadline:
            conditions = self.server.call("GET", path).get("status", {}).get("conditions") or []
            for each in conditions:
                if each["type"] in _ENDS and each["status"] == "True":
                    state = _ENDS[each["type"]]
                    why = (
                        ""
                        if state == "SUCCEEDED"
                        else f"{each.get('message')}\n{self._logs(namespace, name)}"
                    )
                    return state, why
            told = "\n".join(
                [*(str(each.get("message")) for each in conditions), *self._waiting(namespace, name)]
            )
            if (example.waits and example.waits in told) or "ErrImagePull" in told:
                return "WAITING", told
            time.sleep(_POLL_SECONDS)
        return "TIMEOUT", f"{told}\n{self._logs(namespace, name)}"

    def _waiting(self, namespace: str, name: str) -> Iterator[str]:
        """Why its pods do not start."""
        for pod in self._pods(namespace, name):
            status = pod.get("status", {})
            yield from (str(each.get("message") or "") for each in status.get("conditions") or ())
            for container in status.get("containerStatuses") or ():
                yield str(container.get("state", {}).get("waiting", {}).get("message") or "")

    def _pods(self, namespace: str, name: str) -> list[dict[str, Any]]:
        listed = self.server.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
        return [pod for pod in listed if pod["metadata"]["name"].startswith(f"{name}-")]

    def _logs(self, namespace: str, name: str) -> str:
        found = []
        for pod in self._pods(namespace, name):
            own = pod["metadata"]["name"]
            try:
                text = self.server.text(f"/api/v1/namespaces/{namespace}/pods/{own}/log?tailLines=15")
            except HttpError as error:
                text = str(error)
            found.append(f"--- {own}\n{text}")
        return "\n".join(found)

    def _program(self, example: Example) -> tuple[str, str]:
        python = interpreter_with(*example.sdk)
        if example.pytest:
            # Upstream's tests are a package of their own, below the SDK.
            folder = self.scratch / example.file.stem
            shutil.copytree(example.file.parents[1], folder / "test")
            file = folder / "test" / "e2e" / example.file.name
            file.write_text(edited(example, self.data))
            command = [str(python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(file)]
            command += ["--namespace", "default"]
        else:
            folder = self.scratch
            script = self.scratch / f"{example.file.stem.replace('-', '_')}.py"
            script.write_text(edited(example, self.data))
            command = [str(python), "-W", "ignore", str(script)]
        environ = {**self.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            ended = subprocess.run(
                command,
                cwd=folder,
                env=environ,
                capture_output=True,
                text=True,
                timeout=example.minutes * 60,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return "TIMEOUT", str(error.stdout or "")[-3000:]
        said = ended.stdout + ended.stderr
        return ("FAILED", said[-4000:]) if ended.returncode else ("SUCCEEDED", said)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print the rows of README.md")
    given = parser.parse_args()
    examples = [each for each in read_examples(given.folders) if given.only in each.name]
    with tempfile.TemporaryDirectory(prefix="sampan-training-", ignore_cleanup_errors=True) as folder:
        home = home_with_frameworks(given.home or Path(folder) / "home")
        (home / "images.toml").write_text(images(given.folders))
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        with ServerProcess(home) as server, ThreadPoolExecutor(given.jobs) as pool:
            runner = Runner(server, scratch)
            prepared = runner.kubectl("apply", "-f", str(_HERE / "training-cluster.yaml"))
            assert prepared.returncode == 0, prepared.stderr
            write_digits(runner.data)
            ended = list(pool.map(lambda each: told(runner.run(each)), examples))
    if given.table:
        print("\n".join(map(row, ended)))
    wrong = [one for one in ended if not one.is_expected and not one.example.lacks]
    succeeded = sum(one.state == "SUCCEEDED" for one in ended)
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected, {succeeded} of them well")
    return 1 if wrong else 0


def told(one: Ended) -> Ended:
    """Says it at once: all together take long."""
    mark = "  " if one.is_expected else "?!" if one.example.lacks else "!!"
    print(f"{mark} {one.state:<10} {one.seconds:6.1f} s  {one.example.name}", flush=True)
    if not one.is_expected:
        print("\n".join(f"      {line}" for line in one.why.strip().splitlines()[-40:]), flush=True)
    return one


def row(one: Ended) -> str:
    words = (
        one.example.why or one.example.lacks or one.example.waits or one.example.fails or one.example.refused
    )
    return f"| `{one.example.name}` | {one.example.driver} | {one.state.capitalize()} | {words} |"


def read_examples(folders: Sequence[Path]) -> list[Example]:
    """In an order in which those come first that others need."""
    known: dict[str, Any] = tomllib.loads((_HERE / "training.toml").read_text())
    found: dict[str, Example] = {}
    for checkout, folder in checkouts(folders).items():
        files = {f"{checkout}/{file.relative_to(folder)}": file for file in manifests(folder)}
        files |= {name: folder / name.partition("/")[2] for name in known if name.startswith(f"{checkout}/")}
        if absent := sorted(name for name, file in files.items() if not file.exists()):
            sys.exit(f"training.toml names files that {folder} lacks: {', '.join(absent)}")
        found |= {name: Example(name, file, **known.get(name, {})) for name, file in files.items()}
    return sorted(found.values(), key=lambda each: (bool(each.after), bool(each.sdk), each.name))


def checkouts(folders: Sequence[Path]) -> dict[str, Path]:
    found = {}
    for folder in folders:
        name = next((name for name, file in _CHECKOUTS.items() if (folder / file).exists()), "")
        if not name:
            sys.exit(f"{folder} is no checkout of {', '.join(_CHECKOUTS)}")
        found[name] = folder.resolve()
    return found


def manifests(folder: Path) -> list[Path]:
    """The files that hold a job."""
    found = []
    for file in sorted((folder / "examples").rglob("*.yaml")):
        kinds = {each.get("kind") for each in yaml.safe_load_all(file.read_text()) if isinstance(each, dict)}
        if kinds & _JOBS:
            found.append(file)
    return found


def images(folders: Sequence[Path]) -> str:
    """What images of examples hold that nobody publishes: upstream's own programs, in their checkout."""
    text = (_HERE / "training-images.toml").read_text()
    for name, folder in checkouts(folders).items():
        text = text.replace(f"{{{name}}}", str(folder))
    # A table whose checkout is not at hand is of no use.
    tables = text.split("[[image]]")[1:]
    return "".join(
        f"[[image]]{each}" for each in tables if not any(f"{{{name}}}" in each for name in _CHECKOUTS)
    )


def edited(example: Example, data: Path) -> str:
    """`data` is where the data sets are that `{data}` in an edit means."""
    text = example.file.read_text()
    if example.file.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        lines = (line for cell in cells for line in ("".join(cell["source"]) + "\n").splitlines())
        text = "\n".join(line for line in lines if not line.lstrip().startswith(("!", "%", "#!", "# !")))
    for old, new in example.edit:
        if old not in text:
            raise SystemExit(f"{example.name} holds no {old!r}")
        text = text.replace(old, new.replace("{data}", str(data)))
    return text


def write_digits(folder: Path) -> None:
    """What MNIST and FashionMNIST are in, as torchvision and as notebooks look for them: bars in place of digits."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part, short, count in (("train", "train", 3000), ("t10k", "test", 500)):
        labels = bytes(number % 10 for number in range(count))
        pictures = b"".join(
            bytes(220 if row // 3 == label else (row * number) % 40 for row in range(28) for _ in range(28))
            for number, label in enumerate(labels)
        )
        images = struct.pack(">4I", 2051, count, 28, 28) + pictures
        (raw / f"{part}-images-idx3-ubyte").write_bytes(images)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, count) + labels)
        (folder / f"{short}-images.gz").write_bytes(gzip.compress(images, 1))
        (folder / f"{short}-labels.gz").write_bytes(gzip.compress(struct.pack(">2I", 2049, count) + labels))


def without_claims(text: str) -> str:
    """What may go once the example is over: later ones read what earlier ones have written."""
    kept = [each for each in yaml.safe_load_all(text) if each and each["kind"] != "PersistentVolumeClaim"]
    return yaml.safe_dump_all(kept)


if __name__ == "__main__":
    sys.exit(main())
