"""`sampan.sdk.serve`: an endpoint from a file, an artifact of a run, a fitted model or a function.

from sampan.sdk import serve

endpoint = serve("model.joblib", name="iris")
endpoint.predict([[5.1, 3.5, 1.4, 0.2]])          # [0]
serve("better.joblib", name="iris", canary=10)    # a tenth of the requests
endpoint.promote()

doubler = serve(lambda rows: [2 * row for row in rows], name="doubler")
"""

from __future__ import annotations

import hashlib
import importlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sampan.client.session import Session
from sampan.components.serving.api.origins import Origin
from sampan.components.serving.sdk import naming, plan, sent, sources
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.guessing import known
from sampan.components.serving.sdk.handle import Endpoint
from sampan.components.serving.sdk.plan import Options, read_options
from sampan.components.serving.sdk.sources import Source
from sampan.kube.meta import Object

Connect = Callable[[], Session]
Folder = Callable[[], Path]
_OBJECTS = {"sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm"}


class Serve:
    """`connect` finds the cluster when one is needed; `folder` is where this machine keeps fitted models."""

    def __init__(self, connect: Connect, folder: Folder) -> None:
        self._connect = connect
        self._folder = folder
        self._session: Session | None = None

    def __call__(  # noqa: PLR0913  what an endpoint has
        self,
        model: Any,
        *,
        name: str = "",
        namespace: str = "",
        image: str = "",
        packages: tuple[str, ...] | list[str] = (),
        wait: bool = True,
        timeout_seconds: float = 300.0,
        **options: Any,
    ) -> Endpoint:
        """Makes an endpoint, or changes the one of that name. `model` is a file, a URI, `run:RUN/STEP/OUTPUT`, an
        artifact of a run, a fitted model of scikit-learn, XGBoost or LightGBM, an object with `predict`, or a function
        of a list of rows; for the last two there are `image` and `packages`.

        `options` are those of `Options`, with `min` and `max` for the number of pods. Raises ServingError for what
        cannot be and for one that does not start, SourcesError for what cannot be sent, TimeoutError, ApiError.
        """
        chosen = read_options(options)
        session = self.session()
        space = namespace or session.namespace
        code: list[Object] = []
        if isinstance(model, str | Path) or _artifact_of(model):
            obj = self._of_files(model, (name, space), chosen)
        elif (framework := framework_of(model)) and not (image or packages) and session.is_embedded:
            chosen = replace(chosen, format=chosen.format or framework)
            obj = self._of_object(model, (name, space), chosen)
        else:
            obj, code = _of_sent(model, (name, space), chosen, (image, tuple(packages)), session)
        endpoints = Endpoints(session)
        endpoints.check(obj)
        ref, _ = endpoints.apply(obj, code)
        endpoint = Endpoint(endpoints, ref)
        if wait:
            endpoint.wait(timeout_seconds)
        if endpoints.take_over(ref, chosen.canary) and wait:
            endpoint.wait(timeout_seconds)
        return endpoint

    def attach(self, name: str, namespace: str = "") -> Endpoint:
        """An endpoint that is there already. Raises ApiError."""
        session = self.session()
        endpoint = Endpoint(Endpoints(session), Ref(namespace or session.namespace, name))
        # So that a name that is none is told at once.
        _ = endpoint.status
        return endpoint

    def use(self, session: Session | None) -> None:
        """Serves in this cluster from now on; None finds one anew."""
        self._session = session

    def session(self) -> Session:
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _of_files(self, model: Any, names: tuple[str, str], options: Options) -> Any:
        told = _artifact_of(model) or str(model)
        source = sources.find(told, self.session(), names[1])
        return of_source(source, names, options)[0]

    def _of_object(self, model: Any, names: tuple[str, str], options: Options) -> Any:
        """Written to a file as its users do, which the library's own server then reads."""
        name = naming.check(names[0]) if names[0] else naming.made(type(model).__name__)
        file = _dumped(model, self._folder() / "serving" / "sent" / names[1] / name)
        return plan.of_model(name, names[1], options, f"file://{file}", Origin(source=type(model).__name__))


def of_source(source: Source, names: tuple[str, str], options: Options) -> tuple[Any, str]:
    """The InferenceService, and why it has this format; empty where it was told. Raises ServingError."""
    guess = known(options.format, "") if options.format else source.guess()
    chosen = replace(
        options,
        format=guess.format,
        runtime=options.runtime or guess.runtime,
        protocol=options.protocol or guess.protocol,
    )
    name = names[0] or source.name
    return plan.of_model(name, names[1], chosen, source.uri, source.origin), guess.why


def framework_of(model: Any) -> str:
    """Of a fitted model's library, if it has a server of its own."""
    if isinstance(model, type) or not callable(getattr(model, "predict", None)):
        return ""
    return _OBJECTS.get(type(model).__module__.partition(".")[0], "")


def _artifact_of(model: Any) -> str:
    """Of a `sampan.sdk.Artifact`."""
    raw = getattr(model, "raw", None)
    found = raw.get("artifact_id") if isinstance(raw, Mapping) else None
    return f"artifact:{found}" if found else ""


def _of_sent(
    model: Any, names: tuple[str, str], options: Options, how: tuple[str, tuple[str, ...]], session: Session
) -> Any:
    image, packages = how
    if not image and not session.is_embedded:
        raise ServingError(
            "this cluster has no image that serves functions: name one with image=, with this Python's version and the "
            "packages kserve and cloudpickle in it"
        )
    called = getattr(model, "__name__", "") or type(model).__name__
    name = naming.check(names[0]) if names[0] else naming.made(called)
    made = sent.container_of((name, names[1]), sent.pack(model), image, packages)
    return plan.of_container(name, names[1], options, made.container, made.volumes), made.maps


def _dumped(model: Any, folder: Path) -> Path:
    """The same file for the same model; never one that another revision reads."""
    try:
        joblib: Any = importlib.import_module("joblib")
    except ImportError as error:
        raise ServingError("fitted models are written with joblib: pip install joblib") from error
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{secrets.token_hex(4)}.joblib"
    try:
        joblib.dump(model, part)
    except Exception as error:
        part.unlink(missing_ok=True)
        raise ServingError(f"the model cannot be written: {error}") from error
    file = folder / hashlib.sha256(part.read_bytes()).hexdigest()[:16] / "model.joblib"
    file.parent.mkdir(exist_ok=True)
    part.replace(file)
    return file.resolve()
