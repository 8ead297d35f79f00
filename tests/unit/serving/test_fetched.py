"""Libraries that were imported before the process became a pod's keep what they fetch in that pod's home."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from sampan.components.serving.engine.programs.modelserver.runtimes.language.fetched import home_of, settle


def module(monkeypatch: pytest.MonkeyPatch, name: str, **values: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(values)
    monkeypatch.setitem(sys.modules, name, made)
    return made


def test_what_was_read_too_early_is_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/pods/one")
    early = "/nowhere/.cache/huggingface"
    constants = module(
        monkeypatch,
        "huggingface_hub.constants",
        HF_HOME=early,
        HF_HUB_CACHE=f"{early}/hub",
        HF_TOKEN_PATH="/secrets/token",
        OTHER=f"{early}-other",
        RETRIES=3,
    )
    copied = module(monkeypatch, "transformers.utils.hub", CACHE=f"{early}/modules")
    stranger = module(monkeypatch, "somebody.else", CACHE=f"{early}/hub")
    settle()
    own = "/pods/one/.cache/huggingface"
    assert own == constants.HF_HOME
    assert f"{own}/hub" == constants.HF_HUB_CACHE
    assert f"{own}/modules" == copied.CACHE
    assert constants.HF_TOKEN_PATH == "/secrets/token"
    assert (f"{early}-other", 3, f"{early}/hub") == (constants.OTHER, constants.RETRIES, stranger.CACHE)
    settle()
    assert f"{own}/hub" == constants.HF_HUB_CACHE


@pytest.mark.parametrize(
    ("environ", "home"),
    [
        ({}, "/pods/one/.cache/huggingface"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/huggingface"),
        ({"HF_HOME": "~/hub", "XDG_CACHE_HOME": "/cache"}, "/pods/one/hub"),
    ],
)
def test_home(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], home: str) -> None:
    monkeypatch.setenv("HOME", "/pods/one")
    assert home_of(environ) == home
