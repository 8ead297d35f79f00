"""Makes, changes or deletes an InferenceService and waits until it is ready: what the image of the component "Serve a
model with KServe" runs, in pipelines.

Run in a pod as `python -u kservedeployer.py`; nothing of Sampan is there but pyyaml. Written for the purpose, with
upstream's arguments and its output. Other than upstream's: without a namespace it is the step's own and not
`anonymous`, what does not start fails the step at once and with the reason, and `rollout` is an update.

Source: kubeflow/pipelines components/kserve (component.yaml, src/kservedeployer.py), as of v0.11.1 of its image.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FRAMEWORKS = ("tensorflow", "pytorch", "sklearn", "xgboost", "onnx", "triton", "pmml", "lightgbm")
ACTIONS = ("create", "update", "apply", "rollout", "delete")
MOST_FAILURES = 60
PATIENCE_SECONDS = 5.0


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Services:
    """InferenceServices of a namespace, by the pod's service account."""

    def __init__(self, namespace: str) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        at = f"[{host}]" if ":" in host else host
        group = f"https://{at}:{port}/apis/serving.kserve.io/v1beta1"
        self.url = f"{group}/namespaces/{namespace}/inferenceservices"
        self.context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))

    def call(self, method: str, name: str = "", body: Any = None) -> Any:
        """Raises ApiError."""
        headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}"}
        data = None
        if body is not None:
            media = "application/merge-patch+json" if method == "PATCH" else "application/json"
            data, headers["Content-Type"] = json.dumps(body).encode(), media
        url = f"{self.url}/{name}" if name else self.url
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  https, as it is built
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            raise ApiError(error.code, message_of(text)) from None
        except OSError as error:
            raise ApiError(0, f"the API server cannot be reached: {error}") from None


def message_of(text: str) -> str:
    try:
        return str(json.loads(text).get("message") or text)
    except ValueError:
        return text


def service_of(options: argparse.Namespace, namespace: str) -> dict[str, Any]:
    """As it is written, or made of the arguments."""
    if options.inferenceservice_yaml:
        written: dict[str, Any] = options.inferenceservice_yaml
        metadata = written.setdefault("metadata", {})
        metadata["namespace"] = namespace
        metadata["name"] = options.model_name or metadata.get("name", "")
        return written
    annotations = {}
    if int(options.autoscaling_target):
        annotations["autoscaling.knative.dev/target"] = options.autoscaling_target
    if not options.enable_istio_sidecar:
        annotations["sidecar.istio.io/inject"] = "false"
    spec = {"predictor": predictor_of(options)}
    if options.transf_image:
        spec["transformer"] = transformer_of(options)
    metadata = {"name": options.model_name, "namespace": namespace}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {**metadata, **({"annotations": annotations} if annotations else {})},
        "spec": spec,
    }


def predictor_of(options: argparse.Namespace) -> dict[str, Any]:
    made = component_of(options, "pred")
    made["canaryTrafficPercent"] = int(options.pred_canary_traffic_percent)
    if options.pred_custom_model_spec:
        made["containers"] = [container_of(options.pred_custom_model_spec)]
        return made
    made[options.pred_framework.lower()] = {
        "storageUri": options.pred_model_uri,
        "resources": resources(options.pred_resource_requests, options.pred_resource_limits),
        "runtimeVersion": options.pred_runtime_version.lower(),
    }
    return made


def transformer_of(options: argparse.Namespace) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "kserve-transformer",
        "image": options.transf_image,
        "resources": resources(options.transf_resource_requests, options.transf_resource_limits),
    }
    if options.transf_uri:
        container["env"] = [{"name": "STORAGE_URI", "value": options.transf_uri}]
    if words := ast.literal_eval(options.transf_args or "[]"):
        container["args"] = words
    return {**component_of(options, "transf"), "containers": [container]}


def component_of(options: argparse.Namespace, prefix: str) -> dict[str, Any]:
    """What predictor and transformer have in common."""
    least, most = (int(getattr(options, f"{prefix}_{name}_replicas")) for name in ("min", "max"))
    made: dict[str, Any] = {"timeout": int(getattr(options, f"{prefix}_request_timeout"))}
    if options.service_account:
        made["serviceAccountName"] = options.service_account
    if least >= 0:
        made["minReplicas"] = least
    if most > 0 and most >= least:
        made["maxReplicas"] = most
    return made


def container_of(told: dict[str, Any]) -> dict[str, Any]:
    names = {"image_pull_policy": "imagePullPolicy", "working_dir": "workingDir"}
    kept = ("image", "command", "args", "env", "resources", *names)
    made = {names.get(key, key): told[key] for key in kept if told.get(key)}
    if told.get("port"):
        made["ports"] = [{"containerPort": int(told["port"]), "protocol": "TCP"}]
    return {"name": told.get("name", "custom-container"), **made}


def resources(requests: Any, limits: Any) -> dict[str, Any]:
    return {"requests": requests, "limits": limits}


def submit(services: Services, action: str, service: dict[str, Any]) -> None:
    """Raises ApiError."""
    name = service["metadata"]["name"]
    if action in ("create", "apply"):
        try:
            services.call("POST", body=service)
            return
        except ApiError as error:
            if action == "create" or error.code != 409:
                raise
    services.call("PATCH", name, service)


