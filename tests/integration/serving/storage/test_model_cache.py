"""How many downloads of models are kept on this machine, and which go."""

from __future__ import annotations

import os

from sampan.components.serving.controller.model_cache import trim
from sampan.components.serving.engine.programs.initializer import cache
from sampan.components.serving.engine.programs.initializer.items import Item

NOW = 1_000_000.0


def keep(folder, name, size, age):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (NOW - age, NOW - age))
    return path


def test_what_was_not_used_for_longest_goes(tmp_path):
    old, new = keep(tmp_path, "files/aa/old", 600, 90), keep(tmp_path, "files/bb/new", 500, 10)
    tree = keep(tmp_path, "trees/cc/deep/file", 300, 50).parents[1]
    os.utime(tree, (NOW - 50, NOW - 50))
    assert trim(tmp_path, 2000, NOW) == 0
    assert trim(tmp_path, 1000, NOW) == 600
    assert not old.exists()
    assert new.exists()
    assert tree.exists()
    assert trim(tmp_path, 500, NOW) == 300 + 500 or not tree.exists()


def test_what_was_begun_and_left_goes_after_a_day(tmp_path):
    left = keep(tmp_path, "files/aa/x.part", 10, 25 * 3600)
    begun = keep(tmp_path, "files/aa/y.part", 10, 3600)
    trim(tmp_path, 10**9, NOW)
    assert not left.exists()
    assert begun.exists()


def test_what_a_pod_has_stays_with_it(tmp_path):
    kept = cache.Cache(tmp_path / "cache", 10**6)
    place = kept.place(Item("m", lambda _: None, 5, "identity"))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"model")
    assert kept.take(place, tmp_path / "pod/m")
    trim(tmp_path / "cache", 0, NOW)
    assert not place.exists()
    assert (tmp_path / "pod/m").read_bytes() == b"model"
    assert not kept.take(place, tmp_path / "other/m")
    assert not (tmp_path / "other/m").exists()


def test_without_rules_nothing_is_kept(tmp_path):
    found = cache.Cache.of({"SAMPAN_MODEL_CACHE": str(tmp_path)})
    assert found.place(Item("m", lambda _: None, 5, "identity")) is None
    (tmp_path / "rules.json").write_text("[")
    assert cache.most_bytes(tmp_path) == 0
