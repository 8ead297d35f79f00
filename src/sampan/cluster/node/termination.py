"""What a container has to say at its end: the termination message of its status.

Called by `pod_sync` for each end and by `adoption` for those that nobody saw. Source: kubernetes/pkg/kubelet/
kuberuntime/kuberuntime_container.go (getTerminationMessage) and pkg/kubelet/container/runtime.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sampan.cluster.node.runtimes.protocol import Exit

FILE = "termination-log"
MAX_MESSAGE_BYTES = 4096
MAX_LOG_BYTES, MAX_LOG_LINES = 2048, 80


def with_message(end: Exit, container: Mapping[str, Any], folder: Path, log: Path) -> Exit:
    """`end` with the message that the container left. Reads at most two small pieces of files."""
    if end.message:
        return end
    message = _read(folder / FILE)
    wants_log = container.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    if not message and wants_log and (end.exit_code != 0 or end.oom):
        message = _tail(log)
    return replace(end, message=message) if message else end


def mount_of(container: Mapping[str, Any], folder: Path) -> tuple[Path, str] | None:
    """The file of one run, and where the container is to see it."""
    path = str(container.get("terminationMessagePath") or "")
    return (folder / FILE, path) if path.startswith("/") and not path.endswith("/") else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_MESSAGE_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _tail(log: Path) -> str:
    """The last lines of the output, without times and streams."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            # Each record has a head of some fifty bytes.
            file.seek(max(size - MAX_LOG_BYTES * 8, 0))
            data = file.read()
    except OSError:
        return ""
    parts: list[bytes] = []
    for record in data.split(b"\n")[-MAX_LOG_LINES - 1 :]:
        fields = record.split(b" ", 3)
        if len(fields) == 4:
            parts.append(fields[3] if fields[2] == b"P" else fields[3] + b"\n")
    return b"".join(parts)[-MAX_LOG_BYTES:].decode(errors="replace")
