"""The first page: what runs, what failed, what waits, how much room there is, and where to go from here.

The parts are those that components bring (`HomeCard`), beside the shell's own two.
"""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.dashboard.activity import Feed
from sampan.dashboard.capacity import Capacity, may_see
from sampan.dashboard.feeds import Activities
from sampan.dashboard.meters import Meters, meters
from sampan.lib.log import get_logger
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.contract import Build, HomeCard, Interface

log = get_logger(__name__)

_LATEST = 8
_LOOK_SECONDS = 5.0


def page(interfaces: Sequence[Interface], capacity: Capacity, activities: Activities) -> Build:
    """The page's `build`."""
    own = (
        HomeCard("Capacity", _capacity(capacity), order=60),
        HomeCard("Lately", _lately(activities), order=70),
    )
    cards = [*own, *(card for each in interfaces for card in each.home)]
    cards.sort(key=lambda card: card.order)
    actions = sorted(
        (action for each in interfaces for action in each.quick_actions), key=lambda action: action.order
    )

    async def build(page: PageContext) -> None:
        with widgets.page_header("Home"):
            for index, action in enumerate(actions):
                kind = "" if index else "primary"
                widgets.button(action.label, href=page.href(action.path), icon=action.icon, kind=kind)
        with ui.element("div").classes("sp-home"):
            for card in cards:
                await _show(card, page)

    return build


async def _show(card: HomeCard, page: PageContext) -> None:
    """One that fails says so in its own place: the others are there."""
    place = widgets.card(card.title) if card.title else ui.element("div").classes("sp-bare")
    if card.wide or not card.title:
        place.classes("sp-wide")
    with place:
        try:
            await card.build(page)
        except ApiFailureError as error:
            widgets.paragraph(error.message, "sp-muted")
        except Exception as error:
            log.error("a part of the home page failed", card=card.title, exc=error)
            widgets.paragraph("This could not be shown; the server's log says why.", "sp-muted")


def _capacity(capacity: Capacity) -> Build:
    async def build(page: PageContext) -> None:
        if not await may_see(page.api):
            widgets.paragraph("You may not see the cluster's nodes.", "sp-muted")
            return
        empty = widgets.paragraph("Measured every 15 seconds; the first measure is on its way.", "sp-muted")
        drawn = Meters()

        def show() -> None:
            found = meters(capacity.samples)
            empty.set_visibility(not found)
            drawn.show(found)

        show()
        page.every(_LOOK_SECONDS, show)

    return build


def _lately(activities: Activities) -> Build:
    async def build(page: PageContext) -> None:
        feed = Feed()

        async def show() -> None:
            feed.show((await activities.latest(page.api, page.namespace))[:_LATEST], page.href)

        await show()
        page.every(_LOOK_SECONDS, show)
        widgets.link("All activity", page.href("/activity"))

    return build
