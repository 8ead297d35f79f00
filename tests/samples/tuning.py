"""Runs upstream's example experiments on a server of their own and says how each ended.

    python tests/samples/tuning.py FOLDER [--only TEXT ...] [--home DIR] [--table]

FOLDER is a checkout of kubeflow/katib 0.19; nothing of it is kept here. kubectl applies each, with as few trials as
upstream's own end-to-end test gives it (test/e2e/v1beta1/scripts/gh-actions/run-e2e-experiment.py), and what has come
of it is verified as that test does (verify.py beside it). `tuning.toml` says what else is edited and what must end
otherwise. README.md has the table.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sampan.testing.clients import kubectl
from sampan.testing.homes import home_with_frameworks
from sampan.testing.server import HttpError, ServerProcess

_HERE = Path(__file__).parent
_EXAMPLES = "examples/v1beta1"
_TEMPLATES = "manifests/v1beta1/components/controller/trial-templates.yaml"
_KUBECTL = "1.37.1"
_POLL_SECONDS = 0.5
_WHOLE = {"hyperband", "darts"}
"""Algorithms whose count of trials upstream's test leaves alone."""
_RESUMED = {"from-volume-resume", "long-running-resume"}
_MATTER = ("Running", "Suggested", "MetricsUnavailable", "Failed", "Succeeded", "Created")


@dataclass(frozen=True)
class Example:
    """One file, and what `tuning.toml` says of it."""

    name: str
    file: Path
    edit: Sequence[Sequence[str]] = ()
    """Pairs: a text, and what stands for it."""
    minutes: float = 6
    fails: str = ""
    waits: str = ""
    refused: str = ""
    """The API says so."""
    why: str = ""

    @property
    def expected(self) -> str:
        if self.refused:
            return "REFUSED"
        return "WAITING" if self.waits else "FAILED" if self.fails else "SUCCEEDED"

    def experiment(self) -> Any:
        text = self.file.read_text()
        for old, new in self.edit:
            if old not in text:
                raise SystemExit(f"{self.name} holds no {old!r}")
            text = text.replace(old, new)
        return with_few_trials(yaml.safe_load(text))


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


class UnverifiedError(Exception):
    """What has come of an experiment is not what upstream's test wants."""


def with_few_trials(experiment: Any) -> Any:
    """As run-e2e-experiment.py does it."""
    spec = experiment["spec"]
    if spec["algorithm"]["algorithmName"] not in _WHOLE:
        parallel = experiment["metadata"]["name"] == "random"
        spec |= {
            "maxTrialCount": 2 + parallel,
            "parallelTrialCount": 1 + parallel,
            "maxFailedTrialCount": 0,
        }
    return experiment


