"""The pages of serving in the dashboard. `INTERFACE` is what the shell is told of them.

They reach endpoints and all else through the API alone (`ui.api`), as the user whose tab it is; what is tried goes from
the browser through the gateway.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.serving.ui import home, places, search
from sampan.components.serving.ui.endpoint_list import page as endpoint_list
from sampan.components.serving.ui.endpoint_page import page as endpoint_page
from sampan.components.serving.ui.new_endpoint import page as new_endpoint
from sampan.ui.contract import Interface, NavEntry, NavSection, Page, QuickAction

_HERE = Path(__file__).parent

INTERFACE = Interface(
    sections=(NavSection("Serving", (NavEntry("Endpoints", places.LIST, places.ICON, key="m"),), order=24),),
    pages=(
        Page(places.LIST, "Endpoints", endpoint_list.build),
        Page(places.NEW, "New endpoint", new_endpoint.build, parent=places.LIST),
        Page("/serving/{plural}/{namespace}/{name}", "Endpoint", endpoint_page.build, parent=places.LIST),
    ),
    searches=(search.search,),
    feeds=(search.feed,),
    home=home.CARDS,
    quick_actions=(QuickAction("New endpoint", places.NEW, places.ICON, order=24),),
    styles=(_HERE / "serving.css",),
)
