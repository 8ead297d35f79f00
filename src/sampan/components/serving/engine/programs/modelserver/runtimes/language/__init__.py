"""Models of Hugging Face's Transformers: what `runtimes.huggingface` serves. Transformers is imported inside functions.

`settings`, `tasks`, `wishes`, `texts`, `conversations` and `answers` are pure; `pretrained` reads a model's folder;
`encoders` and `language_model` are what the server asks; `rows`, `steps` and `whole` generate.
"""