@dataclass
class Runner:
    """One server, and the way to it."""

    server: ServerProcess
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ = {**os.environ, "KUBECONFIG": str(self.server.home / "kubeconfig")}

    def kubectl(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [kubectl(_KUBECTL), *words]
        return subprocess.run(
            command, input=text, env=self.environ, capture_output=True, text=True, check=False
        )

    def run(self, example: Example) -> Ended:
        started = time.monotonic()
        experiment = example.experiment()
        text = yaml.safe_dump(experiment)
        applied = self.kubectl("apply", "-f", "-", text=text)
        if applied.returncode:
            return Ended(example, "REFUSED", time.monotonic() - started, applied.stderr)
        try:
            state, why = self._played(example, experiment)
        except UnverifiedError as wrong:
            state, why = "WRONG", f"{wrong}\n{self._told(experiment)}"
        deleted = self.kubectl("delete", "--wait=true", "--timeout=60s", "-f", "-", text=text)
        if deleted.returncode and state == "SUCCEEDED":
            state, why = "WRONG", deleted.stderr
        return Ended(example, state, time.monotonic() - started, why)

    def _played(self, example: Example, experiment: Any) -> tuple[str, str]:
        state, why = self._end(example, experiment)
        name, namespace = experiment["metadata"]["name"], experiment["metadata"]["namespace"]
        if state == "SUCCEEDED" and name in _RESUMED:
            counts = {key: experiment["spec"][key] + 1 for key in ("maxTrialCount", "parallelTrialCount")}
            patch = yaml.safe_dump({"spec": counts})
            patched = self.kubectl("patch", "experiment", name, "-n", namespace, "--type=merge", "-p", patch)
            if patched.returncode:
                raise UnverifiedError(patched.stderr)
            more = counts["maxTrialCount"]
            state, why = self._end(example, experiment, lambda found: len(_trial_names(found)) == more)
        if state == "SUCCEEDED":
            self._verify(self._get("experiments", namespace, name))
        return state, why

    def _end(
        self, example: Example, experiment: Any, is_it: Callable[[Any], bool] = lambda _: True
    ) -> tuple[str, str]:
        """How it ends, or that it waits for what it was expected to wait for."""
        name, namespace = experiment["metadata"]["name"], experiment["metadata"]["namespace"]
        deadline = time.monotonic() + example.minutes * 60
        while time.monotonic() < deadline:
            found = self._get("experiments", namespace, name)
            conditions = _true(found)
            if "Succeeded" in conditions and is_it(found):
                return "SUCCEEDED", ""
            if "Failed" in conditions:
                return "FAILED", self._told(experiment)
            if example.waits and example.waits in (told := self._told(experiment)):
                return "WAITING", told
            time.sleep(_POLL_SECONDS)
        return "TIMEOUT", self._told(experiment)

    def _get(self, plural: str, namespace: str, name: str) -> Any:
        path = f"/apis/kubeflow.org/v1beta1/namespaces/{namespace}/{plural}/{name}"
        return self.server.call("GET", path)

    def _verify(self, experiment: Any) -> None:
        """As verify.py does it."""
        name, namespace = experiment["metadata"]["name"], experiment["metadata"]["namespace"]
        spec, status = experiment["spec"], experiment["status"]
        objective = spec["objective"]
        metrics = {
            each["name"]: each for each in status["currentOptimalTrial"]["observation"].get("metrics", ())
        }
        if objective["objectiveMetricName"] not in metrics:
            raise UnverifiedError(f"no best {objective['objectiveMetricName']}: {metrics}")
        best = metrics[objective["objectiveMetricName"]]
        reason = _true(experiment)["Succeeded"]["reason"]
        completed = status.get("trialsSucceeded", 0) + status.get("trialsEarlyStopped", 0)
        if reason == "ExperimentMaxTrialsReached" and completed != spec["maxTrialCount"]:
            raise UnverifiedError(f"{completed} trials completed of {spec['maxTrialCount']}")
        if reason == "ExperimentGoalReached":
            low, goal = objective["type"] == "minimize", float(objective["goal"])
            if float(best["min"]) > goal if low else float(best["max"]) < goal:
                raise UnverifiedError(f"the goal {goal} is not reached by {best}")
        self._verify_suggestion(name, namespace, spec)

    def _verify_suggestion(self, name: str, namespace: str, spec: Any) -> None:
        policy = spec.get("resumePolicy", "Never")
        expected = "Running" if policy == "LongRunning" else "Succeeded"
        deadline = time.monotonic() + 30
        while expected not in (true := _true(self._get("suggestions", namespace, name))):
            # It ends after the experiment.
            if time.monotonic() > deadline:
                raise UnverifiedError(f"the suggestion of {policy} is {sorted(true)}")
            time.sleep(_POLL_SECONDS)
        service = f"{name}-{spec['algorithm']['algorithmName']}"
        if policy == "FromVolume":
            found = self.kubectl("get", "persistentvolumeclaim", service, "-n", namespace)
            if found.returncode:
                raise UnverifiedError(found.stderr)
        if (
            policy != "LongRunning"
            and not self.kubectl("get", "deployment", service, "-n", namespace).returncode
        ):
            raise UnverifiedError(f"the deployment {service} is still there")

    def _told(self, experiment: Any) -> str:
        """All that experiment, suggestion, trials and pods say of how they are."""
        name, namespace = experiment["metadata"]["name"], experiment["metadata"]["namespace"]
        base = f"/apis/kubeflow.org/v1beta1/namespaces/{namespace}"
        lines = []
        for plural in ("experiments", "suggestions", "trials"):
            for each in self.server.call("GET", f"{base}/{plural}")["items"]:
                own = each["metadata"]["name"]
                if own == name or own.startswith(f"{name}-"):
                    lines += [
                        f"{plural} {own}: {kind} ({one.get('reason')}): {one.get('message')}"
                        for kind, one in _true(each).items()
                        if kind in _MATTER
                    ]
        return "\n".join([*lines, *self._pods(name, namespace)])

    def _pods(self, name: str, namespace: str) -> list[str]:
        lines = []
        for pod in self.server.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]:
            own = pod["metadata"]["name"]
            if not own.startswith(f"{name}-"):
                continue
            status = pod.get("status", {})
            states = [each.get("state", {}) for each in status.get("containerStatuses") or ()]
            told = [each.get("waiting", {}).get("message") for each in states]
            told += [each.get("message") for each in status.get("conditions") or ()]
            lines.append(f"pods {own}: {status.get('phase')} {'; '.join(filter(None, told))}")
            container = pod["spec"]["containers"][0]["name"]
            try:
                path = f"/api/v1/namespaces/{namespace}/pods/{own}/log?container={container}&tailLines=8"
                lines += [f"    {line}" for line in self.server.text(path).splitlines()]
            except HttpError as error:
                lines.append(f"    {error}")
        return lines


