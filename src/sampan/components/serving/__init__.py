"""KServe, KFServing, Seldon and TensorFlow Serving: see README.md."""
