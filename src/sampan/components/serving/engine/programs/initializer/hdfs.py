"""HDFS, by the REST API of its name node (WebHDFS).

Source of the variables: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_download_hdfs,
_load_hdfs_configuration); of the API: hadoop.apache.org WebHDFS. Kerberos is refused.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    denied,
    missing,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.items import MOST_FILES, Item, Patterns
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Trust, Web

SECRET_FOLDER = "/var/secrets/kserve-hdfscreds"  # noqa: S105  a path
_FILES = frozenset({"KERBEROS_KEYTAB", "TLS_CERT", "TLS_KEY", "TLS_CA"})
_NAMES = frozenset(
    {
        *("HDFS_NAMENODE", "USER_PROXY", "HDFS_ROOTPATH", "TLS_SKIP_VERIFY", "HEADERS", "N_THREADS"),
        *("KERBEROS_PRINCIPAL", *_FILES),
    }
)
_LISTING_BYTES = 32 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class _Cluster:
    name_nodes: tuple[str, ...]
    root: str
    user: str
    headers: Mapping[str, str]
    trust: Trust


def items(uri: str, environ: Mapping[str, str], web: Web, patterns: Patterns) -> list[Item]:
    """Files by their names below the folder. `patterns` are for the folder's own entries, as upstream's.

    Raises StorageError.
    """
    cluster = _cluster(environ)
    path = uri.partition("://")[2]
    path = f"{cluster.root.rstrip('/')}/{path}" if cluster.root else f"/{path}"
    store = _Store(cluster, web)
    status = store.status(path)
    if status.get("type") == "FILE":
        return [store.item(path, path.rpartition("/")[2], status)]
    return list(store.below(path, patterns))


class _Store:
    def __init__(self, cluster: _Cluster, web: Web) -> None:
        self._cluster = cluster
        self._web = web
        self._node = cluster.name_nodes[0]

    def status(self, path: str) -> dict[str, Any]:
        """Of the name nodes the first that is active answers."""
        for node in self._cluster.name_nodes:
            self._node = node
            with contextlib.suppress(_StandbyError):
                found: dict[str, Any] = self._json(path, "GETFILESTATUS")["FileStatus"]
                return found
        raise UnreachableError("None of the HDFS name nodes is active")

    def below(self, path: str, patterns: Patterns) -> Iterator[Item]:
        folders, count = [(path, "")], 0
        while folders:
            folder, name = folders.pop()
            for told in self._json(folder, "LISTSTATUS")["FileStatuses"]["FileStatus"]:
                own = str(told.get("pathSuffix") or "")
                if not name and not patterns.take(own):
                    continue
                where, called = f"{folder.rstrip('/')}/{own}", f"{name}/{own}".lstrip("/")
                if told.get("type") == "DIRECTORY":
                    folders.append((where, called))
                    continue
                count += 1
                if count > MOST_FILES:
                    raise StorageError(f"More than {MOST_FILES} files lie below {path}")
                yield self.item(where, called, told)

    def item(self, path: str, name: str, told: Mapping[str, Any]) -> Item:
        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            return self._ask(path, "OPEN", **({"offset": str(offset)} if offset else {}))

        size = told.get("length")
        stamp = f"{told.get('fileId', '')}\0{told.get('modificationTime', '')}"
        identity = f"hdfs\0{self._node}\0{path}\0{stamp}" if told.get("modificationTime") else ""
        # An offset is answered with 200, as a whole: what came is not gone on with.
        return Item(name, opened, int(size) if isinstance(size, int) else None, identity, can_resume=False)

    def _json(self, path: str, operation: str) -> dict[str, Any]:
        with self._ask(path, operation) as answer:
            text = answer.text(_LISTING_BYTES)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StorageError(f"What answers at {self._node} is no WebHDFS. Verify HDFS_NAMENODE.")
        return found

    @contextlib.contextmanager
    def _ask(self, path: str, operation: str, **more: str) -> Iterator[Answer]:
        user = {"user.name": self._cluster.user} if self._cluster.user else {}
        url = f"{self._node}/webhdfs/v1{quote(path)}?{urlencode({'op': operation, **user, **more})}"
        ask = Ask(url, headers=self._cluster.headers, trust=self._cluster.trust)
        with self._web.ask(ask) as answer:
            if answer.status != 200:
                raise _refused(answer, path)
            yield answer


class _StandbyError(StorageError):
    """Another name node is the active one."""


def _refused(answer: Answer, path: str) -> StorageError:
    exception, why = _reason(answer)
    if exception == "StandbyException":
        return _StandbyError(why)
    if answer.status == 404:
        return missing("HDFS", path, why)
    if answer.status == 401:
        return unauthorized("HDFS", why)
    if answer.status == 403:
        return denied("HDFS", path, why)
    if answer.status in _PASSING:
        return UnreachableError(f"HDFS answered {answer.status} {why}".strip())
    return StorageError(f"HDFS error: {answer.status} {why or answer.reason}")


def _reason(answer: Answer) -> tuple[str, str]:
    try:
        told = json.loads(answer.text(1 << 16))["RemoteException"]
        return str(told.get("exception")), str(told.get("message")).partition("\n")[0]
    except (ValueError, KeyError, TypeError, AttributeError, StorageError):
        return "", ""


def _cluster(environ: Mapping[str, str]) -> _Cluster:
    told = _told(environ)
    if told.get("KERBEROS_PRINCIPAL"):
        raise StorageError(
            "HDFS with Kerberos is not supported here: give access by another way, or copy the model elsewhere"
        )
    nodes = tuple(
        each.strip().rstrip("/") for each in told.get("HDFS_NAMENODE", "").split(";") if each.strip()
    )
    if not nodes:
        raise StorageError("HDFS needs a Secret with HDFS_NAMENODE, such as http://namenode:9870")
    try:
        headers = json.loads(told.get("HEADERS") or "{}")
        headers = {str(name): str(value) for name, value in headers.items()}
    except (ValueError, AttributeError):
        raise StorageError("HEADERS of the Secret for HDFS is no JSON object of texts") from None
    trust = Trust(
        verify=told.get("TLS_SKIP_VERIFY", "").strip().lower() != "true",
        only=told.get("TLS_CA", ""),
        client=(told.get("TLS_CERT", ""), told.get("TLS_KEY", "")),
    )
    return _Cluster(
        nodes, told.get("HDFS_ROOTPATH", "").strip(), told.get("USER_PROXY", "").strip(), headers, trust
    )


def _told(environ: Mapping[str, str]) -> dict[str, str]:
    """Of the Secret's files: what they say, or where they are."""
    folder = Path(environ.get("HDFS_SECRET_DIR") or SECRET_FOLDER)
    try:
        names = [each for each in os.listdir(folder) if each in _NAMES]
        return {
            name: str(folder / name) if name in _FILES else (folder / name).read_text().strip()
            for name in names
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StorageError(f"The Secret for HDFS cannot be read: {error}") from error


def write_secret(told: Mapping[str, str], folder: Path) -> None:
    """An entry of `storage-config` as the files of a Secret. Raises StorageError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(_NAMES & told.keys()):
        text = str(told[name])
        try:
            content = base64.b64decode(text, validate=True) if name in _FILES else text.encode()
        except (binascii.Error, ValueError):
            raise StorageError(f"{name} of the storage's entry is no base64") from None
        file = folder / name
        file.touch(mode=0o600)
        file.write_bytes(content)
