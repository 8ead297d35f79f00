"""The fields of the form for an endpoint: made from what it begins with, and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.components.serving.api.kinds import INFERENCE_SERVICES
from sampan.components.serving.api.models import GRPC_V2, V1, V2
from sampan.components.serving.engine.selection.choosing import UnselectableError, select
from sampan.components.serving.ui.new_endpoint import checks
from sampan.components.serving.ui.new_endpoint.building import service
from sampan.components.serving.ui.new_endpoint.rows import Rows, whole
from sampan.components.serving.ui.new_endpoint.wanted import CONTAINER, MODEL, Beside, Size, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.forms.fields import About, ChoiceField, Field, PairsField, TextField
from sampan.ui.forms.form import Form
from sampan.ui.forms.values import NotAValueError

_PROTOCOLS = (
    ("", "The runtime's usual"),
    (V1, "V1"),
    (V2, "V2 (Open Inference Protocol)"),
    (GRPC_V2, "V2 by gRPC"),
)
_METRICS = (
    ("", "The usual: requests at a time"),
    ("concurrency", "Requests at a time"),
    ("rps", "Requests a second"),
    ("cpu", "CPU"),
    ("memory", "Memory"),
)
_MODES = (
    ("", "The cluster's usual"),
    ("Knative", "Knative: revisions, to zero"),
    ("Standard", "Standard: a Deployment"),
)
_LOGGED = (("all", "Requests and answers"), ("request", "Requests"), ("response", "Answers"))


@dataclass(frozen=True, slots=True)
class Offered:
    """What there is to choose from."""

    runtimes: Sequence[Object] = ()
    """ServingRuntimes of the namespace."""
    of_cluster: Sequence[Object] = ()
    models: Sequence[tuple[str, str]] = ()
    """URIs of runs' models, and what is shown for them."""
    claims: Sequence[str] = ()
    accounts: Sequence[str] = ()

    @property
    def formats(self) -> list[str]:
        """That some runtime serves."""
        names = [
            str(each.get("name") or "")
            for runtime in (*self.runtimes, *self.of_cluster)
            for each in meta.spec(runtime).get("supportedModelFormats") or ()
        ]
        return sorted({each for each in names if each})


