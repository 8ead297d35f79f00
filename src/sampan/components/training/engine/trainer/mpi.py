"""The policy `mpi`: a launcher that starts ranks on the nodes by ssh, with one key pair for all and a list of hosts.

Which command starts them (`mpirun`) is the TrainJob's. Source: kubeflow/trainer
pkg/runtime/framework/plugins/mpi/mpi.go, pkg/constants/constants.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.engine.mpi import keys
from sampan.components.training.engine.trainer import resources
from sampan.components.training.engine.trainer.contract import (
    LAUNCHER,
    NODE,
    Info,
    Plugin,
    PodSet,
    Present,
    UnbuildableError,
)
from sampan.components.training.engine.trainer.upserts import upsert_env, upsert_mounts, upsert_volumes, value
from sampan.kube.kinds import CONFIG_MAPS, SECRETS, Resource
from sampan.kube.meta import Object

_KEYS_VOLUME, _HOSTS_VOLUME = "mpi-ssh-auth", "mpi-hostfile"
_HOSTS_FOLDER, _HOSTS_FILE = "/etc/mpi", "hostfile"
_MODES = {"id_rsa": 0o640, "id_rsa.pub": 0o644, "authorized_keys": 0o644}
_DEFAULT_MODE = 0o400


def enforce(info: Info) -> None:
    policy = info.ml_policy.get("mpi")
    if policy is None:
        return
    implementation = policy.get("mpiImplementation") or "OpenMPI"
    if implementation != "OpenMPI":
        raise UnbuildableError(
            f"the runtime's spec.mlPolicy.mpi.mpiImplementation is {implementation!r}: only OpenMPI is supported"
        )
    _count_nodes(info)
    slots = _slots(info)
    path = str(policy.get("sshAuthMountPath") or "/root/.ssh")
    for pods in info.pod_sets:
        if pods.name not in (NODE, LAUNCHER):
            continue
        upsert_volumes(pods.pod_spec, [_keys_volume(info)])
        if pods.name == LAUNCHER:
            upsert_volumes(pods.pod_spec, [_hosts_volume(info)])
        container = pods.container(NODE)
        if container is None:
            continue
        upsert_mounts(container, [{"name": _KEYS_VOLUME, "mountPath": path}])
        if pods.name == LAUNCHER:
            upsert_mounts(container, [{"name": _HOSTS_VOLUME, "mountPath": _HOSTS_FOLDER}])
            upsert_env(
                container,
                [
                    value("OMPI_MCA_orte_default_hostfile", f"{_HOSTS_FOLDER}/{_HOSTS_FILE}"),
                    value("OMPI_MCA_orte_keep_fqdn_hostnames", "true"),
                    value("OMPI_MCA_orte_set_default_slots", slots),
                    value("OMPI_MCA_plm_rsh_args", "-o ConnectionAttempts=10"),
                ],
            )


def looks_up(info: Info) -> Sequence[tuple[Resource, str]]:
    return [(SECRETS, _secret(info))] if info.ml_policy.get("mpi") is not None else []


def build(info: Info, present: Present) -> Sequence[Object]:
    """The keys are made once: pods of one job have the same, however often this is asked."""
    if info.ml_policy.get("mpi") is None:
        return ()
    slots = _slots(info)
    hosts = "".join(
        f"{host} slots={slots}\n"
        for pods in info.pod_sets
        if _runs_ranks(info, pods)
        for host in pods.endpoints
    )
    objects: list[Object] = []
    if present(SECRETS, _secret(info)) is None:
        objects.append(
            {
                **_named(SECRETS, _secret(info)),
                "type": keys.SECRET_TYPE,
                "data": keys.make_key_pair().data(),
                "immutable": True,
            }
        )
    objects.append({**_named(CONFIG_MAPS, _config_map(info)), "data": {_HOSTS_FILE: hosts}})
    return objects


def _count_nodes(info: Info) -> None:
    wanted, nodes = info.trainer.get("numNodes"), info.by_name(NODE)
    if wanted is None or nodes is None:
        return
    # One of them is the launcher, if that counts as one.
    nodes.count = max(int(wanted) - 1, 1) if _launcher_is_node(info) else int(wanted)


def _slots(info: Info) -> int:
    """Ranks of a node: the TrainJob's number, else the runtime's; where that is 1, as many as it has GPUs."""
    told = info.trainer.get("numProcPerNode")
    if told is not None:
        return _number("spec.trainer.numProcPerNode", told)
    told = info.ml_policy["mpi"].get("numProcPerNode")
    slots = 1 if told is None else _number("the runtime's spec.mlPolicy.mpi.numProcPerNode", told)
    return max(resources.gpus(resources.per_node(info)), 1) if slots == 1 else slots


def _number(path: str, told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int | str) or not str(told).isdecimal():
        raise UnbuildableError(f"{path} is {told!r}: with the policy mpi it must be a whole number")
    return int(told)


def _launcher_is_node(info: Info) -> bool:
    return info.ml_policy["mpi"].get("runLauncherAsNode") is True


def _runs_ranks(info: Info, pods: PodSet) -> bool:
    return pods.name == NODE or (pods.name == LAUNCHER and _launcher_is_node(info))


def _secret(info: Info) -> str:
    return f"{info.name}-mpi-ssh-auth"


def _config_map(info: Info) -> str:
    return f"{info.name}-mpi-hostfile"


def _keys_volume(info: Info) -> Object:
    items = [{"key": key, "path": path, "mode": _MODES[path]} for path, key in keys.FILES.items()]
    secret = {"secretName": _secret(info), "defaultMode": _DEFAULT_MODE, "items": items}
    return {"name": _KEYS_VOLUME, "secret": secret}


def _hosts_volume(info: Info) -> Object:
    items = [{"key": _HOSTS_FILE, "path": _HOSTS_FILE, "mode": 0o444}]
    return {"name": _HOSTS_VOLUME, "configMap": {"name": _config_map(info), "items": items}}


def _named(resource: Resource, name: str) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}}


PLUGIN = Plugin("mpi", enforce_ml_policy=enforce, build=build, looks_up=looks_up)
