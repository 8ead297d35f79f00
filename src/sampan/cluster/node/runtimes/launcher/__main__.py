"""Where the launcher starts: gives its modules a private package, so that no program ever sees their names.

A forked program must find `sys.path` and `sys.modules` as a fresh interpreter has them.
"""

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "_sampan_launcher"

if sys.path and os.path.abspath(sys.path[0]) == FOLDER:
    del sys.path[0]

import importlib  # noqa: E402  (not before the path is clean)
import types  # noqa: E402

package = types.ModuleType(PACKAGE)
package.__path__ = [FOLDER]
sys.modules[PACKAGE] = package
program = importlib.import_module(PACKAGE + ".main").main(sys.argv[1:])
# In a forked child, and with nothing below it on the stack, as a program has it.
program.run()
