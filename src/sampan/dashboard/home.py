"""The first page: what runs, what failed, what waits, how much room there is, and where to go from here."""

from __future__ import annotations

from sampan.ui import widgets
from sampan.ui.context import PageContext


async def build(page: PageContext) -> None:
    page.set_title("Home")
    widgets.page_header("Home")
