"""How many downloads of models are kept on this machine, and which go."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
from http.client import HTTPMessage
from pathlib import Path

import pytest

from sampan.components.serving.controller import model_cache
from sampan.components.serving.controller.model_cache import trim
from sampan.components.serving.engine.programs.initializer import cache, places
from sampan.components.serving.engine.programs.initializer.items import Item
from sampan.components.serving.engine.programs.initializer.transfer import Limits, Transfer
from sampan.components.serving.engine.programs.initializer.web import Answer

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


def a_tree(tmp_path):
    kept = cache.Cache(tmp_path / "cache", 10**6)
    for name in ("one/file", "two/file"):
        tree = keep(tmp_path, f"cache/trees/{'a' * 64}/{name}", 300, 10).parents[1]
    return kept, tree


def test_what_goes_while_a_pod_takes_it_is_not_taken_in_part(tmp_path, monkeypatch):
    """Folders that were gone were passed over in silence: the model was half there, and started."""
    kept, tree = a_tree(tmp_path)
    put = places.put

    def trimmed_at_the_first(*arguments, **options):
        put(*arguments, **options)
        monkeypatch.setattr(places, "put", put)
        assert trim(tmp_path / "cache", 0, NOW) == 600

    monkeypatch.setattr(places, "put", trimmed_at_the_first)
    assert not kept.take(tree, tmp_path / "pod")
    assert not list((tmp_path / "cache/trees").iterdir())


def test_what_a_pod_takes_is_used_for_shortest(tmp_path, monkeypatch):
    """Also where it was looked at before that."""
    kept, tree = a_tree(tmp_path)
    look = model_cache._kept

    def taken_after_the_look(folder):
        found = list(look(folder))
        assert kept.take(tree, tmp_path / "pod")
        return found

    monkeypatch.setattr(model_cache, "_kept", taken_after_the_look)
    assert trim(tmp_path / "cache", 0, NOW) == 0
    assert sorted(path.name for path in tree.iterdir()) == ["one", "two"]


def test_what_was_fetched_is_there_also_where_the_cache_lets_it_go_at_once(tmp_path, monkeypatch):
    kept = cache.Cache(tmp_path / "cache", 10**6)
    replace = Path.replace

    def replaced(part, place):
        replace(part, place)
        if "cache" in place.parts:
            place.unlink()

    monkeypatch.setattr(Path, "replace", replaced)
    answer = Answer(200, "OK", "", HTTPMessage(), io.BytesIO(b"model"))
    item = Item("m", lambda _: contextlib.nullcontext(answer), 5, "identity")
    (place,) = Transfer(kept, Limits(), print).fetch([item], tmp_path / "pod")
    assert place.read_bytes() == b"model"
    assert not kept.has(item)


def test_a_lock_that_is_held_stays(tmp_path):
    kept = cache.Cache(tmp_path / "cache", 10**6)
    place = tmp_path / "cache/files/aa/x"
    lock = place.with_name("x.lock")
    with kept.locked(place):
        os.utime(lock, (NOW - 25 * 3600, NOW - 25 * 3600))
        trim(tmp_path / "cache", 10**9, NOW)
        assert lock.exists()
    os.utime(lock, (NOW - 25 * 3600, NOW - 25 * 3600))
    trim(tmp_path / "cache", 10**9, NOW)
    assert not lock.exists()


def test_a_lock_that_goes_while_it_is_waited_for_is_not_enough(tmp_path, monkeypatch):
    kept = cache.Cache(tmp_path / "cache", 10**6)
    place = tmp_path / "cache/files/aa/x"
    lock, flock = place.with_name("x.lock"), fcntl.flock

    def gone(*arguments):
        monkeypatch.setattr(fcntl, "flock", flock)
        lock.unlink()
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", gone)
    with kept.locked(place), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_rules_nothing_is_kept(tmp_path):
    found = cache.Cache.of({"SAMPAN_MODEL_CACHE": str(tmp_path)})
    assert found.place(Item("m", lambda _: None, 5, "identity")) is None
    (tmp_path / "rules.json").write_text("[")
    assert cache.most_bytes(tmp_path) == 0
