"""Fetches a data set or a pre-trained model into the workspace of a TrainJob: what Trainer's initializer images run.

Run in a pod as `python -m pkg.initializers.dataset` or `…model`; nothing of Sampan is there. Written for the purpose,
with upstream's contract: the environment says what, /workspace/{dataset,model} is where. `hf://` and `s3://` as there;
`file://` and `http(s)://` besides.

Source: kubeflow/trainer pkg/initializers, v2.3.
"""

from __future__ import annotations

import fnmatch
import logging
import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

log = logging.getLogger("initializer")

WORKSPACE = Path("/workspace")
# Weights in other forms than safetensors are left out, as upstream.
_MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]
_RETRIES = 3


class InitializerError(Exception):
    """Why nothing can be fetched."""


def main(kind: str) -> None:
    """`kind` is `dataset` or `model`."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)-8s %(message)s", datefmt="%Y-%m-%dT%H:%M:%SZ", level=logging.INFO
    )
    # Which requests are made interests nobody, and addresses may hold what is secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        uri = os.environ.get("STORAGE_URI", "")
        if not uri:
            raise InitializerError("STORAGE_URI env variable must be set")
        target = WORKSPACE / kind
        target.mkdir(parents=True, exist_ok=True)
        log.info("Downloading the %s from %s to %s", kind, uri, target)
        fetch(kind, uri, target)
    except (InitializerError, OSError) as error:
        sys.exit(f"{kind} initializer: {error}")
    log.info("The %s has been downloaded", kind)


def fetch(kind: str, uri: str, target: Path) -> None:
    scheme = urlsplit(uri).scheme
    if scheme == "hf":
        _from_hugging_face(kind, uri, target)
    elif scheme == "s3":
        _from_s3(uri, target)
    elif scheme == "file":
        _from_file(uri, target)
    elif scheme in ("http", "https"):
        _from_web(uri, target)
    else:
        raise InitializerError(
            f"STORAGE_URI must have the valid {kind} provider: hf, s3, file, http or https, not {uri!r}"
        )


def _from_hugging_face(kind: str, uri: str, target: Path) -> None:
    import huggingface_hub  # noqa: PLC0415  only who fetches from there needs it

    where = urlsplit(uri)
    name = where.netloc + where.path
    options: dict[str, Any] = {"repo_id": name, "allow_patterns": _MODEL_FILES}
    if kind == "dataset":
        first = where.path.split("/")[1] if "/" in where.path else ""
        options = {"repo_id": f"{where.netloc}/{first}".rstrip("/"), "repo_type": "dataset"}
    huggingface_hub.snapshot_download(
        local_dir=str(target),
        ignore_patterns=_ignored() or None,
        # Given, not stored: the pod's home may be shared.
        token=os.environ.get("ACCESS_TOKEN") or None,
        **options,
    )


def _from_s3(uri: str, target: Path) -> None:
    import opendal  # noqa: PLC0415

    where = urlsplit(uri)
    settings = {"root": "/", "bucket": where.netloc, "region": os.environ.get("REGION") or "auto"}
    for key in ("endpoint", "access_key_id", "secret_access_key", "role_arn"):
        if value := os.environ.get(key.upper()):
            settings[key] = value
    retry = opendal.layers.RetryLayer(max_times=_RETRIES, factor=2.0, jitter=True)
    store = opendal.Operator("s3", **settings).layer(retry)
    prefix, found = where.path.lstrip("/"), 0
    try:
        for entry in store.list(prefix, recursive=True):
            key = entry.path
            if key.endswith("/") or _is_ignored(key):
                continue
            # What the prefix names itself is one file.
            relative = key[len(prefix) :].lstrip("/") or Path(key).name
            log.info("Downloading %s", key)
            with store.open(key, "rb") as content:
                _write(content, target, relative)
            found += 1
    except (InitializerError, OSError):
        raise
    except Exception as error:
        # OpenDAL's have no class in common, and more to say than fits a line.
        raise InitializerError(f"{uri}: {str(error).splitlines()[0]}") from error
    if not found:
        raise InitializerError(f"{uri}: the bucket has nothing below {prefix!r}")


def _from_file(uri: str, target: Path) -> None:
    source = Path(unquote(urlsplit(uri).path))
    if not source.exists():
        raise InitializerError(
            f"{uri}: there is no {source} here; a volume or folder must show it to this pod"
        )
    for file in _files_below(source):
        relative = file.name if file == source else str(file.relative_to(source))
        if not _is_ignored(relative):
            with file.open("rb") as content:
                _write(content, target, relative)


def _from_web(uri: str, target: Path) -> None:
    name = Path(unquote(urlsplit(uri).path)).name or "index.html"
    request = urllib.request.Request(uri)  # noqa: S310  http or https
    if token := os.environ.get("ACCESS_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as content:  # noqa: S310
        _write(content, target, name)


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    else:
        yield from sorted(each for each in source.rglob("*") if each.is_file())


def _write(content: IO[bytes], target: Path, relative: str) -> None:
    file = (target / relative).resolve()
    if not file.is_relative_to(target.resolve()):
        raise InitializerError(f"{relative!r} would lie outside of {target}")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as written:
        shutil.copyfileobj(content, written, 1 << 20)


def _ignored() -> list[str]:
    return [each.strip() for each in os.environ.get("IGNORE_PATTERNS", "").split(",") if each.strip()]


def _is_ignored(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _ignored())


if __name__ == "__main__":
    # `pkg.initializers.dataset.__main__`: the same file stands for both.
    main(__spec__.name.split(".")[-2] if __spec__ is not None else Path(__file__).parent.name)
