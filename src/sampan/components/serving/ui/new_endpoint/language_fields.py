"""The fields of the form for a language model: made from what it begins with, and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.serving.ui.new_endpoint import checks
from sampan.components.serving.ui.new_endpoint.language import Language
from sampan.components.serving.ui.new_endpoint.rows import Rows, whole
from sampan.ui import widgets
from sampan.ui.forms.fields import About, ChoiceField, PairsField, TextField
from sampan.ui.forms.form import Form


class LanguageFields(Rows):
    """`changed` is called after each change; `form` sends them together."""

    def __init__(
        self,
        form: Form,
        start: Language,
        models: Sequence[tuple[str, str]],
        changed: Callable[[], Any],
        *,
        is_change: bool,
    ) -> None:
        """`models` are URIs to choose from, and what is shown for them."""
        super().__init__(form, changed)
        self._start, self._models = start, models
        self._is_change = is_change

    def build(self) -> None:
        with widgets.card("What it serves").classes("sp-form"):
            self._build_model()
        with widgets.card("How many, and how large").classes("sp-form"):
            self._build_size()
        with widgets.card().classes("sp-form"):
            self._build_more()

    def read(self) -> Language:
        """Raises NotAValueError, ValueError."""
        start = self._start
        return Language(
            name=start.name if self._is_change else str(self._name.raw).strip(),
            namespace=start.namespace,
            uri=str(self._uri.raw).strip(),
            model=str(self._model.raw).strip(),
            adapters=self._adapters.read(),
            configurations=tuple(str(self._configurations.raw).replace(",", " ").split()),
            replicas=whole(self._replicas),
            most=whole(self._most),
            image=str(self._image.raw).strip(),
            arguments=str(self._arguments.raw),
            environment=self._environment.read(),
            cpu=str(self._cpu.raw).strip(),
            memory=str(self._memory.raw).strip(),
            gpu=str(self._gpu.raw).strip(),
            limits=start.limits,
            router=start.router,
        )

    def _build_model(self) -> None:
        start = self._start
        if not self._is_change:
            about = About("name", "Name", "Its address ends with it.", required=True)
            self._name = self._add(TextField(about, start.name, check=checks.name, change=self._changed))
        hint = "hf://ORGANISATION/MODEL, s3://, pvc://CLAIM/PATH, file:///path; or a model that a run made."
        self._uri = self._add(
            ChoiceField(
                About("uri", "Model from", hint),
                list(self._models),
                start.uri,
                free=True,
                placeholder="hf://Qwen/Qwen2.5-0.5B-Instruct",
                check=checks.uri,
                change=self._changed,
            )
        )
        hint = "By which requests name it; empty for the endpoint's own name."
        self._model = self._text("model", "Name of the model", start.model, hint)
        about = About(
            "adapters", "LoRA adapters", "Names, by which requests ask for them, and where they are."
        )
        self._adapters = self._add(
            PairsField(about, dict(start.adapters), check=checks.adapters, change=self._changed)
        )

    def _build_size(self) -> None:
        start = self._start
        with ui.element("div").classes("sp-fields-row"):
            hint = "One unless you say otherwise; the least of them where it is scaled."
            self._replicas = self._number("replicas", "Replicas", start.replicas, hint, checks.count)
            hint = "Scaled up to so many by requests; empty: not scaled."
            self._most = self._number("most", "At most", start.most, hint, checks.one)
        with ui.element("div").classes("sp-fields-row"):
            self._cpu = self._amount("cpu", "CPU of each", start.cpu, "Cores: 2, or 500m")
            self._memory = self._amount("memory", "Memory of each", start.memory, "4Gi, or 512Mi")
            self._gpu = self._amount("gpu", "GPUs of each", start.gpu, "Whole ones")

    def _build_more(self) -> None:
        start = self._start
        with ui.element("details").classes("sp-more") as more:
            if start.image or start.arguments or start.environment or start.configurations:
                more._props["open"] = True
            widgets.Text("summary", "More settings")
            with ui.element("div").classes("sp-form"):
                hint = "As vllm serve takes them: --max-model-len 4096."
                about = About("arguments", "Arguments", hint)
                self._arguments = self._add(
                    TextField(
                        about, start.arguments, lines=2, mono=True, check=checks.words, change=self._changed
                    )
                )
                about = About("environment", "Environment", "VLLM_ADDITIONAL_ARGS, HF_TOKEN, and your own.")
                self._environment = self._add(
                    PairsField(about, dict(start.environment), check=checks.environment, change=self._changed)
                )
                hint = "Empty for the one of the configuration that it begins with."
                self._image = self._text("image", "Image", start.image, hint, mono=True)
                hint = "LLMInferenceServiceConfigs that it begins with, the first one first."
                value = " ".join(start.configurations)
                self._configurations = self._text("configurations", "Configurations", value, hint, mono=True)


PLACES = {
    "metadata.name": "name",
    "already exists": "name",
    "spec.model.uri": "uri",
    "spec.model.name": "model",
    "spec.model.lora": "adapters",
    "spec.replicas": "replicas",
    "spec.scaling": "most",
    "spec.baseRefs": "configurations",
    "image": "image",
    "resources": "cpu",
}
"""From what the API's messages name to the name of a field."""
