"""By which protocols an endpoint can be asked, and how a program does it. Pure.

Sources: kserve/kserve 0.20 docs of the V1 protocol, the Open Inference Protocol (V2), OpenAI's API as KServe serves it
below `/openai`, seldon-core 1.18 doc/source/graph/protocols.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import language_summary, models
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.labels import EXPLAINER
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.components.serving.ui import places
from sampan.components.serving.ui.summary import Endpoint
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.api import segment

V1, EXPLAIN, V2, CHAT, GRAPH, SELDON = "v1", "explain", "v2", "chat", "graph", "seldon"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask."""

    key: str
    label: str
    path: str
    """On the platform's port."""
    example: Any
    """A request, where the model does not say what it takes."""
    metadata: str = ""
    """Where the model says it, in V2's words; empty for nowhere."""
    model: str = ""


def ways(endpoint: Endpoint, obj: Object) -> list[Way]:
    """The one that it is meant for first."""
    gateway = places.gateway(endpoint.kind, endpoint.namespace, endpoint.name)
    if endpoint.kind == INFERENCE_GRAPHS.kind:
        return [Way(GRAPH, "Graph", f"{gateway}/", {"instances": [[0.0]]}, _first_model(obj))]
    if endpoint.kind == LLM_INFERENCE_SERVICES.kind:
        base = language_summary.path(obj) or f"/{segment(endpoint.namespace)}/{segment(endpoint.name)}"
        return [Way(CHAT, "Chat", f"{base}/v1/chat/completions", _talk(endpoint.model), "", endpoint.model)]
    if endpoint.kind == SELDON_DEPLOYMENTS.kind:
        return _of_seldon(endpoint, obj, gateway)
    if endpoint.kind == TRAINED_MODELS.kind:
        parent = text(meta.spec(obj).get("inferenceService"))
        gateway = places.gateway("InferenceService", endpoint.namespace, parent)
    return _of_service(endpoint, gateway)


def _of_service(endpoint: Endpoint, gateway: str) -> list[Way]:
    name = endpoint.model or endpoint.name
    first, second = f"{gateway}/v1/models/{segment(name)}", f"{gateway}/v2/models/{segment(name)}"
    one = Way(V1, "V1", f"{first}:predict", {"instances": [[0.0]]}, second, name)
    two = Way(V2, "V2", f"{second}/infer", _tensor(), second, name)
    found = [two, one] if endpoint.protocol in (models.V2, models.GRPC_V2) else [one, two]
    if EXPLAINER in endpoint.components:
        found.append(Way(EXPLAIN, "Explain", f"{first}:explain", {"instances": [[0.0]]}, second, name))
    if endpoint.serves.startswith("huggingface") or "vllm" in endpoint.runtime:
        path = f"{gateway}/openai/v1/chat/completions"
        found.insert(0, Way(CHAT, "Chat", path, _talk(name), second, name))
    return found


def _talk(model: str) -> Any:
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64}


def _first_model(graph: Object) -> str:
    """Where the service says what it takes that a graph asks first: what is sent to the graph comes to it."""
    nodes, name, seen = mapping(meta.spec(graph).get("nodes")), "root", set[str]()
    while name and name not in seen:
        seen.add(name)
        step = next(iter(mappings(child(nodes, name).get("steps"))), {})
        if service := text(step.get("serviceName")):
            at = places.gateway(INFERENCE_SERVICES.kind, meta.namespace(graph), service)
            return f"{at}/v2/models/{segment(service)}"
        name = text(step.get("nodeName"))
    return ""


def _of_seldon(endpoint: Endpoint, obj: Object, gateway: str) -> list[Way]:
    graphs = [child(each, "graph") for each in mappings(meta.spec(obj).get("predictors"))]
    name = next((text(each.get("name")) for each in graphs), endpoint.name)
    if endpoint.protocol in ("v2", "kfserving"):
        at = f"{gateway}/v2/models/{segment(name)}"
        return [Way(V2, "V2", f"{at}/infer", _tensor(), at, name)]
    if endpoint.protocol == "tensorflow":
        path = f"{gateway}/v1/models/{segment(name)}:predict"
        return [Way(V1, "TensorFlow", path, {"instances": [[0.0]]}, "", name)]
    data = {"data": {"names": [], "ndarray": [[0.0]]}}
    return [Way(SELDON, "Seldon", f"{gateway}/api/v1.0/predictions", data, "", name)]


def _tensor() -> Any:
    return {"inputs": [{"name": "input-0", "shape": [1, 1], "datatype": "FP32", "data": [[0.0]]}]}


def curl(way: Way, origin: str, request: Any) -> str:
    """As it is typed into a shell."""
    body = json.dumps(request, ensure_ascii=False).replace("'", "'\\''")
    return f"curl {origin}{way.path} \\\n  -H 'content-type: application/json' \\\n  -d '{body}'"


def python(way: Way, origin: str, request: Any) -> str:
    """A program. Of OpenAI's API with its own client, else with requests."""
    if way.key == CHAT:
        base = way.path.removesuffix("/chat/completions")
        return (
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{origin}{base}", api_key="none")\n'
            "stream = client.chat.completions.create(\n"
            f"    model={way.model!r},\n"
            f"    messages={request.get('messages')!r},\n"
            "    stream=True,\n"
            ")\n"
            "for chunk in stream:\n"
            '    print(chunk.choices[0].delta.content or "", end="")'
        )
    return (
        "import requests\n\n"
        f'url = "{origin}{way.path}"\n'
        f"request = {request!r}\n"
        "response = requests.post(url, json=request)\n"
        "response.raise_for_status()\n"
        "print(response.json())"
    )
