"""The Events of a pod, in the kubelet's words (kubernetes/pkg/kubelet/events, kuberuntime and images, v1.31)."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.client.protocol import Object
from sampan.cluster.node.records import ContainerRecord
from sampan.kube import meta
from sampan.reconcile.events import EventRecorder


class PodEvents:
    """For one pod; recording never waits and never fails."""

    def __init__(self, recorder: EventRecorder, pod: Object) -> None:
        self._recorder = recorder
        self._pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                key: meta.metadata(pod).get(key) for key in ("name", "namespace", "uid", "resourceVersion")
            },
        }
        self.pod_name = f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"

    def pulling(self, record: ContainerRecord) -> None:
        self._normal("Pulling", f'Pulling image "{_image(record)}"')

    def pulled(self, record: ContainerRecord, seconds: float | None, notes: Sequence[str]) -> None:
        image = _image(record)
        if seconds is None:
            self._normal("Pulled", f'Container image "{image}" already present on machine')
        else:
            self._normal("Pulled", f'Successfully pulled image "{image}" in {seconds:.3g}s')
        for note in notes:
            self._warning("ImageSubstituted", note)

    def pull_failed(self, record: ContainerRecord, reason: str, message: str) -> None:
        if reason == "InvalidImageName":
            self._warning("InspectFailed", f'Failed to apply default image tag "{_image(record)}": {message}')
        elif reason == "ErrImageNeverPull":
            self._warning("ErrImageNeverPull", message)
        else:
            self._warning("Failed", f'Failed to pull image "{_image(record)}": {message}')
        self._warning("Failed", f"Error: {reason}")

    def pull_backs_off(self, record: ContainerRecord) -> None:
        self._normal("BackOff", f'Back-off pulling image "{_image(record)}"')
        self._warning("Failed", "Error: ImagePullBackOff")

    def created(self, record: ContainerRecord) -> None:
        self._normal("Created", f"Created container: {record.name}")

    def started(self, record: ContainerRecord) -> None:
        self._normal("Started", f"Started container {record.name}")

    def start_failed(self, message: str) -> None:
        self._warning("Failed", f"Error: {message}")

    def mount_failed(self, message: str) -> None:
        self._warning("FailedMount", message)

    def shares_ports(self) -> None:
        self._warning(
            "SharedPorts",
            "Pods have no addresses of their own on this machine and share its ports, see sampan doctor",
        )

    def killing(self, record: ContainerRecord, message: str = "") -> None:
        self._normal("Killing", message or f"Stopping container {record.name}")

    def unhealthy(self, message: str, *, is_warning: bool = False) -> None:
        self._warning("ProbeWarning" if is_warning else "Unhealthy", message)

    def probe_errored(self, container: str, kind: str, message: str) -> None:
        self._warning("Unhealthy", f"{kind} probe errored: {message}")

    def hook_failed(self, hook: str) -> None:
        """`hook` is PostStart or PreStop. What it said may hold secrets."""
        self._warning(f"Failed{hook}Hook", f"{hook}Hook failed")

    def evicted(self, message: str) -> None:
        self._warning("Evicted", message)

    def restart_backs_off(self, record: ContainerRecord) -> None:
        self._warning("BackOff", f"Back-off restarting failed container {record.name} in pod {self.pod_name}")

    def deadline_exceeded(self, message: str) -> None:
        self._normal("DeadlineExceeded", message)

    def _normal(self, reason: str, message: str) -> None:
        self._recorder.normal(self._pod, reason, message)

    def _warning(self, reason: str, message: str) -> None:
        self._recorder.warning(self._pod, reason, message)


def _image(record: ContainerRecord) -> str:
    return str(record.spec.get("image") or "")
