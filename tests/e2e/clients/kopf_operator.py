"""An operator as kopf's users write them: `kopf run kopf_operator.py`, started by `test_kopf` with the unmodified kopf.

One kind of handler for each chapter of kopf's documentation. Everything it does is told in the objects themselves.
"""

from __future__ import annotations

import os
from typing import Any

import kopf

KIND = "kopfexamples"
started: list[str] = []


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    started.append("startup")
    settings.watching.server_timeout = 20
    settings.posting.level = 20
    if os.environ.get("KOPF_PROGRESS") == "status":
        settings.persistence.progress_storage = kopf.StatusProgressStorage()
        settings.persistence.diffbase_storage = kopf.StatusDiffBaseStorage()


@kopf.on.startup()
def come_up_at_the_third_try(retry: int, **_: Any) -> None:
    if retry < 2:
        raise kopf.TemporaryError("expected, and not yet", delay=0.1)
    started.append("retried")


@kopf.on.cleanup()
def clean_up(logger: kopf.Logger, **_: Any) -> None:
    logger.info("all is cleaned up")


@kopf.index("pods")
def by_label(labels: kopf.Labels, name: str, **_: Any) -> Any:
    return dict.fromkeys(labels.items(), name)


@kopf.on.create(KIND)
def create_child(spec: kopf.Spec, **_: Any) -> dict[str, Any]:
    from kubernetes import client, config

    config.load_kube_config(os.environ["KUBECONFIG"])
    container = {
        "name": "main",
        "image": "busybox",
        "command": ["sh", "-c", f"echo {spec['field']}; sleep 300"],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    kopf.adopt(pod)
    made = client.CoreV1Api().create_namespaced_pod(pod["metadata"]["namespace"], pod)
    return {"child": made.metadata.name, "started": started}


@kopf.on.create(KIND)
def succeed_at_the_third_try(retry: int, **_: Any) -> dict[str, Any]:
    if retry < 2:
        raise kopf.TemporaryError("expected, and recovers", delay=0.3)
    return {"retries": retry}


@kopf.on.create(KIND)
def fail_for_good(**_: Any) -> None:
    raise kopf.PermanentError("expected, and final")


@kopf.on.create(KIND)
def create_events(body: kopf.Body, **_: Any) -> None:
    kopf.event(body, type="SomeType", reason="SomeReason", message="Some message")
    kopf.info(body, reason="SomeReason", message="Some message")
    kopf.warn(body, reason="SomeReason", message="Some message")


@kopf.on.create(KIND)
def create_items(spec: kopf.Spec, **_: Any) -> None:
    for item in spec.get("items", []):

        @kopf.subhandler(id=item)
        async def create_item(item: str = item, **_: Any) -> str:
            return f"made {item}"


@kopf.on.create(
    KIND, labels={"colour": "red"}, annotations={"shape": kopf.PRESENT}, field="spec.field", value="one"
)
def only_red(patch: kopf.Patch, **_: Any) -> str:
    patch.metadata.labels["seen"] = "red"
    return "filtered"


@kopf.on.create(KIND, labels={"colour": "blue"})
def never_blue(**_: Any) -> str:
    return "this filter does not hold"


@kopf.on.resume(KIND)
def resume(patch: kopf.Patch, status: kopf.Status, **_: Any) -> int:
    return int(status.get("resume", 0)) + 1


@kopf.on.update(KIND)
def update(old: Any, new: Any, diff: kopf.Diff, **_: Any) -> list[Any]:
    return [[change.operation, ".".join(change.field), change.old, change.new] for change in diff]


@kopf.on.field(KIND, field="spec.field")
def field_changed(old: Any, new: Any, **_: Any) -> str:
    return f"{old} -> {new}"


@kopf.on.delete(KIND)
def delete_in_two_steps(retry: int, logger: kopf.Logger, **_: Any) -> None:
    if retry < 1:
        raise kopf.TemporaryError("expected, and recovers", delay=0.2)
    logger.info("the delete handler is done")


@kopf.on.event(KIND)
def event(type: str | None, name: str, logger: kopf.Logger, **_: Any) -> None:  # noqa: A002
    logger.info(f"event {type} of {name}")


@kopf.on.event("pods", labels={"watched": "1"})
def pod_event(type: str | None, name: str, logger: kopf.Logger, **_: Any) -> None:  # noqa: A002
    logger.info(f"event {type} of pod {name}")


@kopf.timer(KIND, interval=0.5, initial_delay=1)
def tick(patch: kopf.Patch, status: kopf.Status, by_label: kopf.Index[Any, str], **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1
    patch.status["watched"] = sorted(by_label.get(("watched", "1"), []))


@kopf.daemon(KIND, cancellation_backoff=10)
async def accompany(stopped: kopf.DaemonStopped, logger: kopf.Logger, **_: Any) -> None:
    while not stopped:
        await stopped.wait(0.5)
    logger.info("the daemon ends")
