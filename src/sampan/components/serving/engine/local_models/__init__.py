"""Models that are kept on nodes, so that their pods find them there: LocalModelCaches. Pure.

    config      what `inferenceservice-config` says of them
    models      a cache of either kind, what it says of its model, and what its status says
    nodes       which nodes are in a group
    volumes     the volumes and claims through which Jobs and pods see the files
    jobs        the Job that downloads one
    matching    which InferenceServices take their model from a cache, and how

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/{localmodel,localmodelnode},
pkg/apis/serving/v1alpha1/local_model_*.go.
"""
