"""TrainedModels: several models on one InferenceService, which has none of its own. Pure."""
