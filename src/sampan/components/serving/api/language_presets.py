"""The LLMInferenceServiceConfigs that KServe comes with, by what a service is. For `controller.shipping`.

Names are upstream's: kserve/kserve 0.20 config/llmisvcconfig. What they say is ours: no sidecar routes requests and no
picker of endpoints runs, for the gateway does both; TLS between gateway and pods is off; nothing infers networks of
GPUs. The templates of several nodes are left out with what they would run. In the embedded cluster the program is
called without a shell, so that it is forked from a warm interpreter; on others its further arguments may come from a
variable, as upstream has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.api.kinds import LLM_INFERENCE_SERVICE_CONFIGS
from sampan.components.serving.api.labels import NAMESPACE
from sampan.kube.meta import Object

PREFIX = "kserve-"
TEMPLATE, DECODE, PREFILL = "config-llm-template", "config-llm-decode-template", "config-llm-prefill-template"
SCHEDULER, ROUTE, TRACING = "config-llm-scheduler", "config-llm-router-route", "config-llm-tracing"
LATENCY = "config-llm-scheduler-latency-predictor"
WORKERS = (
    "config-llm-worker-data-parallel",
    "config-llm-decode-worker-data-parallel",
    "config-llm-prefill-worker-data-parallel",
)
"""Of several nodes: none of these is here."""
WELL_KNOWN = (TEMPLATE, DECODE, PREFILL, *WORKERS, SCHEDULER, LATENCY, ROUTE, TRACING)
ADDITIONAL = "VLLM_ADDITIONAL_ARGS"
"""A variable of the container: further arguments, as a shell reads them."""
_IMAGE = "ghcr.io/llm-d/llm-d-cuda:v0.8.0"
_PARALLEL = "{{{{ if and {0} {0}.Tensor }}}}--tensor-parallel-size={{{{ {0}.Tensor }}}}{{{{ end }}}}".format
_NAME = "{{ .Spec.Model.Name }}"
_QUALIFIED = "publishers/{{ .ObjectMeta.Namespace }}/models/{{ .Spec.Model.Name }}"
_VOLUMES: Sequence[tuple[str, str, Object]] = (
    ("home", "/home", {"emptyDir": {}}),
    ("dshm", "/dev/shm", {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}),  # noqa: S108  of a pod
    ("model-cache", "/models", {"emptyDir": {}}),
    ("tmp-dir", "/tmp", {"emptyDir": {}}),  # noqa: S108  of a pod
)


def is_well_known(name: str) -> bool:
    """Whether services begin with a configuration of this name without naming it."""
    return name.removeprefix(PREFIX) in WELL_KNOWN and name.startswith(PREFIX)


def presets(*, is_embedded: bool) -> tuple[Object, ...]:
    main = _template(".Spec.Parallelism", is_embedded=is_embedded)
    prefill = _template(".Spec.Prefill.Parallelism", is_embedded=is_embedded)
    return (
        _config(TEMPLATE, {"template": main}),
        _config(DECODE, {"template": main}),
        _config(PREFILL, {"prefill": {"template": prefill}}),
        _config(SCHEDULER, {"router": {"scheduler": {}}}),
        _config(LATENCY, {"router": {"scheduler": {}}}),
        _config(ROUTE, {"router": {"route": {"http": {}}}}),
        _config(
            TRACING,
            {
                "tracing": {
                    "exporterEndpoint": "http://otel-collector:4317",
                    "sampler": "parentbased_traceidratio",
                    "samplerArg": "0.05",
                    "exporter": "otlp",
                }
            },
        ),
    )


def _config(name: str, spec: Object) -> Object:
    return {
        "apiVersion": LLM_INFERENCE_SERVICE_CONFIGS.api_version,
        "kind": LLM_INFERENCE_SERVICE_CONFIGS.kind,
        "metadata": {"name": f"{PREFIX}{name}", "namespace": NAMESPACE},
        "spec": spec,
    }


def _template(parallelism: str, *, is_embedded: bool) -> Object:
    container: Object = {
        "name": "main",
        "image": _IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8000, "protocol": "TCP"}],
        **(_called(parallelism) if is_embedded else _called_by_shell(parallelism)),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **_probes(1 if is_embedded else 10),
    }
    if is_embedded:
        return {"containers": [container], "terminationGracePeriodSeconds": 60}
    container["env"] = [{"name": "HOME", "value": "/home"}, {"name": "HF_HUB_CACHE", "value": "/models"}]
    container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sleep", "15"]}}}
    container["volumeMounts"] = [{"name": name, "mountPath": path} for name, path, _ in _VOLUMES]
    volumes = [{"name": name, **source} for name, _, source in _VOLUMES]
    return {"containers": [container], "terminationGracePeriodSeconds": 60, "volumes": volumes}


def _called(parallelism: str) -> Object:
    words = ["vllm", "serve", "/mnt/models", _PARALLEL(parallelism), "--served-model-name", _NAME, _QUALIFIED]
    return {"command": [*words, "--port", "8000"]}


def _called_by_shell(parallelism: str) -> Object:
    offloading = f"{{{{ kvTransferConfig {parallelism.replace('Parallelism', 'KVCacheOffloading')} }}}}"
    script = (
        f'eval "exec vllm serve /mnt/models {_PARALLEL(parallelism)} --served-model-name \\"{_NAME}\\" '
        f'\\"{_QUALIFIED}\\" --port 8000 {offloading} ${{{ADDITIONAL}}} $@"'
    )
    # What follows `--` are the script's own arguments.
    return {"command": ["/bin/bash", "-c", script, "--"]}


def _probes(period: int) -> Object:
    asked = {"httpGet": {"path": "/health", "port": 8000, "scheme": "HTTP"}}
    return {
        "livenessProbe": {**asked, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 10},
        "readinessProbe": {**asked, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 5},
        # A large model takes its time: ten minutes.
        "startupProbe": {
            **asked,
            "periodSeconds": period,
            "timeoutSeconds": 2,
            "failureThreshold": 600 // period,
        },
    }
