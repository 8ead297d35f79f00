"""The page of a trial, and what leads from it to what it runs."""

from __future__ import annotations

from typing import Any

from sampan.components.tuning.api.reading import objective_of
from sampan.components.tuning.api.summary import summarise_trial
from sampan.components.tuning.ui import run_objects
from sampan.components.tuning.ui.trial_page import header, log_part, overview_part, page
from sampan.components.tuning.ui.trial_page.parts import Shown


def _shown(*, pods: list[Any] | None = None, state: str = "Running", message: str = "", **spec: Any) -> Shown:
    condition = {"type": state, "status": "True", "reason": f"Trial{state}", "message": message}
    obj = {
        "metadata": {"name": "t-1", "namespace": "default", "labels": {"katib.kubeflow.org/experiment": "t"}},
        "spec": {"objective": {"objectiveMetricName": "loss", "type": "minimize"}, **spec},
        "status": {"conditions": [condition]},
    }
    return Shown(obj, summarise_trial(obj), objective_of(obj["spec"]), pods or [])


def test_rules_are_said_in_words() -> None:
    rules = [{"name": "loss", "value": "0.5", "comparison": "greater", "startStep": 4}, "nonsense"]
    shown = _shown(earlyStoppingRules=rules)
    assert overview_part.rules(shown.obj) == ["when loss is more than 0.5, from value 4 on"]
    assert overview_part.rules(_shown().obj) == []


def test_the_container_that_trains_is_shown_first() -> None:
    both = ["train", "metrics-logger-and-collector"]
    pods = [{"name": "b", "containers": ["train"]}, {"name": "a", "primary": True, "containers": both}]
    found = log_part.sources(_shown(pods=pods, state="Succeeded"))
    assert [source.label for source in found] == ["a: train", "a: the metrics collector", "b: train"]
    assert found[0].query == {"pod": "a", "container": "train"}
    assert not any(source.follow for source in found)
    assert log_part.sources(_shown()) == []


def test_why_it_failed_is_above_all_else() -> None:
    (notice,) = page.notices(_shown(state="MetricsUnavailable", message="line 3 says 'loss=x'").trial)
    assert (notice.tone, notice.text) == ("warn", "line 3 says 'loss=x'")
    assert page.notices(_shown(message="Trial is running").trial) == []


def test_what_it_runs_has_a_page() -> None:
    job = header.run_of(_shown(runSpec={"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}))
    assert run_objects.page_of(job, "default") == "/training/pytorchjobs/default/t-1"
    assert header.run_of(_shown()) == {}
    batch = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}
    assert run_objects.page_of(batch, "x") == "/cluster/jobs/x/a"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    assert run_objects.page_of(pod, "x") == "/cluster/pods/x/a"
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "a", "labels": {"pipeline/runid": "4f"}},
    }
    assert run_objects.page_of(run, "x") == "/runs/4f"
