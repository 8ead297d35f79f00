"""Containers of prepackaged servers: changes those that are there, and adds what stands beside them.

Source: seldon-core 1.18.2 operator/controllers/{seldondeployment_prepackaged_servers,mlserver}.go.
"""

from __future__ import annotations

from sampan.components.serving.api.labels import MODEL_DIR
from sampan.components.serving.api.reading import mapping, mappings, named, text
from sampan.components.serving.engine.seldon import spec
from sampan.components.serving.engine.seldon.config import KFSERVING, TENSORFLOW, V2, SeldonConfig
from sampan.components.serving.engine.seldon.units import PARAMETERS, parameters_json, probe, set_variable
from sampan.kube import meta
from sampan.kube.meta import Object

_IMPLEMENTATIONS = {
    "SKLEARN_SERVER": "mlserver_sklearn.SKLearnModel",
    "XGBOOST_SERVER": "mlserver_xgboost.XGBoostModel",
    "LIGHTGBM_SERVER": "mlserver_lightgbm.LightGBMModel",
    "TEMPO_SERVER": "tempo.mlserver.InferenceRuntime",
    "MLFLOW_SERVER": "mlserver_mlflow.MLflowRuntime",
    "HUGGINGFACE_SERVER": "mlserver_huggingface.HuggingFaceRuntime",
}
_TFSERVING = "tfserving"
_REST, _GRPC = 2001, 2000


def complete(sdep: Object, unit: Object, pod: Object, config: SeldonConfig) -> str:
    """`pod` is its spec. The name of the container that sees the model."""
    container = named(pod.get("containers"), text(unit.get("name")))
    if not isinstance(container, dict):
        raise ValueError(f"Failed to find container for Prepackaged server PredictiveUnit {unit.get('name')}")
    if account := text(unit.get("serviceAccountName")):
        pod["serviceAccountName"] = account
    implementation = text(unit.get("implementation"))
    if implementation == "TENSORFLOW_SERVER":
        return _tensorflow(sdep, unit, pod, container, config)
    if implementation == "TRITON_SERVER":
        _triton(sdep, unit, container, config)
    elif spec.protocol(sdep) in (V2, KFSERVING):
        _mlserver(sdep, unit, container, config)
    else:
        _own(sdep, unit, container, config)
    return text(container.get("name"))


def _own(sdep: Object, unit: Object, container: Object, config: SeldonConfig) -> None:
    if not container.get("image"):
        container["image"] = config.image(text(unit.get("implementation")), spec.protocol(sdep))
    place = {"name": "model_uri", "type": "STRING", "value": MODEL_DIR}
    set_variable(container, PARAMETERS, parameters_json(unit, place), over=True)


def _mlserver(sdep: Object, unit: Object, container: Object, config: SeldonConfig) -> None:
    implementation = text(unit.get("implementation"))
    if not container.get("image"):
        container["image"] = config.image(implementation, V2)
    endpoint = mapping(unit.get("endpoint"))
    told = {
        "MLSERVER_HTTP_PORT": str(endpoint["httpPort"]),
        "MLSERVER_GRPC_PORT": str(endpoint["grpcPort"]),
        "MLSERVER_MODEL_IMPLEMENTATION": _IMPLEMENTATIONS.get(implementation, ""),
        "MLSERVER_MODEL_NAME": text(unit.get("name")),
        "MLSERVER_MODEL_VERSION": "v1",
        "MLSERVER_MODEL_URI": MODEL_DIR,
        "TEMPO_RUNTIME_OPTIONS": '{"k8s_options": {"defaultRuntime": "tempo.seldon.SeldonKubernetesRuntime", '
        f'"namespace": "{meta.namespace(sdep)}"}}}}',
    }
    if implementation == "HUGGINGFACE_SERVER":
        told |= {"MLSERVER_PARALLEL_WORKERS": "0", "XDG_CACHE_HOME": "/opt/mlserver"}
    for key, value in told.items():
        set_variable(container, key, value)
    _health(container, config)


