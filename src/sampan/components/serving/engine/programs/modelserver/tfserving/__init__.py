"""TensorFlow Serving's API, REST and gRPC, with its versions and configuration. Made by `program` when asked."""
