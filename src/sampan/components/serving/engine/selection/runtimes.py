"""What is read of a ServingRuntime or ClusterServingRuntime. For `choosing`.

Source: kserve/kserve 0.20 pkg/apis/serving/v1alpha1/servingruntime_types.go, v1beta1/predictor_model.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sampan.components.serving.api import models
from sampan.components.serving.api.reading import by_text, child, mappings, text, texts, whole
from sampan.kube import meta
from sampan.kube.meta import Object

_UNKNOWN = len(models.PROTOCOLS)


@dataclass(frozen=True, slots=True)
class Runtime:
    name: str
    is_cluster: bool
    """Whether it is a ClusterServingRuntime."""
    spec: Object
    annotations: dict[str, str]
    """Of its metadata."""
    created: str

    @property
    def protocols(self) -> list[str]:
        return texts(self.spec.get("protocolVersions"))

    @property
    def first_protocol(self) -> int:
        """The place among all protocols of the first that it speaks."""
        known = [_place(each) for each in self.protocols]
        return min(known, default=_UNKNOWN)

    @property
    def formats(self) -> list[Object]:
        return mappings(self.spec.get("supportedModelFormats"))

    @property
    def kind(self) -> str:
        return "ClusterServingRuntime" if self.is_cluster else "ServingRuntime"

    def is_disabled(self) -> bool:
        return self.spec.get("disabled") is True

    def is_multi_model(self) -> bool:
        return self.spec.get("multiModel") is True

    def has_workers(self) -> bool:
        return isinstance(self.spec.get("workerSpec"), dict)

    def speaks(self, protocol: str) -> bool:
        """One that names no protocol speaks any."""
        return not protocol or not self.protocols or protocol in self.protocols

    def priority(self, format_name: str) -> int | None:
        """Of the first format of this name."""
        found = (each for each in self.formats if each.get("name") == format_name)
        return whole(next(found, {}).get("priority"))


def read(obj: Object, *, is_cluster: bool) -> Runtime:
    return Runtime(
        meta.name(obj),
        is_cluster,
        meta.spec(obj),
        by_text(meta.annotations(obj)),
        text(child(obj, "metadata").get("creationTimestamp")),
    )


def in_order(runtimes: Iterable[Runtime], format_name: str) -> Sequence[Runtime]:
    """Of one scope: by priority; those alike by protocol, the newest first, by name.

    Source: predictor_model.go sortServingRuntimeList, sortSupportedRuntimeByPriority.
    """
    by_name = sorted(runtimes, key=lambda each: each.name)
    by_age = sorted(by_name, key=lambda each: each.created, reverse=True)
    by_protocol = sorted(by_age, key=lambda each: each.first_protocol)
    return sorted(by_protocol, key=lambda each: -(each.priority(format_name) or 0))


def _place(protocol: str) -> int:
    return models.PROTOCOLS.index(protocol) if protocol in models.PROTOCOLS else _UNKNOWN
