"""`python -m …initializer`."""

from __future__ import annotations

import sys

from sampan.components.serving.engine.programs.initializer.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
