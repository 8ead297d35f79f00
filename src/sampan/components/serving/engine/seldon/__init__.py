"""A SeldonDeployment: checked, with defaults, as Deployments and Services, and its status. Pure.

    config      prepackaged servers and images, as the ConfigMap `seldon-config` says
    names       what upstream calls its children
    spec        reading one; its defaults
    checks      what is refused
    units       the containers of a graph's units
    servers     those of prepackaged servers
    executor    the container that sends messages through the graph
    explainers  a predictor's explainer
    desired     all its children together
    status      what is told of them

Source: seldon-core 1.18.2 operator/{apis/machinelearning.seldon.io/v1,controllers}.
"""
