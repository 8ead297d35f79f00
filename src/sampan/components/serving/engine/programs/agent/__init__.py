"""The agent in front of a model server: stands at the place of the image `kserve/agent`, with its arguments.

    main        arguments, the server
    arguments   what they say
    proxy       requests handed on to the model server
    probing     readiness: the model server's own probe, asked from here
    batching    V1 predict requests joined
    logging     requests and answers seen, as events
    frames      calls of gRPC, as they pass
    events      what an event is: CloudEvents, records of files
    delivery    a bounded queue of events, and who sends them
    storing     files of events in a store of objects
    parquet     one of their formats

Source: kserve 0.20 cmd/agent/main.go, pkg/batcher, pkg/logger. Models are pulled by `programs/puller`.
"""
