"""What authenticates each request: a token, a file that is renewed in place, or a credential plugin.

Plugins are programs named under `users[].user.exec` of a kubeconfig (`aws eks get-token`). What they give is kept until
it expires or the server refuses it. Called by `sending`, for one event loop.

Source: client-go plugin/pkg/client/auth/exec/exec.go, v1.31.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sampan.client.kubeconfig import Connection, ExecPlugin
from sampan.kube.errors import UnauthorizedError
from sampan.lib.clock import Clock, SystemClock, parse_rfc3339

_PLUGIN_SECONDS = 60.0
_EARLY_SECONDS = 10.0
"""A token that ends within this is renewed before it is refused."""
_MOST_SAID = 500


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin gave. `certificate` and `key` are PEM."""

    token: str = field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    expires: float | None = None
    """Seconds since the epoch; None for as long as the server accepts it."""


class Credentials:
    def __init__(self, connection: Connection, clock: Clock | None = None) -> None:
        self._connection = connection
        self._clock = clock or SystemClock()
        self._given: Credential | None = None
        self._asking = asyncio.Lock()

    @property
    def can_renew(self) -> bool:
        """Whether asking again after a refusal may help."""
        return self._connection.exec_plugin is not None or self._connection.token_file is not None

    def forget(self) -> None:
        """The server refused what was given: ask again."""
        self._given = None

    async def current(self) -> Credential:
        """Raises UnauthorizedError with what the plugin said."""
        connection = self._connection
        if connection.exec_plugin is not None:
            return await self._from_plugin(connection.exec_plugin)
        if connection.token_file is not None:
            try:
                # A kilobyte, in a pod of a memory file system: read in no time.
                return Credential(connection.token_file.read_text("utf-8").strip())
            except OSError as error:
                why = f"the token file {connection.token_file} cannot be read: {error.strerror}"
                raise UnauthorizedError(why) from error
        return Credential(connection.token)

    async def _from_plugin(self, plugin: ExecPlugin) -> Credential:
        async with self._asking:
            given = self._given
            now = self._clock.now().timestamp()
            if given is None or (given.expires is not None and given.expires - _EARLY_SECONDS <= now):
                given = self._given = await run_plugin(plugin, self._connection)
            return given


async def run_plugin(plugin: ExecPlugin, connection: Connection) -> Credential:
    """Raises UnauthorizedError."""
    asked = json.dumps(exec_info(plugin, connection))
    environ = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": asked}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        hint = f" {plugin.install_hint}" if plugin.install_hint else ""
        raise UnauthorizedError(
            f"the credential plugin {plugin.command} cannot be started: {error.strerror}.{hint}"
        ) from error
    try:
        async with asyncio.timeout(_PLUGIN_SECONDS):
            said, complaint = await process.communicate()
    except TimeoutError as error:
        raise UnauthorizedError(
            f"the credential plugin {plugin.command} gave no answer within {_PLUGIN_SECONDS:.0f} s"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        why = complaint.decode("utf-8", "replace").strip()[-_MOST_SAID:]
        raise UnauthorizedError(
            f"the credential plugin {plugin.command} ended with {process.returncode}: {why}"
        )
    return read_answer(said, plugin)


def exec_info(plugin: ExecPlugin, connection: Connection) -> dict[str, Any]:
    """What the plugin is told in KUBERNETES_EXEC_INFO. Pure."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        spec["cluster"] = {"server": connection.server, "config": plugin.config}
    return {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}


def read_answer(said: bytes, plugin: ExecPlugin) -> Credential:
    """The plugin's ExecCredential. Pure. Raises UnauthorizedError."""
    where = f"the credential plugin {plugin.command}"
    try:
        answer = json.loads(said)
        status = answer["status"]
        token = status.get("token") or ""
        certificate = status.get("clientCertificateData") or ""
        key = status.get("clientKeyData") or ""
        until = status.get("expirationTimestamp")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnauthorizedError(f"{where} did not answer with an ExecCredential") from error
    if answer.get("apiVersion") != plugin.api_version:
        raise UnauthorizedError(f"{where} answered in {answer.get('apiVersion')}, not {plugin.api_version}")
    if not token and not (certificate and key):
        raise UnauthorizedError(f"{where} gave neither a token nor a client certificate with its key")
    moment = parse_rfc3339(until) if isinstance(until, str) else None
    return Credential(token, certificate.encode(), key.encode(), moment.timestamp() if moment else None)


def impersonation(connection: Connection) -> Mapping[str, str]:
    """Headers by which a user acts as another."""
    return {"impersonate-user": connection.impersonate} if connection.impersonate else {}
