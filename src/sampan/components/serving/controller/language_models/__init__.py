"""LLMInferenceServices and LLMInferenceServiceConfigs: `reconciler` and `configs`, with `files` for the models'."""
