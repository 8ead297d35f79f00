"""The host of untrusted content: what users made is served there, and nothing else; nothing of it on ours.

`origin` answers on it, for tickets that `tickets` signs and `policies` says what a browser may do with. Decision 30.
"""
