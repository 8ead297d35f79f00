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
        ("domain", "a b", "must be a name"),
        ("domain", "Example.com", "must be a name"),
    ],
)
def test_what_cannot_be_set_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"serving.{name}.*{words}"):
        load(tmp_path, overrides={f"serving.{name}": value})
