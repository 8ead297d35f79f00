"""The archive: runs and experiments that were put away, to be restored or deleted for good."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from sampan.components.pipelines.ui import filters
from sampan.components.pipelines.ui.link_tabs import link_tabs
from sampan.components.pipelines.ui.paged import Listed, PagedTable
from sampan.components.pipelines.ui.states import shown
from sampan.components.pipelines.ui.upkeep import bulk
from sampan.ui import widgets, words
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, Row

_ACTIONS = [("restore", "Restore", "unarchive"), ("delete", "Delete", "delete")]
_RUN_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("state", "State", sort="state"),
    Column("duration", "Duration"),
    Column("created", "Started", sort="created_at"),
    Column("actions", "", narrow=True),
)
_EXPERIMENT_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("last", "Last run", sort="last_run_created_at"),
    Column("created", "Made", sort="created_at"),
    Column("actions", "", narrow=True),
)
_RUNS_LOST = (
    "All of their steps, parameters and metrics.",
    "The logs of their steps.",
    "Artifacts that no other run uses, with their files.",
)
_EXPERIMENTS_LOST = (
    "Their names and descriptions.",
    "Their runs stay, in the archive, without an experiment.",
)


async def build(page: PageContext) -> None:
    await _Archive(page, "runs").build()


async def build_experiments(page: PageContext) -> None:
    await _Archive(page, "experiments").build()


class _Archive:
    def __init__(self, page: PageContext, kind: str) -> None:
        """`kind` is `runs` or `experiments`, as in the API's paths."""
        self._page = page
        self._kind = kind
        self._noun = "run|runs" if kind == "runs" else "experiment|experiments"
        self._key = "run_id" if kind == "runs" else "experiment_id"
        self._text = page.query.get("q", "")
        self._list: PagedTable
        self._bar: bulk.Bar

    async def build(self) -> None:
        widgets.page_header("Archive", "What was put away is out of the lists, and nothing of it is lost.")
        link_tabs(
            self._page,
            "Parts of the archive",
            (("Runs", "/archive"), ("Experiments", "/archive/experiments")),
        )
        with filters.bar():
            SearchBox("Search by name", self._text, self._search)
        self._bar = bulk.Bar(self._noun)
        with self._bar.actions:
            widgets.button("Restore", lambda: self._restore(self._picked()), icon="unarchive")
            widgets.button("Delete", lambda: self._delete(self._picked()), icon="delete", kind="danger")
        is_runs = self._kind == "runs"
        listed = Listed(
            f"/apis/v2beta1/{self._kind}",
            self._kind,
            self._noun,
            _RUN_COLUMNS if is_runs else _EXPERIMENT_COLUMNS,
            self._run_row if is_runs else self._experiment_row,
            self._empty,
        )
        self._list = PagedTable(
            self._page,
            listed,
            label=f"Archived {self._kind}",
            pick=self._bar.picked,
            on_action=self._act,
        )
        await self._ask()

    async def _ask(self) -> None:
        predicates = [{"operation": "EQUALS", "key": "storage_state", "string_value": "ARCHIVED"}]
        if self._text:
            predicates.append({"operation": "IS_SUBSTRING", "key": "name", "string_value": self._text})
        query = {"filter": json.dumps({"predicates": predicates})}
        await self._list.show(query, narrowed=bool(self._text))

    async def _search(self, text: str) -> None:
        self._text = text
        self._page.set_query(q=text)
        await self._ask()

    def _picked(self) -> list[Any]:
        return [self._list.items[key] for key in self._list.table.picked if key in self._list.items]

    async def _act(self, key: str, name: str) -> None:
        things = [self._list.items[key]]
        await (self._restore(things) if name == "restore" else self._delete(things))

    async def _restore(self, things: Sequence[Mapping[str, Any]]) -> None:
        done = (
            f"{things[0]['display_name']} is restored."
            if len(things) == 1
            else f"{words.counted(len(things), self._noun)} are restored."
        )
        if self._kind == "experiments":
            done += " Their runs stay in the archive: restore those that you want."
        await bulk.each(
            self._page, things, lambda thing: self._post(thing, "unarchive"), "display_name", done
        )
        self._list.table.clear_picked()
        self._bar.picked([])

    async def _delete(self, things: Sequence[Mapping[str, Any]]) -> None:
        what = words.counted(len(things), self._noun)
        lost = _RUNS_LOST if self._kind == "runs" else _EXPERIMENTS_LOST
        names = words.listed([str(thing["display_name"]) for thing in things])

        async def go() -> None:
            await bulk.each(
                self._page,
                things,
                lambda thing: self._page.api.delete(self._path(thing)),
                "display_name",
                f"{what} {'is' if len(things) == 1 else 'are'} deleted.",
            )
            self._list.table.clear_picked()
            self._bar.picked([])

        title = f"Delete {names[0]} for good?" if len(things) == 1 else f"Delete {what} for good?"
        widgets.confirm(title, [*(names if len(things) > 1 else []), *lost], go, label=f"Delete {what}")

    def _post(self, thing: Mapping[str, Any], verb: str) -> Awaitable[Any]:
        return self._page.api.post(f"{self._path(thing)}:{verb}")

    def _path(self, thing: Mapping[str, Any]) -> str:
        return f"/apis/v2beta1/{self._kind}/{segment(str(thing[self._key]))}"

    def _run_row(self, run: Any) -> Row:
        word, tone, icon = shown(run.get("state", ""))
        return Row(
            run["run_id"],
            {
                "name": cells.link(run["display_name"], self._page.href(f"/runs/{run['run_id']}")),
                "state": cells.state(word, tone, icon),
                "duration": cells.duration(run["created_at"], run.get("finished_at", "")),
                "created": cells.time(run["created_at"]),
                "actions": cells.actions(_ACTIONS),
            },
            name=run["display_name"],
        )

    def _experiment_row(self, experiment: Any) -> Row:
        key, name = experiment["experiment_id"], experiment["display_name"]
        last = experiment.get("last_run_created_at", "")
        return Row(
            key,
            {
                "name": cells.link(
                    name, self._page.href(f"/experiments/{key}"), experiment.get("description", "")[:120]
                ),
                # As upstream writes it for none.
                "last": "" if last.startswith("1970-01-01") else cells.time(last),
                "created": cells.time(experiment["created_at"]),
                "actions": cells.actions(_ACTIONS),
            },
            name=name,
        )

    def _empty(self) -> None:
        path = "/runs" if self._kind == "runs" else "/experiments"
        widgets.empty_state(
            "inventory_2",
            f"No archived {self._kind}",
            f"Archive {self._kind} that you are done with: they come here, and can be restored.",
            [(self._kind.capitalize(), self._page.href(path))],
        )
