"""Query parameters that are numbers."""

from __future__ import annotations

import pytest

from sampan.cluster.apiserver import params
from sampan.kube.errors import BadRequestError


@pytest.mark.parametrize(
    "text", ["9" * 24, "9223372036854775808", "9" * 5000, "1_000", " 1", "１", "1.5", "0x10"]
)
def test_what_go_would_not_read_as_an_integer_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="limit must be an integer of 64 bits"):
        params.list_options({"limit": text})
    with pytest.raises(BadRequestError, match="gracePeriodSeconds must be an integer"):
        params.delete_options({"gracePeriodSeconds": text}, None)


def test_the_largest_is_read() -> None:
    assert params.list_options({"limit": "9223372036854775807"}).limit == 2**63 - 1


def test_a_grace_period_in_a_body_has_64_bits_too() -> None:
    with pytest.raises(BadRequestError, match="gracePeriodSeconds must be an integer"):
        params.delete_options({}, {"gracePeriodSeconds": 10**24})
