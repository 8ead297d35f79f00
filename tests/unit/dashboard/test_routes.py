"""Which page a path leads to."""

from __future__ import annotations

import pytest

from sampan.dashboard.routes import Routes, current, filled
from sampan.ui.context import PageContext
from sampan.ui.contract import Interface, NavEntry, NavSection, Page


async def build(page: PageContext) -> None:
    raise NotImplementedError


PAGES = (
    Page("/", "Home", build),
    Page("/runs", "Runs", build),
    Page("/runs/new", "New run", build, parent="/runs"),
    Page("/runs/{run_id}", "Run", build, parent="/runs"),
    Page("/runs/{run_id}/tasks/{task}", "Task", build, parent="/runs/{run_id}"),
)
LINKS = {
    "/runs/details/{run_id}": "/runs/{run_id}",
    "/runs": "/runs",
    "/compare": "/compare?runs={runlist}",
    "/pipelines/details/{id}/version/{version}": "/pipelines/{id}/versions/{version}",
}
ROUTES = Routes([Interface(pages=PAGES, upstream_links=LINKS)])


@pytest.mark.parametrize(
    ("path", "title", "params"),
    [
        ("/", "Home", {}),
        ("", "Home", {}),
        ("/runs", "Runs", {}),
        ("/runs/", "Runs", {}),
        ("/runs/new", "New run", {}),
        ("/runs/a%2Fb%20c", "Run", {"run_id": "a/b c"}),
        ("/runs/new/tasks/t", "Task", {"run_id": "new", "task": "t"}),
    ],
)
def test_the_page_and_its_parameters(path: str, title: str, params: dict[str, str]) -> None:
    found = ROUTES.find(path)
    assert found is not None
    assert (found[0].title, found[1]) == (title, params)


def test_what_is_no_page() -> None:
    assert ROUTES.find("/runs/a/b") is None
    assert ROUTES.find("/elsewhere") is None


def test_two_pages_of_one_path_are_refused() -> None:
    twice = Interface(pages=(Page("/runs/{id}", "Other", build),))
    with pytest.raises(ValueError, match="two pages"):
        Routes([Interface(pages=PAGES), twice])


def test_parents_lead_upwards_with_their_parameters() -> None:
    found = ROUTES.find("/runs/a%20b/tasks/t")
    assert found is not None
    assert ROUTES.parents(*found) == [("Runs", "/runs"), ("Run", "/runs/a%20b")]


@pytest.mark.parametrize(
    ("fragment", "path"),
    [
        ("/runs/details/123", "/runs/123"),
        ("/runs", "/runs"),
        ("/runs?x=1", "/runs"),
        ("/pipelines/details/p%2F1/version/v", "/pipelines/p%2F1/versions/v"),
        ("/compare?runlist=a,b%26c", "/compare?runs=a%2Cb%26c"),
        ("/compare", "/compare"),
        ("/nowhere", ""),
        ("/runs/details/..%2f..%2fapis", "/runs/..%2F..%2Fapis"),
    ],
)
def test_addresses_of_upstream(fragment: str, path: str) -> None:
    assert ROUTES.of_upstream(fragment) == path


def test_the_entry_that_names_most_of_a_path_is_the_current_one() -> None:
    sections = [
        NavSection("", [NavEntry("Home", "/", "home")]),
        NavSection(
            "P", [NavEntry("Runs", "/runs", "x"), NavEntry("New", "/runs/new", "x", also=("/clone",))]
        ),
    ]

    def label(path: str) -> str:
        entry = current(sections, path)
        return entry.label if entry else ""

    assert [label(path) for path in ("/", "/runs", "/runs/1", "/runs/new", "/clone/2", "/runsmore")] == [
        "Home", "Runs", "Runs", "New", "New", "",
    ]  # fmt: skip


def test_parameters_are_quoted() -> None:
    assert filled("/a/{x}/b", {"x": "?/#"}) == "/a/%3F%2F%23/b"
