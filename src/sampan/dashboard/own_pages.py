"""What the shell itself shows: home, activity, the cluster's objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sampan.dashboard import activity, home
from sampan.dashboard.capacity import Capacity
from sampan.dashboard.feeds import Activities
from sampan.dashboard.kubernetes.interface import INTERFACE as CLUSTER
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

_STATIC = Path(__file__).parent / "static"
_ENTRIES = (
    NavEntry("Home", "/", "home", key="h"),
    NavEntry("Activity", "/activity", "notifications_none", key="y"),
)

ALWAYS = (CLUSTER,)
"""What is there whatever the components."""


def own(interfaces: Sequence[Interface], capacity: Capacity, activities: Activities) -> Interface:
    """`interfaces` are all others, of which home shows a part."""
    return Interface(
        sections=(NavSection("", _ENTRIES, order=0),),
        pages=(
            Page("/", "Home", home.page(interfaces, capacity, activities)),
            Page("/activity", "Activity", activity.page(activities)),
        ),
        styles=(_STATIC / "shell.css",),
    )
