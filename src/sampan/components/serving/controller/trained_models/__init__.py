"""Controllers of TrainedModels, and of the lists of models that agents read.

reconciler      a TrainedModel: its conditions and its address
model_configs   an InferenceService that serves several: the ConfigMap with the list of them
parts           both, with what they stand on
"""
