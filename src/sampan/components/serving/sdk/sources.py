"""What a user names as a model: a file, a folder, an artifact of a run, or a URI of any store.

    model.joblib, ./folder                      of this machine
    run:RUN/STEP/OUTPUT, sampan://runs/RUN/…    an output of a run, by its id, the beginning of one, or its name
    artifact:ID, sampan://artifacts/ID, ID      an artifact
    s3://…, https://…, hf://…, pvc://…          whatever an InferenceService takes

Artifacts are read as the user who asks. Pipelines' routes are asked as any client asks them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sampan.client.session import Session
from sampan.components.serving.api import origins
from sampan.components.serving.api.origins import Origin
from sampan.components.serving.api.reading import mapping, mappings, text
from sampan.components.serving.sdk import guessing, naming
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.guessing import Guess
from sampan.kube.errors import ApiError

_API = "/apis/v2beta1"
_PAGE = 200
_FILE = "file://"
_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\Z")
_RUN, _ARTIFACT = ("run:", "sampan://runs/"), ("artifact:", "sampan://artifacts/")


@dataclass(frozen=True, slots=True)
class Source:
    uri: str
    """As an InferenceService has it."""
    name: str
    """For an endpoint that has none of its own."""
    path: Path | None = None
    """Where it is on this machine, if it can be looked at."""
    origin: Origin = field(default_factory=Origin)
    framework: str = ""
    """What the artifact itself says of its format."""

    def guess(self) -> Guess:
        """Its format, by what there is to see. Raises ServingError."""
        if self.framework in guessing.FORMATS:
            return guessing.known(self.framework, "the artifact's metadata say so")
        return guessing.of_path(self.path) if self.path is not None else guessing.of_uri(self.uri)


def find(model: str, session: Session, namespace: str) -> Source:
    """Raises ServingError for what is not there or cannot be reached from pods; ApiError."""
    for prefix in _RUN:
        if model.startswith(prefix):
            return _output(model.removeprefix(prefix), session, namespace)
    for prefix in _ARTIFACT:
        if model.startswith(prefix):
            return _artifact(
                _read(session, f"{_API}/artifacts/{_quoted(model.removeprefix(prefix))}"), session, model
            )
    if model.startswith("sampan://"):
        raise ServingError(f"{model}: write it as sampan://runs/RUN/STEP/OUTPUT or sampan://artifacts/ID")
    if "://" in model and not model.startswith(_FILE):
        return Source(model, naming.of_uri(model), origin=_known(model, session, namespace))
    path = Path(unquote(model.removeprefix(_FILE))).expanduser().absolute()
    if not path.exists() and _ID.match(model):
        return _artifact(_read(session, f"{_API}/artifacts/{_quoted(model)}"), session, model)
    return _local(path, session, namespace)


def _local(path: Path, session: Session, namespace: str) -> Source:
    if not path.exists():
        raise ServingError(
            f"{path} is not there: name a file, a folder, run:RUN/STEP/OUTPUT or a URI such as s3://BUCKET/PATH"
        )
    if not session.is_embedded:
        raise ServingError(
            f"the cluster's pods do not see {path}: put it where they do, into an object store (s3://BUCKET/PATH) or a "
            "volume (pvc://CLAIM/PATH), and name that"
        )
    path = path.resolve()
    uri = f"{_FILE}{path}"
    found = _known(uri, session, namespace)
    return Source(
        uri, naming.of_uri(uri), path, Origin(found.artifact_id, found.run_id, found.digest, str(path))
    )


def _known(uri: str, session: Session, namespace: str) -> Origin:
    """Of an artifact that is named by its place."""
    place = uri.removeprefix(_FILE)
    query = {
        "namespace": namespace,
        "view": "FULL",
        "page_size": str(_PAGE),
        "search": Path(place).name[-200:],
    }
    try:
        found = mappings(session.read(f"{_API}/artifacts", query, own=True).get("artifacts"))
    except ApiError:
        # Who may see no artifacts, or has no pipelines, serves what is there all the same.
        return Origin(source=uri)
    artifact = origins.named(list(found), uri)
    return _origin(artifact, uri) if artifact is not None else Origin(source=uri)


def _output(told: str, session: Session, namespace: str) -> Source:
    run_text, _, rest = told.partition("/")
    # Names of steps within loops have slashes of their own.
    step, _, output = rest.rpartition("/")
    run = _run(run_text, session, namespace)
    outputs = list(_outputs(str(run["run_id"]), session))
    wanted = [
        artifact
        for place, key, artifact in outputs
        if (not step and output in ("", key) and (output or artifact.get("type") == "Model"))
        or (step and step in (place, place.rpartition("/")[2]) and output == key)
    ]
    if len(wanted) != 1:
        there = ", ".join(sorted(f"{place}/{key}" for place, key, _ in outputs)) or "none"
        raise ServingError(
            f"run {text(run.get('display_name')) or run_text!r} has {len(wanted) or 'no'} such output "
            f"{rest or 'of the type Model'}; of files and folders it has: {there}. Write run:RUN/STEP/OUTPUT"
        )
    return _artifact(wanted[0], session, f"run:{told}", str(run["run_id"]))


def _run(told: str, session: Session, namespace: str) -> Mapping[str, Any]:
    """By its id, the beginning of one, or its name, of which the newest."""
    if not told:
        raise ServingError("write it as run:RUN/STEP/OUTPUT; `sampan runs` lists runs")
    query = {"namespace": namespace, "page_size": str(_PAGE), "sort_by": "created_at desc"}
    for each in mappings(_read(session, f"{_API}/runs", query).get("runs")):
        if text(each.get("run_id")).startswith(told) or each.get("display_name") == told:
            return each
    raise ServingError(f"no run is called {told!r}; `sampan runs` lists them")


def _outputs(run_id: str, session: Session) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The step's place, the output's name and the artifact."""
    query = {"page_size": str(_PAGE), "order_by": "create_time"}
    while True:
        page = _read(session, f"{_API}/runs/{_quoted(run_id)}/tasks", query)
        for task in mappings(page.get("tasks")):
            place = text(task.get("path")).removeprefix("root.").replace(".", "/") or text(task.get("name"))
            for output in mappings(mapping(task.get("outputs")).get("artifacts")):
                for artifact in mappings(output.get("artifacts")):
                    if "number_value" not in artifact and artifact.get("uri"):
                        yield place, text(output.get("artifact_key")), artifact
        if not (token := text(page.get("next_page_token"))):
            return
        query = {**query, "page_token": token}


