"""The storage initializer: brings models' files into a pod, where upstream runs `kserve/storage-initializer`.

`python -m …initializer SOURCE TARGET [SOURCE TARGET …]`, with upstream's variables. Nothing but the standard library is
needed (and `git` for repositories), so that it starts at once in any environment, and every connection goes through
one guard (`web`). The agent's puller uses `main.Initializer` too.

Source of what it answers to: kserve/kserve v0.20.0 python/storage, python/storage-initializer.
"""
