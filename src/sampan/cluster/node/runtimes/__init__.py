"""How a pod's containers really run: the runtime seam and its implementations.

`protocol` is the seam that the agent calls; `process` runs containers as processes of this machine, through
`launcher`, which is a program of its own. Nothing here knows the API server, pods or environments.
"""
