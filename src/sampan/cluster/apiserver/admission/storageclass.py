"""DefaultStorageClass: a claim that names no class gets the default one.

Source: plugin/pkg/admission/storage/storageclass/setdefault/admission.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.kube import meta
from sampan.kube.meta import Object

_DEFAULT = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def admit(classes: Sequence[Object], claim: Object) -> None:
    """Of several defaults the newest; an empty name asks for none."""
    if claim["spec"].get("storageClassName") is not None or _ANNOTATION in meta.annotations(claim):
        return
    defaults = [
        each for each in classes if any(meta.annotations(each).get(key) == "true" for key in _DEFAULT)
    ]
    if defaults:
        newest = max(
            defaults, key=lambda each: (each["metadata"].get("creationTimestamp") or "", meta.name(each))
        )
        claim["spec"]["storageClassName"] = meta.name(newest)