def wait(services: Services, name: str, seconds: float) -> dict[str, Any]:
    """The service when it is ready. Stops the program where it does not become so."""
    deadline, said, failures, broken = time.monotonic() + seconds, "", 0, 0.0
    while True:
        try:
            service: dict[str, Any] = services.call("GET", name)
            failures = 0
        except ApiError as error:
            failures += 1
            if error.code == 404 or failures > MOST_FAILURES:
                sys.exit(f"InferenceService {name}: {error}")
            time.sleep(1)
            continue
        status = service.get("status") or {}
        is_ready, is_broken, why = judged(service, status)
        if is_ready:
            return service
        if why and why != said:
            print(f"InferenceService {name}: {why}", flush=True)
            said = why
        broken = (broken or time.monotonic()) if is_broken else 0.0
        if broken and time.monotonic() - broken > PATIENCE_SECONDS:
            sys.exit(f"Model is not ready: InferenceService {name} does not start: {why}")
        if time.monotonic() > deadline:
            sys.exit(f"Model is timed out: InferenceService {name} is not ready after {seconds:.0f} s: {why}")
        time.sleep(0.5)


def judged(service: dict[str, Any], status: dict[str, Any]) -> tuple[bool, bool, str]:
    """Whether it is ready by what was asked for last, whether that has failed, and why it is not ready."""
    conditions = {each.get("type"): each for each in status.get("conditions") or []}
    model = status.get("modelStatus") or {}
    transition, failure = model.get("transitionStatus"), model.get("lastFailureInfo") or {}
    is_current = status.get("observedGeneration") == service["metadata"].get("generation")
    is_broken = is_current and transition in ("BlockedByFailedLoad", "InvalidSpec")
    waiting = [
        each.get("message")
        for each in conditions.values()
        if each.get("status") != "True" and each.get("message")
    ]
    why = (failure.get("message") if is_broken else "") or next(iter(waiting), "")
    ready = (conditions.get("Ready") or {}).get("status") == "True"
    return is_current and ready and transition in (None, "UpToDate"), is_broken, str(why or "")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serves a model with KServe")
    parser.add_argument("--action", type=str.lower, choices=ACTIONS, default="create")
    parser.add_argument("--inferenceservice-yaml", type=yaml.safe_load, default="{}")
    texts = {
        "model-name": "",
        "namespace": "",
        "autoscaling-target": "0",
        "service-account": "",
        "watch-timeout": "300",
        "pred-min-replicas": "-1",
        "pred-max-replicas": "-1",
        "pred-model-uri": "",
        "pred-framework": "",
        "pred-canary-traffic-percent": "100",
        "pred-runtime-version": "latest",
        "pred-request-timeout": "60",
        "transf-min-replicas": "-1",
        "transf-max-replicas": "-1",
        "transf-image": "",
        "transf-args": "[]",
        "transf-uri": "",
        "transf-request-timeout": "60",
        "output-path": "",
    }
    for name, default in texts.items():
        parser.add_argument(f"--{name}", default=default)
    for prefix in ("pred", "transf"):
        parser.add_argument(
            f"--{prefix}-resource-requests", type=json.loads, default='{"cpu":"0.5","memory":"512Mi"}'
        )
        parser.add_argument(
            f"--{prefix}-resource-limits", type=json.loads, default='{"cpu":"1","memory":"1Gi"}'
        )
    parser.add_argument("--pred-custom-model-spec", type=json.loads, default="{}")
    for name in ("enable-istio-sidecar", "enable-isvc-status"):
        parser.add_argument(f"--{name}", type=truth, default=True)
    options = parser.parse_args()
    if not options.inferenceservice_yaml:
        check(parser, options)
    return options


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if not options.model_name:
        parser.error(f'model_name argument is required when performing "{options.action}" action')
    if options.action == "delete" or options.pred_custom_model_spec:
        return
    if not (options.pred_model_uri and options.pred_framework):
        parser.error(f'Arguments for pred_model_uri and pred_framework are required for "{options.action}"')
    if options.pred_framework.lower() not in FRAMEWORKS:
        parser.error(f"No matching framework: {options.pred_framework}; there are {', '.join(FRAMEWORKS)}")


def truth(text: str) -> bool:
    """As distutils' strtobool, which upstream reads it by."""
    if text.lower() in ("y", "yes", "t", "true", "on", "1"):
        return True
    if text.lower() in ("n", "no", "f", "false", "off", "0"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def main() -> None:
    options = arguments()
    written = (options.inferenceservice_yaml or {}).get("metadata", {})
    own = (ACCOUNT / "namespace").read_text().strip()
    namespace = options.namespace or written.get("namespace") or own
    name = options.model_name or written.get("name", "")
    services = Services(namespace)
    found: dict[str, Any] = {}
    try:
        if options.action == "delete":
            services.call("DELETE", name)
            print(f"InferenceService {name} is deleted", flush=True)
        else:
            submit(services, options.action, service_of(options, namespace))
            found = wait(services, name, float(options.watch_timeout))
    except ApiError as error:
        sys.exit(f"InferenceService {name} in namespace {namespace}: {error}")
    if found:
        print(f"Model is ready\n\n{found['status'].get('url', '')} is the Knative domain.", flush=True)
    if options.output_path:
        found.get("metadata", {}).pop("managedFields", None)
        found.get("status", {}).pop("conditions", None)
        target = Path(options.output_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(found if options.enable_isvc_status else {}, indent=4))


if __name__ == "__main__":
    main()
