"""Which models there are and which of them are ready. Cases by kserve 0.21's test_dataplane.py and
test_model_repository_extension.py."""

from __future__ import annotations

import asyncio

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import Metadata
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.repository import Repository


class OfAUser:
    """As the adapter shows a class of the user's."""

    def __init__(self, name: str, *, ready: bool) -> None:
        self.metadata, self.ready = Metadata(name, "", (), ()), ready

    def close(self) -> None: ...


def repository(**ready: bool) -> Repository:
    made = Repository(None)
    for name, is_ready in ready.items():
        made.add(name, OfAUser(name, ready=is_ready))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("models", "is_ready"),
    [({}, True), ({"a": True}, True), ({"a": True, "b": False}, True), ({"b": False}, False)],
)
def test_a_server_is_ready_while_any_of_its_models_is(models: dict[str, bool], is_ready: bool) -> None:
    assert repository(**models).is_ready() is is_ready


def test_a_model_tells_of_itself_before_it_is_ready() -> None:
    found = repository(late=False)
    assert found.described("late").metadata.name == "late"
    with pytest.raises(RequestError) as refused:
        found.ready("late")
    assert (refused.value.status, refused.value.message) == (503, "Model with name late is not ready.")
    with pytest.raises(RequestError) as refused:
        found.described("none")
    assert refused.value.status == 404


def test_models_of_a_program_have_been_loaded_by_it() -> None:
    found = repository(here=True, late=False)
    assert asyncio.run(found.load("here")).name == "here"
    for name in ("late", "none"):
        with pytest.raises(RequestError) as refused:
            asyncio.run(found.load(name))
        assert (refused.value.status, refused.value.message) == (
            503,
            f"Model with name {name} is not ready.",
        )
