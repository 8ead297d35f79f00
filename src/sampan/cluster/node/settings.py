"""What can be set about the node: the tables `[node]` and `[environments]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass

PROCESS, PODMAN, AUTO = RUNTIMES = ("process", "podman", "auto")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    runtime: str = "process"
    """process: pods run as processes of this machine. podman: each runs in containers, with the files of its images.
    auto: those whose images the catalogue does not know, or that have no command, do, where podman is installed.
    """
    allow_privileged: bool = False
    """Whether containers of podman may be privileged: such a one can do what the server's user can."""
    warm: bool = True
    """Whether Python steps are forked from a warm interpreter. false starts a fresh process for each."""
    warm_limit: int = 8
    """Warm interpreters kept at once; the one unused for longest goes first."""
    warm_idle_seconds: int = 600
    """How long an unused warm interpreter is kept; one for model servers six times as long."""
    private_tmp: bool = True
    """Whether each pod gets a /tmp of its own, where the kernel allows it."""
    pod_addresses: bool = True
    """Whether each pod gets an address of its own, where the kernel allows it; else all share the machine's ports."""
    log_max_bytes: int = 1024 * 1024 * 1024
    """Size at which a container's log goes on in a new file; of five the oldest goes. 0: never."""
    shutdown_grace_seconds: int = 10
    """How long pods have to end when the server stops."""


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    offline: bool = False
    """Whether environments are built from the cache and local wheels alone."""
    download_python: bool = False
    """Whether uv may download a Python version that the machine lacks; otherwise the nearest one is used."""
    index_url: str = ""
    """Package index in place of pip's configured one."""
    build_timeout_seconds: int = 1800
    """How long one environment may take to build."""