def _health(container: Object, config: SeldonConfig) -> None:
    """By the Open Inference Protocol, whatever else its author's probes say."""
    for kind, path in (("readinessProbe", "/v2/health/ready"), ("livenessProbe", "/v2/health/live")):
        how = {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}}
        first = 20 if kind == "readinessProbe" else 60
        made = probe(how, config, first=first, seconds=60)
        before = {
            key: value
            for key, value in mapping(container.get(kind)).items()
            if key not in ("tcpSocket", "exec", "grpc")
        }
        is_default = "tcpSocket" in mapping(container.get(kind))
        container[kind] = made if is_default or not before else {**before, **how}


def _triton(sdep: Object, unit: Object, container: Object, config: SeldonConfig) -> None:
    endpoint = mapping(unit.get("endpoint"))
    no_storage = spec.annotation(sdep, spec.NO_STORAGE).lower() == "true"
    args = [
        "/opt/tritonserver/bin/tritonserver",
        f"--grpc-port={endpoint['grpcPort']}",
        f"--http-port={endpoint['httpPort']}",
    ]
    if no_storage:
        args.append(f"--model-repository={unit.get('modelUri')}")
        for each in mappings(unit.get("parameters")):
            key = text(each.get("name")).lower()
            if key in ("model_control_mode", "load_model", "strict_model_config"):
                args.append(f"--{key.replace('_', '-')}={each.get('value')}")
    else:
        args += [f"--model-repository={MODEL_DIR}", "--strict-model-config=false"]
    container.setdefault("args", args)
    if not container.get("image"):
        container["image"] = config.image("TRITON_SERVER", V2)
    if no_storage and (secret := text(unit.get("envSecretRefName"))):
        container.setdefault("envFrom", [{"secretRef": {"name": secret}}])
    _health(container, config)


def _tensorflow(sdep: Object, unit: Object, pod: Object, container: Object, config: SeldonConfig) -> str:
    name, endpoint = text(unit.get("name")), mapping(unit.get("endpoint"))
    speaks_own = spec.protocol(sdep) == TENSORFLOW
    rest = int(endpoint["httpPort"]) if speaks_own else _REST
    grpc = int(endpoint["grpcPort"]) if speaks_own else _GRPC
    args = [
        f"--port={grpc}",
        f"--rest_api_port={rest}",
        f"--model_name={name}",
        f"--model_base_path={MODEL_DIR}",
    ]
    image = config.image("TENSORFLOW_SERVER", TENSORFLOW)
    if speaks_own:
        container["image"] = text(container.get("image")) or image
        container["args"] = container.get("args") or args
        return name
    container["image"] = config.image("TENSORFLOW_SERVER", spec.protocol(sdep))
    set_variable(container, PARAMETERS, _proxy_parameters(unit), over=True)
    server = named(pod.get("containers"), _TFSERVING)
    if not isinstance(server, dict):
        server = {"name": _TFSERVING}
        pod["containers"] = [*mappings(pod.get("containers")), server]
    server["image"] = text(server.get("image")) or image
    server.setdefault("imagePullPolicy", "IfNotPresent")
    server["args"] = server.get("args") or args
    if not server.get("ports"):
        server["ports"] = [{"containerPort": each, "protocol": "TCP"} for each in (grpc, rest)]
    if config.is_embedded and not server.get("readinessProbe"):
        # The proxy is ready before it has anybody to ask.
        server["readinessProbe"] = probe({"tcpSocket": {"port": rest}}, config, first=20)
    return _TFSERVING


def _proxy_parameters(unit: Object) -> str:
    told = {text(each.get("name")) for each in mappings(unit.get("parameters"))}
    more = [{"name": "model_name", "type": "STRING", "value": text(unit.get("name"))}]
    if not told & {"rest_endpoint", "grpc_endpoint"}:
        more[:0] = [
            {"name": "rest_endpoint", "type": "STRING", "value": f"http://0.0.0.0:{_REST}"},
            {"name": "grpc_endpoint", "type": "STRING", "value": f"0.0.0.0:{_GRPC}"},
        ]
    return parameters_json(unit, *more)
