"""Clock, ids, logging and asyncio helpers: could be a library of its own.

Nothing here knows Kubernetes, HTTP or SQL; standard library only.
"""
