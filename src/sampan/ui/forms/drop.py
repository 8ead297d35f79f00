"""A place for one file: dropped there, or picked. The browser sends it as it is picked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import UploadEventArguments

Take = Callable[[str, bytes], Awaitable[None]]
"""Gets the file's name and its content."""


class FileDrop(ui.upload, component="drop.js"):
    def __init__(self, take: Take, *, label: str, hint: str, accept: str, most_bytes: int) -> None:
        async def pass_on(event: UploadEventArguments) -> None:
            await take(event.file.name, await event.file.read())

        super().__init__(on_upload=pass_on, auto_upload=True, max_files=1, max_file_size=most_bytes)
        self._props.update(label=label, hint=hint, accept=accept, most=most_bytes)
