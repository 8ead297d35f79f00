"""Which InferenceServices and LLMInferenceServices take their model from a cache, and how their pods find it there.

Source: kserve/kserve v0.20.0 pkg/apis/serving/v1beta1/inference_service_defaults.go (setLocalModelLabel),
pkg/webhook/admission/pod/storage_initializer_injector.go (InjectStorageInitializer),
pkg/webhook/admission/llminferenceservice/defaulter.go (SetLocalModelLabel). Not so here: a service
without a storageUri loses labels of one that it had, and only the URI that is cached is taken from the claim, whatever
else a component fetches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICES
from sampan.components.serving.api.reading import by_text, child, text
from sampan.components.serving.engine.local_models import models, volumes
from sampan.components.serving.engine.storage import uris
from sampan.components.serving.engine.storage.errors import StorageError
from sampan.components.serving.engine.storage.wanted import StorageUri, Wanted, wanted
from sampan.kube import meta
from sampan.kube.meta import Object

_LABELS = (labels.LOCAL_MODEL, labels.LOCAL_MODEL_NAMESPACE)
_ANNOTATIONS = (labels.LOCAL_MODEL_SOURCE, labels.LOCAL_MODEL_CLAIM)


def labelled(isvc: Object, of_namespace: Iterable[Object], of_cluster: Iterable[Object]) -> Object:
    """With what says where its model is cached; without any of it where it is not. Those of the namespace first."""
    found = _chosen(isvc, [*of_namespace, *of_cluster])
    held, told = by_text(meta.labels(isvc)), by_text(meta.annotations(isvc))
    if (
        found is None
        and not any(each in held for each in _LABELS)
        and not any(e in told for e in _ANNOTATIONS)
    ):
        return isvc
    metadata = dict(meta.metadata(isvc))
    its_labels, its_annotations = _said(found) if found is not None else ({}, {})
    for name, own, ours in (("labels", _LABELS, its_labels), ("annotations", _ANNOTATIONS, its_annotations)):
        rest = {key: value for key, value in (metadata.get(name) or {}).items() if key not in own}
        metadata[name] = {**rest, **ours}
    return {**isvc, "metadata": metadata}


def cache_of(obj: Object) -> tuple[str, str] | None:
    """Namespace and name of the cache that an InferenceService or a pod of one takes its model from."""
    held = by_text(meta.labels(obj))
    if not (name := held.get(labels.LOCAL_MODEL, "")):
        return None
    return held.get(labels.LOCAL_MODEL_NAMESPACE, ""), name


def uses(isvc: Object, cache: Object) -> bool:
    """For a cache of a namespace, InferenceServices of that namespace alone."""
    namespace = meta.namespace(cache)
    return cache_of(isvc) == (namespace, meta.name(cache)) and namespace in ("", meta.namespace(isvc))


def group_of(isvc: Object, cache: Object) -> str:
    """The group whose volume it is given; empty where it asks for one that the cache is not on."""
    asked, there = by_text(meta.annotations(isvc)).get(labels.NODE_GROUP), models.groups(cache)
    if asked is None:
        return there[0] if there else ""
    return asked if asked in there else ""


def claimed(asked: Wanted, template: Object) -> Wanted:
    """What a component wants, with the claim of its cache in place of the URI."""
    told = by_text(meta.annotations(template))
    source, claim = told.get(labels.LOCAL_MODEL_SOURCE, ""), told.get(labels.LOCAL_MODEL_CLAIM, "")
    if cache_of(template) is None or not source or not claim or asked.is_list or len(asked.uris) != 1:
        return asked
    (one,) = asked.uris
    if not models.matches(source, one.uri):
        return asked
    rest = one.uri.removeprefix(source.removesuffix("/")).strip("/")
    path = f"{volumes.sub_path(models.storage_key(source))}/{rest}".removesuffix("/")
    return replace(asked, uris=(StorageUri(f"{uris.PVC}{claim}/{path}", one.mount_path),), spec=None)


def _chosen(isvc: Object, caches: Sequence[Object]) -> tuple[Object, str] | None:
    source = _source(isvc)
    if not source:
        return None
    for each in caches:
        group = group_of(isvc, each)
        if group and not meta.is_deleting(each) and models.matches(models.uri(each), source):
            return each, group
    return None


def _said(found: tuple[Object, str]) -> tuple[dict[str, str], dict[str, str]]:
    cache, group = found
    its_labels = {labels.LOCAL_MODEL: meta.name(cache)}
    if meta.namespace(cache):
        its_labels[labels.LOCAL_MODEL_NAMESPACE] = meta.namespace(cache)
    return its_labels, {
        labels.LOCAL_MODEL_SOURCE: models.uri(cache),
        labels.LOCAL_MODEL_CLAIM: volumes.claim_name(meta.name(cache), group),
    }


def _source(isvc: Object) -> str:
    if isvc.get("kind") == LLM_INFERENCE_SERVICES.kind:
        return text(child(isvc, "spec", "model").get("uri"))
    try:
        found = wanted(child(isvc, "spec", labels.PREDICTOR))
    except (StorageError, AttributeError, KeyError, TypeError, ValueError):
        return ""
    return found.uris[0].uri if found.uris and not found.is_list else ""
