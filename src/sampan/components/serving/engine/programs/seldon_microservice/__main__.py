"""`python -m …seldon_microservice MODULE[.CLASS] …`."""

import sys

from sampan.components.serving.engine.programs.seldon_microservice.main import main

sys.exit(main(sys.argv[1:]))
