"""Imports what models of Transformers need: named in `preload` of images, after `modelserver.preload`.

They take seconds, and a quarter of a gigabyte that pods share. Nothing here computes: a library that has started its
threads cannot be forked.
"""

import importlib

_OWN = "sampan.components.serving.engine.programs.modelserver"
_MODULES = (
    *(
        "torch",
        "torch._dynamo",
        "safetensors.torch",
        "tokenizers",
        "transformers",
        "transformers.cache_utils",
    ),
    *("transformers.modeling_utils", "transformers.generation", "transformers.tokenization_utils_tokenizers"),
    *("transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto"),
    *("transformers.generation.utils", "transformers.masking_utils", "llguidance", "llguidance.hf"),
    *(f"{_OWN}.{name}" for name in ("stand_in", "runtimes.huggingface", "vllm.start")),
)

for _name in _MODULES:
    try:
        importlib.import_module(_name)
    except ImportError:
        # Another version of the library, or the program says so when it needs it.
        continue
