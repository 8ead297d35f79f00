"""Where Hugging Face's libraries keep what they fetch: in the home of the pod whose process this is.

They read it from the environment while they are imported, and the interpreter may have imported them before it became
this pod's (`preload`). Called by `pretrained`. Source: huggingface_hub 1.0 src/huggingface_hub/constants.py (HF_HOME).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_LIBRARIES = ("huggingface_hub", "transformers")


def settle() -> None:
    """Their constants, as the environment has them now."""
    constants = sys.modules.get("huggingface_hub.constants")
    stale, own = str(getattr(constants, "HF_HOME", "")), home_of(os.environ)
    if not stale or stale == own:
        return
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _LIBRARIES:
            told = {key: value for key, value in vars(module).items() if isinstance(value, str)}
            for key, value in told.items():
                if value == stale or value.startswith(stale + os.sep):
                    setattr(module, key, own + value[len(stale) :])


def home_of(environ: Mapping[str, str]) -> str:
    cache = environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    told = environ.get("HF_HOME", os.path.join(cache, "huggingface"))
    return os.path.expandvars(os.path.expanduser(told))
