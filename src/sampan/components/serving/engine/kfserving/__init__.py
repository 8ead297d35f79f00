"""KFServing's InferenceServices and TrainedModels: what they are followed by. Pure.

mirroring    the InferenceService of KServe's that runs what one of KFServing's says
status    what is seen of it, for the one that it follows
checking    whether it may be
trained_models    the same, all of it, of TrainedModels
"""
