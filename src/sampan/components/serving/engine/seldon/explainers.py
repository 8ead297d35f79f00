"""A predictor's explainer, as a pod of its own.

Source: seldon-core 1.18.2 operator/controllers/seldondeployment_explainers.go. Upstream's explains by Alibi.
"""

from __future__ import annotations

import copy
import json

from sampan.components.serving.api.labels import MODEL_DIR
from sampan.components.serving.api.reading import mapping, mappings, named, text
from sampan.components.serving.engine.seldon import names, spec
from sampan.components.serving.engine.seldon.config import KFSERVING, SELDON, TENSORFLOW, V2, SeldonConfig
from sampan.components.serving.engine.seldon.executor import podinfo
from sampan.components.serving.engine.seldon.units import probe
from sampan.kube import meta
from sampan.kube.meta import Object

PORT = 9000
_TYPES = {
    "AnchorTabular": "anchor_tabular",
    "AnchorImages": "anchor_image",
    "AnchorText": "anchor_text",
    "Counterfactuals": "counterfactuals",
    "Contrastive": "contrastive",
    "KernelShap": "kernel_shap",
    "IntegratedGradients": "integrated_gradients",
    "ALE": "ALE",
    "TreeShap": "tree_shap",
}


def template(sdep: Object, predictor: Object, endpoints: tuple[str, str], config: SeldonConfig) -> Object:
    """Of its pods. `endpoints` are where the predictor is asked, over HTTP and gRPC."""
    explainer = mapping(predictor.get("explainer"))
    container = copy.deepcopy(mapping(explainer.get("containerSpec")))
    container["name"] = text(container.get("name")) or names.explainer(meta.name(sdep), predictor)
    container.setdefault("imagePullPolicy", "IfNotPresent")
    speaks_v2 = spec.protocol(sdep) in (V2, KFSERVING)
    if not container.get("image"):
        container["image"] = config.explainer_v2 if speaks_v2 else config.explainer
    port = http_port(predictor)
    if named(container.get("ports"), "http") is None:
        told = {"name": "http", "containerPort": port, "protocol": "TCP"}
        container["ports"] = [*mappings(container.get("ports")), told]
    for kind, first, failures in (("livenessProbe", 60, 5), ("readinessProbe", 20, 7)):
        if not container.get(kind):
            how = {"tcpSocket": {"port": "http"}}
            container[kind] = probe(how, config, first=first, failures=failures)
    if speaks_v2:
        container["env"] = _variables(predictor, container, endpoints, port)
    else:
        container["args"] = _arguments(sdep, predictor, endpoints, port)
    pod: Object = {
        "containers": [container],
        "terminationGracePeriodSeconds": 20,
        "volumes": [podinfo()],
    }
    if account := text(explainer.get("serviceAccountName")):
        pod["serviceAccountName"] = account
    return {"metadata": {"labels": {}, "annotations": {}}, "spec": pod}


def http_port(predictor: Object) -> int:
    explainer = mapping(predictor.get("explainer"))
    own = named(mapping(explainer.get("containerSpec")).get("ports"), "http")
    told = (own or {}).get("containerPort") or mapping(explainer.get("endpoint")).get("service_port")
    return told if isinstance(told, int) and told else PORT


def _arguments(sdep: Object, predictor: Object, endpoints: tuple[str, str], port: int) -> list[str]:
    explainer = mapping(predictor.get("explainer"))
    protocol = TENSORFLOW if spec.protocol(sdep) == TENSORFLOW else SELDON
    is_grpc = spec.is_grpc(sdep, explainer)
    args = [
        f"--model_name={mapping(predictor.get('graph')).get('name')}",
        f"--predictor_host={endpoints[1] if is_grpc else endpoints[0]}",
        f"--protocol={protocol}.{'grpc' if is_grpc else 'http'}",
        f"--http_port={port}",
    ]
    uri, kind = text(explainer.get("modelUri")), text(explainer.get("type"))
    if uri:
        args.append(f"--storage_uri={MODEL_DIR}")
    args.append(kind)
    if kind == "AnchorImages":
        args.append("--tf_data_type=float32")
    for key, value in sorted(mapping(explainer.get("config")).items()):
        args.append(f"--{key}={str(value).replace(uri, MODEL_DIR, 1) if uri else value}")
    return args


def _variables(predictor: Object, container: Object, endpoints: tuple[str, str], port: int) -> list[Object]:
    explainer = mapping(predictor.get("explainer"))
    kind = text(explainer.get("type"))
    if kind not in _TYPES:
        raise ValueError(f"{kind} not supported")
    graph = text(mapping(predictor.get("graph")).get("name"))
    extra = {
        "explainer_type": _TYPES[kind],
        "infer_uri": f"http://{endpoints[0]}/v2/models/{graph}/infer",
    }
    if told := text(explainer.get("initParameters")):
        try:
            extra["init_parameters"] = json.loads(told)
        except ValueError:
            raise ValueError("explainer.initParameters has to be JSON") from None
    return [
        {"name": "MLSERVER_HTTP_PORT", "value": str(port)},
        {"name": "MLSERVER_MODEL_IMPLEMENTATION", "value": "mlserver_alibi_explain.AlibiExplainRuntime"},
        {"name": "MLSERVER_MODEL_NAME", "value": text(container.get("name"))},
        {"name": "MLSERVER_MODEL_URI", "value": MODEL_DIR},
        {"name": "MLSERVER_MODEL_EXTRA", "value": json.dumps(extra, separators=(",", ":"))},
    ]
