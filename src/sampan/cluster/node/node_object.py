"""The Node object of this machine: what it has, and that it is ready. Pure, but for `observe`."""

from __future__ import annotations

import os
import platform
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan import __version__
from sampan.client.protocol import Object
from sampan.cluster.node import gpus
from sampan.cluster.node.env import HOST_IP, Capacity
from sampan.kube import release

MAX_PODS = 5000
# Kubernetes' names for what `uname -m` says.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True, slots=True)
class Machine:
    hostname: str
    name: str
    """Of the Node: the host name as a DNS label allows it."""
    capacity: Capacity
    gpus: tuple[str, ...]


def observe(home: Path) -> Machine:
    """Looks at the machine: a few small reads."""
    hostname = socket.gethostname()
    disk = os.statvfs(home)
    capacity = Capacity(
        cpu_millis=1000 * len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        ephemeral_storage_bytes=disk.f_frsize * disk.f_blocks,
    )
    return Machine(hostname, node_name(hostname), capacity, gpus.detect())


def node_name(hostname: str) -> str:
    return re.sub(r"[^a-z0-9.-]", "-", hostname.lower()).strip("-.")[:253] or "localhost"


def node(machine: Machine, now: str) -> Object:
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": {
                "kubernetes.io/hostname": machine.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": architecture,
                "node-role.kubernetes.io/control-plane": "",
            },
        },
        "spec": {},
        "status": status(machine, now),
    }


def status(machine: Machine, now: str) -> dict[str, Any]:
    resources = {
        "cpu": f"{machine.capacity.cpu_millis // 1000}",
        "memory": f"{machine.capacity.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{machine.capacity.ephemeral_storage_bytes // 1024}Ki",
        "pods": str(MAX_PODS),
    }
    if machine.gpus:
        resources[gpus.RESOURCE_NAME] = str(len(machine.gpus))
    return {
        "capacity": dict(resources),
        "allocatable": dict(resources),
        "addresses": [
            {"type": "InternalIP", "address": HOST_IP},
            {"type": "Hostname", "address": machine.hostname},
        ],
        "conditions": [
            _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", now),
            _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", now),
            _condition("PIDPressure", "False", "KubeletHasSufficientPID", now),
            _condition("Ready", "True", "KubeletReady", now, "the node agent is running pods"),
        ],
        "nodeInfo": _node_info(),
        "images": [],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    }


def _condition(type_: str, truth: str, reason: str, now: str, message: str = "") -> dict[str, str]:
    return {
        "type": type_,
        "status": truth,
        "reason": reason,
        "message": message or reason,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }


def _node_info() -> dict[str, str]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "bootID": _line("/proc/sys/kernel/random/boot_id"),
        "containerRuntimeVersion": f"sampan://{__version__}",
        "kernelVersion": platform.release(),
        "kubeProxyVersion": release.GIT_VERSION,
        "kubeletVersion": release.GIT_VERSION,
        "machineID": _line("/etc/machine-id"),
        "operatingSystem": "linux",
        "osImage": _os_image(),
        "systemUUID": _line("/etc/machine-id"),
    }


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
