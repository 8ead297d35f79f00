"""Logins at registries: of the pod's `imagePullSecrets`, and of the file that container tools share.

Source: kubernetes/pkg/credentialprovider/{config,keyring}.go, v1.33: the key of a login is a registry with or without a
path, whose labels may be `*`; the one with the longest path that fits counts.
"""

from __future__ import annotations

import base64
import fnmatch
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDERS_VARIABLE = "SAMPAN_PULL_SECRETS"
"""A JSON list of folders, each of which shows a Secret."""
NEW, OLD = "config.json", ".dockercfg"
"""Names of the files in them: of a `.dockerconfigjson`, and of what was there before it."""
_HUB = ("registry-1.docker.io", "index.docker.io", "docker.io")
_VERSIONS = ("/v1", "/v2")


def login(registry: str, name: str, environ: Mapping[str, str]) -> str:
    """What follows `Basic`, for the image `name`; empty where there is none."""
    for auths in _all(environ):
        fitting = sorted(
            (key for key in auths if _fits(str(key), registry, name)), key=lambda key: -len(str(key))
        )
        for key in fitting:
            if found := _encoded(auths[key]):
                return found
    return ""


def _all(environ: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    try:
        folders = [Path(str(each)) for each in json.loads(environ.get(FOLDERS_VARIABLE) or "[]")]
    except (ValueError, TypeError):
        folders = []
    own = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/"), ".docker"))
    for folder in (*folders, own):
        yield _mapping(_mapping(_read(folder / NEW)).get("auths"))
        yield _mapping(_read(folder / OLD))


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        # Nobody has logged in, or not so that it could be read.
        return None


def _fits(key: str, registry: str, name: str) -> bool:
    place = key.partition("://")[2] or key
    place = place.rstrip("/")
    for version in _VERSIONS:
        place = place.removesuffix(version)
    host, _, path = place.partition("/")
    hosts = _HUB if registry in _HUB else (registry,)
    return any(_is_host(host, each) for each in hosts) and (
        not path or name == path or name.startswith(f"{path}/")
    )


def _is_host(pattern: str, host: str) -> bool:
    """A `*` stands for one label, or a part of one."""
    parts, labels = pattern.lower().split("."), host.lower().split(".")
    return len(parts) == len(labels) and all(map(fnmatch.fnmatchcase, labels, parts))


def _encoded(auth: Any) -> str:
    found = _mapping(auth)
    if found.get("username"):
        said = f"{found['username']}:{found.get('password') or ''}"
        return base64.b64encode(said.encode()).decode()
    return str(found.get("auth") or "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