class Fields(Rows):
    """`changed` is called after each change; `form` sends them together."""

    def __init__(
        self, form: Form, start: Wanted, offered: Offered, changed: Callable[[], Any], *, is_change: bool
    ) -> None:
        super().__init__(form, changed)
        self._start = start
        self._offered = offered
        self._is_change = is_change

    def build(self) -> None:
        with widgets.card("What it serves").classes("sp-form"):
            self._build_model()
        with widgets.card("How many, and when").classes("sp-form"):
            self._build_size()
        with widgets.card().classes("sp-form"):
            self._build_more()
        self._arrange()

    def _build_model(self) -> None:
        start = self._start
        if not self._is_change:
            about = About("name", "Name", "Its address begins with it.", required=True)
            self._name = self._add(TextField(about, start.name, check=checks.name, change=self._changed))
        sources = [(MODEL, "A model, with a runtime"), (CONTAINER, "A container of your own")]
        self._source = self._add(
            ChoiceField(About("source", "From"), sources, start.source, segments=True, change=self._switch)
        )
        formats = self._offered.formats or ["sklearn"]
        kept = [] if start.format.partition(" ")[0] in formats or not start.format else [start.format]
        about = About(
            "format", "Format", "What the model was made with; a version may follow its name.", required=True
        )
        options = [(each, each) for each in (*formats, *kept)]
        self._format = self._add(ChoiceField(about, options, start.format, free=True, change=self._switch))
        self._image = self._text(
            "image", "Image", start.image, "Listens on its port, and answers by itself.", mono=True
        )
        about = About("command", "Command", "As in a shell; empty for the image's own.")
        self._command = self._add(
            TextField(about, start.command, lines=2, mono=True, check=checks.words, change=self._changed)
        )
        self._port = self._number("port", "Port", start.port, "8080 unless you say otherwise.", checks.port)
        self._build_place()
        runtimes = [("", "The first that fits")]
        runtimes += [
            (meta.name(each), meta.name(each))
            for each in (*self._offered.runtimes, *self._offered.of_cluster)
        ]
        with ui.element("div").classes("sp-fields-row"):
            self._runtime = self._add(
                ChoiceField(About("runtime", "Runtime"), runtimes, start.runtime, change=self._switch)
            )
            self._protocol = self._add(
                ChoiceField(About("protocol", "Protocol"), _PROTOCOLS, start.protocol, change=self._switch)
            )
        self._told = widgets.paragraph("", "sp-hint sv-told").props('role="status"')
        if self._is_change:
            hint = "Of the requests, in per cent: the rest stays with the revision that is rolled out. Empty: all."
            value = start.canary_percent
            self._canary = self._number("canary", "To this revision", value, hint, checks.percent)

    def _build_place(self) -> None:
        """Where the model is: anything with a scheme, or one that is here already."""
        claims = [(f"pvc://{each}/", f"volume {each} – pvc://{each}/…") for each in self._offered.claims]
        hint = "s3://, gs://, https://, hf://, oci://, pvc://CLAIM/PATH, file:///path; or a model that a run made."
        self._uri = self._add(
            ChoiceField(
                About("uri", "Model from", hint),
                [*self._offered.models, *claims],
                self._start.uri,
                free=True,
                placeholder="s3://bucket/model",
                check=checks.uri,
                change=self._changed,
            )
        )

    def _build_size(self) -> None:
        size = self._start.size
        with ui.element("div").classes("sp-fields-row"):
            hint = "0: asleep while nobody asks, and nothing is held."
            self._least = self._number("least", "At least", size.least, hint, checks.count)
            self._most = self._number(
                "most", "At most", size.most, "Empty or 0: as many as are needed.", checks.count
            )
        with ui.element("div").classes("sp-fields-row"):
            self._metric = self._add(
                ChoiceField(About("metric", "Scaled by"), _METRICS, size.metric, change=self._changed)
            )
            self._target = self._number(
                "target", "Target of each", size.target, "Of that, for one replica.", checks.one
            )
        with ui.element("div").classes("sp-fields-row"):
            self._cpu = self._amount("cpu", "CPU of each", size.cpu, "Cores: 2, or 500m")
            self._memory = self._amount("memory", "Memory of each", size.memory, "4Gi, or 512Mi")
            self._gpu = self._amount("gpu", "GPUs of each", size.gpu, "Whole ones")

    def _build_more(self) -> None:
        start, beside = self._start, self._start.beside
        with ui.element("details").classes("sp-more") as more:
            if beside != Beside() or start.environment or start.account or start.mode:
                more._props["open"] = True
            widgets.Text("summary", "More settings")
            with ui.element("div").classes("sp-form"):
                about = About("environment", "Environment", "PREDICT_PROBA, MLSERVER_…, and your own.")
                self._environment = self._add(
                    PairsField(about, dict(start.environment), check=checks.environment, change=self._changed)
                )
                accounts = [
                    ("", "default"),
                    *((each, each) for each in self._offered.accounts if each != "default"),
                ]
                about = About("account", "Service account", "Whose secrets open the model's store.")
                self._account = self._add(ChoiceField(about, accounts, start.account, change=self._changed))
                hint = "An image that changes requests and answers; it asks the predictor."
                self._transformer = self._text(
                    "transformer", "Transformer", beside.transformer, hint, mono=True
                )
                hint = "An image that answers :explain, such as sampan/shap-explainer."
                self._explainer = self._text("explainer", "Explainer", beside.explainer, hint, mono=True)
                hint = "Where requests and answers go as CloudEvents."
                self._logger = self._text(
                    "logger", "Log to", beside.logger, hint, mono=True, check=checks.web
                )
                self._logged = self._add(
                    ChoiceField(About("logged", "Logged"), _LOGGED, beside.logger_mode, change=self._changed)
                )
                with ui.element("div").classes("sp-fields-row"):
                    hint = "Requests of KServe's batcher, before the model."
                    self._batch = self._number("batch", "Batch of", beside.batch_size, hint, checks.one)
                    value = beside.batch_milliseconds
                    self._wait = self._number(
                        "wait", "Waits, in ms", value, "At most, for a batch.", checks.one
                    )
                about = About("mode", "Mode")
                self._mode = self._add(ChoiceField(about, _MODES, start.mode, change=self._changed))

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        """Only what counts is shown."""
        is_model = self._source.raw == MODEL
        shown: tuple[Field, ...] = (self._format, self._runtime, self._protocol)
        for each in shown:
            each.show(is_model)
        for each in (self._image, self._command, self._port):
            each.show(not is_model)
        self._told.set_visibility(is_model)
        if is_model:
            self._told.set_text(self._fitting())

    def _fitting(self) -> str:
        """Which runtime it is, or why none."""
        try:
            model = service(self.read())["spec"]["predictor"]
            found = select(model, "form", self._offered.runtimes, self._offered.of_cluster)
        except UnselectableError as error:
            return error.message
        except (NotAValueError, ValueError):
            return ""
        return f"Served by {found.runtime.name} ({found.runtime.kind}), which speaks {found.protocol}."

    def read(self) -> Wanted:
        """Raises NotAValueError, ValueError."""
        is_model = self._source.raw == MODEL
        return Wanted(
            name=self._start.name if self._is_change else str(self._name.raw).strip(),
            namespace=self._start.namespace,
            source=str(self._source.raw),
            format=str(self._format.raw).strip(),
            uri=str(self._uri.raw).strip(),
            runtime=str(self._runtime.raw) if is_model else "",
            protocol=str(self._protocol.raw) if is_model else "",
            image=str(self._image.raw).strip(),
            command=str(self._command.raw),
            port=whole(self._port),
            environment=self._environment.read(),
            account=str(self._account.raw),
            canary_percent=whole(self._canary) if self._is_change else None,
            mode=str(self._mode.raw),
            size=Size(
                whole(self._least),
                whole(self._most),
                str(self._metric.raw),
                whole(self._target),
                str(self._cpu.raw).strip(),
                str(self._memory.raw).strip(),
                str(self._gpu.raw).strip(),
                self._start.size.limits,
            ),
            beside=Beside(
                str(self._transformer.raw).strip(),
                str(self._explainer.raw).strip(),
                str(self._logger.raw).strip(),
                str(self._logged.raw),
                whole(self._batch),
                whole(self._wait),
            ),
        )


PLACES = {
    "metadata.name": "name",
    "already exists": "name",
    "storageUri": "uri",
    "STORAGE_URI": "uri",
    "runtime": "runtime",
    "modelFormat": "format",
    "protocolVersion": "protocol",
    "minReplicas": "least",
    "MinReplicas": "least",
    "maxReplicas": "most",
    "MaxReplicas": "most",
    "scaleTarget": "target",
    "scaleMetric": "metric",
    "canaryTrafficPercent": "canary",
    "logger": "logger",
    "batcher": "batch",
    "image": "image",
    "resources": "cpu",
    INFERENCE_SERVICES.kind: "name",
}
"""From what the API's messages name to the name of a field."""
