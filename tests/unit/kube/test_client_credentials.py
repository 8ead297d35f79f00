"""Credential plugins: what they are told, what they may answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sampan.client import kubeconfig
from sampan.client.credentials import Credentials, exec_info, read_answer
from sampan.client.kubeconfig import Connection, ExecPlugin
from sampan.kube.errors import UnauthorizedError

V1 = "client.authentication.k8s.io/v1"
PLUGIN = ExecPlugin("plugin", V1)


def answer(**status: Any) -> bytes:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status}).encode()


def test_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "config"
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {
        "server": "https://one",
        "extensions": [extension],
        "proxy-url": "http://proxy:3128",
        "tls-server-name": "name",
    }
    plugin = {
        "command": "./bin/login",
        "apiVersion": V1,
        "args": ["--now"],
        "env": [{"name": "A", "value": "b"}],
        "provideClusterInfo": True,
        "installHint": "get\nit",
    }
    document = {
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"exec": plugin, "as": "jane"}}],
    }
    file.write_text(yaml.safe_dump(document))
    found = kubeconfig.load(file, "x")
    assert found.exec_plugin == ExecPlugin(
        str(tmp_path / "bin/login"), V1, ("--now",), (("A", "b"),), "get it", True, {"audience": "a"}
    )
    assert (found.proxy_url, found.tls_server_name, found.impersonate) == (
        "http://proxy:3128",
        "name",
        "jane",
    )
    assert exec_info(found.exec_plugin, found) == {
        "kind": "ExecCredential",
        "apiVersion": V1,
        "spec": {
            "interactive": False,
            "cluster": {"server": "https://one", "config": {"audience": "a"}},
        },
    }


def test_answers_that_are_used() -> None:
    found = read_answer(answer(token="t", expirationTimestamp="2026-01-01T00:00:00Z"), PLUGIN)
    assert (found.token, found.expires) == ("t", 1767225600.0)
    pair = read_answer(answer(clientCertificateData="C", clientKeyData="K"), PLUGIN)
    assert (pair.certificate, pair.key, pair.expires) == (b"C", b"K", None)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"no JSON", "did not answer with an ExecCredential"),
        (b"[]", "did not answer with an ExecCredential"),
        (b'{"status": {"token": "t"}}', "answered in None"),
        (answer(clientCertificateData="C"), "neither a token nor a client certificate"),
    ],
)
def test_answers_that_are_refused(said: bytes, why: str) -> None:
    with pytest.raises(UnauthorizedError, match=why):
        read_answer(said, PLUGIN)


def test_a_plugin_is_asked_once_and_again_when_refused(tmp_path: Path) -> None:
    program = (
        'import json, pathlib, sys; p = pathlib.Path(sys.argv[1]); n = int(p.read_text() or "0") + 1; '
        f'p.write_text(str(n)); print(json.dumps(dict(apiVersion="{V1}", status=dict(token=f"t{{n}}"))))'
    )
    count = tmp_path / "count"
    count.write_text("")
    plugin = ExecPlugin("python3", V1, ("-c", program, str(count)))

    async def main() -> list[str]:
        credentials = Credentials(Connection("https://x", exec_plugin=plugin))
        both = await asyncio.gather(credentials.current(), credentials.current())
        credentials.forget()
        return [each.token for each in (*both, await credentials.current())]

    assert asyncio.run(main()) == ["t1", "t1", "t2"]


@pytest.mark.parametrize(
    ("command", "args", "why"),
    [
        ("no-such-program", (), "cannot be started: No such file or directory. Get it"),
        ("sh", ("-c", "echo denied >&2; exit 3"), "ended with 3: denied"),
    ],
)
def test_plugins_that_fail(command: str, args: tuple[str, ...], why: str) -> None:
    plugin = ExecPlugin(command, V1, args, install_hint="Get it")
    with pytest.raises(UnauthorizedError, match=why):
        asyncio.run(Credentials(Connection("https://x", exec_plugin=plugin)).current())


def test_a_token_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "token"
    credentials = Credentials(Connection("https://x", token_file=file))
    with pytest.raises(UnauthorizedError, match="cannot be read"):
        asyncio.run(credentials.current())
    for text in ("one", "two"):
        file.write_text(f"{text}\n")
        assert asyncio.run(credentials.current()).token == text
