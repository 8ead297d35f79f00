"""kubeflow-training's TrainingClient against our operators: jobs that really run, in the image python:3.11.

    python training_sdk.py KUBECONFIG [WORD …]

Run by `test_training_sdks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from checks import Journey, until
from kubeflow import training as sdk
from kubeflow.training import TrainingClient, constants
from kubernetes import client as kubernetes
from kubernetes import config

CONFIG = sys.argv[1]
NS = "default"
IMAGE = "python:3.11"
journey = Journey("kubeflow-training")
config.load_kube_config(CONFIG)
core = kubernetes.CoreV1Api()
api = TrainingClient(config_file=CONFIG, namespace=NS)

KINDS: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "TFJob": (
        "KubeflowOrgV1TFJob",
        "KubeflowOrgV1TFJobSpec",
        "tf_replica_specs",
        "tensorflow",
        ("Chief", "Worker"),
    ),
    "PyTorchJob": (
        "KubeflowOrgV1PyTorchJob",
        "KubeflowOrgV1PyTorchJobSpec",
        "pytorch_replica_specs",
        "pytorch",
        ("Master", "Worker"),
    ),
    "XGBoostJob": (
        "KubeflowOrgV1XGBoostJob",
        "KubeflowOrgV1XGBoostJobSpec",
        "xgb_replica_specs",
        "xgboost",
        ("Master", "Worker"),
    ),
    "PaddleJob": (
        "KubeflowOrgV1PaddleJob",
        "KubeflowOrgV1PaddleJobSpec",
        "paddle_replica_specs",
        "paddle",
        ("Master", "Worker"),
    ),
    "JAXJob": ("KubeflowOrgV1JAXJob", "KubeflowOrgV1JAXJobSpec", "jax_replica_specs", "jax", ("Worker",)),
}
SHOWN = {
    "TFJob": "TF_CONFIG",
    "PyTorchJob": "MASTER_ADDR",
    "XGBoostJob": "WORKER_ADDRS",
    "PaddleJob": "PADDLE_MASTER",
    "JAXJob": "COORDINATOR_ADDRESS",
}


def job(kind: str, name: str, program: str, workers: int = 2, **spec: Any) -> Any:
    model, spec_model, field, container, roles = KINDS[kind]
    made = kubernetes.V1Container(name=container, image=IMAGE, command=["python", "-u", "-c", program])
    template = kubernetes.V1PodTemplateSpec(spec=kubernetes.V1PodSpec(containers=[made]))
    replicas = {
        role: sdk.KubeflowOrgV1ReplicaSpec(
            replicas=workers if role == "Worker" else 1, restart_policy="Never", template=template
        )
        for role in roles
    }
    return getattr(sdk, model)(
        api_version="kubeflow.org/v1",
        kind=kind,
        metadata=kubernetes.V1ObjectMeta(name=name, namespace=NS),
        spec=getattr(sdk, spec_model)(
            **{field: replicas},
            run_policy=sdk.KubeflowOrgV1RunPolicy(clean_pod_policy="None"),
            **spec,
        ),
    )


def succeeded(name: str, kind: str) -> None:
    api.wait_for_job_conditions(name, job_kind=kind, wait_timeout=90, polling_interval=1)


def gone(name: str, kind: str) -> None:
    api.delete_job(name, job_kind=kind)
    until(lambda: name not in [each.metadata.name for each in api.list_jobs(job_kind=kind)])
    selector = f"training.kubeflow.org/job-name={name}"
    until(lambda: not core.list_namespaced_pod(NS, label_selector=selector).items)
    fails(lambda: api.get_job(name, job_kind=kind), name)


def fails(call: Callable[[], Any], *words: str) -> None:
    """The client wraps the API's errors into its own."""
    try:
        call()
    except (RuntimeError, ValueError) as error:
        cause = error.__cause__ or error.__context__ or ""
        assert all(word in f"{error} {cause}" for word in words), f"{error} {cause}"
    else:
        raise AssertionError("should have failed")


