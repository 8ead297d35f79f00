"""`python3 -m sampan_serving.modelserver`, as pods start it."""

import sys

from sampan.components.serving.engine.programs.modelserver.program import main

sys.exit(main(sys.argv[1:]))
