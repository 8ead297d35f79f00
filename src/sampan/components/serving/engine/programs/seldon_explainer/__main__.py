"""`python -m …seldon_explainer --predictor_host HOST … AnchorTabular`, or by the variables of MLServer's runtime."""

import sys

from sampan.components.serving.engine.programs.seldon_explainer.main import main

sys.exit(main(sys.argv[1:]))
