"""Kubeconfig files, and what a remote client says when nobody answers."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.client import kubeconfig
from sampan.client.kubeconfig import Connection, KubeconfigError
from sampan.client.remote import RemoteClient
from sampan.kube.errors import ServiceUnavailableError
from sampan.kube.kinds import PODS


def written(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    file = folder / "config"
    document = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "mine"}},
            {"name": "other", "context": {"cluster": "missing"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://one:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


def test_inline_and_named_credentials(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(b"CA")
    user = {
        "token": "secret",
        "client-certificate-data": base64.b64encode(b"CERT").decode(),
        "client-key-data": base64.b64encode(b"KEY").decode(),
    }
    found = kubeconfig.load(written(tmp_path, user, **{"certificate-authority": "ca.crt"}))
    assert (found.server, found.namespace, found.token) == ("https://one:6443", "mine", "secret")
    assert (found.ca, found.client_certificate, found.client_key) == (b"CA", b"CERT", b"KEY")
    # What is logged by mistake must not be a secret.
    assert "secret" not in repr(found)
    assert "KEY" not in repr(found)


@pytest.mark.parametrize(
    ("user", "context", "text"),
    [
        ({"exec": {"command": "aws"}}, "", "an apiVersion of client.authentication.k8s.io"),
        ({"auth-provider": {"name": "gcp"}}, "", "needs an `auth-provider`"),
        ({"client-key-data": "!!"}, "", "client-key-data in .* is not base64"),
        ({"client-key": "nowhere.pem"}, "", "client-key in .* cannot be read"),
        ({}, "other", "no entry 'missing' under clusters"),
        ({}, "absent", "no entry 'absent' under contexts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, user: dict[str, Any], context: str, text: str) -> None:
    with pytest.raises(KubeconfigError, match=text):
        kubeconfig.load(written(tmp_path, user), context)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="cannot be read"):
        kubeconfig.load(tmp_path / "absent")
    for text, problem in (
        ("a: [", "not valid YAML"),
        ("text", "not a mapping"),
        ("{}", "no current-context"),
    ):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(KubeconfigError, match=problem):
            kubeconfig.load(tmp_path / "bad")
    with pytest.raises(KubeconfigError, match="certificates of https://x cannot be loaded"):
        Connection("https://x", ca=b"nonsense").ssl_context()


def test_inside_a_pod(tmp_path: Path) -> None:
    for name, text in (("token", "t"), ("ca.crt", "CA"), ("namespace", "ns\n")):
        (tmp_path / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = kubeconfig.in_cluster(environ, tmp_path)
    assert (found.server, found.namespace, found.token_file) == (
        "https://[fd00::1]:443",
        "ns",
        tmp_path / "token",
    )
    with pytest.raises(KubeconfigError, match="not inside a cluster"):
        kubeconfig.in_cluster({}, tmp_path)


def test_a_server_that_does_not_answer_is_named() -> None:
    async def main() -> None:
        # Port 1 is reserved, and nothing listens there.
        client = RemoteClient(Connection("http://127.0.0.1:1"))
        with pytest.raises(ServiceUnavailableError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            await client.get(PODS, "one", "default")
        with pytest.raises(ServiceUnavailableError):
            async for _ in client.watch(PODS):
                pass
        await client.close()

    asyncio.run(main())
