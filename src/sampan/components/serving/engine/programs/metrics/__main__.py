"""`python3 -m sampan_serving.metrics`, as pods start it."""

import sys

from sampan.components.serving.engine.programs.metrics.main import main

sys.exit(main())
