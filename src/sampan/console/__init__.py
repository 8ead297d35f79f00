"""What the commands of components have in common: how they reach a server, how they say what went wrong, how they
print. Used by the `cli` rooms; the commands themselves are there.
"""
