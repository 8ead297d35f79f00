"""Models in OCI images, fetched from their registry: what lies at `/models` in the image.

Where containers run, upstream starts the image beside the model server instead ("modelcar"); pods that are processes
get its files. Source of the protocol: opencontainers/distribution-spec v1.1, distribution's token authentication; of
the layout: kserve/kserve v0.20.0 pkg/utils/storage.go. Layers are laid over one another as opencontainers/image-spec
v1.1 says (layer.md).
"""

from __future__ import annotations

import contextlib
import json
import platform
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sampan.components.serving.engine.programs.initializer import archives, places
from sampan.components.serving.engine.programs.initializer.digests import Digest
from sampan.components.serving.engine.programs.initializer.errors import (
    StorageError,
    UnreachableError,
    empty,
    missing,
    unauthorized,
)
from sampan.components.serving.engine.programs.initializer.items import Item
from sampan.components.serving.engine.programs.initializer.logins import login
from sampan.components.serving.engine.programs.initializer.transfer import Transfer
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Web

PATTERN = re.compile(r"oci(?:\+[a-z]+)?://")
_MODELS = "models"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_REFERENCE = re.compile(
    r"(?P<registry>[^/]+)/(?P<name>[a-z0-9](?:[a-z0-9._/-]*?[a-z0-9])?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)
_MANIFEST_BYTES = 4 << 20
_MOST_LAYERS = 128
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class _Reference:
    registry: str
    name: str
    version: str
    """A tag or a digest."""

    @property
    def base(self) -> str:
        host = self.registry.rpartition(":")[0] or self.registry
        # As container runtimes do: what is on the machine itself needs no certificate.
        scheme = "http" if host == "localhost" or host.startswith("127.") else "https"
        return f"{scheme}://{self.registry}/v2/{self.name}"


def fetch(uri: str, target: Path, environ: Mapping[str, str], web: Web, transfer: Transfer) -> None:
    """Raises StorageError, OSError."""
    registry = _Registry(parse(uri), environ, web)
    manifest = registry.manifest()
    layers = [each for each in manifest.get("layers") or () if isinstance(each, dict)][:_MOST_LAYERS]
    with tempfile.TemporaryDirectory(prefix=places.PART, dir=target) as temporary:
        folder = Path(temporary)
        files = transfer.fetch([registry.layer(each, index) for index, each in enumerate(layers)], folder)
        merged = folder / "merged"
        merged.mkdir()
        for index, file in enumerate(files):
            layer = folder / f"unpacked-{index}"
            layer.mkdir()
            most = transfer.limits.most_bytes
            archives.unpack_into(file, layer, most_bytes=most, kind=archives.TAR, inside=_MODELS)
            file.unlink()
            lay_over(layer, merged)
        if not any(merged.iterdir()):
            raise empty(f"{uri} (/{_MODELS})")
        places.put_tree(merged, target, share=True)


def parse(uri: str) -> _Reference:
    """Raises StorageError."""
    text = uri.partition("://")[2]
    first, slash, rest = text.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        # As everywhere, a name without a registry is Docker Hub's.
        text = f"registry-1.docker.io/{text if slash else f'library/{text}'}"
    elif first in ("docker.io", "index.docker.io"):
        text = f"registry-1.docker.io/{rest if '/' in rest else f'library/{rest}'}"
    match = _REFERENCE.match(text)
    if match is None:
        raise StorageError(f"{uri} names no image: write oci://REGISTRY/NAME:TAG")
    return _Reference(match["registry"], match["name"], match["digest"] or match["tag"] or "latest")


class _Registry:
    def __init__(self, reference: _Reference, environ: Mapping[str, str], web: Web) -> None:
        self._reference = reference
        self._web = web
        self._login = login(reference.registry, reference.name, environ)
        self._headers: dict[str, str] = {}

    def manifest(self) -> dict[str, Any]:
        """Of an image for this machine."""
        found = self._read(self._reference.version)
        if found.get("mediaType") in _INDEXES or "manifests" in found:
            found = self._read(_for_machine(found.get("manifests") or ()))
        return found

    def layer(self, told: Mapping[str, Any], index: int) -> Item:
        kind, digest = str(told.get("mediaType")), str(told.get("digest"))
        if "zstd" in kind:
            raise StorageError("The image's layers are compressed by zstd: build it with gzip")
        url = f"{self._reference.base}/blobs/{digest}"
        size = told.get("size")

        def opened(offset: int) -> contextlib.AbstractContextManager[Answer]:
            headers = {**self._headers, **({"Range": f"bytes={offset}-"} if offset else {})}
            return _answered(self._web, Ask(url, headers=headers), self._reference)

        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256":
            raise StorageError(f"The image's layer {digest} has a digest of a kind that is not known")
        return Item(
            f"layer-{index}.tar",
            opened,
            size if isinstance(size, int) else None,
            digest,
            Digest("sha256", value),
        )

    def _read(self, version: str) -> dict[str, Any]:
        url = f"{self._reference.base}/manifests/{version}"
        accept = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
        for is_last in (False, True):
            with self._web.ask(Ask(url, headers={**accept, **self._headers})) as answer:
                if answer.status == 401 and not is_last:
                    self._headers = self._authorized(answer)
                    continue
                if answer.status != 200:
                    raise _refused(answer, self._reference)
                text = answer.text(_MANIFEST_BYTES)
                break
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StorageError(f"What answers at {self._reference.registry} is no registry of images")
        return found

    def _authorized(self, answer: Answer) -> dict[str, str]:
        """Headers by which what was refused may be asked for again. Raises StorageError."""
        scheme, _, rest = answer.header("WWW-Authenticate").partition(" ")
        if scheme.lower() == "basic" and self._login:
            return {"Authorization": f"Basic {self._login}"}
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in told:
            raise unauthorized("OCI", f"{self._reference.registry} asks for a login")
        query = {name: told[name] for name in ("service", "scope") if name in told}
        headers = {"Authorization": f"Basic {self._login}"} if self._login else {}
        found, text = self._web.text(Ask(f"{told['realm']}?{urlencode(query)}", headers=headers))
        try:
            read = json.loads(text)
            token = read.get("token") or read["access_token"]
        except (ValueError, KeyError, AttributeError):
            raise unauthorized("OCI", f"{self._reference.registry} gave no token: {found.status}") from None
        return {"Authorization": f"Bearer {token}"}


def lay_over(layer: Path, merged: Path) -> None:
    """Changes `merged` by a layer: what it has is there, what it strikes out is not."""
    for entry in sorted(layer.iterdir(), key=lambda each: each.name != _OPAQUE):
        place = merged / entry.name
        if entry.name == _OPAQUE:
            for below in list(merged.iterdir()):
                _remove(below)
        elif entry.name.startswith(_WHITEOUT):
            _remove(merged / entry.name.removeprefix(_WHITEOUT))
        elif entry.is_dir() and not entry.is_symlink():
            if place.is_symlink() or not place.is_dir():
                _remove(place)
                place.mkdir()
            lay_over(entry, place)
        else:
            _remove(place)
            entry.rename(place)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _for_machine(manifests: Sequence[Any]) -> str:
    """The digest of the image for this machine, or of the first, for models are the same everywhere."""
    found = [each for each in manifests if isinstance(each, dict) and each.get("digest")]
    wanted = {"os": "linux", "architecture": _MACHINES.get(platform.machine(), platform.machine())}
    for each in found:
        told = each.get("platform") or {}
        if all(told.get(name) == value for name, value in wanted.items()):
            return str(each["digest"])
    if not found:
        raise StorageError("The registry lists no image under that name")
    return str(found[0]["digest"])


@contextlib.contextmanager
def _answered(web: Web, ask: Ask, reference: _Reference) -> Iterator[Answer]:
    with web.ask(ask) as answer:
        if answer.status not in (200, 206):
            raise _refused(answer, reference)
        yield answer


def _refused(answer: Answer, reference: _Reference) -> StorageError:
    what = posixpath.join(reference.registry, reference.name)
    if answer.status in (429, 500, 502, 503, 504):
        return UnreachableError(f"The registry {reference.registry} answered {answer.status}")
    if answer.status in (401, 403):
        return unauthorized("OCI", f"{what}: {answer.status}")
    if answer.status == 404:
        return missing("OCI", f"{what}:{reference.version}")
    return StorageError(f"OCI error: {what}: {answer.status} {answer.reason}")
