"""kubeflow-katib's KatibClient against our controllers: experiments whose trials really run, in the image python:3.11.

    python katib_sdk.py KUBECONFIG [WORD …]

Run by `test_tuning_sdks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checks import Journey, until
from kubeflow import katib
from kubernetes import client as kubernetes
from kubernetes import config

CONFIG = sys.argv[1]
NS = "default"
IMAGE = "python:3.11"
journey = Journey("kubeflow-katib")
config.load_kube_config(CONFIG)
core = kubernetes.CoreV1Api()
api = katib.KatibClient(config_file=CONFIG, namespace=NS)
LOSS = "import sys; lr = float(sys.argv[1]); print('said on the way'); print(f'loss={(lr - 0.5) ** 2}')"


def experiment(name: str, program: str = LOSS, **spec: Any) -> Any:
    command = ["python", "-u", "-c", program, "${trialParameters.rate}"]
    container = {"name": "training-container", "image": IMAGE, "command": command}
    pod = {"containers": [container], "restartPolicy": "Never"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    space = katib.V1beta1FeasibleSpace(min="0.1", max="0.9")
    return katib.V1beta1Experiment(
        api_version="kubeflow.org/v1beta1",
        kind="Experiment",
        metadata=kubernetes.V1ObjectMeta(name=name, namespace=NS),
        spec=katib.V1beta1ExperimentSpec(
            **{
                "max_trial_count": 3,
                "parallel_trial_count": 2,
                "max_failed_trial_count": 1,
                "algorithm": katib.V1beta1AlgorithmSpec(algorithm_name="random"),
                "objective": katib.V1beta1ObjectiveSpec(
                    type="minimize", goal=0.0000001, objective_metric_name="loss"
                ),
                "parameters": [
                    katib.V1beta1ParameterSpec(name="lr", parameter_type="double", feasible_space=space)
                ],
                "trial_template": katib.V1beta1TrialTemplate(
                    primary_container_name="training-container",
                    trial_parameters=[katib.V1beta1TrialParameterSpec(name="rate", reference="lr")],
                    retain=True,
                    trial_spec=job,
                ),
                **spec,
            }
        ),
    )


def succeeded(name: str) -> Any:
    return api.wait_for_experiment_condition(name, timeout=120, polling_interval=1)


def gone(name: str) -> None:
    api.delete_experiment(name)
    until(lambda: name not in [each.metadata.name for each in api.list_experiments()])
    until(lambda: not api.list_trials(name))
    until(lambda: not pods(name))
    fails(lambda: api.get_experiment(name), name)


def pods(experiment: str) -> list[Any]:
    found: list[Any] = core.list_namespaced_pod(
        NS, label_selector=f"katib.kubeflow.org/experiment={experiment}"
    ).items
    return found


def fails(call: Callable[[], Any], *words: str) -> None:
    """The client wraps the API's errors into its own."""
    try:
        call()
    except Exception as error:
        cause = error.__cause__ or error.__context__ or ""
        told = f"{error} {cause} {getattr(cause, 'body', '')}"
        assert all(word in told for word in words), told
    else:
        raise AssertionError("should have failed")


@journey
def an_experiment_of_models_runs() -> None:
    api.create_experiment(experiment("models"))
    fails(lambda: api.create_experiment(experiment("models")), "already exists")
    found = succeeded("models")
    assert api.is_experiment_created("models")
    assert api.is_experiment_succeeded("models")
    assert not api.is_experiment_running("models")
    assert not api.is_experiment_failed("models")
    assert not api.is_experiment_restarting("models")
    types = [each.type for each in api.get_experiment_conditions("models")]
    assert types == ["Created", "Running", "Succeeded"], types
    assert found.status.trials == found.status.trials_succeeded == 3
    trials = api.list_trials("models")
    assert sorted(each.metadata.name for each in trials) == sorted(found.status.succeeded_trial_list)
    details = api.get_success_trial_details("models")
    assert {each["name"] for each in details} == set(found.status.succeeded_trial_list)
    losses = {each["name"]: float(each["metrics"][0].min) for each in details}
    for each in details:
        (rate,) = each["parameter_assignments"]
        assert abs((float(rate.value) - 0.5) ** 2 - losses[each["name"]]) < 1e-9
    best = api.get_optimal_hyperparameters("models")
    assert losses[best.best_trial_name] == min(losses.values())
    assert best.parameter_assignments[0].name == "lr"
    assert api.get_trial(best.best_trial_name).spec.objective.objective_metric_name == "loss"
    lines = list(api.get_job_logs("models", best.best_trial_name))
    assert any("loss=" in line for line in lines), lines
    followed = list(api.get_job_logs("models", best.best_trial_name, follow=True))
    assert any("loss=" in line for line in followed), followed
    suggestion = api.get_suggestion("models")
    assert suggestion.spec.requests == suggestion.status.suggestion_count == 3
    # Upstream's `list_suggestions` lists the experiments (sdk/python/v1beta1/kubeflow/katib/api/katib_client.py).
    assert "models" in [each.metadata.name for each in api.list_suggestions()]
    port = (Path(CONFIG).parent / "run" / "grpc-port").read_text()
    (told,) = api.get_trial_metrics(best.best_trial_name, db_manager_address=f"127.0.0.1:{port}")
    assert (told.metric.name, float(told.metric.value)) == ("loss", losses[best.best_trial_name])
    gone("models")