@journey
def every_kind_runs() -> None:
    for kind, shown in SHOWN.items():
        program = f"import os; print('contract', os.environ['{shown}'])"
        api.create_job(job(kind, f"a-{kind.lower()}", program))
    for kind in SHOWN:
        name = f"a-{kind.lower()}"
        succeeded(name, kind)
        assert api.is_job_succeeded(name, job_kind=kind)
        assert api.is_job_created(name, job_kind=kind)
        assert not api.is_job_running(name, job_kind=kind)
        assert not api.is_job_failed(name, job_kind=kind)
        assert not api.is_job_restarting(name, job_kind=kind)
        types = [each.type for each in api.get_job_conditions(name, job_kind=kind)]
        # Nobody may have seen it run: programs of a moment.
        assert types in (["Created", "Running", "Succeeded"], ["Created", "Succeeded"]), types
        roles = {"Worker": 2} if kind == "JAXJob" else {"Worker": 2, KINDS[kind][4][0]: 1}
        expected = sorted(
            f"{name}-{role.lower()}-{index}" for role, count in roles.items() for index in range(count)
        )
        assert sorted(api.get_job_pod_names(name)) == expected
        assert api.get_job_pod_names(name, replica_type="worker", replica_index=1) == [f"{name}-worker-1"]
        master = f"{name}-{KINDS[kind][4][0].lower()}-0"
        assert api.get_job_pod_names(name, is_master=True) == [master]
        logs, _ = api.get_job_logs(name, job_kind=kind)
        assert list(logs) == [master]
        assert "contract " in logs[master]
        # Of events it asks for the kind that the client was made for.
        own = TrainingClient(config_file=CONFIG, namespace=NS, job_kind=kind)
        logs, events = own.get_job_logs(name, is_master=False, verbose=True)
        assert sorted(logs) == expected
        assert f"Created pod: {master}" in " ".join(events[f"{kind.lower()}/{name}"]), events
        gone(name, kind)


@journey
def a_function_on_workers() -> None:
    def train(parameters: dict) -> None:  # type: ignore[type-arg]
        import os

        import six

        print(
            "rate",
            parameters["rate"],
            "six",
            six.__version__,
            "config",
            "TF_CONFIG" in os.environ,
            os.environ["A"],
        )

    api.create_job(
        name="function",
        job_kind="TFJob",
        base_image=IMAGE,
        train_func=train,
        parameters={"rate": 0.5},
        num_workers=2,
        num_ps_replicas=1,
        num_chief_replicas=1,
        packages_to_install=["six==1.16.0"],
        env_vars={"A": "b"},
        resources_per_worker={"cpu": "100m", "memory": "64Mi"},
        labels={"team": "a"},
        annotations={"note": "b"},
    )
    succeeded("function", "TFJob")
    found = api.get_job("function", job_kind="TFJob")
    assert found.metadata.labels == {"team": "a"}
    assert set(found.spec.tf_replica_specs) == {"Chief", "PS", "Worker"}
    logs, _ = api.get_job_logs("function", job_kind="TFJob")
    assert "rate 0.5 six 1.16.0 config True b" in logs["function-chief-0"]
    gone("function", "TFJob")


@journey
def a_pytorch_job_from_an_image() -> None:
    api.create_job(name="alone", job_kind="PyTorchJob", base_image=IMAGE, train_func=lonely, num_workers=1)
    succeeded("alone", "PyTorchJob")
    logs, _ = api.get_job_logs("alone", job_kind="PyTorchJob")
    assert "rank 0 of 1" in logs["alone-master-0"]
    gone("alone", "PyTorchJob")
    api.create_job(
        name="many", job_kind="PyTorchJob", base_image=IMAGE, num_workers=3, num_procs_per_worker=2
    )
    found = api.get_job("many", job_kind="PyTorchJob")
    assert found.spec.nproc_per_node == "2"
    assert found.spec.pytorch_replica_specs["Worker"].replicas == 2
    gone("many", "PyTorchJob")


def lonely() -> None:
    import os

    print("rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"])


@journey
def logs_are_followed() -> None:
    program = "import time\nfor step in range(6):\n    print('step', step)\n    time.sleep(0.3)"
    api.create_job(job("PyTorchJob", "followed", program))
    # Of pods that are still pending it follows nothing.
    until(lambda: [pod.status.phase for pod in api.get_job_pods("followed")] == ["Running"] * 3)
    logs, _ = api.get_job_logs("followed", job_kind="PyTorchJob", follow=True, is_master=False)
    assert len(logs) == 3
    assert all("step 5" in text for text in logs.values()), logs
    succeeded("followed", "PyTorchJob")
    gone("followed", "PyTorchJob")


