"""From a ContainerSpec to a command line of podman. Pure; called by `container`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from sampan.cluster.node.runtimes.podman import Options
from sampan.cluster.node.runtimes.protocol import (
    ContainerSpec,
    ExecSpec,
    ImageRun,
    Mount,
    RuntimeFailureError,
)

EXEC_MARK = "SAMPAN_EXEC"
_CPU_PERIOD_MICROS = 100_000
_LEAST_CPU_MICROS = 1000
_LEAST_MEMORY_BYTES = 6 * 1024 * 1024
"""Less, an OCI runtime refuses to start anything in."""
_OF_PODMAN = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|LANG|LANGUAGE|TERM|HOSTNAME|NOTIFY_SOCKET|GODEBUG|GOTRACEBACK|GOMAXPROCS|GOGC"
    r"|GOMEMLIMIT|STORAGE_\w+|REGISTRY_\w+|SSL_CERT_\w+|_\w+|(XDG|CONTAINER|CONTAINERS|PODMAN|BUILDAH|DOCKER|CONMON|DBUS"
    r"|LISTEN|LD|LC|OCI)_?\w*|(?i:(https?|ftp|no|all)_proxy))\Z"
)
"""Variables that podman reads itself, or the C library below it."""


def home_of(folder: Path) -> str:
    """What tells the containers of one home from those of another; `folder` is the runtime's own in it."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def name_of(home: str, digest: str) -> str:
    """How podman knows a container of ours."""
    return f"sampan-{home}-{digest}"


def run_command(program: str, options: Options, spec: ContainerSpec, name: str, home: str) -> list[str]:
    """Raises RuntimeFailureError for what podman's command line cannot say."""
    image = spec.image
    assert image is not None
    command = [
        program,
        *options.general,
        "run",
        "--name",
        name,
        "--label",
        f"sampan.home={home}",
        *options.run,
    ]
    # Its sockets are the machine's, and led to the pod's address by the filter that it inherits.
    command += ["--network", "host", "--http-proxy=false", "--pull", "never", "--pids-limit", "-1"]
    command += ["--pidfile", str(spec.folder / "pid"), "--entrypoint", ""]
    # Its output goes straight to the pipes that our log is written from; a terminal has to be handed through.
    command += ["--log-driver", "none", "--tty"] if spec.tty else ["--log-driver", "passthrough"]
    command += ["--interactive"] if spec.stdin else []
    command += ["--hostname", spec.hostname] if spec.hostname else []
    command += _rights(image)
    command += _limits(spec, options)
    for mount in _mounts(spec):
        command += ["--mount", _mount(mount)]
    for variable, value in spec.env.items():
        # Not on the command line, which every user of the machine may read.
        command += ["--env", variable if _travels(variable) else f"{variable}={value}"]
    return [*command, image.image, *spec.argv]


def client_env(environ: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Of podman's own process: what it needs of the server's, and the container's variables to take along."""
    own = {name: value for name, value in environ.items() if _OF_PODMAN.match(name)}
    return {**own, **{name: value for name, value in values.items() if _travels(name)}}


def exec_command(program: str, options: Options, name: str, spec: ExecSpec, mark: str) -> list[str]:
    command = [program, *options.general, "exec"]
    command += ["--interactive"] if spec.stdin else []
    command += ["--tty"] if spec.tty else []
    for variable, value in {**spec.env, EXEC_MARK: mark}.items():
        command += ["--env", f"{variable}={value}"]
    return [*command, name, *spec.argv]


def _travels(variable: str) -> bool:
    return not _OF_PODMAN.match(variable) and not variable.endswith("*")


def _rights(image: ImageRun) -> list[str]:
    found: list[str] = []
    found += ["--user", image.user] if image.user else []
    found += ["--workdir", image.workdir] if image.workdir else []
    for group in image.groups:
        found += ["--group-add", str(group)]
    found += ["--read-only", "--read-only-tmpfs=false"] if image.read_only else []
    found += ["--privileged"] if image.privileged else []
    found += ["--security-opt", "no-new-privileges"] if image.no_new_privileges else []
    found += ["--security-opt", "seccomp=unconfined"] if image.unconfined else []
    for capability in image.drop_capabilities:
        found += ["--cap-drop", capability]
    for capability in image.add_capabilities:
        found += ["--cap-add", capability]
    for device in image.devices:
        found += ["--device", device]
    found += ["--pid", "host"] if image.host_pid else []
    found += ["--ipc", "host"] if image.host_ipc else []
    return found


def _limits(spec: ContainerSpec, options: Options) -> list[str]:
    if "--cgroups=disabled" in options.run:
        return []
    found: list[str] = []
    if memory := spec.limits.memory_bytes:
        bytes_ = str(max(memory, _LEAST_MEMORY_BYTES))
        # No swap, as on a node.
        found += ["--memory", bytes_, "--memory-swap", bytes_]
    if millis := spec.limits.cpu_millis:
        quota = max(millis * _CPU_PERIOD_MICROS // 1000, _LEAST_CPU_MICROS)
        found += ["--cpu-period", str(_CPU_PERIOD_MICROS), "--cpu-quota", str(quota)]
    return found


def _mounts(spec: ContainerSpec) -> list[Mount]:
    mounts = list(spec.mounts)
    if spec.termination is not None:
        file, target = spec.termination
        if all(mount.target.rstrip("/") != target for mount in mounts):
            mounts.append(Mount(file, target))
    # What lies above comes first, whatever the order in the pod.
    return sorted(mounts, key=lambda mount: Path(mount.target).parts)


def _mount(mount: Mount) -> str:
    fields = {"source": str(mount.source), "target": mount.target}
    for path in fields.values():
        if "," in path or '"' in path or "\n" in path:
            raise RuntimeFailureError(f"podman cannot mount {path!r}: a comma or quote in its name")
    return ",".join(
        [
            "type=bind",
            *(f"{key}={value}" for key, value in fields.items()),
            *(["ro=true"] if mount.read_only else []),
        ]
    )
