"""uv's failures in words for people. The inputs are what uv 0.5 to 0.13 print."""

import pytest

from sampan.cluster.node.environments.uv import explain

BOXED = """Using Python 3.11.7 environment at: env
  × No solution found when resolving dependencies:
  ╰─▶ Because nosuch was not found in the package registry and you require
      nosuch, we can conclude that your requirements are unsatisfiable.
"""
PLAIN = """warning: something else
error: No solution found when resolving dependencies
  cause: Because there is no version of pandas==99.1 and you require pandas==99.1, we can conclude that
your requirements are unsatisfiable.
hint: something long
"""
OFFLINE = """  × No solution found when resolving dependencies:
  ╰─▶ Because six was not found in the cache and you require six, we can
      conclude that your requirements are unsatisfiable.

      hint: Packages were unavailable because the network was disabled.
"""
NETWORK = """error: Failed to fetch: `https://user:secret@pypi.example/simple/six/`
  Caused by: error sending request for url (https://user:secret@pypi.example/simple/six/)
  Caused by: client error (Connect)
  Caused by: dns error: failed to lookup address information
"""
DISK = "error: Failed to write to `/x`\n  Caused by: No space left on device (os error 28)\n"


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        (BOXED, 'the package "nosuch" does not exist'),
        (PLAIN, "there is no version pandas==99.1"),
        (OFFLINE, "six was not found in the cache"),
        (NETWORK, "the package index cannot be reached"),
        (DISK, "the disk is full"),
        ("", "uv ended with status 2"),
    ],
)
def test_the_reason(errors: str, says: str) -> None:
    reason = explain(errors, 2)
    assert says in reason
    assert "\n" not in reason
    assert "secret" not in reason
    assert "│" not in reason
    assert not reason.endswith(".")


def test_long_reasons_are_cut() -> None:
    assert len(explain("error: " + "x" * 10_000, 1)) <= 500
