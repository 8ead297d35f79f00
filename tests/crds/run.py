"""Applies CustomResourceDefinitions with kubectl on a server of their own and uses each as its users would.

    python tests/crds/run.py FOLDER [--kubectl 1.36.3 --kubectl 1.37.1] [--only TEXT]

FOLDER holds definitions in YAML files, at any depth, and samples of their kinds, as upstream's checkouts have
them; nothing of it is kept here. For each definition: server-side apply, explain, each sample (or the least that
the schema asks for) created, listed with its columns, its status patched, deleted; the sample with one value of a
wrong type refused; then the definition deleted and applied again, client-side. README.md says what fails, and why.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from sampan.testing.clients import kubectl
from sampan.testing.server import ServerProcess

Object = dict[str, Any]
_ANNOTATION_LIMIT = 262144
_NAMESPACE = "samples"


@dataclass
class Definition:
    """One definition, where it stands, and the samples of its kind."""

    raw: Object
    samples: list[Object] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.raw["spec"]["names"]["kind"])

    @property
    def is_namespaced(self) -> bool:
        return bool(self.raw["spec"]["scope"] == "Namespaced")

    def version(self, name: str = "") -> Object:
        """The version of that name, or the one that is stored."""
        return next(
            each
            for each in self.raw["spec"]["versions"]
            if (each["name"] == name if name else each["storage"])
        )

    def schema(self, version: str = "") -> Object:
        return (self.version(version).get("schema") or {}).get("openAPIV3Schema") or {}

    def minimal(self) -> Object:
        """The least that the schema asks for."""
        version = self.version()["name"]
        made = least({**self.schema(), "type": "object"}, depth=0)
        made.update(
            apiVersion=f"{self.raw['spec']['group']}/{version}", kind=self.kind, metadata={"name": "minimal"}
        )
        return made


@dataclass
class Runner:
    """kubectl against one server; `wrong` gathers what did not go as it must."""

    program: Path
    home: Path
    wrong: list[str] = field(default_factory=list)
    calls: int = 0

    def kubectl(self, *arguments: str, given: Any = None) -> subprocess.CompletedProcess[str]:
        self.calls += 1
        return subprocess.run(
            [self.program, "--kubeconfig", self.home / "kubeconfig", *arguments],
            input=None if given is None else json.dumps(given),
            env={"HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def must(self, what: str, *arguments: str, given: Any = None, says: str = "") -> str:
        done = self.kubectl(*arguments, given=given)
        if done.returncode or says not in done.stdout:
            self.tell(what, arguments, done)
        return done.stdout

    def must_not(self, what: str, *arguments: str, given: Any = None, says: str = "") -> None:
        done = self.kubectl(*arguments, given=given)
        if not done.returncode or says not in done.stderr:
            self.tell(f"{what}: should have been refused", arguments, done)

    def tell(self, what: str, arguments: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> None:
        said = (done.stderr or done.stdout).strip()
        shown = said if len(said) < 700 else f"{said[:400]} […] {said[-250:]}"
        self.wrong.append(f"{what}: kubectl {' '.join(arguments)}\n    {shown}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kubectl", action="append")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    definitions = [each for each in read(given.folder) if given.only in each.name]
    wrong: list[str] = []
    for version in given.kubectl or ["1.36.3", "1.37.1"]:
        with (
            tempfile.TemporaryDirectory(prefix="sampan-crds-", ignore_cleanup_errors=True) as folder,
            ServerProcess(Path(folder) / "home") as server,
        ):
            runner = Runner(kubectl(version), server.home)
            started = time.monotonic()
            runner.must("namespace", "create", "namespace", _NAMESPACE)
            idle = memory(server)
            for each in definitions:
                server_side(runner, each)
            defined = memory(server)
            for each in definitions:
                use(runner, each)
            used = memory(server)
            for each in definitions:
                client_side(runner, each)
            wrong += [f"kubectl {version}: {each}" for each in runner.wrong]
            print(
                f"kubectl {version}: {len(definitions)} definitions, {runner.calls} calls,"
                f" {len(runner.wrong)} not as expected, {time.monotonic() - started:.0f} s;"
                f" memory {idle} MB idle, {defined} defined, {used} used, {memory(server)} in the end"
            )
    for each in wrong:
        print(each)
    return 1 if wrong else 0


def read(folder: Path) -> list[Definition]:
    """The definitions of all files, each with at most three samples. A later file of the same name is left out."""
    documents: list[Object] = []
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml"), *folder.rglob("*.json")]):
        try:
            found = list(
                yaml.load_all(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            )
        except yaml.YAMLError:
            print(f"not read, no YAML: {file}")
            continue
        documents += [each for each in found if isinstance(each, dict) and isinstance(each.get("kind"), str)]
    definitions: dict[str, Definition] = {}
    for each in documents:
        if each["kind"] == "CustomResourceDefinition":
            definitions.setdefault(each["metadata"]["name"], Definition(each))
    by_kind: dict[tuple[str, str], list[Definition]] = defaultdict(list)
    for definition in definitions.values():
        by_kind[definition.raw["spec"]["group"], definition.kind].append(definition)
    for each in documents:
        group = str(each.get("apiVersion", "")).partition("/")[0]
        for definition in by_kind.get((group, each["kind"]), ()):
            if len(definition.samples) < 3:
                definition.samples.append(each)
    return list(definitions.values())


def memory(server: ServerProcess) -> int:
    assert server.process is not None
    return int(psutil.Process(server.process.pid).memory_info().rss / 1_000_000)


def server_side(runner: Runner, definition: Definition) -> None:
    runner.must(
        definition.name, "apply", "--server-side", "--force-conflicts", "-f", "-", given=definition.raw
    )
    runner.must(
        definition.name, "wait", "--for=condition=Established", "--timeout=30s", f"crd/{definition.name}"
    )


def use(runner: Runner, definition: Definition) -> None:
    name = definition.name
    runner.must(name, "explain", name, says=definition.kind)
    if "spec" in (definition.schema().get("properties") or {}):
        runner.must(
            name, "explain", f"{name.partition('.')[0]}.spec", f"--api-version={api_version(definition)}"
        )
    samples = definition.samples or [definition.minimal()]
    for number, sample in enumerate(samples):
        one_sample(runner, definition, sample, number)


def api_version(definition: Definition) -> str:
    return f"{definition.raw['spec']['group']}/{definition.version()['name']}"


def one_sample(runner: Runner, definition: Definition, sample: Object, number: int) -> None:
    name = definition.name
    made = copy.deepcopy(sample)
    made["metadata"] = {
        key: value for key, value in (made.get("metadata") or {}).items() if key in ("labels", "annotations")
    }
    made["metadata"]["name"] = called = f"sample-{number}"
    where = ("-n", _NAMESPACE) if definition.is_namespaced else ()
    what = f"{name} ({'a sample' if definition.samples else 'the least'})"
    version = made["apiVersion"].partition("/")[2]
    if version not in [each["name"] for each in definition.raw["spec"]["versions"]]:
        return
    before = len(runner.wrong)
    runner.must(what, "create", "-f", "-", *where, given=made)
    if len(runner.wrong) > before:
        return
    columns = [
        each["name"].upper()
        for each in definition.version().get("additionalPrinterColumns") or ()
        if not each.get("priority")
    ]
    table = runner.must(what, "get", name, *where, called)
    if missing := [each for each in columns if each not in table.partition("\n")[0]]:
        runner.wrong.append(f"{what}: columns {missing} are not in {table!r}")
    runner.must(what, "get", name, *where, called, "-o", "yaml", says=called)
    runner.must(what, "apply", "--server-side", "--force-conflicts", "-f", "-", *where, given=made)
    if "status" in (definition.version(version).get("subresources") or {}):
        given = json.dumps({"status": least_status(definition.schema(version))})
        runner.must(what, "patch", name, called, *where, "--subresource=status", "--type=merge", "-p", given)
    for broken in list(spoiled(made, definition.schema(version)))[:1]:
        broken["metadata"]["name"] = "broken"
        runner.must_not(
            what, "create", "-f", "-", "--validate=false", *where, given=broken, says="Invalid value"
        )
        runner.must_not(what, "create", "-f", "-", *where, given=broken)
    runner.must(what, "delete", name, *where, called, "--timeout=30s")


def client_side(runner: Runner, definition: Definition) -> None:
    name = definition.name
    runner.must(name, "delete", "crd", name, "--timeout=60s")
    # Client-side apply keeps the whole object in an annotation: so long ones are refused on every cluster.
    if len(json.dumps(definition.raw, separators=(",", ":"))) > _ANNOTATION_LIMIT:
        runner.must_not(name, "apply", "-f", "-", given=definition.raw, says="Too long")
        runner.must(name, "create", "-f", "-", given=definition.raw)
    else:
        runner.must(name, "apply", "-f", "-", given=definition.raw)
        # A status in the file is told as a change each time, on every cluster: nobody takes it over.
        told = "configured" if "status" in definition.raw else "unchanged"
        runner.must(name, "apply", "-f", "-", given=definition.raw, says=told)


def least(schema: Object, depth: int) -> Any:
    """A value that holds what `schema` requires."""
    if "default" in schema:
        return copy.deepcopy(schema["default"])
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("x-kubernetes-int-or-string"):
        return 1
    match schema.get("type"):
        case "object":
            wanted = set(schema.get("required") or ())
            if depth == 0 and "spec" in (schema.get("properties") or {}):
                wanted.add("spec")
            made = {key: least(schema["properties"][key], depth + 1) for key in wanted - {"metadata"}}
            properties = schema.get("properties") or {}
            for key in list(properties)[: max(0, schema.get("minProperties", 0) - len(made))]:
                made.setdefault(key, least(properties[key], depth + 1))
            return made
        case "array":
            return [least(schema.get("items") or {}, depth + 1) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            if schema.get("format") == "date-time":
                return "2026-01-01T00:00:00Z"
            return "x" * max(1, schema.get("minLength", 0))
    return {}


def least_status(schema: Object) -> Any:
    status = (schema.get("properties") or {}).get("status") or {"type": "object"}
    return least(status, 1)


def spoiled(sample: Object, schema: Object) -> Iterator[Object]:
    """Copies of the sample with a value of the wrong type in one place that the schema describes."""
    for path, type_ in places(sample, schema, ()):
        broken = copy.deepcopy(sample)
        at: Any = broken
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = ["wrong"] if type_ != "array" else "wrong"
        yield broken


def places(value: Any, schema: Object, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            below = (schema.get("properties") or {}).get(key) or schema.get("additionalProperties")
            if isinstance(below, dict) and key not in ("metadata", "apiVersion", "kind", "status"):
                if below.get("type") and not below.get("x-kubernetes-int-or-string"):
                    yield (*path, key), below["type"]
                yield from places(each, below, (*path, key))
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for at, each in enumerate(value):
            yield from places(each, schema["items"], (*path, at))


if __name__ == "__main__":
    sys.exit(main())
