"""vLLM's program and API, for images of vLLM: `arguments` reads its command line, `start` makes what serves, `routes`
are what vLLM has beside OpenAI's. The texts are written by `runtimes.language`, as those of every language model.
"""
