"""DefaultTolerationSeconds: a pod stays for five minutes on a node that is not ready or cannot be reached.

Source: plugin/pkg/admission/defaulttolerationseconds/admission.go, v1.37.
"""

from __future__ import annotations

from sampan.kube.meta import Object

_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_SECONDS = 300


def admit(pod: Object) -> None:
    """What the pod says itself about such a node stands."""
    given = pod["spec"].get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _SECONDS}
        for key in _KEYS
        if not any(
            each.get("key") in (key, "", None) and each.get("effect") in ("NoExecute", "", None)
            for each in given
        )
    ]
    if added:
        pod["spec"]["tolerations"] = [*given, *added]
