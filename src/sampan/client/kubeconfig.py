"""How to reach and authenticate to a cluster: a kubeconfig file, or what a pod finds inside one.

Blocking and small; read once, at start. Credential plugins (`exec`) are run by `credentials`; `auth-provider`, which
Kubernetes 1.26 removed, is refused with a clear message.
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
class ExecPlugin:
    """A program that gives credentials (client.authentication.k8s.io)."""

    command: str
    """A path, absolute where the kubeconfig gives a relative one, or a name on PATH."""
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    provide_cluster_info: bool = False
    config: Any = None
    """The cluster's extension `client.authentication.k8s.io/exec`, handed on as it is."""


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
    exec_plugin: ExecPlugin | None = None
    proxy_url: str = ""
    tls_server_name: str = ""
    """The name that the server's certificate must have, where it is not that of the address."""
    impersonate: str = ""

    def ssl_context(self, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
        """With a client certificate in place of the connection's own. KubeconfigError if one cannot be loaded."""
        certificate, key = (certificate, key) if certificate else (self.client_certificate, self.client_key)
        try:
            context = ssl.create_default_context(cadata=self.ca.decode() if self.ca else None)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if certificate:
                # The ssl module loads keys from files only.
                with tempfile.NamedTemporaryFile() as file:
                    file.write(certificate + b"\n" + key)
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
    if "auth-provider" in user:
        raise KubeconfigError(
            f"user {chosen['user']} in {file} needs an `auth-provider`, which Kubernetes 1.26 removed: use a "
            "credential plugin (`exec`), a token or a client certificate"
        )
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise KubeconfigError(
            f"cluster {chosen.get('cluster')} in {file}: server must be a URL, not {server!r}"
        )
    token_file = user.get("tokenFile")
    return Connection(
        server=server,
        ca=_content(cluster, "certificate-authority", file),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        client_certificate=_content(user, "client-certificate", file),
        client_key=_content(user, "client-key", file),
        token=str(user.get("token") or ""),
        token_file=file.parent / token_file if token_file else None,
        username=str(user.get("username") or ""),
        password=str(user.get("password") or ""),
        namespace=str(chosen.get("namespace") or "default"),
        exec_plugin=_exec_plugin(user["exec"], cluster, file) if user.get("exec") else None,
        proxy_url=str(cluster.get("proxy-url") or ""),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        impersonate=str(user.get("as") or ""),
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


def _exec_plugin(entry: Mapping[str, Any], cluster: Mapping[str, Any], file: Path) -> ExecPlugin:
    command, api_version = str(entry.get("command") or ""), str(entry.get("apiVersion") or "")
    if not command or not api_version.startswith("client.authentication.k8s.io/"):
        raise KubeconfigError(
            f"exec in {file}: command and an apiVersion of client.authentication.k8s.io are required"
        )
    if "/" in command:
        # As client-go: a path is relative to the file, a bare name is looked for on PATH.
        command = str(file.parent / command)
    config = None
    for extension in cluster.get("extensions") or ():
        if isinstance(extension, dict) and extension.get("name") == "client.authentication.k8s.io/exec":
            config = extension.get("extension")
    return ExecPlugin(
        command,
        api_version,
        args=tuple(str(each) for each in entry.get("args") or ()),
        env=tuple((str(each["name"]), str(each["value"])) for each in entry.get("env") or ()),
        install_hint=" ".join(str(entry.get("installHint") or "").split()),
        provide_cluster_info=bool(entry.get("provideClusterInfo")),
        config=config,
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
