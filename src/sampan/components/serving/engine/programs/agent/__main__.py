"""`python3 -m sampan_serving.agent`, as pods start it."""

import sys

from sampan.components.serving.engine.programs.agent.main import main

sys.exit(main(sys.argv[1:]))
