"""How everything talks to a Kubernetes API, ours or a real one.

`protocol` is the seam; the HTTP implementation lives beside it, the in-process one with the server it calls
(`sampan.cluster.apiserver`). Components see the protocol only and cannot tell the two apart.
"""
