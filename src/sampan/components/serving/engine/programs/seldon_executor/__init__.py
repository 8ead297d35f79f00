"""Seldon's executor: stands at the place of the image `seldonio/seldon-core-executor`, with its arguments.

    graph       the predictor as ENGINE_PREDICTOR has it
    execution   one message's way through the graph, whatever it is written in
    units       what the built-in units do
    rest_calls, grpc_calls    a unit's microservice asked
    grpc_protocols  and a unit that speaks TensorFlow Serving's protocol or v2 over gRPC
    rest, grpc_server         the two servers
    metrics     what is counted
    events      requests and answers told of as CloudEvents
    main        arguments, the process

Source: seldon-core 1.18.2 executor.
"""
