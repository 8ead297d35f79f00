"""The package of CEL is there without its command line."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from sampan.lib.common_expressions import cel
assert "cel" not in sys.modules
assert cel().evaluate("1 + x", {"x": 2}) == 3
assert "prompt_toolkit" not in sys.modules and "cel.cli" not in sys.modules
import cel.cli
assert hasattr(cel.cli, "app") and cel.cli.__file__
"""


def test_the_command_line_of_cel_is_not_loaded() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)
