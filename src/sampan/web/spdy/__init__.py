"""SPDY/3.1, as far as Kubernetes' streams use it: frames and their header blocks (`frames`), a connection (`session`).

kubectl before 1.29 speaks it for exec, attach and port-forward, every kubectl for port-forward, inside a WebSocket or
not. The protocol is dead elsewhere; Go's implementation (moby/spdystream) is the one to get on with: it neither sends
window updates nor minds them.
"""
