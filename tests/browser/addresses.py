"""An address for every page of the dashboard, with the seeded server's things in the place of parameters.

A page of a new component is here by itself; one with a parameter that has no sample yet is named in `without_sample`.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seed import Seeded

from sampan.app.registry import components
from sampan.app.settings import Settings
from sampan.dashboard.own_pages import ALWAYS
from sampan.dashboard.routes import filled
from sampan.ui.contract import Interface, Page

OWN = ("/", "/activity")
RUN_TABS = ("steps", "timeline", "data", "search", "events", "spec")
MORE = {
    "run-failed": "/runs/{broken}",
    "run-failed-step": "/runs/{broken}?task={broken_task}",
    "run-running": "/runs/{running}",
    "run-waiting": "/runs/{waiting}",
    "run-every-shape": "/runs/{every shape}",
    "run-wide": "/runs/{wide}",
    "run-step": "/runs/{best}?task={best_task}",
    **{f"run-{tab}": f"/runs/{{best}}?tab={tab}" for tab in RUN_TABS},
    "run-logs-failed": "/runs/{broken}?tab=search",
    "compare": "/compare?runs={good},{better},{best}",
    **{
        f"compare-{name}": f"/compare?runs={{good}},{{better}},{{best}}&base={{good}}&{query}"
        for name, query in (
            ("charts", "tab=charts"),
            ("scatter", "tab=charts&chart=scatter"),
            ("bars", "tab=charts&chart=bars"),
            ("curves", "tab=curves"),
            ("steps", "tab=steps"),
            ("artifacts", "tab=artifacts&artifact=report%20/%20page"),
        )
    },
    "experiment-metrics": "/experiments/{experiment_id}?tab=metrics",
    "run-clone": "/runs/new?clone={best}",
    "run-new-of-pipeline": "/runs/new?pipeline={pipeline_id}",
    "recurring-new": "/runs/new?pipeline={pipeline_id}&recurring=1",
    **{
        f"training-job-{tab}": f"/training/pytorchjobs/default/mnist?tab={tab}"
        for tab in ("timeline", "logs", "metrics", "usage", "events", "environment", "yaml")
    },
    "training-job-failed": "/training/xgboostjobs/default/boosted",
    "training-job-running": "/training/tfjobs/default/learning",
    "training-job-running-usage": "/training/tfjobs/default/learning?tab=usage",
    "training-job-waiting": "/training/pytorchjobs/default/too-many",
    "training-job-suspended": "/training/jaxjobs/default/held",
    "training-job-train": "/training/trainjobs/default/tuned",
    "training-narrowed": "/training?state=Failed,Running&find=o",
    "training-none-fits": "/training?find=nothing-of-this-name",
    "training-none": "/training?ns=team",
    "training-new-of-kind": "/training/new?kind=MPIJob",
    "training-new-clone": "/training/new?clone=TrainJob/tuned",
    "training-new-yaml": "/training/new?clone=PyTorchJob/mnist",
    **{
        f"tuning-experiment-{tab}": f"/tuning/experiments/default/landscape?tab={tab}"
        for tab in ("trials", "charts", "timeline", "events", "yaml")
    },
    **{
        f"tuning-trial-{tab}": f"/tuning/trials/default/{{trial_landscape}}?tab={tab}"
        for tab in ("metrics", "logs", "yaml")
    },
    "tuning-trial-failed": "/tuning/trials/default/{trial_hopeless}",
    "tuning-trial-running": "/tuning/trials/default/{trial_searching}?tab=metrics",
    "tuning-experiment-network": "/tuning/experiments/default/network?tab=network",
    "tuning-new-network": "/tuning/new?clone=network",
    "tuning-experiment-contour": "/tuning/experiments/default/landscape?tab=charts&charts=contour,distribution",
    "tuning-experiment-failed": "/tuning/experiments/default/hopeless",
    "tuning-experiment-running": "/tuning/experiments/default/searching",
    "tuning-experiment-waiting": "/tuning/experiments/default/too-large",
    "tuning-none": "/tuning?ns=team",
    "tuning-new-clone": "/tuning/new?clone=landscape",
    **{
        f"serving-endpoint-{tab}": f"/serving/inferenceservices/default/flowers?tab={tab}"
        for tab in ("try", "statistics", "logs", "events", "yaml")
    },
    "serving-endpoint-split": "/serving/inferenceservices/default/two-ways",
    "serving-endpoint-failed": "/serving/inferenceservices/default/nowhere",
    "serving-endpoint-stopped": "/serving/inferenceservices/default/halted",
    "serving-graph": "/serving/inferencegraphs/default/flower-graph",
    "serving-narrowed": "/serving?state=Ready,Failed&find=o",
    "serving-none": "/serving?ns=team",
    "serving-new-yaml": "/serving/new?clone=flowers",
    "serving-new-change": "/serving/new?change=nowhere",
    "cluster-jobs": "/cluster/jobs",
    "cluster-events": "/cluster/events",
    "cluster-object-workflow": "/cluster/workflows.argoproj.io/default/approval",
    "nowhere": "/no/such/page",
    "no-such-run": "/runs/00000000-0000-0000-0000-000000000000",
}
"""Pages that look different with other things in them."""
OF_PAGES = {
    "/training/{plural}/{namespace}/{name}": {"plural": "pytorchjobs", "name": "mnist"},
    "/training/runtimes/{name}": {"name": "torch-distributed"},
    "/training/runtimes/{namespace}/{name}": {"name": "plain"},
    "/serving/{plural}/{namespace}/{name}": {"plural": "inferenceservices", "name": "flowers"},
    "/tuning/experiments/{namespace}/{name}": {"name": "landscape"},
    "/tuning/trials/{namespace}/{name}": {"name": "trial_landscape"},
    "/tuning/templates/{namespace}/{config_map}/{key}": {
        "config_map": "trial-templates",
        "key": "quick.yaml",
    },
}
"""Parameters that stand for something else than on other pages."""


def interfaces() -> list[Interface]:
    modules = [
        component.ui_module
        for component in components(Settings(Path(tempfile.gettempdir())))
        if component.ui_module
    ]
    return [*ALWAYS, *(importlib.import_module(module).INTERFACE for module in modules)]


def addresses(seeded: Seeded) -> dict[str, str]:
    """By a name that can be a file's. All but those of `without_sample`."""
    samples = _samples(seeded)
    found = {_name(path): path for path in OWN}
    found |= {
        _name(page.path): filled(page.path, samples | _of_page(page, samples))
        for page in _pages()
        if not _unknown(page, samples)
    }
    for name, path in MORE.items():
        for key, value in samples.items():
            path = path.replace(f"{{{key}}}", value)
        found[name] = path
    return found


