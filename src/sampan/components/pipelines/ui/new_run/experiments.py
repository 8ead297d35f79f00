"""The experiment that a run is put into: one that there is, or a new one by its name."""

from __future__ import annotations

from sampan.components.pipelines.ui.pipelines.rows import filter_of, predicate
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, ChoiceField

_API = "/apis/v2beta1/experiments"


class ExperimentField(ChoiceField):
    def __init__(self, page: PageContext, options: list[tuple[str, str]], chosen: str) -> None:
        about = About(
            "experiment",
            "Experiment",
            "Choose one, or write the name of a new one. Empty is the default one.",
        )
        self._page = page
        self._known = dict(options)
        super().__init__(about, options, chosen, look=self._search, free=True, placeholder="Default")

    async def resolved(self) -> str:
        """The id of the one that is chosen; one that is not there yet is made. Raises ApiFailureError."""
        text = str(self.raw).strip()
        if not text or text in self._known:
            return text
        query = {"filter": filter_of(predicate("display_name", text)), "namespace": self._page.namespace}
        found = (await self._page.api.get(_API, query)).get("experiments", ())
        if found:
            return str(found[0]["experiment_id"])
        given = {"display_name": text, "namespace": self._page.namespace}
        made = await self._page.api.post(_API, given, {"namespace": self._page.namespace})
        self._known[made["experiment_id"]] = text
        return str(made["experiment_id"])

    async def _search(self, typed: str) -> list[tuple[str, str]]:
        # What stands there already is no search for others.
        found = await listed(self._page, "" if typed in self._known.values() else typed)
        self._known |= dict(found)
        return found


async def experiment_field(page: PageContext, chosen: str) -> ExperimentField:
    options = await listed(page, "")
    if chosen and chosen not in dict(options):
        try:
            experiment = await page.api.get(f"{_API}/{segment(chosen)}")
            options.insert(0, (chosen, experiment["display_name"]))
        except ApiFailureError:
            chosen = ""
    return ExperimentField(page, options, chosen)


async def listed(page: PageContext, typed: str) -> list[tuple[str, str]]:
    predicates = [predicate("storage_state", "AVAILABLE")]
    if typed:
        predicates.append(predicate("display_name", typed, "IS_SUBSTRING"))
    query = {
        "page_size": "50",
        "sort_by": "last_run_created_at desc",
        "namespace": page.namespace,
        "filter": filter_of(*predicates),
    }
    found = await page.api.get(_API, query)
    return [(each["experiment_id"], each["display_name"]) for each in found.get("experiments", ())]