def _true(found: Any) -> dict[str, Any]:
    conditions = found.get("status", {}).get("conditions") or ()
    return {each["type"]: each for each in conditions if each["status"] == "True"}


def _trial_names(experiment: Any) -> list[str]:
    return [
        *experiment["status"].get("succeededTrialList", ()),
        *experiment["status"].get("earlyStoppedTrialList", ()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--table", action="store_true", help="print the rows of README.md")
    given = parser.parse_args()
    read = read_examples(given.folder)
    examples = [each for only in given.only for each in read if only in each.name]
    with tempfile.TemporaryDirectory(prefix="sampan-tuning-", ignore_cleanup_errors=True) as folder:
        home = home_with_frameworks(given.home or Path(folder) / "home")
        with ServerProcess(home) as server:
            runner = Runner(server)
            for file in (_HERE / "tuning-cluster.yaml", given.folder / _TEMPLATES):
                prepared = runner.kubectl("apply", "-f", str(file))
                assert prepared.returncode == 0, prepared.stderr
            ended = [told(runner.run(each)) for each in examples]
    if given.table:
        print("\n".join(map(row, ended)))
    wrong = [one for one in ended if not one.is_expected]
    succeeded = sum(one.state == "SUCCEEDED" for one in ended)
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected, {succeeded} of them well")
    return 1 if wrong else 0


def told(one: Ended) -> Ended:
    """Says it at once: all together take long."""
    mark = "  " if one.is_expected else "!!"
    print(f"{mark} {one.state:<10} {one.seconds:6.1f} s  {one.example.name}", flush=True)
    if not one.is_expected:
        print("\n".join(f"      {line}" for line in one.why.strip().splitlines()[-40:]), flush=True)
    return one


def row(one: Ended) -> str:
    words = one.example.why or one.example.waits or one.example.fails or one.example.refused
    return f"| `{one.example.name}` | {one.state.capitalize()} | {words} |"


def read_examples(folder: Path) -> list[Example]:
    known: dict[str, Any] = tomllib.loads((_HERE / "tuning.toml").read_text())
    below = folder / _EXAMPLES
    files = {str(file.relative_to(below)): file for file in sorted(below.rglob("*.yaml")) if _is_one(file)}
    if absent := sorted(set(known) - set(files)):
        sys.exit(f"tuning.toml names files that {folder} lacks: {', '.join(absent)}")
    return [Example(name, file, **known.get(name, {})) for name, file in files.items()]


def _is_one(file: Path) -> bool:
    return any((each or {}).get("kind") == "Experiment" for each in yaml.safe_load_all(file.read_text()))


if __name__ == "__main__":
    sys.exit(main())
