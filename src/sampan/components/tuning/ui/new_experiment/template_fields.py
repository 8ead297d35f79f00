"""What each trial of a new experiment runs: a script, an object as YAML, or one that is kept in a ConfigMap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import template_text
from sampan.components.tuning.ui.new_experiment import program
from sampan.components.tuning.ui.new_experiment.wanted import CONFIG_MAP, SCRIPT, YAML, Program, Template
from sampan.kube import quantities
from sampan.ui import widgets
from sampan.ui.code.view import CodeView
from sampan.ui.forms.fields import About, ChoiceField, PairsField, SwitchField, TextField
from sampan.ui.forms.form import Form

Templates = Mapping[str, str]
"""Those in ConfigMaps: the text of each by its place, `NAMESPACE/NAME/KEY`."""

SCRIPT_TO_BEGIN = """import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
given = parser.parse_args()

for epoch in range(1, 6):
    loss = (given.lr - 0.03) ** 2 * 500 + abs(given.layers - 4) / 10 + 1 / epoch
    print(f"epoch={epoch} loss={loss:.4f}", flush=True)
"""


class TemplateFields:
    def __init__(
        self,
        form: Form,
        start: Template,
        templates: Templates,
        changed: Callable[[], Any],
        names: Callable[[], list[str]],
    ) -> None:
        """`names` gives the parameters' names as they are now."""
        self._form = form
        self._start = start
        self._templates = templates
        self._changed = changed
        self._names = names
        self._build()

    def _build(self) -> None:
        found, add = self._start.program, self._form.add
        sources = [(SCRIPT, "Python script"), (YAML, "YAML of an object"), (CONFIG_MAP, "A kept template")]
        about = About("source", "From")
        self._source = add(ChoiceField(about, sources, found.source, segments=True, change=self._switch))
        with ui.element("div").classes("sp-form") as self._of_script:
            self._build_script(found)
        with ui.element("div").classes("sp-form") as self._of_yaml:
            hint = "Of any kind that the cluster serves. ${trialParameters.NAME} stands for a value."
            self._yaml = add(
                TextField(
                    About("template", "Object", hint, required=True),
                    found.text or template_text.TO_BEGIN,
                    lines=16,
                    mono=True,
                    check=lambda text: template_text.problem(str(text)),
                    change=self._changed,
                )
            )
        with ui.element("div").classes("sp-form") as self._of_map:
            options = [(key, _label(key)) for key in self._templates]
            if found.config_map and found.config_map not in self._templates:
                options.append((found.config_map, _label(found.config_map)))
            hint = "From ConfigMaps with the label katib.kubeflow.org/component=trial-templates."
            about = About("kept", "Template", hint, required=True)
            chosen = found.config_map or (options[0][0] if options else "")
            self._kept = add(
                ChoiceField(about, options, chosen, change=self._switch, placeholder="Choose a template")
            )
            self._preview = ui.element("div")
        self._drawn = ""
        self._arrange()

    def _build_script(self, found: Program) -> None:
        add, changed = self._form.add, self._changed
        about = About("script", "Script", "It prints its metrics: loss=0.12", required=True)
        self._script = add(
            TextField(about, found.script or SCRIPT_TO_BEGIN, lines=12, mono=True, change=changed)
        )
        hint = "As in a shell. Empty: each parameter by its name, --lr=…"
        self._arguments = add(
            TextField(
                About("arguments", "Arguments", hint),
                found.arguments,
                mono=True,
                check=lambda text: program.arguments_problem(str(text)),
                change=changed,
            )
        )
        self._image = add(
            TextField(About("image", "Image", required=True), found.image, mono=True, change=changed)
        )
        with ui.element("div").classes("sp-fields-row"):
            self._cpu = self._amount("cpu", "CPU", found.cpu, "Cores: 2, or 500m")
            self._memory = self._amount("memory", "Memory", found.memory, "4Gi, or 512Mi")
            self._gpu = self._amount("gpu", "GPUs", found.gpu, "Whole ones")

    def _amount(self, name: str, label: str, value: str, hint: str) -> TextField:
        about = About(name, label, hint)
        return self._form.add(TextField(about, value, check=_amount_problem, change=self._changed))

    def build_more(self) -> None:
        """Among the further settings."""
        start, add = self._start, self._form.add
        hint = (
            "By name: ${trialParameters.NAME} is the parameter, or ${trialSpec.Name} and the like of the trial. "
            "Empty: each by the same name."
        )
        shown = {} if _is_usual(start.references, self._names()) else dict(start.references)
        self._references = add(
            PairsField(About("references", "Names in the template", hint), shown, change=self._changed)
        )
        with ui.element("div").classes("sp-fields-row"):
            about = About("container", "Container that trains", required=True)
            self._container = add(TextField(about, start.container, change=self._changed))
        about = About("retain", "Run objects stay when trials have ended")
        self._retain = add(SwitchField(about, start.retain, change=self._changed))
        about = About(
            "labels", "Labels of the pods that count", "For kinds of yours; known kinds have theirs."
        )
        self._labels = add(PairsField(about, dict(start.labels), change=self._changed))
        for name, label, value in (
            ("succeeded", "Has succeeded when this finds something", start.succeeded),
            ("failed", "Has failed when this finds something", start.failed),
        ):
            hint = "A GJSON path in the run object; known kinds have theirs."
            field = add(TextField(About(name, label, hint), value, mono=True, change=self._changed))
            if name == "succeeded":
                self._succeeded = field
            else:
                self._failed = field

    def read(self) -> Template:
        return replace(
            self._start,
            program=self._program(),
            references=self._read_references(),
            container=str(self._container.read()).strip(),
            retain=bool(self._retain.read()),
            labels=self._labels.read(),
            succeeded=str(self._succeeded.read()).strip(),
            failed=str(self._failed.read()).strip(),
        )

    def _program(self) -> Program:
        source = str(self._source.read())
        if source == YAML:
            return Program(source=YAML, text=str(self._yaml.read()))
        if source == CONFIG_MAP:
            return Program(source=CONFIG_MAP, config_map=str(self._kept.read()))
        texts = (self._script, self._arguments, self._image, self._cpu, self._memory, self._gpu)
        script, arguments, image, cpu, memory, gpu = (str(each.read()) for each in texts)
        return Program(
            SCRIPT, script, arguments.strip(), image.strip(), cpu.strip(), memory.strip(), gpu.strip()
        )

    def _read_references(self) -> Mapping[str, str]:
        given = self._references.read()
        if given:
            return given
        start, names = self._start.references, self._names()
        # In the order in which they were given, where nothing else is.
        return start if _is_usual(start, names) and start else {}

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        source = str(self._source.read())
        for key, place in ((SCRIPT, self._of_script), (YAML, self._of_yaml), (CONFIG_MAP, self._of_map)):
            place.set_visibility(key == source)
        for field in (self._script, self._arguments, self._image, self._cpu, self._memory, self._gpu):
            field.show(source == SCRIPT)
        self._yaml.show(source == YAML)
        self._kept.show(source == CONFIG_MAP)
        if source == CONFIG_MAP:
            self._show_kept(str(self._kept.read()))

    def _show_kept(self, key: str) -> None:
        if key == self._drawn:
            return
        self._drawn = key
        self._preview.clear()
        with self._preview:
            if text := self._templates.get(key):
                CodeView(text, label=f"Template {key}", language="yaml", height="36vh")
            else:
                widgets.paragraph("There is no such template here, or you may not see it.", "sp-muted")


def _is_usual(references: Mapping[str, str], names: list[str]) -> bool:
    """Each parameter by its own name, and nothing else."""
    return all(name == reference for name, reference in references.items()) and set(references) == set(names)


def _label(key: str) -> str:
    namespace, _, rest = key.partition("/")
    name, _, path = rest.partition("/")
    return f"{path} · {name} in {namespace}"


def _amount_problem(text: Any) -> str:
    given = str(text).strip()
    if not given:
        return ""
    try:
        quantities.parse(given)
    except ValueError:
        return "Write an amount, such as 2, 500m or 4Gi"
    return ""
