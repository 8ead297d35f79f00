"""The Job that downloads a model to a node, and what it tells of that.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/localmodelnode/controller.go (launchJob, injectCredentials,
getModelStatusFromJobStatus). Not so here: its name follows from what is there, so that none is made twice; credentials
that cannot be had are told of at once, where upstream downloads without them; and the container asks for what an
initializer does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.labels import MODEL_DIR
from sampan.components.serving.api.reading import by_text, child, mapping, mappings, text, whole
from sampan.components.serving.engine.local_models import models, volumes
from sampan.components.serving.engine.local_models.config import LocalModelConfig
from sampan.components.serving.engine.storage import containers, initializer, mounts, uris
from sampan.components.serving.engine.storage.config import StorageConfig
from sampan.components.serving.engine.storage.errors import INVALID_SPEC, StorageError
from sampan.components.serving.engine.storage.reads import Reads
from sampan.components.serving.engine.storage.wanted import StorageSpec, StorageUri, Wanted
from sampan.kube import meta
from sampan.kube.kinds import JOBS
from sampan.kube.meta import Object

CONTAINER, WORKLOAD = "kserve-localmodel-download", "localModelDownloadJob"
_VOLUME = "kserve-pvc-source"
_MODEL, _NODE, _NAMESPACE = "model", "node", "modelNamespace"
"""Labels."""
SELECTOR = f"{_MODEL},{_NODE}"
_HOST = "kubernetes.io/hostname"
_OURS = ("args", "volumeMounts")
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Download:
    """One model for one node."""

    entry: Mapping[str, Any]
    """Of the LocalModelNode."""
    node: str
    group: str
    """Whose volumes it goes to."""
    apart: bool = False
    """Whether its files may be no other user's."""

    @property
    def source(self) -> str:
        return text(self.entry.get("sourceModelUri"))

    @property
    def model(self) -> str:
        return text(self.entry.get("modelName"))

    @property
    def namespace(self) -> str:
        return text(self.entry.get("namespace"))


def wanted(download: Download) -> Wanted:
    """As the initializer of an InferenceService would want it. Raises StorageError."""
    uris.check(download.source, "sourceModelUri")
    if download.apart and download.namespace and account(download):
        raise StorageError(
            INVALID_SPEC,
            "with many users a LocalModelNamespaceCache names neither serviceAccountName nor storage: the Secrets of "
            "the namespace in which models are downloaded are nobody's of its users",
        )
    storage = mapping(download.entry.get("storage"))
    spec = None
    if key := text(storage.get("key")):
        spec = StorageSpec(key, by_text(storage.get("parameters")))
    return Wanted((StorageUri(download.source),), spec=spec)


def account(download: Download) -> str:
    """The service account whose Secrets count; empty for none."""
    has_storage = download.entry.get("storage") is not None
    return text(download.entry.get("serviceAccountName")) or ("default" if has_storage else "")


def job(
    download: Download,
    earlier: Sequence[Object],
    reads: Reads,
    storage: StorageConfig,
    config: LocalModelConfig,
) -> Object:
    """`earlier` are those for the same model and node that are there. Raises StorageError."""
    labels = {_MODEL: download.model, _NODE: download.node}
    if download.namespace:
        labels[_NAMESPACE] = download.namespace
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": {
            "name": _name(download, len(earlier)),
            "namespace": config.job_namespace,
            "labels": labels,
        },
        "spec": {
            "ttlSecondsAfterFinished": config.job_ttl_seconds,
            "template": {"spec": _pod(download, reads, storage, config)},
        },
    }


def of(jobs: Sequence[Object], download: Download) -> list[Object]:
    """Those of it, the oldest first."""
    found = [
        each
        for each in jobs
        if (by_text(meta.labels(each)).get(_MODEL), by_text(meta.labels(each)).get(_NODE))
        == (download.model, download.node)
        and by_text(meta.labels(each)).get(_NAMESPACE, "") == download.namespace
    ]
    return sorted(
        found, key=lambda each: (str(meta.metadata(each).get("creationTimestamp")), meta.name(each))
    )


def key_of(job: Object) -> str:
    """The status key of the model that it is for."""
    labels = by_text(meta.labels(job))
    return models.status_key({"modelName": labels.get(_MODEL), "namespace": labels.get(_NAMESPACE)})


def node_of(job: Object) -> str:
    return by_text(meta.labels(job)).get(_NODE, "")


def status(job: Object) -> str:
    """Of the model, as far as this Job goes."""
    said = meta.status(job)
    if (whole(said.get("succeeded")) or 0) > 0:
        return models.MODEL_DOWNLOADED
    if (whole(said.get("failed")) or 0) > 0:
        return models.MODEL_ERROR
    if (whole(said.get("ready")) or 0) > 0:
        return models.MODEL_DOWNLOADING
    return models.MODEL_PENDING


def has_succeeded(job: Object) -> bool:
    return status(job) == models.MODEL_DOWNLOADED


def last_words(pod: Object) -> str:
    """Of its container, where that has failed."""
    for each in mappings(meta.status(pod).get("containerStatuses")):
        for state in (each.get("state"), each.get("lastState")):
            ended = child(mapping(state), "terminated")
            if ended.get("exitCode"):
                return text(ended.get("message")).strip() or f"it ended with code {ended['exitCode']}"
        if said := text(child(each, "state", "waiting").get("message")):
            return said
    return ""


def _pod(
    download: Download, reads: Reads, storage: StorageConfig, config: LocalModelConfig
) -> dict[str, Any]:
    _, claim = volumes.download_names(download.model, download.group, download.namespace)
    shown = mounts.Show(
        mounts.claimed(_VOLUME, claim), MODEL_DIR, volumes.sub_path(models.storage_key(download.source))
    )
    pod: dict[str, Any] = {
        "nodeSelector": {_HOST: download.node},
        "restartPolicy": "Never",
        "securityContext": {} if config.fs_group is None else {"fsGroup": config.fs_group},
        "volumes": [dict(shown.volume)],
    }
    # What users may write to shares no file with the downloads that others are given.
    metadata = {"annotations": {initializer.READ_ONLY: "false"}} if download.apart else {}
    parts = initializer.Parts({"metadata": metadata, "spec": pod}, wanted(download), reads, storage)
    chosen = _chosen(reads, download.source)
    made = initializer.container(parts, [download.source, MODEL_DIR], chosen, shown)
    if chosen is None:
        made["name"] = CONTAINER
    if storage.own.is_embedded:
        # It is to be there when its source is not any more.
        mounts.set_variable(made, initializer.KEPT_VARIABLE, "true")
    return {**pod, "containers": [made]}


def _chosen(reads: Reads, source: str) -> Mapping[str, Any] | None:
    """The spec of a ClusterStorageContainer for such Jobs that takes the URI, but for what is ours to say."""
    for each in sorted(reads.containers, key=meta.name):
        spec = meta.spec(each)
        if (
            spec.get("workloadType") == WORKLOAD
            and not each.get("disabled")
            and containers.takes(each, source)
        ):
            own = child(spec, "container")
            return {**spec, "container": {key: own[key] for key in own if key not in _OURS}}
    return None


def _name(download: Download, number: int) -> str:
    said = f"{download.namespace}/{download.model}/{download.node}/{number}"
    suffix = hashlib.sha256(said.encode()).hexdigest()[:5]
    start = f"{download.model}-{download.node}"[: _LONGEST_NAME - len(suffix) - 1].rstrip("-.")
    return f"{start}-{suffix}"
