"""The explainer as a program. It listens when its explainer is there, and says why where that cannot be."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sampan.components.serving.engine.programs.seldon_explainer.explaining import Explainer, load
from sampan.components.serving.engine.programs.seldon_explainer.options import OptionError, Options, options
from sampan.components.serving.engine.programs.seldon_explainer.predictors import PredictorError, predictor
from sampan.components.serving.engine.programs.seldon_explainer.rest import Rest
from sampan.components.serving.engine.programs.wire.running import Server, run, serve


def main(words: Sequence[str]) -> int:
    try:
        told = options(words, os.environ)
        explainer = load(told, predictor(told))
    except (ImportError, OptionError, PredictorError) as error:
        print(f"nothing can be explained: {error}", file=sys.stderr, flush=True)
        return 1
    return run(lambda: _serve(told, explainer))


async def _serve(told: Options, explainer: Explainer) -> int:
    return await serve(Server(Rest(told, explainer).handle), told.http_port)
