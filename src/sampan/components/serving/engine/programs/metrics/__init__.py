"""A pod's metrics with the names of its revision: stands at the place of KServe's queue-proxy that adds metrics up.

    main        the server, and what it asks the model server
    labelling   labels for each sample of Prometheus' text

Source: kserve 0.20 qpext/cmd/qpext/main.go. Knative's own metrics of its queue are not there: no queue stands in pods
here, and the gateway counts (decision 66).
"""
