"""Which store an artifact's URI means, and with which credentials: settings, the ConfigMap `kfp-launcher`, our own S3.

Of what is configured for a URI the first counts: the namespace's `kfp-launcher`, the settings, the embedded S3. What is
not configured is still read, as an importer may name anything: with the credentials of the server's environment, or
without any. Artifacts of runs are only written to stores that somebody has configured.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sampan.client.protocol import Client
from sampan.components.pipelines.api.artifact_settings import ArtifactSettings
from sampan.components.pipelines.engine.launcher_config import (
    CONFIG_MAP,
    MINIO_KEYS,
    MINIO_SECRET,
    LauncherConfig,
    Provided,
    read,
)
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS, SECRETS
from sampan.store.artifacts import uris
from sampan.store.artifacts.objects import Bucket, ObjectStore
from sampan.store.artifacts.protocol import ArtifactStore, StoreUnusableError
from sampan.store.artifacts.uris import ArtifactUri

SCHEMES = ("s3", "minio", "gs")
_ROOT_FOLDER = "artifacts"
_MOST_OPEN = 200
_QUICK_SECONDS = 20.0
"""For stores that nobody has configured: whoever runs without a network must not wait long."""

EmbeddedBucket = Callable[[str], Bucket]
"""A bucket of our own S3, by its name."""


@dataclass(frozen=True, slots=True)
class Opened:
    store: ArtifactStore
    bucket: str
    """Names the bucket among all stores, for caches."""
    key: str
    is_configured: bool
    """Whether somebody said that artifacts lie there; otherwise it is only tried."""


@dataclass(frozen=True, slots=True)
class _Namespace:
    """What a namespace has configured, as last read."""

    config: LauncherConfig = field(default_factory=LauncherConfig)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


def bucket_of(namespace: str) -> str:
    """The namespace's bucket in the embedded S3: names of buckets have three characters at least."""
    # A dot, which no namespace has: it is nobody else's name.
    return namespace if len(namespace) >= 3 else f"ns.{namespace}"


