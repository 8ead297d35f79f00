"""Conversion between the versions of a custom kind: by name only, by a webhook, or by a function of a component.

Source: apiextensions-apiserver/pkg/apiserver/conversion/converter.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sampan.cluster.apiserver.custom.kind import CustomKind
from sampan.cluster.apiserver.custom.remote import RemoteConverter
from sampan.cluster.apiserver.strategy import Conversion
from sampan.kube.meta import Object

Converter: TypeAlias = Callable[[Object, str], Object]
"""(object of any version, wanted apiVersion): the same object in that version. It may change what it is given. What
one version cannot say it should keep in an annotation, so that a round trip loses nothing. In the writer thread."""


def conversion(
    kind: CustomKind, stored: str, converter: Converter | None, remote: RemoteConverter | None
) -> Conversion:
    """From and to the version that is stored; what is read is shaped by the schema as it is now."""
    wanted = kind.resource.api_version

    def convert(obj: Object, api_version: str) -> Object:
        if obj.get("apiVersion") == api_version:
            return obj
        if converter is not None:
            metadata = obj["metadata"]
            obj = converter(obj, api_version)
            # A converter may change labels and annotations, never who the object is.
            obj["metadata"] = {
                **metadata,
                **{key: obj["metadata"].get(key) for key in ("labels", "annotations")},
            }
            for key in ("labels", "annotations"):
                if obj["metadata"][key] is None:
                    del obj["metadata"][key]
        elif remote is not None:
            return remote.converted(obj, api_version)
        obj["apiVersion"] = api_version
        return obj

    return Conversion(
        read=lambda obj: kind.read(convert(obj, wanted)),
        write=lambda obj: convert(obj, stored),
        remote=None if converter is not None else remote,
        shape=kind.read,
        version=wanted,
    )
