"""Inputs from the web: http(s) URLs and repositories of a Hugging Face hub, brought to a file or folder. Blocks.

URLs are a user's word, so they are followed by the rules of `client.guarded`; what comes is bounded. A copy is kept by
its URL and etag (a hub's by its commit), so that the next step asks only whether it is still the same.

A hub's artifact is `hf://[datasets/|spaces/]owner/name[@revision][/path]`, as its own library writes it.
"""

from __future__ import annotations

import importlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client import guarded
from sampan.lib.threads import check_wanted
from sampan.store.artifacts import files, uris
from sampan.store.artifacts.cache import ReadCache
from sampan.store.artifacts.protocol import (
    AccessRefusedError,
    ObjectMissingError,
    StoredObject,
    StoreUnavailableError,
    StoreUnusableError,
)

_PIECE = 1024 * 1024
_SLOWEST = 64 * 1024
"""Bytes a second: what comes slower than that on average, after the first minute, is given up."""
_PATIENCE_SECONDS = 60.0
_HUB = re.compile(
    r"hf://(?:(?P<kind>models|datasets|spaces)/)?(?P<repository>[\w.\-]+/[\w.\-]+)"
    r"(?:@(?P<revision>[\w.\-%/]+?))?(?:/(?P<path>(?!.*@).+))?\Z"
)
_KINDS = {None: "model", "models": "model", "datasets": "dataset", "spaces": "space"}


@dataclass(frozen=True, slots=True)
class WebRules:
    most_bytes: int
    allow_private: bool = False
    """Whether loopback, private and link-local addresses may be reached."""
    hub: str = ""
    """URL of the hub; empty for what HF_ENDPOINT says, or the public one."""


class WebSources:
    """`staged_files.WebSource`."""

    def __init__(self, rules: WebRules, cache: ReadCache) -> None:
        self._rules = rules
        self._cache = cache

    def knows(self, uri: str) -> bool:
        return uri.startswith(("http://", "https://", "hf://"))

    def fetch(self, uri: str, target: Path) -> None:
        if uri.startswith("hf://"):
            self._from_hub(uri, target)
        else:
            self._from_url(uri, target)

    def _from_url(self, url: str, target: Path) -> None:
        rules = guarded.UrlRules(
            "the artifact's URI", self._rules.allow_private, "set pipelines.allow_private_urls to allow it"
        )
        try:
            with guarded.opened(url, rules) as response:
                tag, size = response.getheader("ETag") or "", int(response.getheader("Content-Length") or -1)
                self._check(size, url)
                item = StoredObject(url, max(size, 0), tag)
                cached = tag and size >= 0 and not tag.startswith("W/")
                if cached and self._cache.take(url, item, target):
                    return
                self._stream(response, url, target)
                if cached:
                    self._cache.keep(url, item, target)
        except guarded.UnreachableUrlError as error:
            raise StoreUnavailableError(str(error)) from error
        except guarded.RefusedUrlError as error:
            raise StoreUnusableError(str(error)) from error

    def _stream(self, response: Any, url: str, target: Path) -> None:
        began, size = time.monotonic(), 0
        with files.arriving(target) as part, part.open("wb") as stream:
            while piece := response.read1(_PIECE):
                check_wanted()
                stream.write(piece)
                size += len(piece)
                self._check(size, url)
                waited = time.monotonic() - began
                if waited > _PATIENCE_SECONDS and size < waited * _SLOWEST:
                    raise StoreUnavailableError(f"{url} comes too slowly: {size} bytes in {waited:.0f} s")

    def _check(self, size: int, uri: str) -> None:
        if size > self._rules.most_bytes:
            limit = self._rules.most_bytes / 1024**3
            raise StoreUnusableError(
                f"{uri} is larger than the {limit:g} GiB that are allowed; artifacts.max_import_gib raises that"
            )

    def _from_hub(self, uri: str, target: Path) -> None:
        found = _HUB.match(uri)
        if found is None:
            raise StoreUnusableError(f"{uri}: write it as hf://owner/name, or hf://datasets/owner/name/path")
        try:
            hub: Any = importlib.import_module("huggingface_hub")
            errors: Any = importlib.import_module("huggingface_hub.errors")
        except ImportError as error:
            raise StoreUnusableError(
                f"{uri} needs a library that is not installed: pip install 'sampan[hf]'"
            ) from error
        try:
            self._download(hub, found, uri, target)
        except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
            raise AccessRefusedError(
                f"{uri} does not exist, or is not open to all: HF_TOKEN must then hold a token that may read it"
            ) from error
        except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
            raise ObjectMissingError(f"{uri} does not exist") from error
        except errors.HFValidationError as error:
            raise StoreUnusableError(f"{uri}: {str(error).splitlines()[0]}") from error
        except (OSError, errors.HfHubHTTPError) as error:
            raise StoreUnavailableError(
                f"{uri}: it cannot be had from the hub now: {_first(error)}"
            ) from error
        except Exception as error:
            # Its HTTP library's own, which is not ours to name.
            if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "requests"):
                raise
            raise StoreUnavailableError(
                f"{uri}: it cannot be had from the hub now: {_first(error)}"
            ) from error

    def _download(self, hub: Any, found: re.Match[str], uri: str, target: Path) -> None:
        api = hub.HfApi(endpoint=self._rules.hub or None, token=os.environ.get("HF_TOKEN") or None)
        kind, repository = _KINDS[found["kind"]], found["repository"]
        info = api.repo_info(repository, repo_type=kind, revision=found["revision"], files_metadata=True)
        wanted = found["path"] or ""
        listed = [
            (each.rfilename, int(each.size or 0))
            for each in info.siblings or ()
            if not wanted or each.rfilename == wanted or each.rfilename.startswith(f"{wanted}/")
        ]
        if not listed:
            raise ObjectMissingError(f"{uri}: there is no such file in the repository")
        self._check(sum(size for _, size in listed), uri)
        is_file = [name for name, _ in listed] == [wanted]
        for name, size in listed:
            check_wanted()
            place = target if is_file else target / uris.file_name(name[len(wanted) :].lstrip("/"))
            place.parent.mkdir(parents=True, exist_ok=True)
            item = StoredObject(name, size, str(info.sha))
            bucket = f"{api.endpoint}/{kind}/{repository}"
            if self._cache.take(bucket, item, place):
                continue
            with files.arriving(place) as part:
                folder = part.with_name(f"{part.name}.d")
                try:
                    came = api.hf_hub_download(
                        repository, name, repo_type=kind, revision=info.sha, local_dir=folder
                    )
                    Path(came).replace(part)
                finally:
                    files.remove_tree(folder)
            self._cache.keep(bucket, item, place)


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
