"""The ClusterServingRuntimes and the ClusterStorageContainer that KServe comes with, and its ConfigMap.

For `controller.shipping`, and for whoever lists what can be served. Names, formats, priorities, containers and
arguments are upstream's: kserve/kserve 0.20 config/runtimes, config/storagecontainers, config/configmap. There is no
`kserve-huggingfaceserver-multinode`, which needs Ray on several machines with GPUs, and no `kserve-openvino`, which
upstream's manifests leave out too. What runtimes ask of a node is decision 58.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sampan.components.serving.api import models
from sampan.components.serving.api.kinds import CLUSTER_SERVING_RUNTIMES, CLUSTER_STORAGE_CONTAINERS
from sampan.components.serving.api.labels import CONFIG, CONTAINER, NAMESPACE, STORAGE_INITIALIZER
from sampan.kube.meta import Object

VERSION = "v0.20.0"
"""Of the KServe that this behaves as."""
_SMALL: Object = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "2Gi"},
}
_UPSTREAM: Object = {
    "requests": {"cpu": "1", "memory": "2Gi"},
    "limits": {"cpu": "1", "memory": "2Gi"},
}
_MODEL_ARGS = ("--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080")
_LOCKED: Object = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}
_SHARED_MEMORY: Object = {
    "volumes": [{"name": "devshm", "emptyDir": {"medium": "Memory"}}],
    "hostIPC": False,
}
_SHARED_MEMORY_MOUNT = [{"name": "devshm", "mountPath": "/dev/shm"}]  # noqa: S108
_CACHE_VARIABLE = {"name": "LMCACHE_USE_EXPERIMENTAL", "value": "True"}


def runtimes(*, is_embedded: bool) -> tuple[Object, ...]:
    """Made anew on each call: nobody needs them for longer."""
    resources = _SMALL if is_embedded else _UPSTREAM
    return tuple(_runtime(each, resources) for each in _all())


@dataclass(frozen=True, slots=True)
class _Runtime:
    name: str
    container: Object
    formats: Sequence[Object]
    protocols: Sequence[str]
    metrics_port: int = 8080
    more: Object = field(default_factory=dict)
    """Of its spec."""


def _all() -> list[_Runtime]:
    return [
        _of_kserve("sklearnserver", _format("sklearn", "1")),
        _of_kserve("xgbserver", _format("xgboost", "2"), args=("--nthread=1",)),
        _of_kserve("lgbserver", _format("lightgbm", "4"), args=("--nthread=1",)),
        _of_kserve("pmmlserver", _format("pmml", "3"), _format("pmml", "4")),
        _of_kserve("paddleserver", _format("paddle", "2")),
        _of_kserve("autogluonserver", _format("autogluon", "1")),
        _of_kserve(
            "predictiveserver",
            *(
                _format(*each, priority=3, auto_select=False)
                for each in (("sklearn", "1"), ("xgboost", "2"), ("lightgbm", "4"))
            ),
            args=("--framework={{.Annotations.modelFormat}}", "--nthread=1"),
            more={"multiModel": False},
        ),
        _mlserver(),
        _tensorflow(),
        _torchserve(),
        _triton(),
        _huggingface(),
        _vllm(),
    ]


def storage_container(*, is_embedded: bool) -> Object:
    requests: Object = {"cpu": "100m", "memory": "100Mi"}
    prefixes = ("gs", "s3", "hdfs", "hf", "webhdfs")
    expressions = (
        "https://(.+?).blob.core.windows.net/(.+)",
        "https://(.+?).file.core.windows.net/(.+)",
        "https?://(.+)/(.+)",
    )
    # git and file are ours: upstream's initializer knows them, and its container does not say so.
    more = ("git", "file") if is_embedded else ()
    return {
        "apiVersion": CLUSTER_STORAGE_CONTAINERS.api_version,
        "kind": CLUSTER_STORAGE_CONTAINERS.kind,
        "metadata": {"name": "default"},
        "spec": {
            "container": {
                "name": STORAGE_INITIALIZER,
                "image": f"kserve/storage-initializer:{VERSION}",
                "imagePullPolicy": "IfNotPresent",
                "resources": {"requests": requests, "limits": {"cpu": "1", "memory": "1Gi"}},
            },
            "supportedUriFormats": [
                *({"prefix": f"{each}://"} for each in (*prefixes, *more)),
                *({"regex": each} for each in expressions),
            ],
            "workloadType": "initContainer",
            "supportsMultiModelDownload": True,
        },
    }


def config_map(domain: str, deployment_mode: str) -> Object:
    """As it is where nobody has changed it."""
    sidecar = {"cpuRequest": "100m", "cpuLimit": "1", "memoryRequest": "100Mi", "memoryLimit": "1Gi"}
    agent = {"image": f"kserve/agent:{VERSION}", **sidecar}
    sections: dict[str, Object] = {
        "explainers": {"art": {"image": "kserve/art-explainer", "defaultImageVersion": VERSION}},
        "storageInitializer": {
            "image": f"kserve/storage-initializer:{VERSION}",
            **sidecar,
            "caBundleConfigMapName": "",
            "caBundleVolumeMountPath": "/etc/ssl/custom-certs",
            "enableModelcar": True,
            "cpuModelcar": "10m",
            "memoryModelcar": "15Mi",
            "uidModelcar": 1010,
        },
        "credentials": _CREDENTIALS,
        "ingress": {
            "ingressDomain": domain,
            "domainTemplate": "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}",
            "urlScheme": "http",
            "disableIngressCreation": False,
        },
        "logger": {**agent, "defaultUrl": "http://default-broker"},
        "batcher": {**agent, "maxBatchSize": "32", "maxLatency": "5000"},
        "agent": agent,
        "router": {"image": f"kserve/router:{VERSION}", **sidecar, "imagePullPolicy": "IfNotPresent"},
        "localModel": {
            "enabled": True,
            "jobNamespace": "kserve-localmodel-jobs",
            "fsGroup": 1000,
            "jobTTLSecondsAfterFinished": 3600,
            "reconcilationFrequencyInSecs": 60,
            "disableVolumeManagement": False,
        },
        "deploy": {"defaultDeploymentMode": deployment_mode},
        "metricsAggregator": {"enableMetricAggregation": "false", "enablePrometheusScraping": "false"},
        "security": {"autoMountServiceAccountToken": True},
        "inferenceService": {
            "resource": {
                "cpuRequest": "100m",
                "memoryRequest": "256Mi",
                "cpuLimit": "1",
                "memoryLimit": "2Gi",
            }
        },
        "autoscaler": {
            "scaleUpStabilizationWindowSeconds": "0",
            "scaleDownStabilizationWindowSeconds": "300",
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG, "namespace": NAMESPACE},
        "data": {name: json.dumps(section, indent=2) for name, section in sections.items()},
    }


_CREDENTIALS: Object = {
    "storageSpecSecretName": "storage-config",
    "storageSecretNameAnnotation": "serving.kserve.io/storageSecretName",
    "gcs": {"gcsCredentialFileName": "gcloud-application-credentials.json"},
    "s3": {
        "s3AccessKeyIDName": "AWS_ACCESS_KEY_ID",
        "s3SecretAccessKeyName": "AWS_SECRET_ACCESS_KEY",
        **dict.fromkeys(
            (
                "s3Endpoint",
                "s3UseHttps",
                "s3Region",
                "s3VerifySSL",
                "s3UseVirtualBucket",
                "s3UseAccelerate",
                "s3UseAnonymousCredential",
                "s3CABundleConfigMap",
                "s3CABundle",
            ),
            "",
        ),
    },
}


def _format(name: str, version: str, priority: int = 1, *, auto_select: bool = True) -> Object:
    return {"name": name, "version": version, "autoSelect": auto_select, "priority": priority}


def _runtime(its: _Runtime, resources: Object) -> Object:
    main = {"name": CONTAINER, "securityContext": _LOCKED, **its.container, "resources": resources}
    scraped = {"prometheus.kserve.io/port": str(its.metrics_port), "prometheus.kserve.io/path": "/metrics"}
    speaks: Object = {"protocolVersions": list(its.protocols)} if its.protocols else {}
    return {
        "apiVersion": CLUSTER_SERVING_RUNTIMES.api_version,
        "kind": CLUSTER_SERVING_RUNTIMES.kind,
        "metadata": {"name": f"kserve-{its.name}", "annotations": {models.SERVER_TYPE: its.name}},
        "spec": {
            "annotations": scraped,
            "supportedModelFormats": list(its.formats),
            **speaks,
            "containers": [main],
            **its.more,
        },
    }


def _of_kserve(name: str, *formats: Object, args: Sequence[str] = (), more: Object | None = None) -> _Runtime:
    container = {"image": f"kserve/{name}:{VERSION}", "args": [*_MODEL_ARGS, *args]}
    return _Runtime(name, container, formats, (models.V1, models.V2), more=more or {})


def _mlserver() -> _Runtime:
    versions = (("sklearn", "01"), ("xgboost", "12"), ("lightgbm", "34"))
    formats = [_format(name, each, 2) for name, known in versions for each in known]
    variables = {
        "MLSERVER_MODEL_IMPLEMENTATION": "{{.Labels.modelClass}}",
        "MLSERVER_HTTP_PORT": "8080",
        "MLSERVER_GRPC_PORT": "9000",
    }
    container = {"image": "docker.io/seldonio/mlserver:1.7.1", "env": _env(variables)}
    return _Runtime(
        "mlserver",
        container,
        [*formats, _format("mlflow", "1"), _format("mlflow", "2")],
        (models.V2,),
    )


def _tensorflow() -> _Runtime:
    container = {
        "image": "tensorflow/serving:2.6.2",
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": [
            "--model_name={{.Name}}",
            "--port=9000",
            "--rest_api_port=8080",
            "--model_base_path=/mnt/models",
            "--rest_api_timeout_in_ms=60000",
        ],
        "securityContext": {**_LOCKED, "runAsUser": 1000},
    }
    return _Runtime(
        "tensorflow-serving",
        container,
        [_format("tensorflow", each, 2) for each in "12"],
        (models.V1, models.GRPC_V1),
    )


def _torchserve() -> _Runtime:
    container = {
        "image": "pytorch/torchserve-kfs:0.9.0",
        "args": [
            "torchserve",
            "--start",
            "--model-store=/mnt/models/model-store",
            "--ts-config=/mnt/models/config/config.properties",
        ],
        "env": _env({"TS_SERVICE_ENVELOPE": "{{.Labels.serviceEnvelope}}"}),
        "securityContext": {**_LOCKED, "runAsUser": 1000},
    }
    return _Runtime(
        "torchserve",
        container,
        [_format("pytorch", "1", 2)],
        (models.V1, models.V2, models.GRPC_V2),
        metrics_port=8082,
    )


def _triton() -> _Runtime:
    container = {
        "image": "nvcr.io/nvidia/tritonserver:23.05-py3",
        "args": [
            "tritonserver",
            "--model-store=/mnt/models",
            "--grpc-port=9000",
            "--http-port=8080",
            "--allow-grpc=true",
            "--allow-http=true",
        ],
        "securityContext": {**_LOCKED, "runAsUser": 1000},
    }
    known = (("tensorrt", "8"), ("tensorflow", "1"), ("tensorflow", "2"), ("onnx", "1"), ("triton", "2"))
    return _Runtime(
        "tritonserver",
        container,
        [*(_format(*each) for each in known), {"name": "pytorch", "version": "1"}],
        (models.V2, models.GRPC_V2),
        metrics_port=8002,
    )


def _huggingface() -> _Runtime:
    container = {
        "image": f"kserve/huggingfaceserver:{VERSION}",
        "args": ["--model_name={{.Name}}"],
        "env": [_CACHE_VARIABLE],
        "volumeMounts": _SHARED_MEMORY_MOUNT,
    }
    return _Runtime(
        "huggingfaceserver",
        container,
        [_format("huggingface", "1")],
        (models.V2, models.V1),
        more=_SHARED_MEMORY,
    )


def _vllm() -> _Runtime:
    models_listed = {"httpGet": {"path": "/v1/models", "port": 8080}, "successThreshold": 1}
    context = {key: value for key, value in _LOCKED.items() if key != "runAsNonRoot"}
    variables = {
        **dict.fromkeys(("HF_HOME", "VLLM_CONFIG_ROOT"), "/tmp"),  # noqa: S108
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    }
    container = {
        "image": "vllm/vllm-openai:latest",
        "command": ["python", "-m", "vllm.entrypoints.openai.api_server"],
        "args": ["--port=8080", "--served-model-name={{.Name}}", "--model=/mnt/models"],
        "env": [_CACHE_VARIABLE, *_env(variables)],
        "securityContext": context,
        "readinessProbe": {**models_listed, "failureThreshold": 3, "periodSeconds": 10, "timeoutSeconds": 5},
        "startupProbe": {
            **models_listed,
            "failureThreshold": 60,
            "periodSeconds": 30,
            "timeoutSeconds": 10,
            "initialDelaySeconds": 30,
        },
        "volumeMounts": _SHARED_MEMORY_MOUNT,
    }
    return _Runtime(
        "vllmserver",
        container,
        [_format("vLLM", "1")],
        (),
        more=_SHARED_MEMORY,
    )


def _env(variables: dict[str, str]) -> list[Object]:
    return [{"name": name, "value": value} for name, value in variables.items()]
