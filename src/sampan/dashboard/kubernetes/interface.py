"""What the shell is told of the cluster's pages; the package's docstring says where they are."""

from __future__ import annotations

from pathlib import Path

import nicegui

from sampan.dashboard.kubernetes import applying, finding, listing, objects, overview, quota_page
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

_XTERM = Path(nicegui.__file__).parent / "elements" / "xterm" / "dist" / "xterm.css"

INTERFACE = Interface(
    sections=(
        NavSection(
            "Cluster",
            (
                NavEntry("Overview", "/cluster", "dashboard", key="c"),
                NavEntry("Pods", "/cluster/pods", "view_in_ar"),
                NavEntry("Jobs", "/cluster/jobs", "work"),
                NavEntry("Services", "/cluster/services", "lan"),
                NavEntry("Volumes", "/cluster/persistentvolumeclaims", "storage"),
                NavEntry("Events", "/cluster/events", "notifications"),
                NavEntry("Quota", "/cluster/quota", "speed"),
            ),
            order=80,
        ),
    ),
    pages=(
        Page("/cluster", "Cluster", overview.build),
        Page("/cluster/kinds", "All kinds", listing.build_kinds, parent="/cluster"),
        Page("/cluster/apply", "Create from YAML", applying.build, parent="/cluster"),
        Page("/cluster/quota", "Quota", quota_page.build, parent="/cluster"),
        Page("/cluster/{kind}", "Objects", listing.build, parent="/cluster"),
        Page("/cluster/{kind}/{name}", "Object", objects.build, parent="/cluster/{kind}"),
        Page("/cluster/{kind}/{namespace}/{name}", "Object", objects.build, parent="/cluster/{kind}"),
    ),
    searches=(finding.search,),
    feeds=(finding.feed,),
    styles=(Path(__file__).parent / "cluster.css", _XTERM),
)