@journey
def a_failure_is_told() -> None:
    api.create_job(job("PyTorchJob", "failing", "raise SystemExit(7)", workers=1))
    fails(lambda: succeeded("failing", "PyTorchJob"), "PyTorchJob default/failing is Failed")
    assert api.is_job_failed("failing", job_kind="PyTorchJob")
    api.wait_for_job_conditions(
        "failing", job_kind="PyTorchJob", expected_conditions={"Failed"}, wait_timeout=60, polling_interval=1
    )
    gone("failing", "PyTorchJob")


@journey
def a_job_is_updated_and_listed() -> None:
    suspended = job("PyTorchJob", "waiting", "print('at last')", workers=1)
    suspended.spec.run_policy.suspend = True
    api.create_job(suspended)
    until(
        lambda: (
            "Suspended" in [each.type for each in api.get_job_conditions("waiting", job_kind="PyTorchJob")]
        )
    )
    assert api.get_job_pod_names("waiting") == []
    found = api.get_job("waiting", job_kind="PyTorchJob")
    found.spec.run_policy.suspend = False
    api.update_job(found, "waiting", job_kind="PyTorchJob")
    succeeded("waiting", "PyTorchJob")
    assert "waiting" in [each.metadata.name for each in api.list_jobs(job_kind="PyTorchJob")]
    fails(lambda: api.create_job(suspended), "waiting")
    gone("waiting", "PyTorchJob")


@journey
def elastic_jobs() -> None:
    policy = sdk.KubeflowOrgV1ElasticPolicy(
        min_replicas=1, max_replicas=3, rdzv_backend="c10d", max_restarts=2
    )
    elastic = job(
        "PyTorchJob", "elastic", "import os; print(os.environ['PET_NNODES'])", elastic_policy=policy
    )
    del elastic.spec.pytorch_replica_specs["Master"]
    api.create_job(elastic)
    succeeded("elastic", "PyTorchJob")
    logs, _ = api.get_job_logs("elastic", job_kind="PyTorchJob", is_master=False)
    assert any("1:3" in text for text in logs.values()), logs
    gone("elastic", "PyTorchJob")


@journey
def a_launcher_and_its_workers() -> None:
    def role(program: str, replicas: int) -> Any:
        made = kubernetes.V1Container(name="mpi", image=IMAGE, command=["python", "-u", "-c", program])
        template = kubernetes.V1PodTemplateSpec(spec=kubernetes.V1PodSpec(containers=[made]))
        return sdk.KubeflowOrgV1ReplicaSpec(replicas=replicas, restart_policy="Never", template=template)

    hosts = "import os; print(open(os.environ['OMPI_MCA_orte_default_hostfile']).read())"
    api.create_job(
        sdk.KubeflowOrgV1MPIJob(
            api_version="kubeflow.org/v1",
            kind="MPIJob",
            metadata=kubernetes.V1ObjectMeta(name="mpi", namespace=NS),
            spec=sdk.KubeflowOrgV1MPIJobSpec(
                slots_per_worker=2,
                run_policy=sdk.KubeflowOrgV1RunPolicy(clean_pod_policy="Running"),
                mpi_replica_specs={
                    "Launcher": role(hosts, 1),
                    "Worker": role("import time; time.sleep(600)", 2),
                },
            ),
        )
    )
    succeeded("mpi", "MPIJob")
    (launcher,) = api.get_job_pod_names("mpi", is_master=True)
    assert launcher == "mpi-launcher", launcher
    logs, _ = api.get_job_logs("mpi", job_kind="MPIJob")
    assert [line.split()[0].partition(".")[0] for line in logs[launcher].split("\n") if line.strip()] == [
        "mpi-worker-0",
        "mpi-worker-1",
    ], logs
    until(lambda: api.get_job_pod_names("mpi", replica_type="worker") == [])
    gone("mpi", "MPIJob")


@journey
def what_is_refused_is_told() -> None:
    wrong = job("PyTorchJob", "wrong", "pass")
    wrong.spec.pytorch_replica_specs["Worker"].template.spec.containers[0].name = "main"
    fails(lambda: api.create_job(wrong), "must have at least one container with name pytorch")
    fails(lambda: api.get_job("nowhere", job_kind=constants.TFJOB_KIND), "nowhere")


if __name__ == "__main__":
    sys.exit(journey.run())
