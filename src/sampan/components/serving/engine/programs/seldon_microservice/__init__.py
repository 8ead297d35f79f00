"""Seldon's Python wrapper, `seldon-core-microservice`: serves a class of the user's, or a prepackaged server.

    component   what users' classes may be and raise: SeldonComponent, SeldonResponse
    payloads    SeldonMessages as JSON: what a model gets of them, what its answer becomes
    methods     predict, transform, route, aggregate, send feedback
    messages    the same messages over gRPC
    forms       a request's message: JSON, a form, a query
    rest, grpc_service    the two servers
    metadata, metrics     what a model says of itself, and what it counts
    servers, examples     SKLearnServer and its like; the classes of upstream's example images
    openapi     the API described
    error_handlers    errors of a class's own
    tftensors   TensorFlow's tensors
    stand_in, stand_in_modules    the package `seldon_core`, for users' imports
    main        arguments, processes

Source: seldon-core 1.18.2 python/seldon_core.
"""
