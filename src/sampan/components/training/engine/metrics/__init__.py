"""Metrics of a job: from what its ranks print (`lines`), from TensorBoard files (`events`); in series. Pure."""
