"""HTTP/1.1 for the small programs that stand between a caller and a model: the agent and the graph's router.

    heads    the lines before a body, read strictly; how bodies are framed
    server   connections that are accepted
    client   connections that are made, kept and used again
    running  a server as a program has it: signals, draining, the event loop

The standard library only, so that an environment for them needs nothing; uvloop is used where it is installed.
Source: RFC 9110, RFC 9112.
"""
