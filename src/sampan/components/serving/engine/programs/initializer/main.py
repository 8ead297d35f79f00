"""What the program does: each source to its target, by what its URI says. Called by `__main__` and the agent's puller.

Source of the order in which a URI is told: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py
(download); of the arguments: python/storage-initializer/scripts/initializer-entrypoint.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sampan.components.serving.engine.programs.initializer import (
    archives,
    azure,
    gcs,
    hdfs,
    hub,
    images,
    local,
    pages,
    places,
    repositories,
    s3,
    spec,
)
from sampan.components.serving.engine.programs.initializer.addresses import Reach
from sampan.components.serving.engine.programs.initializer.cache import Cache
from sampan.components.serving.engine.programs.initializer.errors import StorageError, empty, shown
from sampan.components.serving.engine.programs.initializer.items import Item, Patterns
from sampan.components.serving.engine.programs.initializer.transfer import Limits, Transfer
from sampan.components.serving.engine.programs.initializer.web import Web, trust_of

HOSTS_VARIABLE = "SAMPAN_PRIVATE_HOSTS"
"""A JSON list of what may be reached beside the open internet; without it anything may."""
_LAST_WORDS = "/dev/termination-log"
_MOUNTED = "/mnt/models"
_CLAIM = "/mnt/pvc"

log = logging.getLogger("storage.initializer")


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """The program's exit code. What is wrong is the last line of its log, and the pod's message."""
    logging.basicConfig(
        format="%(asctime)s.%(msecs)03d %(process)s %(name)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        level=logging.INFO,
        stream=sys.stderr,
        force=True,
    )
    if len(arguments) < 2 or len(arguments) % 2:
        print("Usage: initializer-entrypoint src_uri_0 dest_path_0 ... src_uri_n dest_path_n")
        return 1
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    log.info("Initializing, args: (src_uri, dest_path): %s", [(shown(uri), target) for uri, target in pairs])
    try:
        if environ.get("CONFIDENTIAL_ENABLED", "").lower() == "true":
            raise StorageError(
                "Confidential models need a confidential container: they cannot be decrypted here"
            )
        for _, target in pairs:
            Path(target).mkdir(parents=True, exist_ok=True)
        initializer = Initializer(environ)
        # One after the other, as upstream: each has threads of its own.
        for uri, target in pairs:
            initializer.download(uri, Path(target))
    except StorageError as error:
        return _failed(str(error), environ)
    except OSError as error:
        return _failed(_written(error), environ)
    except Exception as error:
        log.exception("Unexpected error during storage initialization: %s", error)
        return 1
    return 0


def _failed(why: str, environ: Mapping[str, str]) -> int:
    said = f"Storage initialization failed: {why}"
    log.error(said)
    if "KUBERNETES_SERVICE_HOST" in environ:
        # The pod's message is then this alone, and not the end of the log.
        with contextlib.suppress(OSError):
            Path(_LAST_WORDS).write_text(said)
    return 1


class Initializer:
    """For one thread. `environ` are the pod's variables."""

    def __init__(self, environ: Mapping[str, str], web: Web | None = None) -> None:
        """Raises StorageError for variables that cannot be read."""
        self._environ = spec.with_config(environ)
        self._web = web or Web(Reach(_hosts(environ)), trust_of(environ), environ)
        self._patterns = Patterns.of(environ)
        self._transfer = Transfer(Cache.of(environ), Limits.of(environ), log.info)

    def download(self, uri: str, target: Path) -> None:
        """Raises StorageError, OSError. What failed leaves no file that is not whole."""
        began = time.monotonic()
        log.info("Copying contents of %s to local", shown(uri))
        target.mkdir(parents=True, exist_ok=True)
        places.sweep(target)
        self._transfer.persistently(lambda: self._bring(uri, target), shown(uri))
        log.info(
            "Successfully copied %s to %s in %.3f seconds.", shown(uri), target, time.monotonic() - began
        )

    def _bring(self, uri: str, target: Path) -> None:
        if uri.startswith(_CLAIM) and not os.path.exists(uri):
            raise StorageError(f"Cannot locate source uri {uri} for PVC")
        if uri.startswith("file://") or ("://" not in uri and os.path.exists(uri)):
            found = local.bring(uri, target, self._environ, self._patterns)
            self._unpack_alone(found, target)
        elif uri.startswith(_MOUNTED):
            # Of several models the agent fetches each.
            return
        elif uri.startswith(("hdfs://", "webhdfs://")):
            self._fetch(uri, hdfs.items(uri, self._environ, self._web, self._patterns), target, Patterns())
        elif images.PATTERN.match(uri):
            images.fetch(uri, target, self._environ, self._web, self._transfer)
        elif repositories.PATTERN.match(uri):
            repositories.clone(uri, target, self._environ, self._web)
        elif (lister := _lister(uri)) is not None:
            self._fetch(uri, lister(uri, self._environ, self._web), target, self._patterns)
        elif uri.startswith(("http://", "https://")):
            self._page(uri, target)
        else:
            raise StorageError(
                f"Cannot recognize storage type for {shown(uri)}: 'gs://', 's3://', 'file://', 'http(s)://' and "
                "'hf://' are the current available storage type."
            )

    def _fetch(self, uri: str, items: Sequence[Item], target: Path, patterns: Patterns) -> None:
        # The object that a URI means itself is wanted, whatever the patterns say.
        alone = len(items) == 1 and uri.rstrip("/").endswith(f"/{items[0].name}")
        wanted = items if alone else [each for each in items if patterns.take(each.name)]
        if not wanted:
            raise empty(uri)
        self._transfer.fetch_model(wanted, target)

    def _page(self, uri: str, target: Path) -> None:
        item = pages.item(uri, self._environ, self._web)
        self._transfer.fetch_model([item], target, lambda file: pages.archive_kind(uri, file))
        file = target / item.name
        if file.is_file() and not archives.kind_of(item.name):
            pages.decompressed(file, self._transfer.limits.most_bytes)

    def _unpack_alone(self, found: Sequence[Path], target: Path) -> None:
        """A single archive is what it holds. The link to it goes, not the file."""
        if len(found) == 1 and (kind := archives.kind_of(found[0].name)) and found[0].is_file():
            archives.unpack(found[0], target, most_bytes=self._transfer.limits.most_bytes, kind=kind)
            found[0].unlink()


def _lister(uri: str) -> Callable[[str, Mapping[str, str], Web], list[Item]] | None:
    if uri.startswith("gs://"):
        return gcs.items
    if uri.startswith("s3://"):
        return s3.items
    if uri.startswith("hf://"):
        return hub.items
    if azure.BLOB.match(uri):
        return azure.blobs
    return azure.files if azure.FILE.match(uri) else None


def _hosts(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    if HOSTS_VARIABLE not in environ:
        return None
    try:
        found = json.loads(environ[HOSTS_VARIABLE])
    except ValueError:
        return ()
    return tuple(str(each) for each in found) if isinstance(found, list) else ()


def _written(error: OSError) -> str:
    if places.is_full(error):
        return f"No space left on the disk of {error.filename}"
    return str(error)
