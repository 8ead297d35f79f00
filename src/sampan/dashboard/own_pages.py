"""What the shell itself shows: home, search, activity, the cluster's objects."""

from __future__ import annotations

from sampan.dashboard import home
from sampan.dashboard.kubernetes.interface import INTERFACE as CLUSTER
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

OWN = Interface(
    sections=(NavSection("", (NavEntry("Home", "/", "home"),), order=0),),
    pages=(Page("/", "Home", home.build),),
)

INTERFACES = (OWN, CLUSTER)
