from __future__ import annotations

from collections.abc import Callable

import pytest

from sampan.testing.gateways import play


@pytest.fixture
def run() -> Callable[..., None]:
    """Runs a test's coroutine with a gateway in front of servers whose every byte the test decides."""
    return play