def _of_page(page: Page, samples: dict[str, str]) -> dict[str, str]:
    """What stands there for another sample is that one."""
    return {key: samples.get(value, value) for key, value in OF_PAGES.get(page.path, {}).items()}


def without_sample(seeded: Seeded) -> list[str]:
    samples = _samples(seeded)
    return [page.path for page in _pages() if _unknown(page, samples)]


def _pages() -> Iterator[Page]:
    for interface in interfaces():
        yield from interface.pages


def _unknown(page: Page, samples: dict[str, str]) -> list[str]:
    names = [each[1:-1] for each in page.path.split("/") if each.startswith("{")]
    known = samples.keys() | OF_PAGES.get(page.path, {}).keys()
    return [name for name in names if name not in known]


def _samples(seeded: Seeded) -> dict[str, str]:
    pod = next(iter(seeded.server.call("GET", "/api/v1/namespaces/default/pods")["items"]), None)
    return {
        **{f"trial_{name}": trial for name, trial in seeded.trials.items()},
        **seeded.runs,
        "run_id": seeded.runs["best"],
        "task_id": seeded.task("best", "train"),
        "best_task": seeded.task("best", "train"),
        "broken_task": seeded.task("broken", "break-down"),
        "pipeline_id": seeded.pipelines["train-model"],
        "version_id": seeded.versions["train-model/v2"],
        "pipeline_version_id": seeded.versions["train-model/v2"],
        "experiment_id": seeded.experiments["digits"],
        "recurring_run_id": seeded.recurring_runs["every night"],
        "trigger_id": seeded.triggers["on push"],
        "notification_id": seeded.notifications["failures"],
        "artifact_id": seeded.artifacts["Model"],
        "execution_id": seeded.task("best", "train"),
        "kind": "pods" if pod else "configmaps",
        "namespace": "default",
        "name": pod["metadata"]["name"] if pod else "seeded-settings",
    }


def _name(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("{", "").replace("}", "") or "home"