def _artifact(found: Mapping[str, Any], session: Session, told: str, run_id: str = "") -> Source:
    artifact_id = text(found.get("artifact_id"))
    if artifact_id and "produced_by" not in found:
        found = _read(session, f"{_API}/artifacts/{_quoted(artifact_id)}", {"view": "FULL"})
    place = text(found.get("uri"))
    uri = origins.storage_uri(place)
    if uri.startswith(_FILE) and not session.is_embedded:
        raise ServingError(
            f"{told} lies at {place} of the platform's machine, which the cluster's pods do not see: "
            "have runs keep artifacts in an object store (docs/artifacts.md)"
        )
    path = Path(unquote(uri.removeprefix(_FILE)))
    here = path if uri.startswith(_FILE) and path.exists() else None
    made = _origin(found, told)
    origin = Origin(made.artifact_id, made.run_id or run_id, made.digest, told)
    metadata = mapping(found.get("metadata"))
    step = text(mapping(found.get("produced_by")).get("name"))
    name = naming.made(
        text(metadata.get("name")),
        text(found.get("name")),
        text(mapping(found.get("produced_by")).get("run")),
        step,
    )
    return Source(uri, name, here, origin, text(metadata.get("framework")).lower())


def _origin(artifact: Mapping[str, Any], told: str) -> Origin:
    made_by = mapping(artifact.get("produced_by"))
    return Origin(
        text(artifact.get("artifact_id")), text(made_by.get("run_id")), text(artifact.get("digest")), told
    )


def _read(session: Session, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Raises ApiError."""
    return mapping(session.read(path, dict(query or {}), own=True))


def _quoted(text_: str) -> str:
    return quote(text_, safe="")
