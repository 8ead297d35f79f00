"""Requests to models that come compressed: what is small and means a lot (rows 6 and 13)."""

from __future__ import annotations

import gzip
import zlib

import pytest

from sampan.components.serving.engine.programs.modelserver.http.unpacking import UnpackError, unpacked
from sampan.components.serving.engine.programs.seldon_executor.execution import CallError
from sampan.components.serving.engine.programs.seldon_executor.rest_calls import Payload

_MANY = 64 * 1024 * 1024
_LIMIT = 512 * 1024 * 1024
PACKERS = {"gzip": lambda data: gzip.compress(data, 6), "deflate": lambda data: zlib.compress(data, 6)}


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_bomb_is_told_before_it_is_large(encoding: str) -> None:
    bomb = PACKERS[encoding](b"0" * _MANY)
    assert len(bomb) * 200 < _MANY
    with pytest.raises(UnpackError) as refused:
        unpacked(bomb, encoding, _LIMIT)
    assert refused.value.status == 413
    with pytest.raises(CallError) as failed:
        _ = Payload(bomb, encoding=encoding).plain
    assert failed.value.status == 413


@pytest.mark.parametrize("encoding", PACKERS)
def test_what_is_small_or_honest_is_read(encoding: str) -> None:
    zeros = b"0" * (4 * 1024 * 1024)
    assert unpacked(PACKERS[encoding](zeros), encoding, _LIMIT) == zeros
    assert Payload(PACKERS[encoding](zeros), encoding=encoding).plain == zeros
    numbers = b",".join(b"%d" % (n * n) for n in range(1_800_000))
    assert len(numbers) > 16 * 1024 * 1024
    assert unpacked(PACKERS[encoding](numbers), encoding, _LIMIT) == numbers


@pytest.mark.parametrize("encoding", PACKERS)
def test_one_that_is_cut_or_none_is_refused(encoding: str) -> None:
    packed = PACKERS[encoding](b'{"instances": [[1, 2, 3, 4]]}' * 100)
    for wrong in (packed[:-5], b"no such thing", b""):
        with pytest.raises(UnpackError) as refused:
            unpacked(wrong, encoding, _LIMIT)
        assert refused.value.status == 400
        with pytest.raises(CallError) as failed:
            _ = Payload(wrong, encoding=encoding).plain
        assert failed.value.status == 400
