# ruff: noqa: UP006, UP035, UP045, PT018, B006  (what the SDK reads: typing's types)
"""Pipelines of kfp-kubernetes: every function of the package, names as inputs, and what is null. As `pipelines`."""

from typing import List, Optional

from cases import case, main
from kfp import dsl, kubernetes
from kfp.dsl import Input, Model, Output

# The secret `credentials`, the config map `settings` and the claim `shelf` are made by the test.


@dsl.component
def variables(names: List[str]) -> list:
    import os

    return [os.environ.get(name) for name in names]


@dsl.component
def files(paths: List[str]) -> list:
    import pathlib

    return [pathlib.Path(path).read_text() if pathlib.Path(path).exists() else None for path in paths]


@dsl.component
def write(path: str, text: str) -> str:
    import pathlib

    pathlib.Path(path).write_text(text)
    return text


@case(
    {"secret": "credentials"},
    tasks={
        "variables": {"Output": ["hunter2", "hunter2", "blue", None, None, None]},
        "files": {"Output": ["hunter2", "blue", None, None]},
    },
)
def secrets_and_config_maps(secret: str, none: Optional[str] = None, names: List[str] = list("ABCDEF")):
    one = variables(names=names)
    kubernetes.use_secret_as_env(one, secret_name=secret, secret_key_to_env={"password": "A"})
    kubernetes.use_secret_as_env(one, secret_name="credentials", secret_key_to_env={"password": "B"})
    kubernetes.use_config_map_as_env(one, config_map_name="settings", config_map_key_to_env={"color": "C"})
    kubernetes.use_secret_as_env(one, secret_name="nobody", secret_key_to_env={"x": "D"}, optional=True)
    kubernetes.use_config_map_as_env(
        one, config_map_name="settings", config_map_key_to_env={"no-such-key": "E"}, optional=True
    )
    kubernetes.use_secret_as_env(one, secret_name=none, secret_key_to_env={"password": "F"})
    two = files(paths=["/mnt/secret/password", "/mnt/settings/color", "/mnt/optional/x", "/mnt/none/x"])
    kubernetes.use_secret_as_volume(two, secret_name=secret, mount_path="/mnt/secret")
    kubernetes.use_config_map_as_volume(two, config_map_name="settings", mount_path="/mnt/settings")
    kubernetes.use_secret_as_volume(two, secret_name="nobody", mount_path="/mnt/optional", optional=True)
    kubernetes.use_config_map_as_volume(two, config_map_name=none, mount_path="/mnt/none")


@case(
    tasks={"variables": {"Output": ["default", "true", "yes", "1000"]}},
    said={},
)
def fields_of_the_pod():
    task = variables(names=["NAMESPACE", "V2", "OWN", "NOTE"])
    kubernetes.use_field_path_as_env(task, env_name="NAMESPACE", field_path="metadata.namespace")
    kubernetes.use_field_path_as_env(
        task, env_name="V2", field_path="metadata.labels['pipelines.kubeflow.org/v2_component']"
    )
    kubernetes.add_pod_label(task, "team", "yes")
    kubernetes.use_field_path_as_env(task, env_name="OWN", field_path="metadata.labels['team']")
    kubernetes.add_pod_annotation(task, "note", "1000")
    kubernetes.use_field_path_as_env(task, env_name="NOTE", field_path="metadata.annotations['note']")
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    kubernetes.set_image_pull_secrets(task, ["pull"])
    kubernetes.set_security_context(task, run_as_user=1000, run_as_non_root=True)


@case({"claim": "shelf"}, tasks={"files": {"Output": ["one", None]}, "files-2": {"Output": ["one"]}})
def claims_are_made_mounted_and_deleted(claim: str):
    made = kubernetes.CreatePVC(
        pvc_name_suffix="-own", access_modes=["ReadWriteOnce"], size="10Mi", storage_class_name="standard"
    )
    first = write(path="/mnt/own/x", text="one")
    kubernetes.mount_pvc(first, pvc_name=made.outputs["name"], mount_path="/mnt/own")
    second = files(paths=["/mnt/own/x", "/mnt/shelf/x"]).after(first)
    kubernetes.mount_pvc(second, pvc_name=made.outputs["name"], mount_path="/mnt/own")
    kubernetes.mount_pvc(second, pvc_name=claim, mount_path="/mnt/shelf")
    third = files(paths=["/mnt/root/deep/x"])
    fourth = write(path="/mnt/deep/x", text="one")
    kubernetes.mount_pvc(fourth, pvc_name=claim, mount_path="/mnt/deep", sub_path="deep")
    kubernetes.mount_pvc(third, pvc_name=claim, mount_path="/mnt/root")
    third.after(fourth)
    kubernetes.DeletePVC(pvc_name=made.outputs["name"]).after(second)


@dsl.component
def on_a_claim(model: Output[Model]):
    import pathlib

    pathlib.Path("/mnt/shelf/model").write_text("weights")
    model.set_path("/mnt/shelf/model")


@dsl.component
def read(model: Input[Model]) -> str:
    return open(model.path).read()


@case(tasks={"read": {"Output": "weights"}})
def an_artifact_on_a_claim():
    made = on_a_claim()
    kubernetes.mount_pvc(made, pvc_name="shelf", mount_path="/mnt/shelf")
    read(model=made.outputs["model"])


