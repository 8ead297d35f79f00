"""`python -m …router --graph-json JSON`."""

import sys

from sampan.components.serving.engine.programs.router.main import main

sys.exit(main(sys.argv[1:]))
