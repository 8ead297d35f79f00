"""What a TrainJob and its runtime come to: a JobSet, what stands beside it, and the status that follows. Pure.

    contract     what plugins are given and may do
    info         the runtime, the TrainJob's patches and its own wishes, put together
    merging      runtimePatches and podTemplateOverrides
    plugins      the list of plugins; a module for each
    status       what the JobSet says, as the TrainJob's status

Source throughout: kubeflow/trainer pkg/runtime, v2.3.
"""
