"""kubeflow's TrainerClient against our trainer: jobs that really run, in the image python:3.11.

    python trainer_sdk.py KUBECONFIG [WORD …]

Run by `test_training_sdks`. All checks share what the first makes; those of a word run alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from checks import Journey, until
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.trainer import CustomTrainer, CustomTrainerContainer, TrainerClient
from kubeflow.trainer.options import (
    ActiveDeadlineSeconds,
    Annotations,
    ContainerPatch,
    JobSetSpecPatch,
    JobSetTemplatePatch,
    JobSpecPatch,
    JobTemplatePatch,
    Labels,
    Name,
    PodSpecPatch,
    PodTemplatePatch,
    ReplicatedJobPatch,
    RuntimePatch,
    TrainerArgs,
    TrainerCommand,
    TrainingRuntimeSpecPatch,
)
from kubernetes import client as kubernetes
from kubernetes import config

CONFIG = sys.argv[1]
NS = "default"
GROUP, VERSION = "trainer.kubeflow.org", "v1alpha1"
journey = Journey("kubeflow")
config.load_kube_config(CONFIG)
custom, core = kubernetes.CustomObjectsApi(), kubernetes.CoreV1Api()
api = TrainerClient(backend_config=KubernetesBackendConfig(config_file=CONFIG, namespace=NS))


def replicated(name: str, ancestor: str, *containers: dict[str, Any]) -> dict[str, Any]:
    labels = {"trainer.kubeflow.org/trainjob-ancestor-step": ancestor}
    spec = {"backoffLimit": 0, "template": {"spec": {"containers": list(containers)}}}
    return {"name": name, "template": {"metadata": {"labels": labels}, "spec": spec}}


def runtime(name: str, framework: str, plural: str = "clustertrainingruntimes") -> None:
    """Of python alone, which the client starts where a runtime has another policy than torch."""
    node = {"name": "node", "image": "python:3.11"}
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ClusterTrainingRuntime" if plural.startswith("cluster") else "TrainingRuntime",
        "metadata": {"name": name, "labels": {"trainer.kubeflow.org/framework": framework}},
        "spec": {
            "mlPolicy": {"numNodes": 1, "jax": {}},
            "template": {"spec": {"replicatedJobs": [replicated("node", "trainer", node)]}},
        },
    }
    if plural.startswith("cluster"):
        custom.create_cluster_custom_object(GROUP, VERSION, plural, body)
    else:
        custom.create_namespaced_custom_object(GROUP, VERSION, NS, plural, body)


def logs(name: str, **more: Any) -> str:
    return "\n".join(api.get_job_logs(name, **more))


def ended(name: str, **more: Any) -> Any:
    return api.wait_for_job_status(name, timeout=60, polling_interval=1, **more)


def greet(who: str = "nobody") -> None:
    import os

    for key in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID", "COLOUR"):
        print(f"{key}={os.environ.get(key)}", flush=True)
    print(f"hello {who}", flush=True)


def slowly() -> None:
    import time

    for step in range(5):
        print(f"step {step}", flush=True)
        time.sleep(0.3)


def fail() -> None:
    raise SystemExit(7)


@journey
def runtimes() -> None:
    names = {each.name for each in api.list_runtimes()}
    assert {
        "torch-distributed",
        "deepspeed-distributed",
        "jax-distributed",
        "mlx-distributed",
        "xgboost-distributed",
        "torchtune-llama3.2-1b",
        "torchtune-llama3.2-3b",
        "torchtune-qwen2.5-1.5b",
    } <= names, names
    torch = api.get_runtime("torch-distributed")
    assert (torch.trainer.framework, torch.trainer.num_nodes) == ("torch", 1)
    assert "pytorch" in torch.trainer.image
    runtime("plain-python", "python")
    runtime("plain-python", "other", "trainingruntimes")
    # The one of the namespace has the name.
    assert api.get_runtime("plain-python").trainer.framework == "other"
    custom.delete_namespaced_custom_object(GROUP, VERSION, NS, "trainingruntimes", "plain-python")
    assert api.get_runtime("plain-python").trainer.framework == "python"
    fails(lambda: api.get_runtime("nowhere"), "nowhere")


@journey
def a_function_on_two_nodes() -> None:
    name = api.train(
        runtime="plain-python",
        trainer=CustomTrainer(
            func=greet,
            func_args={"who": "world"},
            num_nodes=2,
            env={"COLOUR": "green"},
            resources_per_node={"cpu": 1},
        ),
        options=[
            Name("two-nodes"),
            Labels({"team": "a"}),
            Annotations({"note": "b"}),
            ActiveDeadlineSeconds(600),
        ],
    )
    assert name == "two-nodes"
    seen: list[str] = []
    job = ended(name, callbacks=[lambda job: seen.append(job.status)])
    assert (job.status, job.num_nodes) == ("Complete", 2)
    assert seen
    assert {step.name for step in job.steps} == {"node-0", "node-1"}
    found = custom.get_namespaced_custom_object(GROUP, VERSION, NS, "trainjobs", name)
    assert found["metadata"]["labels"]["team"] == "a"
    assert found["metadata"]["annotations"]["note"] == "b"
    assert found["spec"]["activeDeadlineSeconds"] == 600
    assert set(logs(name).splitlines()) >= {
        "JAX_NUM_PROCESSES=2",
        "JAX_PROCESS_ID=0",
        "COLOUR=green",
        "hello world",
    }
    assert "JAX_PROCESS_ID=1" in logs(name, step="node-1")
    assert [each.name for each in api.list_jobs(api.get_runtime("plain-python"))] == [name]
    assert api.list_jobs(api.get_runtime("torch-distributed")) == []
    api.delete_job(name)
    until(lambda: not api.list_jobs())
    until(lambda: not core.list_namespaced_pod(NS, label_selector=f"jobset-name={name}").items)
    fails(lambda: api.get_job(name), name)


@journey
def logs_are_followed_and_events_told() -> None:
    name = api.train(runtime="plain-python", trainer=CustomTrainer(func=slowly))
    until(lambda: api.get_job(name).steps and api.get_job(name).steps[0].status == "Running", seconds=60)
    assert api.get_job(name).status == "Running"
    assert [line for line in api.get_job_logs(name, follow=True) if line.startswith("step")] == [
        f"step {step}" for step in range(5)
    ]
    ended(name)
    reasons = {event.reason for event in api.get_job_events(name)}
    assert {"Scheduled", "Started"} <= reasons, reasons
    api.delete_job(name)


@journey
def packages_are_installed_for_a_function() -> None:
    def uses() -> None:
        import six

        print("six", six.__version__)

    name = api.train(
        runtime="plain-python", trainer=CustomTrainer(func=uses, packages_to_install=["six==1.16.0"])
    )
    ended(name)
    assert "six 1.16.0" in logs(name)
    api.delete_job(name)


@journey
def a_container_with_command_and_arguments() -> None:
    name = api.train(
        runtime="plain-python",
        trainer=CustomTrainerContainer(image="python:3.11", num_nodes=1, env={"A": "b"}),
        options=[
            TrainerCommand(["python", "-c"]),
            TrainerArgs(["import os; print('said', os.environ['A'], os.environ['JAX_NUM_PROCESSES'])"]),
        ],
    )
    ended(name)
    assert "said b 1" in logs(name)
    api.delete_job(name)


@journey
def patches_of_the_runtime() -> None:
    volumes = [{"name": "shared", "emptyDir": {}}]
    node = ContainerPatch(name="node", volume_mounts=[{"name": "shared", "mountPath": "/shared"}])
    pod = PodTemplatePatch(
        metadata={"labels": {"tier": "gold"}}, spec=PodSpecPatch(volumes=volumes, containers=[node])
    )
    jobs = [ReplicatedJobPatch(name="node", template=JobTemplatePatch(spec=JobSpecPatch(template=pod)))]
    patch = RuntimePatch(
        training_runtime_spec=TrainingRuntimeSpecPatch(
            template=JobSetTemplatePatch(
                metadata={"labels": {"a": "b"}}, spec=JobSetSpecPatch(replicated_jobs=jobs)
            )
        )
    )

    def look() -> None:
        import os

        print("is there", os.path.isdir("/shared"))

    name = api.train(runtime="plain-python", trainer=CustomTrainer(func=look), options=[patch])
    ended(name)
    assert "is there True" in logs(name)
    (pod_,) = core.list_namespaced_pod(NS, label_selector=f"jobset.sigs.k8s.io/jobset-name={name}").items
    assert pod_.metadata.labels["tier"] == "gold"
    job_set = custom.get_namespaced_custom_object("jobset.x-k8s.io", "v1alpha2", NS, "jobsets", name)
    assert job_set["metadata"]["labels"]["a"] == "b"
    api.delete_job(name)
    wrong = RuntimePatch(
        training_runtime_spec=TrainingRuntimeSpecPatch(
            template=JobSetTemplatePatch(
                spec=JobSetSpecPatch(replicated_jobs=[ReplicatedJobPatch(name="nowhere")])
            )
        )
    )
    fails(
        lambda: api.train(runtime="plain-python", trainer=CustomTrainer(func=greet), options=[wrong]),
        "must not have replicated job that doesn't exist in the runtime job template",
    )


@journey
def a_failure_is_told() -> None:
    name = api.train(runtime="plain-python", trainer=CustomTrainer(func=fail))
    fails(lambda: ended(name), f"TrainJob {name} is Failed")
    assert ended(name, status={"Failed"}).status == "Failed"
    api.delete_job(name)


@journey
def packages_of_a_runtime() -> None:
    api.get_runtime_packages(api.get_runtime("plain-python"))
    until(lambda: not api.list_jobs())


@journey
def what_is_refused_is_told() -> None:
    reserved = CustomTrainer(func=greet, env={"PET_NNODES": "3"})
    fails(
        lambda: api.train(runtime="torch-distributed", trainer=reserved),
        "must not have reserved envs, invalid envs configured: [PET_NNODES]",
    )
    fails(
        lambda: api.train(runtime="plain-python", trainer=CustomTrainer(func=greet), options=[Name("1st")]),
        "must match RFC 1035",
    )


def fails(call: Callable[[], Any], *words: str) -> None:
    """The client wraps the API's errors into its own."""
    try:
        call()
    except RuntimeError as error:
        cause = error.__cause__ or error.__context__ or ""
        assert all(word in f"{error} {cause}" for word in words), f"{error} {cause}"
    else:
        raise AssertionError("should have failed")


if __name__ == "__main__":
    sys.exit(journey.run())