class ArtifactStores:
    """`refresh` belongs to one event loop, everything else is thread-safe."""

    def __init__(
        self,
        settings: ArtifactSettings,
        embedded: EmbeddedBucket | None = None,
        environ: Mapping[str, str] = os.environ,
        *,
        isolated: bool = False,
    ) -> None:
        """`isolated`, as with many users: the platform's own keys open a namespace nothing but its own root."""
        self._isolated = isolated
        self._settings = settings
        self._embedded = embedded
        self._environ = environ
        self._namespaces: dict[str, _Namespace] = {}
        self._open: dict[Bucket, ArtifactStore] = {}
        self._lock = threading.Lock()

    async def refresh(self, client: Client, namespace: str) -> None:
        """Reads what the namespace has configured. What cannot be read counts as not being there."""
        config = read(await _data(client, CONFIG_MAP, namespace, is_secret=False))
        names = config.secrets() | ({MINIO_SECRET} if "minio" in config.providers else set())
        secrets = {name: await _data(client, name, namespace, is_secret=True) or {} for name in sorted(names)}
        self._namespaces[namespace] = _Namespace(config, secrets)

    def default_root(self, namespace: str, pipeline: str) -> str:
        """Where a run keeps artifacts that names no root; empty for the home folder."""
        own = self._namespaces.get(namespace, _Namespace()).config.root
        root = own or self._settings.root.replace("{namespace}", namespace)
        if not root and self._embedded is not None:
            root = f"s3://{bucket_of(namespace)}/{_ROOT_FOLDER}"
        return f"{root.partition('?')[0].rstrip('/')}/{pipeline}" if root else ""

    def serves(self, uri: str, namespace: str) -> bool:
        """Whether runs may keep their artifacts there."""
        try:
            return self._configured(uris.parse(uri), namespace) is not None
        except (StoreUnusableError, ValueError):
            # What is configured wrongly is meant all the same: using it tells why it cannot be used.
            return uri.partition("://")[0] in SCHEMES

    def open(self, uri: str, namespace: str) -> Opened:
        """Raises StoreUnusableError for a URI of no object store, or a configuration that cannot be used."""
        parsed = uris.parse(uri)
        if parsed.scheme not in SCHEMES:
            raise StoreUnusableError(f"{uri}: no object store has URIs that begin with {parsed.scheme}://")
        try:
            configured = self._configured(parsed, namespace)
        except ValueError as error:
            raise StoreUnusableError(f"{uri}: {error}") from error
        bucket = configured or self._tried(parsed)
        with self._lock:
            store = self._open.get(bucket)
            if store is None:
                if len(self._open) >= _MOST_OPEN:
                    self._open.clear()
                store = self._open[bucket] = ObjectStore(bucket)
        return Opened(store, str(bucket), parsed.key, configured is not None)

    # Which bucket

    def _configured(self, uri: ArtifactUri, namespace: str) -> Bucket | None:
        """Raises ValueError for what is configured wrongly."""
        known = self._namespaces.get(namespace, _Namespace())
        provided = known.config.provided(uri)
        if provided is not None:
            return self._provided_bucket(uri, provided, known.secrets)
        found = self._of_settings(uri) or self._of_embedded(uri)
        if found is not None and self._isolated and not self._is_own(uri, namespace):
            raise ValueError(
                f"it is not the namespace's: runs of {namespace!r} use {self._own_root(namespace)}"
            )
        return found

    def _own_root(self, namespace: str) -> str:
        """Where the platform keeps the artifacts of the namespace, whatever that has configured; empty for nowhere."""
        if "{namespace}" in self._settings.root:
            return self._settings.root.replace("{namespace}", namespace).partition("?")[0].rstrip("/")
        return (
            f"s3://{bucket_of(namespace)}" if self._embedded is not None and not self._settings.root else ""
        )

    def _is_own(self, uri: ArtifactUri, namespace: str) -> bool:
        root = self._own_root(namespace)
        path = f"s3://{uri.bucket}/{uri.key}" if uri.scheme == "minio" else str(uri)
        return bool(root) and ".." not in uri.key.split("/") and f"{path}/".startswith(f"{root}/")

    def _provided_bucket(
        self, uri: ArtifactUri, provided: Provided, secrets: Mapping[str, Mapping[str, str]]
    ) -> Bucket:
        if provided.from_env:
            return self._from_environment(uri, provided)
        if provided.endpoint.startswith("minio-service.") and self._embedded is not None:
            return self._embedded(uri.bucket)
        secret = secrets.get(provided.secret) or {}
        missing = [key for key in provided.keys if key not in secret]
        if missing:
            raise ValueError(f"the Secret {provided.secret} has no key {', '.join(missing)}")
        values = [secret[key] for key in provided.keys]
        if uri.scheme == "gs":
            return Bucket("gs", uri.bucket, self._settings.gs_endpoint, credentials_json=values[0])
        return Bucket(
            "s3",
            uri.bucket,
            endpoint=provided.url,
            region=provided.region,
            access_key=values[0],
            secret_key=values[1],
            path_style=provided.path_style,
        )

    def _of_settings(self, uri: ArtifactUri) -> Bucket | None:
        settings = self._settings
        if uri.scheme == "gs":
            if not settings.gs_credentials_file and not settings.gs_endpoint:
                return None
            return Bucket(
                "gs",
                uri.bucket,
                settings.gs_endpoint,
                credentials_file=settings.gs_credentials_file,
                anonymous=not settings.gs_credentials_file,
            )
        access = self._secret(settings.s3_access_key_env, settings.s3_access_key_file)
        if not settings.s3_endpoint and not access:
            return None
        return Bucket(
            "s3",
            uri.bucket,
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key=access,
            secret_key=self._secret(settings.s3_secret_key_env, settings.s3_secret_key_file),
            session_token=self._secret(settings.s3_session_token_env, ""),
            anonymous=not access,
            path_style=settings.s3_path_style,
        )

    def _of_embedded(self, uri: ArtifactUri) -> Bucket | None:
        return self._embedded(uri.bucket) if self._embedded is not None and uri.scheme != "gs" else None

    def _tried(self, uri: ArtifactUri) -> Bucket:
        """For what nobody has configured."""
        if uri.scheme == "minio":
            raise StoreUnusableError(
                f"{uri}: no MinIO is configured; start with `sampan up --s3`, set artifacts.s3_endpoint, or write "
                f"a ConfigMap {CONFIG_MAP}"
            )
        return self._from_environment(uri, Provided())

    def _from_environment(self, uri: ArtifactUri, provided: Provided) -> Bucket:
        # With many users the server's own credentials are nobody's to use.
        environ: Mapping[str, str] = {} if self._isolated else self._environ
        if uri.scheme == "gs":
            file = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
            return Bucket(
                "gs",
                uri.bucket,
                self._settings.gs_endpoint,
                credentials_file=file,
                anonymous=not file,
                timeout_seconds=_QUICK_SECONDS,
            )
        access = environ.get("AWS_ACCESS_KEY_ID", "")
        return Bucket(
            "s3",
            uri.bucket,
            endpoint=provided.url,
            region=provided.region or environ.get("AWS_REGION", ""),
            access_key=access,
            secret_key=environ.get("AWS_SECRET_ACCESS_KEY", ""),
            session_token=environ.get("AWS_SESSION_TOKEN", ""),
            anonymous=not access,
            path_style=provided.path_style,
            timeout_seconds=_QUICK_SECONDS,
        )

    def _secret(self, variable: str, file: str) -> str:
        """Raises ValueError where it is named and not there."""
        if file:
            try:
                return Path(file).expanduser().read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ValueError(
                    f"the file {file} of the settings [artifacts] cannot be read: {error.strerror}"
                ) from None
        if variable and variable not in self._environ:
            raise ValueError(f"the variable {variable}, which the settings [artifacts] name, is not set")
        return self._environ.get(variable, "") if variable else ""


async def _data(client: Client, name: str, namespace: str, *, is_secret: bool) -> dict[str, str] | None:
    try:
        found = await client.get(SECRETS if is_secret else CONFIG_MAPS, name, namespace)
    except NotFoundError:
        return None
    except ApiError:
        return None
    data = found.get("data") or {}
    if not is_secret:
        return {str(key): str(value) for key, value in data.items()}
    return {str(key): base64.b64decode(value).decode(errors="replace") for key, value in data.items()}


def minio_secret(access_key: str, secret_key: str) -> dict[str, str]:
    """The data of the Secret by which upstream's components reach the store."""
    return dict(zip(MINIO_KEYS, (access_key, secret_key), strict=True))
