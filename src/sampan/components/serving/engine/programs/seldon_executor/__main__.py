"""`python -m …seldon_executor --sdep NAME --predictor NAME …`."""

import sys

from sampan.components.serving.engine.programs.seldon_executor.main import main

sys.exit(main(sys.argv[1:]))
