"""The ConfigMap `kfp-launcher` of a namespace: its pipeline root, and how its buckets are reached. Pure.

Source: backend/src/v2/config/{env,s3,minio,gcs}.go and objectstore/config.go, kubeflow/pipelines 2.17.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sampan.store.artifacts.uris import ArtifactUri

CONFIG_MAP = "kfp-launcher"
MINIO_SECRET = "mlpipeline-minio-artifact"  # noqa: S105  a name
MINIO_KEYS = ("accesskey", "secretkey")
_PROVIDERS = ("minio", "s3", "gs")


@dataclass(frozen=True, slots=True)
class Provided:
    """How to reach a bucket, as somebody has configured it."""

    endpoint: str = ""
    region: str = ""
    disable_ssl: bool = False
    path_style: bool = True
    from_env: bool = False
    secret: str = ""
    keys: tuple[str, ...] = ()
    """In the secret: access key and secret key, or a Google key file."""

    @property
    def url(self) -> str:
        """The endpoint with its scheme; empty for the provider's own."""
        if not self.endpoint or "://" in self.endpoint:
            return self.endpoint
        return f"{'http' if self.disable_ssl else 'https'}://{self.endpoint}"


@dataclass(frozen=True, slots=True)
class LauncherConfig:
    root: str = ""
    providers: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why the providers could not be read."""

    def provided(self, uri: ArtifactUri) -> Provided | None:
        """None where nothing is configured for the URI's scheme. Raises ValueError for what is configured wrongly."""
        if self.problem:
            raise ValueError(self.problem)
        provider = self.providers.get(uri.scheme)
        if not provider:
            return None
        return _provided(provider, uri)

    def secrets(self) -> set[str]:
        """Names of all secrets that it refers to."""
        return {name for provider in self.providers.values() for name in _secrets(provider)}


def read(data: Mapping[str, str] | None) -> LauncherConfig:
    """From the ConfigMap's data."""
    if not data:
        return LauncherConfig()
    root = str(data.get("defaultPipelineRoot") or "")
    try:
        providers = yaml.safe_load(data.get("providers") or "") or {}
        if not isinstance(providers, dict):
            raise ValueError("not a mapping")
        known = {name: providers[name] for name in _PROVIDERS if isinstance(providers.get(name), dict)}
    except (yaml.YAMLError, ValueError) as error:
        return LauncherConfig(root, {}, f"the ConfigMap {CONFIG_MAP}: providers cannot be read: {error}")
    return LauncherConfig(root, known)


def _provided(provider: Mapping[str, Any], uri: ArtifactUri) -> Provided:
    default = provider.get("default") or {}
    override = next(_overrides(provider, uri), {})
    merged = {**default, **{key: value for key, value in override.items() if value not in (None, "")}}
    credentials = (override or default).get("credentials")
    if not isinstance(credentials, dict):
        raise ValueError(f"the ConfigMap {CONFIG_MAP} gives no credentials for {uri.scheme}://{uri.bucket}")
    reference = credentials.get("secretRef") or {}
    from_env = bool(credentials.get("fromEnv"))
    if not from_env and not reference.get("secretName"):
        raise ValueError(
            f"the ConfigMap {CONFIG_MAP} names no secret for {uri.scheme}://{uri.bucket}, nor fromEnv: true"
        )
    names = ("tokenKey",) if uri.scheme == "gs" else ("accessKeyKey", "secretKeyKey")
    path_style = merged.get("forcePathStyle")
    return Provided(
        endpoint=str(merged.get("endpoint") or ""),
        region=str(merged.get("region") or ""),
        disable_ssl=bool(merged.get("disableSSL")),
        path_style=True if path_style is None else bool(path_style),
        from_env=from_env,
        secret="" if from_env else str(reference["secretName"]),
        keys=tuple(str(reference.get(name) or "") for name in names),
    )


def _overrides(provider: Mapping[str, Any], uri: ArtifactUri) -> Iterator[Mapping[str, Any]]:
    """The first that matches counts."""
    for item in provider.get("overrides") or provider.get("Overrides") or ():
        if item.get("bucketName") == uri.bucket and uri.key.startswith(
            str(item.get("keyPrefix") or "").strip("/")
        ):
            yield item


def _secrets(provider: Mapping[str, Any]) -> Iterator[str]:
    for item in (
        provider.get("default") or {},
        *(provider.get("overrides") or provider.get("Overrides") or ()),
    ):
        name = ((item.get("credentials") or {}).get("secretRef") or {}).get("secretName")
        if name:
            yield str(name)
