"""A corpus of what users could write to reach the dashboard, and the places where they can. Used by `test_untrusted`.

Whatever takes effect asks for `/owned`, opens a dialog, sets the global `owned` or leaves an element with `data-owned`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import HttpError, ServerProcess

API = "/apis/v2beta1"
_ACT = "owned=1;alert(1);fetch('/owned')"

TEXTS = (
    f"<script data-owned>{_ACT}</script>",
    f'<img data-owned src=x onerror="{_ACT}">',
    f'<svg data-owned onload="{_ACT}"><a href="javascript:{_ACT}">x</a></svg>',
    f'"><iframe data-owned src="javascript:{_ACT}"></iframe>',
    '<iframe data-owned srcdoc="<script>parent.owned=1</script>"></iframe>\'"`',
    f"javascript:{_ACT}//",
    f"data:text/html,<script>{_ACT}</script>",
    '<meta data-owned http-equiv="refresh" content="0;url=/owned">',
    '<style data-owned>@import "/owned"; body { display: none }</style><link data-owned rel=stylesheet href="/owned">',
    f"{{{{ constructor.constructor('{_ACT}')() }}}} ${{{_ACT}}} #{{{_ACT}}}",
    f"</script></style></title></textarea><script data-owned>{_ACT}</script>",
    f"');{_ACT}//",
    f'");{_ACT}//',
    f"`);{_ACT}//\\",
    f'" onmouseover="{_ACT}" autofocus onfocus="{_ACT}" x="',
    f'class="x" :title="{_ACT}" v-html="1" @click="{_ACT}"',
    "safe\u202egnp.exe \u2066\u2069 \u0000\u2028\u2029",
    f"\x1b]8;;javascript:{_ACT}\x07link\x1b]8;;\x07\x1b]0;owned\x07\x1b[31m<b data-owned>red</b>",
    "<form data-owned action='/owned'><button>x</button></form><base data-owned href='http://owned.invalid/'>",
    "&lt;script&gt;&#60;script&#62; %3Cscript%3E \\u003cscript\\u003e",
)
_BIDI = "\u202e\u2066\u2069"
KEYS: dict[str, Any] = {
    "__proto__": {"owned": 1},
    "constructor": {"prototype": {"owned": 1}},
    "<b data-owned>": TEXTS[1],
    "innerHTML": TEXTS[0],
    "list": list(TEXTS[:4]),
}

FRAME = Path(__file__).with_name("untrusted_frame.html").read_text()
"""Tries to get out of where it is shown, and writes what came of it into `#said`."""


@dataclass
class Planted:
    runs: list[str] = field(default_factory=list)
    pipelines: list[str] = field(default_factory=list)
    experiments: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)
    log: tuple[str, str] = ("", "")


def plant_frame(server: ServerProcess) -> str:
    """The id of an artifact that holds FRAME."""
    file = server.home / "artifacts" / "default" / "frame.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(FRAME)
    run_id = server.submit(pipeline("probe", {"step": task("step")}, Component("step", shell("true"))))
    body = {"name": "report", "type": "RUNTIME", "state": "SUCCEEDED", "scope_path": "root.report"}
    made = server.call("POST", f"{API}/runs/{run_id}/tasks", body)
    record = {"name": "frame", "type": "HTML", "uri": str(file)}
    wanted: dict[str, Any] = {"artifact": record, "run_id": run_id, "task_id": made["task_id"]}
    wanted["producer_key"] = "frame"
    return str(server.call("POST", f"{API}/artifacts", wanted)["artifact_id"])


def plant(server: ServerProcess) -> Planted:
    """Returns when the step that prints it all has ended."""
    found = Planted()
    for at, text in enumerate(TEXTS):
        # Names hold no control characters: the API sees to that.
        _objects(server, found, at, "".join(each for each in text if each.isprintable() or each in _BIDI))
    run_id = found.runs[0]
    made = server.call(
        "POST",
        f"{API}/runs/{run_id}/tasks",
        {
            "name": TEXTS[1],
            "display_name": TEXTS[0],
            "type": "RUNTIME",
            "state": "FAILED",
            "scope_path": "root.x",
        }
        | {"status_metadata": {"message": TEXTS[1], "custom_properties": {"reason": TEXTS[2]}}}
        | {"outputs": {"parameters": [{"parameter_key": TEXTS[1], "value": KEYS, "type": "OUTPUT"}]}},
    )
    _artifacts(server, found, run_id, made["task_id"])
    _log(server, found)
    return found


def _objects(server: ServerProcess, found: Planted, at: int, text: str) -> None:
    name = f"{at} {text}"[:128]
    body = {"display_name": name, "description": text, "namespace": "default"}
    found.experiments.append(server.call("POST", f"{API}/experiments", body)["experiment_id"])
    spec = pipeline(
        "probe", {"step": task("step", x=text)}, Component("step", shell("true"), inputs={"x": "STRING"})
    )
    run = {
        "display_name": name,
        "description": text,
        "pipeline_spec": spec,
        "experiment_id": found.experiments[-1],
        "state": "",
    }
    made = server.call("POST", f"{API}/runs", run)
    found.runs.append(made["run_id"])
    server.call("POST", f"{API}/runs/{made['run_id']}:terminate")
    made = server.call(
        "POST", f"{API}/pipelines", {"display_name": name[:120], "name": f"p-{at}", "description": text}
    )
    found.pipelines.append(made["pipeline_id"])


def _artifacts(server: ServerProcess, found: Planted, run_id: str, task_id: str) -> None:
    folder = server.home / "artifacts" / "default" / "planted"
    folder.mkdir(parents=True, exist_ok=True)
    everything = "\n".join(TEXTS)
    table = "\n".join(f'"{text.replace(chr(34), chr(34) * 2)}",1' for text in TEXTS)
    legacy = {
        "outputs": [
            {"type": "web-app", "storage": "inline", "source": FRAME},
            {"type": "markdown", "storage": "inline", "source": everything},
            {"type": "table", "storage": "inline", "source": table, "header": list(TEXTS[:2])},
            {"type": TEXTS[0], "source": TEXTS[5]},
            {"type": "table", "source": TEXTS[5]},
        ]
    }
    curve = {"confidenceMetrics": [{"confidenceThreshold": TEXTS[0], "recall": 1, "falsePositiveRate": 1}]}
    matrix = {"annotationSpecs": [{"displayName": text} for text in TEXTS[:2]], "rows": [{"row": [1, 2]}] * 2}
    contents: dict[str, tuple[str, str, dict[str, Any]]] = {
        "all.html": ("HTML", everything, {}),
        "all.md": ("Markdown", everything, {}),
        "all.svg": ("Artifact", f"<svg xmlns='http://www.w3.org/2000/svg'>{TEXTS[0]}</svg>", {}),
        "all.csv": ("Dataset", f"{TEXTS[1]},b\n{table}", KEYS),
        "all.json": ("Artifact", json.dumps(KEYS), {}),
        "all.txt": ("Artifact", everything, {"display_name": TEXTS[0]}),
        "measured": ("ClassificationMetric", "", curve | {"confusionMatrix": matrix}),
        "scalars": ("Metric", "", dict.fromkeys(TEXTS, 1.5)),
        "mlpipeline-ui-metadata": ("Artifact", json.dumps(legacy), {}),
        "javascript": ("Artifact", "", {}),
    }
    for name, (kind, text, metadata) in contents.items():
        file = folder / name
        file.write_text(text.encode(errors="replace").decode())
        uri = TEXTS[5] if name == "javascript" else str(file)
        shown = name if name == "mlpipeline-ui-metadata" else f"{name} {TEXTS[0]}"
        record = {"name": shown, "description": TEXTS[1], "type": kind, "uri": uri, "metadata": metadata}
        if kind == "Metric":
            record["number_value"] = 1.5
        body = {"artifact": record, "run_id": run_id, "task_id": task_id, "producer_key": f"{name}{TEXTS[1]}"}
        made = server.call("POST", f"{API}/artifacts", body)
        found.artifacts.append(made["artifact_id"])
    (folder / "folder").mkdir()
    (folder / "folder" / "<img src=x onerror=alert(1) data-owned>.txt").write_text(
        everything.replace("\0", "")
    )
    record = {"name": "folder", "type": "Model", "uri": str(folder / "folder"), "metadata": KEYS}
    body = {"artifact": record, "run_id": run_id, "task_id": task_id, "producer_key": "folder"}
    found.artifacts.append(server.call("POST", f"{API}/artifacts", body)["artifact_id"])


def _log(server: ServerProcess, found: Planted) -> None:
    step = Component("step", shell(f"{_printing()}; exit 1"))
    run_id = server.submit(pipeline("probe", {"step": task("step")}, step), name="prints it all")
    server.wait_run(run_id, timeout=200)
    found.log = (run_id, next(each["task_id"] for each in server.tasks(run_id) if each["name"] == "step"))
    found.runs.append(run_id)


def _printing() -> str:
    """What prints it all; as octal, so that the shell sees none of it."""
    octal = "".join(f"\\0{byte:03o}" for byte in ("\n".join(TEXTS) + "\n").encode())
    return f"printf '%b' '{octal}'"


def plant_training(server: ServerProcess) -> None:
    """A job and a runtime, both named `probe`, that hold it all. Nobody but this acts on the job."""
    jobs, pods = "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs", "/api/v1/namespaces/default/pods"
    texts = [text.replace("\0", "") for text in TEXTS]
    container = {
        "name": "pytorch",
        "image": "python:3.11",
        "command": ["sh", "-c", _printing(), *texts],
        "env": [{"name": f"N{at}", "value": text} for at, text in enumerate(texts)],
    }
    role = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
    job = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "probe", "annotations": {f"n{at}": text for at, text in enumerate(texts)}},
        "spec": {
            "runPolicy": {"managedBy": "kueue.x-k8s.io/multikueue"},
            "pytorchReplicaSpecs": {"Master": role},
        },
    }
    made = server.call("POST", jobs, job)
    told = {"type": "Failed", "status": "True", "reason": texts[0], "message": "\n".join(texts)}
    server.call("PUT", f"{jobs}/probe/status", made | {"status": {"conditions": [told]}})
    labels = {"training.kubeflow.org/job-name": "probe", "training.kubeflow.org/replica-type": "master"}
    spec = {"restartPolicy": "Never", "containers": [container]}
    server.call("POST", pods, {"metadata": {"name": "probe-master-0", "labels": labels}, "spec": spec})
    node = {"name": "node", "image": texts[1], "command": texts}
    template = {"spec": {"template": {"spec": {"containers": [node]}}}}
    runtime = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {"name": "probe"},
        "spec": {"template": {"spec": {"replicatedJobs": [{"name": "node", "template": template}]}}},
    }
    server.call("POST", "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainingruntimes", runtime)


def plant_tuning(server: ServerProcess) -> None:
    """An experiment, a trial of it and a template, all named `probe`, that hold it all; the experiment has ended."""
    root = "/apis/kubeflow.org/v1beta1/namespaces/default"
    texts = [text.replace("\0", "") for text in TEXTS]
    run = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"template": {"spec": {"restartPolicy": "Never"}}},
    }
    container = {"name": "c", "image": "python:3.11", "command": ["sh", "-c", _printing(), *texts[:4]]}
    run["spec"]["template"]["spec"]["containers"] = [container]  # type: ignore[index]
    objective = {"type": "minimize", "objectiveMetricName": texts[0], "additionalMetricNames": texts[1:4]}
    names = [f"p{at} {text}" for at, text in enumerate(texts)]
    given = [{"name": name, "value": text} for name, text in zip(names, texts, strict=True)]
    spec = {
        "objective": objective,
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 1,
        "maxTrialCount": 2,
        "parameters": [
            {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": texts}} for name in names
        ],
        "trialTemplate": {
            "primaryContainerName": "c",
            "trialParameters": [
                {"name": f"n{at}", "description": texts[at], "reference": name}
                for at, name in enumerate(names)
            ],
            "trialSpec": run,
        },
    }
    for at, _ in enumerate(names):
        container["command"].append(f"${{trialParameters.n{at}}}")  # type: ignore[attr-defined]
    made = server.call(
        "POST", f"{root}/experiments", {"metadata": {"name": "probe"}, "spec": spec} | _kind("Experiment")
    )
    told = {"status": "True", "reason": texts[0], "message": "\n".join(texts)}
    metrics = [{"name": text, "min": "1", "max": "2", "latest": "1.5"} for text in texts[:4]]
    best = {"bestTrialName": texts[0], "parameterAssignments": given, "observation": {"metrics": metrics}}
    ended = {"completionTime": "2026-01-01T00:00:01Z", "startTime": "2026-01-01T00:00:00Z"}
    status = {"conditions": [{"type": "Failed", **told}], "currentOptimalTrial": best, "trials": 1, **ended}
    _write_status(server, f"{root}/experiments/probe", made, status)
    own = {"objective": objective, "parameterAssignments": given, "runSpec": run, "primaryContainerName": "c"}
    own["earlyStoppingRules"] = [
        {"name": texts[0], "value": texts[1], "comparison": texts[2], "startStep": 1}
    ]
    labels = {"katib.kubeflow.org/experiment": "probe"}
    for name, condition in (("probe", "Failed"), ("probe-2", "Succeeded")):
        body = {"metadata": {"name": name, "labels": labels}, "spec": own} | _kind("Trial")
        made = server.call("POST", f"{root}/trials", body)
        status = {"conditions": [{"type": condition, **told}], "observation": {"metrics": metrics}, **ended}
        _write_status(server, f"{root}/trials/{name}", made, status)
    labels = {"katib.kubeflow.org/component": "trial-templates"}
    keys = [*texts, f"${{trialParameters.{texts[0]}}}"]
    template = "\n".join(f"{json.dumps(key)}: 1" for key in keys)
    body = {"metadata": {"name": "probe", "labels": labels}, "data": {"probe.yaml": template}}
    server.call("POST", "/api/v1/namespaces/default/configmaps", body)


def _kind(kind: str) -> dict[str, str]:
    return {"apiVersion": "kubeflow.org/v1beta1", "kind": kind}


def _write_status(server: ServerProcess, path: str, made: Any, status: dict[str, Any]) -> None:
    """Against a controller that writes there too, until it holds."""
    for _ in range(20):
        try:
            server.call("PUT", f"{path}/status", {**server.call("GET", path), "status": status})
            return
        except HttpError as error:
            if error.code != 409:
                raise
    raise AssertionError(f"{made['metadata']['name']} could not be written")