@journey
def a_name_is_made() -> None:
    made = experiment("")
    made.metadata = kubernetes.V1ObjectMeta(generate_name="made-", namespace=NS)
    api.create_experiment(made)
    (name,) = [
        each.metadata.name for each in api.list_experiments() if each.metadata.name.startswith("made-")
    ]
    succeeded(name)
    gone(name)


@journey
def the_budget_is_edited() -> None:
    api.create_experiment(
        experiment("budget", resume_policy="LongRunning", max_trial_count=2, parallel_trial_count=1)
    )
    succeeded("budget")
    fails(lambda: api.edit_experiment_budget("budget", max_trial_count=1), "budget")
    fails(lambda: api.edit_experiment_budget("budget"))
    api.edit_experiment_budget("budget", max_trial_count=4, parallel_trial_count=2, max_failed_trial_count=2)
    api.wait_for_experiment_condition("budget", NS, "Restarting", timeout=60, polling_interval=1)
    found = until(lambda: (found := succeeded("budget")).status.trials_succeeded == 4 and found)
    assert found.spec.parallel_trial_count == 2
    assert found.spec.max_failed_trial_count == 2
    gone("budget")
    api.create_experiment(experiment("never", max_trial_count=1, parallel_trial_count=1))
    succeeded("never")
    fails(lambda: api.edit_experiment_budget("never", max_trial_count=2), "never")
    gone("never")


@journey
def a_function_is_tuned() -> None:
    def objective(parameters: dict) -> None:  # type: ignore[type-arg]
        import os

        import six

        rate, layers = float(parameters["lr"]), int(parameters["layers"])
        print("six", six.__version__, os.environ["A"], parameters["kind"], parameters["fixed"])
        print(f"accuracy={1 - (rate - 0.15) ** 2} depth={layers}")

    api.tune(
        name="function",
        objective=objective,
        base_image=IMAGE,
        parameters={
            "lr": katib.search.double(min=0.1, max=0.2),
            "layers": katib.search.int(min=2, max=4),
            "kind": katib.search.categorical(["sgd", "adam"]),
            "fixed": "as it is",
        },
        env_per_trial={"A": "b"},
        algorithm_name="tpe",
        algorithm_settings={"n_startup_trials": 2, "random_state": 7},
        objective_metric_name="accuracy",
        additional_metric_names=["depth"],
        objective_type="maximize",
        objective_goal=2,
        max_trial_count=3,
        parallel_trial_count=2,
        max_failed_trial_count=1,
        resources_per_trial={"cpu": "100m", "memory": "64Mi"},
        retain_trials=True,
        packages_to_install=["six==1.16.0"],
        trial_active_deadline_seconds=300,
    )
    assert succeeded("function").status.trials_succeeded == 3
    best = api.get_optimal_hyperparameters("function")
    assert {each.name for each in best.parameter_assignments} == {"lr", "layers", "kind"}
    assert {each.name for each in best.observation.metrics} == {"accuracy", "depth"}
    job = kubernetes.BatchV1Api().read_namespaced_job(best.best_trial_name, NS)
    assert job.spec.active_deadline_seconds == 300
    (container,) = job.spec.template.spec.containers
    assert container.resources.limits == {"cpu": "100m", "memory": "64Mi"}
    lines = list(api.get_job_logs("function", best.best_trial_name))
    assert any("six 1.16.0 b " in line and line.endswith("as it is") for line in lines), lines
    gone("function")


