"""Where the model of an InferenceService comes from: an artifact of a run, by annotations that say so. Pure.

`sampan serve`, `sampan.sdk` and the deploy step write them. They are hints: anybody may write any. Whoever follows them
reads the artifact as the user who asks, and counts one of another namespace, or whose place is not where the model is
fetched from, for none (`is_of`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sampan.components.serving.api.models import framework
from sampan.components.serving.api.reading import child, mapping, mappings, text
from sampan.kube import meta
from sampan.kube.meta import Object

ARTIFACT = "serving.sampan.dev/artifact-id"
RUN = "serving.sampan.dev/run-id"
DIGEST = "serving.sampan.dev/digest"
SOURCE = "serving.sampan.dev/source"
"""What the user named, as `run:9f2c/train/model` or a file."""
_FILE = "file://"
_PARTS = ("predictor", "transformer", "explainer")


@dataclass(frozen=True, slots=True)
class Origin:
    artifact_id: str = ""
    run_id: str = ""
    digest: str = ""
    source: str = ""

    def annotations(self) -> dict[str, str]:
        found = {ARTIFACT: self.artifact_id, RUN: self.run_id, DIGEST: self.digest, SOURCE: self.source}
        return {key: value for key, value in found.items() if value}


def claimed(obj: Object) -> Origin:
    """What its annotations say."""
    held = meta.annotations(obj)
    return Origin(held.get(ARTIFACT, ""), held.get(RUN, ""), held.get(DIGEST, ""), held.get(SOURCE, ""))


def model_uris(isvc: Object) -> tuple[str, ...]:
    """From where its components fetch models."""
    return tuple(dict.fromkeys(_uris(meta.spec(isvc))))


def _uris(spec: Object) -> Iterator[str]:
    canaries = mappings(spec.get("canary"))
    for part in (*(mapping(spec.get(name)) for name in _PARTS), *canaries):
        model = child(part, framework(part)) if framework(part) else {}
        found = [text(model.get("storageUri"))]
        found += [text(each.get("uri")) for each in mappings(part.get("storageUris"))]
        for container in mappings(part.get("containers")):
            found += [
                text(each.get("value"))
                for each in mappings(container.get("env"))
                if each.get("name") == "STORAGE_URI"
            ]
        yield from (each for each in found if each)


def storage_uri(artifact_uri: str) -> str:
    """By which an InferenceService fetches an artifact: files of this machine have a scheme there."""
    return f"{_FILE}{artifact_uri}" if artifact_uri.startswith("/") else artifact_uri


def is_of(artifact_uri: str, model_uri: str) -> bool:
    """Whether a model is fetched from the artifact, or from something in it."""
    whole, part = _place(artifact_uri), _place(model_uri)
    return bool(whole) and (part == whole or part.startswith(f"{whole}/"))


def is_artifact_of(isvc: Object, artifact_uri: str) -> bool:
    return any(is_of(artifact_uri, each) for each in model_uris(isvc))


def _place(uri: str) -> str:
    if uri.startswith(_FILE):
        uri = unquote(uri.removeprefix(_FILE).removeprefix("localhost"))
    return uri.rstrip("/")


def named(artifacts: list[Mapping[str, Any]], uri: str) -> Mapping[str, Any] | None:
    """Of artifacts the one that `uri` is fetched from: the innermost, where one lies in another."""
    fitting = [each for each in artifacts if is_of(text(each.get("uri")), uri)]
    return max(fitting, key=lambda each: len(text(each.get("uri"))), default=None)
