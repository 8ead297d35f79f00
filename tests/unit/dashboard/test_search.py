"""Where one can go without searching."""

from __future__ import annotations

from sampan.dashboard.search import places
from sampan.ui.contract import Interface, NavEntry, NavSection, QuickAction


def test_pages_and_what_can_be_begun_are_found_by_name_and_key() -> None:
    sections = [
        NavSection("Pipelines", (NavEntry("Runs", "/runs", "play", key="r"), NavEntry("A", "/a", "b")))
    ]
    actions = (
        QuickAction("Upload", "/pipelines/upload", "up", 2),
        QuickAction("New run", "/runs/new", "add", 1, "n"),
    )
    found = places(sections, [Interface(quick_actions=actions)])
    assert [each["name"] for each in found] == ["Runs", "A", "New run", "Upload"]
    assert [each["keys"] for each in found] == [["g", "r"], None, ["n"], None]
