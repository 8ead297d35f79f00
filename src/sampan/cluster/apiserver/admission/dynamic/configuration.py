"""Webhooks as their configurations say, read once when one changes. Pure.

Source: k8s.io/api/admissionregistration/v1/types.go, k8s.io/apiserver/pkg/util/webhook/client.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.calls import Endpoint, endpoint_of
from sampan.cluster.apiserver.admission.dynamic.expressions import Conditions
from sampan.cluster.apiserver.admission.dynamic.matching import Matcher
from sampan.kube import meta
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

_KNOWN_REVIEWS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Webhook:
    name: str
    configuration: str
    matcher: Matcher
    conditions: Conditions
    endpoint: Endpoint
    review_version: str
    """Empty when it accepts none that is known."""
    fails_closed: bool
    seconds: int
    dry_runs: bool
    """Whether it has no side effects that a dry run must not have."""
    reinvoked: bool


def webhooks_of(configuration: Object) -> Iterator[Webhook]:
    for raw in configuration.get("webhooks") or ():
        try:
            yield _webhook(meta.name(configuration), raw)
        except BadRequestError as error:
            log.warning(
                "a webhook cannot be called",
                configuration=meta.name(configuration),
                webhook=raw.get("name"),
                why=str(error),
            )


def _webhook(configuration: str, raw: Mapping[str, Any]) -> Webhook:
    accepted = raw.get("admissionReviewVersions") or ()
    return Webhook(
        str(raw.get("name") or ""),
        configuration,
        Matcher.of(raw, raw.get("rules") or ()),
        Conditions.of(raw.get("matchConditions")),
        endpoint_of(raw.get("clientConfig") or {}),
        next((each for each in accepted if each in _KNOWN_REVIEWS), ""),
        raw.get("failurePolicy") != "Ignore",
        int(raw.get("timeoutSeconds") or 10),
        raw.get("sideEffects") in ("None", "NoneOnDryRun"),
        raw.get("reinvocationPolicy") == "IfNeeded",
    )
