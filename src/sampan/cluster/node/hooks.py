"""Lifecycle hooks: what a container wants done right after its start and right before its end.

Called by `pod_sync`. A hook that fails is told in an Event without its output, which may hold secrets.
Source: kubernetes/pkg/kubelet/lifecycle/handlers.go, kuberuntime/kuberuntime_container.go, v1.31.
"""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.cluster.node.handlers import Executor, HandlerError, Target, ask
from sampan.lib.clock import Clock
from sampan.lib.log import get_logger

log = get_logger(__name__)

MINIMUM_GRACE_SECONDS = 2.0
"""What a container has to end after the request, however long its hook took."""
_PENDING = "post-start.pending"
_NO_LIMIT_SECONDS = 365 * 24 * 3600.0


def hook_of(container: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """`postStart` or `preStop`; mostly None."""
    found = (container.get("lifecycle") or {}).get(name)
    return found or None


def stop_signal(container: Mapping[str, Any]) -> int:
    """What asks the container to end; the API knows the names of signals only."""
    name = str((container.get("lifecycle") or {}).get("stopSignal") or "SIGTERM")
    return int(getattr(signal, name, signal.SIGTERM))


async def run(hook: Mapping[str, Any], target: Target, execute: Executor) -> None:
    """Returns when the hook is done. Raises HandlerError when it has failed."""
    if (sleep := hook.get("sleep")) is not None:
        await asyncio.sleep(float(sleep.get("seconds") or 0))
        return
    if hook.get("tcpSocket") is not None:
        raise HandlerError("invalid handler: tcpSocket is not supported in lifecycle hooks")
    answer = await ask(hook, target, _NO_LIMIT_SECONDS, execute)
    # An HTTP hook wants to reach its server; what that answers is not looked at.
    if not answer.is_good and not answer.status:
        raise HandlerError(answer.output)


async def pre_stop(
    before: Sequence[Coroutine[Any, Any, None]], container: str, grace_seconds: float, clock: Clock
) -> tuple[float, str]:
    """Does what comes before the end, the hook among it, within the grace period: what is left of that, and why the
    hook failed, if it did."""
    began = clock.monotonic()
    tasks = [asyncio.ensure_future(each) for each in before]
    try:
        limit = None if math.isinf(grace_seconds) else grace_seconds
        done, late = await asyncio.wait(tasks, timeout=limit)
    finally:
        for task in tasks:
            task.cancel()
    if late:
        log.info("preStop hook not completed in grace period", container=container)
    failure = ""
    for error in (task.exception() for task in done):
        if isinstance(error, HandlerError):
            failure = error.message
        elif error is not None:
            log.error("what comes before a container's end failed", container=container, exc=error)
    left = grace_seconds - (clock.monotonic() - began)
    return max(left, MINIMUM_GRACE_SECONDS), failure


def mark_pending(folder: Path) -> None:
    """Before a container with a postStart hook starts: a server that comes back then knows what is owed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _PENDING).touch()


def mark_done(folder: Path) -> None:
    (folder / _PENDING).unlink(missing_ok=True)


def is_pending(folder: Path) -> bool:
    return (folder / _PENDING).exists()
