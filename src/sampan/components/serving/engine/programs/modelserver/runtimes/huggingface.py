"""Models of Hugging Face's Transformers, at the place of kserve/huggingfaceserver. Loaded by the server.

Tasks that answer a request in one pass are `encoders`; those that write text are `language_model`. Both also have
OpenAI's routes. Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/__main__.py.
"""

from __future__ import annotations

import importlib

from sampan.components.serving.engine.programs.modelserver.contract import Opaque, Source
from sampan.components.serving.engine.programs.modelserver.runtimes.language import pretrained, tasks
from sampan.components.serving.engine.programs.modelserver.runtimes.language.encoders import Encoder
from sampan.components.serving.engine.programs.modelserver.runtimes.language.language_model import (
    LanguageModel,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import settings_of


def load(source: Source) -> Opaque:
    """Raises LoadError."""
    settings = settings_of(source)
    if told := source.options.get("nthread") or source.options.get("nthreads"):
        importlib.import_module("torch").set_num_threads(int(told) if told.isdigit() and int(told) else 1)
    config = pretrained.config_of(settings)
    task = tasks.task_of(settings.task, getattr(config, "architectures", None) or ())
    found = pretrained.read(settings, config, task)
    if task in tasks.GENERATIVE:
        return LanguageModel(settings, task, found)
    return Encoder(settings, task, found)