@journey
def a_function_in_a_pytorchjob() -> None:
    core.create_namespaced_config_map(
        NS, kubernetes.V1ConfigMap(metadata=kubernetes.V1ObjectMeta(name="given"), data={"FROM_MAP": "c"})
    )

    def objective(parameters: dict) -> None:  # type: ignore[type-arg]
        import os

        print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"], os.environ["A"])
        print(f"map={os.environ['FROM_MAP']}")
        print(f"loss={float(parameters['lr'])}")

    api.tune(
        name="pytorch",
        objective=objective,
        base_image=IMAGE,
        parameters={"lr": katib.search.double(min=0.1, max=0.2)},
        env_per_trial=[
            kubernetes.V1EnvVar(name="A", value="b"),
            kubernetes.V1EnvFromSource(config_map_ref=kubernetes.V1ConfigMapEnvSource(name="given")),
        ],
        objective_metric_name="loss",
        objective_type="minimize",
        max_trial_count=2,
        parallel_trial_count=1,
        resources_per_trial=katib.TrainerResources(
            num_workers=1, num_procs_per_worker=1, resources_per_worker={"cpu": "100m", "memory": "64Mi"}
        ),
        retain_trials=True,
    )
    assert succeeded("pytorch").status.trials_succeeded == 2
    (first, _) = api.list_trials("pytorch")
    assert first.spec.run_spec["kind"] == "PyTorchJob"
    lines = list(api.get_job_logs("pytorch", first.metadata.name))
    assert any("rank 0 of 1 b" in line for line in lines), lines
    gone("pytorch")


@journey
def metrics_are_pushed() -> None:
    def objective(parameters: dict) -> None:  # type: ignore[type-arg]
        import kubeflow.katib as katib

        for step in (2, 1, 0):
            katib.report_metrics({"loss": (float(parameters["lr"]) - 0.15) ** 2 + step, "step": step})

    api.tune(
        name="pushed",
        objective=objective,
        base_image=IMAGE,
        parameters={"lr": katib.search.double(min=0.1, max=0.2)},
        objective_metric_name="loss",
        additional_metric_names=["step"],
        objective_type="minimize",
        max_trial_count=2,
        parallel_trial_count=1,
        packages_to_install=["kubeflow-katib==0.19.0"],
        metrics_collector_config={"kind": "Push"},
    )
    api.wait_for_experiment_condition("pushed", timeout=400, polling_interval=1)
    best = api.get_optimal_hyperparameters("pushed")
    metrics = {each.name: each for each in best.observation.metrics}
    assert 2 <= float(metrics["loss"].max) < 2.1
    assert float(metrics["loss"].min) < 0.1
    assert metrics["step"].latest in ("0", "0.0")
    gone("pushed")


@journey
def trials_are_stopped_early() -> None:
    # Each is worse than those before it.
    program = (
        "import time\n"
        "for step in range(100):\n"
        "    print(f'accuracy={-time.time()}', flush=True)\n"
        "    time.sleep(0.1)"
    )
    given = [katib.V1beta1EarlyStoppingSetting(name=name, value=value) for name, value in STOPPING.items()]
    api.create_experiment(
        experiment(
            "stopped",
            program,
            max_trial_count=3,
            parallel_trial_count=1,
            objective=katib.V1beta1ObjectiveSpec(type="maximize", objective_metric_name="accuracy"),
            early_stopping=katib.V1beta1EarlyStoppingSpec(
                algorithm_name="medianstop", algorithm_settings=given
            ),
        )
    )
    found = succeeded("stopped")
    assert found.status.trials_early_stopped >= 1, found.status
    stopped = api.get_trial(found.status.early_stopped_trial_list[0])
    assert "EarlyStopped" in [each.type for each in stopped.status.conditions if each.status == "True"]
    gone("stopped")


STOPPING = {"min_trials_required": "1", "start_step": "3"}


@journey
def a_failure_is_told() -> None:
    api.create_experiment(experiment("failing", "raise SystemExit(7)", max_failed_trial_count=0))
    fails(lambda: succeeded("failing"), "default/failing is Failed")
    assert api.is_experiment_failed("failing")
    api.wait_for_experiment_condition("failing", NS, "Failed", timeout=60, polling_interval=1)
    assert api.get_optimal_hyperparameters("failing") is None
    assert api.get_success_trial_details("failing") == []
    gone("failing")


@journey
def what_is_refused_is_told() -> None:
    wrong = experiment("wrong")
    wrong.spec.algorithm.algorithm_name = "nothing-like-it"
    fails(lambda: api.create_experiment(wrong), "wrong", "nothing-like-it")
    fails(lambda: api.get_experiment("nowhere"), "nowhere")
    fails(lambda: api.delete_experiment("nowhere"), "nowhere")
    fails(lambda: api.get_suggestion("nowhere"), "nowhere")
    fails(lambda: list(api.get_job_logs("nowhere", "nothing")), "not found")


if __name__ == "__main__":
    sys.exit(journey.run())
