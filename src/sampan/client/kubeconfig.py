"""How to reach and authenticate to a cluster: a kubeconfig file, or what a pod finds inside one.

Blocking and small; read once, at start. Credential plugins (`exec`, `auth-provider`) are refused with a clear message.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(Exception):
    """The file cannot be used; the message names the entry and what to do."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything a client needs. `token_file` is read again whenever it changes."""

    server: str
    ca: bytes = b""
    insecure: bool = False
    client_certificate: bytes = b""
    client_key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    namespace: str = "default"

    def ssl_context(self) -> ssl.SSLContext:
        """Raises KubeconfigError for certificates that cannot be loaded."""
        try:
            context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.client_certificate:
                # The ssl module loads keys from files only.
                with tempfile.NamedTemporaryFile() as file:
                    file.write(self.client_certificate + b"\n" + self.client_key)
                    file.flush()
                    context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError, UnicodeDecodeError) as error:
            raise KubeconfigError(f"the certificates of {self.server} cannot be loaded: {error}") from error
        return context


def load(file: Path, context: str = "") -> Connection:
    """The connection of `context`, or of the file's current one. Raises KubeconfigError."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"the kubeconfig {file} is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"the kubeconfig {file} is not a mapping")
    name = context or str(document.get("current-context") or "")
    if not name:
        raise KubeconfigError(f"the kubeconfig {file} has no current-context: name one")
    chosen = _named(document, "contexts", "context", name, file)
    cluster = _named(document, "clusters", "cluster", str(chosen.get("cluster") or ""), file)
    user: Mapping[str, Any] = {}
    if chosen.get("user"):
        user = _named(document, "users", "user", str(chosen["user"]), file)
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            raise KubeconfigError(
                f"user {chosen['user']} in {file} needs the credential plugin `{plugin}`, which is not supported "
                "yet: use a token or a client certificate"
            )
    token_file = user.get("tokenFile")
    return Connection(
        server=str(cluster.get("server") or "").rstrip("/"),
        ca=_content(cluster, "certificate-authority", file),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        client_certificate=_content(user, "client-certificate", file),
        client_key=_content(user, "client-key", file),
        token=str(user.get("token") or ""),
        token_file=file.parent / token_file if token_file else None,
        username=str(user.get("username") or ""),
        password=str(user.get("password") or ""),
        namespace=str(chosen.get("namespace") or "default"),
    )


def in_cluster(environ: Mapping[str, str] = os.environ, folder: Path = _IN_CLUSTER) -> Connection:
    """As a pod's service account. Raises KubeconfigError outside of a pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (folder / "token").exists():
        raise KubeconfigError("not inside a cluster: name a kubeconfig")
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca=(folder / "ca.crt").read_bytes(),
        token_file=folder / "token",
        namespace=(folder / "namespace").read_text().strip() or "default",
    )


def _named(document: Mapping[str, Any], section: str, key: str, name: str, file: Path) -> Mapping[str, Any]:
    for entry in document.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(key)
            return found if isinstance(found, dict) else {}
    raise KubeconfigError(f"the kubeconfig {file} has no entry {name!r} under {section}")


def _content(entry: Mapping[str, Any], key: str, file: Path) -> bytes:
    """Given inline in base64, or as a path relative to the kubeconfig."""
    if data := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError) as error:
            raise KubeconfigError(f"{key}-data in {file} is not base64") from error
    if path := entry.get(key):
        try:
            return (file.parent / str(path)).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"{key} in {file} cannot be read: {path}: {error.strerror}") from error
    return b""
