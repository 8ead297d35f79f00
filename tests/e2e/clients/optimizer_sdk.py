"""kubeflow's OptimizerClient against our controllers: trials are TrainJobs that really run, in the image python:3.11.

    python optimizer_sdk.py KUBECONFIG [WORD …]

Run by `test_tuning_sdks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from checks import Journey, until
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.optimizer import (
    GridSearch,
    Objective,
    OptimizerClient,
    RandomSearch,
    Search,
    TrainJobTemplate,
    TrialConfig,
)
from kubeflow.trainer import CustomTrainer
from kubernetes import client as kubernetes
from kubernetes import config

CONFIG = sys.argv[1]
NS = "default"
journey = Journey("kubeflow's optimizer")
config.load_kube_config(CONFIG)
custom, core = kubernetes.CustomObjectsApi(), kubernetes.CoreV1Api()
api = OptimizerClient(KubernetesBackendConfig(config_file=CONFIG, namespace=NS))


def runtime() -> None:
    """Of python alone, which the client starts where a runtime has another policy than torch."""
    labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    pod = {"containers": [{"name": "node", "image": "python:3.11"}]}
    job = {"metadata": {"labels": labels}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    body = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "ClusterTrainingRuntime",
        "metadata": {"name": "plain-python", "labels": {"trainer.kubeflow.org/framework": "python"}},
        "spec": {
            "mlPolicy": {"numNodes": 1, "jax": {}},
            "template": {"spec": {"replicatedJobs": [{"name": "node", "template": job}]}},
        },
    }
    custom.create_cluster_custom_object("trainer.kubeflow.org", "v1alpha1", "clustertrainingruntimes", body)


def template(func: Callable[..., None], **more: Any) -> TrainJobTemplate:
    trainer = CustomTrainer(func=func, resources_per_node={"cpu": "100m"}, **more)
    return TrainJobTemplate(runtime="plain-python", trainer=trainer)


def measure(rate: str, kind: str = "none", fixed: str = "") -> None:
    value = (float(rate) - 0.15) ** 2
    print("it is", fixed, kind, flush=True)
    print(f"loss={value} accuracy={1 - value}", flush=True)


def slowly(rate: str) -> None:
    import time

    for step in range(8):
        print(f"step={step} loss={float(rate)}", flush=True)
        time.sleep(0.5)


def fail(rate: str) -> None:
    raise SystemExit(7)


def ended(name: str, **more: Any) -> Any:
    return api.wait_for_job_status(name, timeout=150, polling_interval=1, **more)


def gone(name: str) -> None:
    api.delete_job(name)
    until(lambda: name not in [each.name for each in api.list_jobs()])
    plural = ("trainer.kubeflow.org", "v1alpha1", NS, "trainjobs")
    until(lambda: not custom.list_namespaced_custom_object(*plural)["items"])
    fails(lambda: api.get_job(name), name)


def fails(call: Callable[[], Any], *words: str) -> None:
    try:
        call()
    except (RuntimeError, ValueError) as error:
        cause = error.__cause__ or error.__context__ or ""
        told = f"{error} {cause} {getattr(cause, 'body', '')}"
        assert all(word in told for word in words), told
    else:
        raise AssertionError("should have failed")


@journey
def a_random_search() -> None:
    runtime()
    name = api.optimize(
        template(measure, func_args={"fixed": "as given"}),
        search_space={"rate": Search.loguniform(0.1, 0.2), "kind": Search.choice(["sgd", "adam"])},
        trial_config=TrialConfig(num_trials=3, parallel_trials=2, max_failed_trials=1),
        objectives=[Objective(metric="loss"), Objective(metric="accuracy", direction="maximize")],
        algorithm=RandomSearch(random_state=7),
    )
    assert name in [each.name for each in api.list_jobs()]
    seen: list[str] = []
    job = ended(name, callbacks=[lambda job: seen.append(job.status)])
    assert (job.status, len(job.trials)) == ("Complete", 3)
    assert seen[-1] == "Complete"
    assert (job.algorithm, job.trial_config.parallel_trials) == (RandomSearch(random_state=7), 2)
    assert job.search_space["kind"].choices == ["sgd", "adam"]
    assert {each.trainjob.status for each in job.trials} == {"Complete"}
    best = api.get_best_results(name)
    metrics = {each.name: each for each in best.metrics}
    assert set(metrics) == {"loss", "accuracy"}
    assert abs(float(metrics["loss"].min) - (float(best.parameters["rate"]) - 0.15) ** 2) < 1e-9
    losses = [float(one.min) for each in job.trials for one in each.metrics if one.name == "loss"]
    assert float(metrics["loss"].min) == min(losses)
    lines = list(api.get_job_logs(name))
    assert any(f"it is as given {best.parameters['kind']}" in line for line in lines), lines
    first = job.trials[0]
    told = first.parameters["kind"]
    assert any(f"as given {told}" in line for line in api.get_job_logs(name, trial_name=first.name))
    events = api.get_job_events(name)
    assert {"JobCreated", "JobSucceeded"} <= {each.reason for each in events}, events
    gone(name)


@journey
def a_grid_whose_logs_are_followed() -> None:
    name = api.optimize(
        template(slowly),
        search_space={"rate": Search.choice([0.1, 0.2])},
        trial_config=TrialConfig(num_trials=2, parallel_trials=1),
        algorithm=GridSearch(),
    )
    until(lambda: api.get_job(name).trials, seconds=90)
    (trial, *_) = api.get_job(name).trials
    until(lambda: api.get_job(name).trials[0].trainjob.status == "Running", seconds=60)
    lines = list(api.get_job_logs(name, trial_name=trial.name, follow=True))
    assert all(any(f"step={step} " in line for line in lines) for step in range(8)), lines
    assert sorted(each.parameters["rate"] for each in ended(name).trials) == ["0.1", "0.2"]
    gone(name)


@journey
def a_failure_is_told() -> None:
    name = api.optimize(
        template(fail),
        search_space={"rate": Search.uniform(0.1, 0.2)},
        trial_config=TrialConfig(num_trials=2, parallel_trials=1, max_failed_trials=0),
    )
    fails(lambda: ended(name), f"{name} is Failed")
    assert ended(name, status={"Failed"}).status == "Failed"
    assert api.get_best_results(name) is None
    gone(name)


@journey
def what_is_refused_is_told() -> None:
    fails(lambda: api.optimize(template(measure), search_space={}), "Search space")
    wrong = {"rate": Search.uniform(0.3, 0.2)}
    fails(lambda: api.optimize(template(measure), search_space=wrong), "feasibleSpace")
    fails(lambda: api.get_job("nowhere"), "nowhere")
    fails(lambda: api.delete_job("nowhere"), "nowhere")


if __name__ == "__main__":
    sys.exit(journey.run())
