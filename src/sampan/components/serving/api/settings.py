"""What can be set about serving: the table `[serving]` of settings.toml."""

from __future__ import annotations

import re
from dataclasses import dataclass

CONTROLLERS = ("auto", "on", "off")
MODES = ("auto", "Knative", "Standard")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class ServingSettings:
    controllers: str = "auto"
    """Whether InferenceServices and SeldonDeployments are acted on: `on`, `off`, or `auto`: on for the kinds whose
    definitions nobody else has installed."""
    domain: str = "localhost"
    """Below which endpoints have their names: `NAME-NAMESPACE.DOMAIN`."""
    deployment_mode: str = "auto"
    """Of InferenceServices that name none: `Knative` (revisions, traffic split by percent, scaling by requests and to
    zero), `Standard` (a Deployment, scaled by its load), or `auto`: Knative in the embedded cluster, Standard
    elsewhere. What the ConfigMap `inferenceservice-config` says comes first."""
    file_roots: tuple[str, ...] = ()
    """Folders below which `file://` models may lie; `{namespace}` is replaced. Without any, the single user may serve
    every file of this machine, and users of namespaces what their own runs have left."""
    private_hosts: tuple[str, ...] = ()
    """Names, with `*`, and networks that models may be fetched from though their addresses are private or loopback.
    Without any, the single user may fetch from all of them, and users of namespaces from none. A machine's own
    metadata are never asked."""
    seldon_env_secret: str = ""
    """A Secret whose entries are variables of whatever fetches models of SeldonDeployments, as for rclone, where a unit
    names none (`envSecretRefName`). Seldon's operator calls it PREDICTIVE_UNIT_DEFAULT_ENV_SECRET_REF_NAME."""
    seldon_user_id: int | None = None
    """As which user pods of SeldonDeployments run that say nothing of it; none says nothing either. Seldon's operator
    calls it DEFAULT_USER_ID."""
    model_cache_gib: int = 20
    """Disk for models that have been downloaded, so that the next replica has them at once, in GiB; 0 keeps none."""
    max_model_gib: int = 0
    """What one model may be, downloaded or unpacked, in GiB; 0 for any size."""
    max_waiting_requests: int = 1000
    """How many requests to one model wait at a time, while it starts or has no room; more are answered 503."""
    max_request_mib: int = 256
    """Of a request's body; an annotation `sampan.dev/max-request-size` of an endpoint says otherwise for it."""


def check(settings: ServingSettings) -> None:
    """Raises ValueError, which names the setting."""
    for name, known in (("controllers", CONTROLLERS), ("deployment_mode", MODES)):
        value = getattr(settings, name)
        if value not in known:
            raise ValueError(f"serving.{name} must be one of {', '.join(known)}, not {value!r}")
    for name in ("model_cache_gib", "max_model_gib"):
        if getattr(settings, name) < 0:
            raise ValueError(f"serving.{name} must be 0 or more")
    if settings.seldon_user_id is not None and settings.seldon_user_id < 0:
        raise ValueError(f"serving.seldon_user_id must be 0 or more, not {settings.seldon_user_id}")
    for root in settings.file_roots:
        if not root.startswith("/") or ".." in root.split("/"):
            raise ValueError(f"serving.file_roots must be whole paths such as /srv/models, not {root!r}")
    for name, most in (("max_waiting_requests", 1_000_000), ("max_request_mib", 1_000_000)):
        if not 1 <= getattr(settings, name) <= most:
            raise ValueError(f"serving.{name} must be between 1 and {most}, not {getattr(settings, name)}")
    if not _DOMAIN.fullmatch(settings.domain):
        raise ValueError(f"serving.domain must be a name such as example.com, not {settings.domain!r}")
