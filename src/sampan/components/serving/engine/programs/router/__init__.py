"""The router of an InferenceGraph: stands at the place of the image `kserve/router`, with its arguments.

    graph       the graph as `--graph-json` has it
    conditions  what a condition finds in a request
    execution   nodes and steps, one request through them
    calls       a step's service called
    main        arguments, the server

Source: kserve 0.20 cmd/router/main.go.
"""
