"""Fields that are sent together: checked before they are, and told what the API says of them.

    form = Form(send, label="New run")
    with form:
        name = form.add(TextField(About("name", "Name", required=True)))
        form.buttons("Start", page.href("/runs"))

`send` is called once all fields are right, by the button or by Ctrl+Enter. What it raises as ApiFailureError is shown
at the field that the message names, and above the buttons.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from nicegui import ui
from nicegui.element import Element

from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.forms.fields import Field
from sampan.ui.forms.values import place_of

F = TypeVar("F", bound=Field)

_ON_SEND_KEY = (
    "(event) => { if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') "
    "{ event.preventDefault(); emit(); } }"
)


class Form(Element):
    def __init__(
        self,
        send: Callable[[], Awaitable[None] | None],
        *,
        label: str,
        places: Mapping[str, str] | None = None,
    ) -> None:
        """`places` leads from what the API's messages name (`run.display_name`) to the name of a field."""
        super().__init__("div")
        self.classes("sp-form")
        self._props.update({"role": "form", "aria-label": label})
        self._send = send
        self.places = dict(places or {})
        self.fields: dict[str, Field] = {}
        self._button: Element | None = None
        self._alert: widgets.Text | None = None
        self._is_sending = False
        self.on("keydown", self.submit, js_handler=_ON_SEND_KEY)

    def add(self, field: F) -> F:
        self.fields[field.name] = field
        return field

    def forget(self, name: str) -> None:
        """Forgets a field that is no longer shown."""
        self.fields.pop(name, None)

    def buttons(self, label: str, cancel: str | Callable[[], object] = "") -> Element:
        """The one that sends, and one that leads back, or calls. What is made within comes before them."""
        self._alert = widgets.paragraph("", "sp-form-alert").props('role="alert"')
        self._alert.set_visibility(False)
        with ui.element("div").classes("sp-form-buttons"):
            self._button = widgets.button(label, self.submit, kind="primary")
            self._button._props["aria-keyshortcuts"] = "Control+Enter"
            if callable(cancel):
                widgets.button("Cancel", cancel)
            elif cancel:
                widgets.button("Cancel", href=cancel)
            with ui.element("span").classes("sp-muted"):
                widgets.text("or press Ctrl+Enter")
            return ui.element("span").classes("sp-row")

    def name_button(self, label: str) -> None:
        """The button does something else now."""
        if self._button is not None:
            for part in self._button.default_slot.children:
                if isinstance(part, widgets.Text):
                    part.set_text(label)

    def validate(self) -> bool:
        """Shows what is wrong, and goes to the first of it."""
        wrong = [field for field in self.fields.values() if field.visible and not field.validate()]
        if wrong:
            wrong[0].focus()
            few = len(wrong) == 1
            self.tell(
                f"{wrong[0].about.label}: {wrong[0].problem()}"
                if few
                else f"{len(wrong)} fields need another look"
            )
        return not wrong

    def tell(self, message: str) -> None:
        """Above the buttons."""
        if self._alert is not None:
            self._alert.set_text(message)
            self._alert.set_visibility(bool(message))

    def show(self, error: ApiFailureError) -> None:
        """At the field it is about, if it names one of them."""
        self.tell(error.message)
        field = self.fields.get(place_of(error.message, self.places))
        if field is not None and field.visible:
            field.tell(error.message)
            field.focus()

    async def submit(self) -> None:
        if self._is_sending or not self.validate():
            return
        self._is_sending = True
        self.tell("")
        if self._button is not None:
            self._button._props["disabled"] = True
            self._button.update()
        try:
            sent = self._send()
            if inspect.isawaitable(sent):
                await sent
        except ApiFailureError as error:
            self.show(error)
        finally:
            self._is_sending = False
            if self._button is not None and not self._button.is_deleted:
                self._button.props(remove="disabled")
