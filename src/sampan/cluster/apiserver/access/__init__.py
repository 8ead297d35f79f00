"""Who sends a request to the API, and whether they may: authentication, RBAC, tokens of service accounts, reviews.

`gate.Gate` is the one place that decides about a request; `http` and the web guards ask it and nobody else does.
"""
