"""What can be set about serving."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.app.settings import SettingsError, load


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("controllers", "maybe", "one of auto, on, off"),
        ("deployment_mode", "Serverless", "one of auto, Knative, Standard"),
        ("seldon_user_id", -1, "0 or more"),
        ("domain", "a b", "must be a name"),
        ("domain", "Example.com", "must be a name"),
    ],
)
def test_what_cannot_be_set_is_named(tmp_path: Path, name: str, value: object, words: str) -> None:
    with pytest.raises(SettingsError, match=f"serving.{name}.*{words}"):
        load(tmp_path, overrides={f"serving.{name}": value})


def test_a_number_that_may_be_missing_is_read_from_the_environment(tmp_path: Path) -> None:
    assert load(tmp_path).serving.seldon_user_id is None
    told = load(tmp_path, environ={"SAMPAN_SERVING_SELDON_USER_ID": "8888"})
    assert told.serving.seldon_user_id == 8888
    with pytest.raises(SettingsError, match=r"serving\.seldon_user_id must be a whole number"):
        load(tmp_path, environ={"SAMPAN_SERVING_SELDON_USER_ID": "root"})
