"""What a scheduler's InferencePool is, from one version of the Gateway API's extension to the other. Pure.

LLMInferenceServices of v1alpha1 hold one of `inference.networking.x-k8s.io/v1alpha2`, those of v1alpha2 one of
`inference.networking.k8s.io/v1`. What neither knows stays as it is.
Source: kubernetes-sigs/gateway-api-inference-extension 1.0 apix/v1alpha2/inferencepool_conversion.go.
"""

from __future__ import annotations

from typing import Any

from sampan.components.serving.api.reading import mapping, mappings
from sampan.kube.meta import Object

_LABELS, _PORTS, _PICKER = "matchLabels", "targetPorts", "endpointPickerRef"
_PORT, _EXTENSION, _EXTENSION_PORT = "targetPortNumber", "extensionRef", "portNumber"


def to_v1(spec: Object) -> Object:
    found = dict(spec)
    selector = found.get("selector")
    if isinstance(selector, dict) and not isinstance(selector.get(_LABELS), dict):
        found["selector"] = {_LABELS: selector}
    if _PORT in found:
        found[_PORTS] = [{"number": found.pop(_PORT)}]
    if isinstance(found.get(_EXTENSION), dict):
        picker: dict[str, Any] = dict(found.pop(_EXTENSION))
        if _EXTENSION_PORT in picker:
            picker["port"] = {"number": picker.pop(_EXTENSION_PORT)}
        found[_PICKER] = picker
    return found


def to_v1alpha2(spec: Object) -> Object:
    """Of several ports the first is left, as upstream."""
    found = dict(spec)
    selector = found.get("selector")
    if isinstance(selector, dict) and isinstance(selector.get(_LABELS), dict):
        found["selector"] = selector[_LABELS]
    if ports := mappings(found.get(_PORTS)):
        del found[_PORTS]
        found[_PORT] = ports[0].get("number")
    if isinstance(found.get(_PICKER), dict):
        extension: dict[str, Any] = dict(found.pop(_PICKER))
        if "number" in mapping(extension.get("port")):
            extension[_EXTENSION_PORT] = extension.pop("port")["number"]
        found[_EXTENSION] = extension
    return found