@dsl.component
def room(path: str, mb: int) -> str:
    import os

    with open(os.path.join(path, "x"), "wb") as file:
        file.write(b"x" * mb * 1024 * 1024)
    return "fits"


@case(tasks={"room": {"Output": "fits"}, "room-2": {"Output": "fits"}, "room-3": {"Output": "fits"}})
def volumes_of_the_pods_own():
    kubernetes.add_ephemeral_volume(
        room(path="/mnt/ephemeral", mb=1),
        volume_name="ephemeral",
        mount_path="/mnt/ephemeral",
        access_modes=["ReadWriteOnce"],
        size="10Mi",
        labels={"a": "b"},
    )
    kubernetes.empty_dir_mount(
        room(path="/mnt/empty", mb=1), volume_name="empty", mount_path="/mnt/empty", size_limit="8Mi"
    )
    kubernetes.empty_dir_mount(
        room(path="/dev/shm", mb=1), volume_name="shm", mount_path="/dev/shm", medium="Memory"
    )


@dsl.component
def sleep(seconds: int):
    import time

    time.sleep(seconds)


@case(state="FAILED", error="timeout", tasks={"sleep": "FAILED"})
def a_step_has_a_time_limit():
    kubernetes.set_timeout(sleep(seconds=60), seconds=1)


@case(
    {"selector": {"kubernetes.io/os": "linux"}, "tolerations": [{"key": "a", "operator": "Exists"}]},
    tasks={"variables": {"Output": []}, "variables-2": {"Output": []}},
)
def nodes_that_are_there(selector: dict, tolerations: list, none: Optional[dict] = None):
    one = variables(names=[])
    kubernetes.add_node_selector_json(one, node_selector_json=selector)
    kubernetes.add_toleration_json(one, toleration_json=tolerations)
    kubernetes.add_toleration(
        one, key="b", operator="Equal", value="c", effect="NoSchedule", toleration_seconds=3
    )
    kubernetes.add_node_affinity(
        one, match_expressions=[{"key": "kubernetes.io/os", "operator": "In", "values": ["linux", "plan9"]}]
    )
    two = variables(names=[])
    kubernetes.add_node_selector_json(two, node_selector_json=none)
    kubernetes.add_toleration_json(two, toleration_json=none)
    kubernetes.add_node_affinity_json(two, node_affinity_json=none)


@case({"selector": {"disk": "quick"}}, state="WAITS", said={"variables": "node affinity/selector"})
def a_node_that_is_not_there(selector: dict):
    kubernetes.add_node_selector_json(variables(names=[]), node_selector_json=selector)


@case(state="WAITS", said={"variables": "nvidia.com/gpu"})
def an_accelerator_that_is_not_there():
    variables(names=[]).set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)


@dsl.component(
    task_config_passthroughs=[
        dsl.TaskConfigField.RESOURCES,
        dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
        dsl.TaskConfigField.KUBERNETES_VOLUMES,
        dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    ]
)
def handed_over(workspace: str, config: dsl.TaskConfig) -> list:
    import os

    # Only what applies to the task is the pod's own.
    assert os.environ["A"] == "1"
    assert not os.path.exists("/mnt/shelf") and not os.path.exists(workspace)
    assert config.affinity is None
    return [
        config.resources,
        config.node_selector,
        [mount["mountPath"] for mount in config.volume_mounts],
        [{"name": item["name"]} for item in config.env],
    ]


@case(
    tasks={
        "handed-over": {
            "Output": [
                {"limits": {"cpu": "64", "memory": "1Ti"}},
                {"disk": "quick"},
                ["/kfp-workspace", "/mnt/shelf"],
                [{"name": "A"}, {"name": "B"}],
            ]
        }
    },
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="10Mi")),
)
def the_tasks_config_is_handed_over():
    task = handed_over(workspace=dsl.WORKSPACE_PATH_PLACEHOLDER)
    task.set_cpu_limit("64").set_memory_limit("1Ti").set_env_variable("A", "1")
    kubernetes.use_secret_as_env(task, secret_name="credentials", secret_key_to_env={"password": "B"})
    kubernetes.add_node_selector(task, "disk", "quick")
    kubernetes.mount_pvc(task, pvc_name="shelf", mount_path="/mnt/shelf")


@case(
    tasks={"files": {"Output": ["one"]}},
    again={"write": "SUCCEEDED", "files": "SUCCEEDED"},
    pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size="10Mi")),
)
def a_workspace_is_of_one_run():
    first = write(path=f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/x", text="one")
    files(paths=[f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/x"]).after(first)


@case(
    {"memory": "64Mi", "cpu": "0.1"},
    tasks={"variables": {"Output": []}},
    state="SUCCEEDED",
)
def resources_may_be_inputs(memory: str, cpu: str):
    task = variables(names=[])
    task.set_memory_limit(memory).set_memory_request(memory).set_cpu_limit(cpu).set_cpu_request(cpu)


@case(state="FAILED", error="limit of 2 s", pipeline_config=dsl.PipelineConfig(active_deadline_seconds=2))
def a_run_has_a_time_limit():
    sleep(seconds=60)


if __name__ == "__main__":
    main()
