"""Seldon's explainer: stands at the place of the images `seldonio/alibiexplainer` and MLServer's `-alibi-explain`.

    options      what it is told, by arguments or by variables
    predictors   the model that it asks, in the protocol of its SeldonDeployment
    explaining   Alibi's explainers: loaded, or made, and asked
    library      Alibi itself
    rest         the server: Seldon's, TensorFlow Serving's and the Open Inference Protocol's paths
    main         the process

Alibi 0.9.4 explains, which is the last under Apache's licence. Source: seldon-core 1.18.2
components/alibi-explain-server; SeldonIO/MLServer 1.3.5 runtimes/alibi-explain.
"""
