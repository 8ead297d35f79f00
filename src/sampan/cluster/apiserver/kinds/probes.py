"""Probes, lifecycle hooks and last words of a container: defaults and validation. Called by `containers`.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go (validateLivenessProbe,
validateHandler, validateLifecycle), v1.31.
"""

from __future__ import annotations

import signal
from typing import Any

from sampan.kube import names
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_DEFAULTS = (
    *(("timeoutSeconds", 1), ("periodSeconds", 10)),
    *(("successThreshold", 1), ("failureThreshold", 3)),
)
_NOT_NEGATIVE = "must be greater than or equal to 0"
_SCHEMES = ("HTTP", "HTTPS")
_POLICIES = ("File", "FallbackToLogsOnError")


def default(container: Object) -> None:
    for key in _PROBES:
        if probe := container.get(key):
            for name, value in _DEFAULTS:
                # 0 is how Go writes what was not given.
                probe[name] = probe.get(name) or value
            _default_handler(probe)
            if "grpc" in probe:
                probe["grpc"].setdefault("service", "")
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _default_handler(hook)


def validate(container: Object, path: str, errors: FieldErrors) -> None:
    for key in _PROBES:
        if key in container:
            _validate_probe(key, container[key], f"{path}.{key}", errors)
    lifecycle = container.get("lifecycle") or {}
    for key in ("postStart", "preStop"):
        if lifecycle.get(key) is not None:
            _validate_handler(lifecycle[key], _HOOK_HANDLERS, f"{path}.lifecycle.{key}", errors)
    stop = lifecycle.get("stopSignal")
    if stop is not None and (not stop.startswith("SIG") or not hasattr(signal, stop)):
        errors.invalid(f"{path}.lifecycle.stopSignal", stop, "must be a signal that Linux knows")
    policy = container.get("terminationMessagePolicy")
    if policy not in (None, *_POLICIES):
        errors.unsupported(f"{path}.terminationMessagePolicy", policy, _POLICIES)


def _default_handler(handler: Object) -> None:
    if isinstance(handler.get("httpGet"), dict):
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")


def _validate_probe(key: str, probe: Object, path: str, errors: FieldErrors) -> None:
    _validate_handler(probe, _PROBE_HANDLERS, path, errors)
    for name in ("initialDelaySeconds", *(name for name, _ in _DEFAULTS)):
        if (probe.get(name) or 0) < 0:
            errors.invalid(f"{path}.{name}", probe[name], _NOT_NEGATIVE)
    grace = probe.get("terminationGracePeriodSeconds")
    if key == "readinessProbe":
        if grace is not None:
            errors.invalid(
                f"{path}.terminationGracePeriodSeconds", grace, "must not be set for readinessProbes"
            )
        return
    if probe.get("successThreshold") != 1:
        errors.invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")
    if grace is not None and grace <= 0:
        errors.invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")


def _validate_handler(handler: Object, kinds: tuple[str, ...], path: str, errors: FieldErrors) -> None:
    given = [kind for kind in kinds if handler.get(kind) is not None]
    if not given:
        errors.required(path, "must specify a handler type")
    for extra in given[1:]:
        errors.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    if not given:
        return
    kind, where, spec = given[0], f"{path}.{given[0]}", handler[given[0]]
    if kind == "exec" and not spec.get("command"):
        errors.required(f"{where}.command")
    elif kind == "httpGet":
        if not spec.get("path"):
            errors.required(f"{where}.path")
        _validate_port(spec.get("port"), f"{where}.port", errors)
        if spec.get("scheme") not in _SCHEMES:
            errors.unsupported(f"{where}.scheme", spec.get("scheme"), _SCHEMES)
    elif kind in ("tcpSocket", "grpc"):
        _validate_port(spec.get("port"), f"{where}.port", errors)
    elif kind == "sleep" and (spec.get("seconds") or 0) < 0:
        errors.invalid(f"{where}.seconds", spec["seconds"], _NOT_NEGATIVE)


def _validate_port(port: Any, path: str, errors: FieldErrors) -> None:
    if isinstance(port, str) and not port.isdigit():
        errors.each(path, port, names.port_name(port))
    elif not 1 <= int(port or 0) <= 65535:
        errors.invalid(path, port or 0, "must be between 1 and 65535, inclusive")
